/* hook.c - the interposed functions themselves, expanded from hooks.def. */
#include "preload/hook.h"

#include <errno.h>

#include "preload/old_dl.h"

void *hook_find(const char *name)
{
	return old_dlsym(RTLD_NEXT, name);
}

/* clang-format off */

/* Prototypes for the names that the headers declare only for fortified callers. */
#define ROW(library, type, absent, name, parameters, arguments, pass) type name parameters;
#define BEFORE ROW
#define AFTER ROW
#define AROUND ROW
#define WAIT ROW
#define CALLER ROW
#define CUSTOM(...)
#include "preload/hooks.def"
#undef ROW
#undef CALLER
#define CALLER(...)

/*
 * Resolvers. A missing function answers as an old kernel would. dlsym may set errno even when it finds the name,
 * so the caller's is put back before the real call.
 */
#define ROW(library, type, absent, name, parameters, arguments, pass) \
	static type resolve_##name parameters \
	{ \
		int before = errno; \
		void *real = hook_find(#name); \
\
		if (!real) { \
			errno = ENOSYS; \
			return absent; \
		} \
		real_##name = (type(*) parameters)real; \
		errno = before; \
		return real_##name arguments; \
	} \
	type(*real_##name) parameters = resolve_##name;
#include "preload/hooks.def"
#undef ROW
#undef BEFORE
#undef AFTER
#undef AROUND
#undef WAIT
#undef CALLER

#define EXPORT __attribute__((visibility("default")))

#define BEFORE(library, type, absent, name, parameters, arguments, pass) \
	EXPORT type name parameters \
	{ \
		if (!(pass)) \
			before_##name arguments; \
		return real_##name arguments; \
	}

#define AFTER(library, type, absent, name, parameters, arguments, pass) \
	EXPORT type name parameters \
	{ \
		type result; \
\
		if (pass) \
			return real_##name arguments; \
		result = real_##name arguments; \
		after_##name(result, HOOK_OPEN arguments); \
		return result; \
	}

#define AROUND(library, type, absent, name, parameters, arguments, pass) \
	EXPORT type name parameters \
	{ \
		if (pass) \
			return real_##name arguments; \
		return around_##name arguments; \
	}

#define WAIT(library, type, absent, name, parameters, arguments, pass) \
	EXPORT type name parameters \
	{ \
		if (!(pass)) \
			wait_##name(__builtin_frame_address(0), HOOK_OPEN arguments); \
		return real_##name arguments; \
	}

#define CALLER(library, type, absent, name, parameters, arguments, pass) \
	EXPORT type name parameters \
	{ \
		const struct caller *caller = caller_find(FOREIGN_##name, __builtin_return_address(0)); \
\
		if (!caller) \
			return absent; \
		if (pass) \
			return HOOK_REAL(name, caller) arguments; \
		return around_##name(caller, HOOK_OPEN arguments); \
	}

#include "preload/hooks.def"

/* clang-format on */
