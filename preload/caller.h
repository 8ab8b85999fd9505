/* caller.h - functions of libraries that a process may hold several copies of, found by who calls.
 */
#ifndef TAGALONG_CALLER_H
#define TAGALONG_CALLER_H

/*
 * TLS libraries and libpq are loaded with RTLD_LOCAL, and wheels bring copies of their own, so the
 * next definition after ours may be none, or another copy's. The real function is looked up in the
 * scope of the object that calls, told by the return address, once for each place that calls. A
 * call that is the last of its function is taken for its caller's, which matters only if both
 * objects use copies of different versions.
 */

#include <stdint.h>

/* One per CALLER row of hooks.def. */
enum foreign {
#define BEFORE(...)
#define AFTER(...)
#define AROUND(...)
#define WAIT(...)
#define CUSTOM(...)
#define CALLER(library, type, absent, name, parameters, arguments, pass) FOREIGN_##name,
#include "preload/hooks.def"
#undef BEFORE
#undef AFTER
#undef AROUND
#undef WAIT
#undef CUSTOM
#undef CALLER
	FOREIGN_COUNT,
};

/* One place that calls one function; constant, and valid as long as the calling object is loaded.
 */
struct caller {
	uintptr_t address;      /* return address of the call */
	uint32_t function;      /* enum foreign */
	_Atomic uint32_t epoch; /* of the last look-up, see caller_forget */
	void *real;             /* the function to call; never NULL */
	const char *object;     /* path of the object that calls, "" for the program itself */
	uintptr_t base;         /* where it is loaded: address - base is its link-time address */
	uintptr_t library;      /* where the object of the real function is loaded */
};

/*
 * The place that the call returns to. NULL: no object of the process has such a function but us.
 * Any thread; errno is kept. Takes the loader's lock, and may wait for it, at a place's first call.
 */
const struct caller *caller_find(enum foreign function, void *address);

/* Another function of the library that `caller` calls, by name; NULL: it has none. As slow as a
 * look-up by the loader. */
void *caller_sibling(const struct caller *caller, const char *name);

/* An object was unloaded: what was found is looked up again. */
void caller_forget(void);

#endif
