/* hook.h - what hooks.def expands to: pointers to the real functions, and our part of each hook. */
#ifndef TAGALONG_HOOK_H
#define TAGALONG_HOOK_H

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "preload/caller.h"
#include "preload/fd.h"
#include "preload/libpq.h"
#include "preload/thread.h"

/* True: before the constructor, or stepped aside for good. */
static inline int hooks_off(void)
{
	return atomic_load_explicit(&process_mode, memory_order_relaxed) != MODE_ON;
}

/* GNUTLS_E_UNIMPLEMENTED_FEATURE. */
#define GNUTLS_MISSING (-1250)

/* The real function of that name; NULL: the C library has none. */
void *hook_find(const char *name);

/* clang-format off */

/* real_NAME starts at a resolver of its own, so it can be called at any time, before main as well. */
#define BEFORE(library, type, absent, name, parameters, arguments, pass) \
	extern type (*real_##name) parameters __attribute__((visibility("hidden")));
#define AFTER BEFORE
#define AROUND BEFORE
#define WAIT BEFORE
#define CUSTOM(...)
#define CALLER(...)
#include "preload/hooks.def"
#undef BEFORE
#undef AFTER
#undef AROUND
#undef WAIT
#undef CALLER

/* The real function that a place calls, with its type. */
#define HOOK_REAL(name, caller) ((real_type_##name)(caller)->real)

/* Our parts, in the seen_*.c files. HOOK_OPEN takes the parentheses off a list. */
#define HOOK_OPEN(...) __VA_ARGS__
#define BEFORE(library, type, absent, name, parameters, arguments, pass) \
	void before_##name parameters;
#define AFTER(library, type, absent, name, parameters, arguments, pass) \
	void after_##name(type result, HOOK_OPEN parameters);
#define AROUND(library, type, absent, name, parameters, arguments, pass) \
	type around_##name parameters;
#define WAIT(library, type, absent, name, parameters, arguments, pass) \
	void wait_##name(void *frame, HOOK_OPEN parameters);
#define CALLER(library, type, absent, name, parameters, arguments, pass) \
	typedef type (*real_type_##name) parameters; \
	type around_##name(const struct caller *caller, HOOK_OPEN parameters);
#include "preload/hooks.def"
#undef BEFORE
#undef AFTER
#undef AROUND
#undef WAIT
#undef CUSTOM
#undef CALLER

/* clang-format on */

#endif
