/* environment.h - the environment of a program that the host executes: ours goes with it. */
#ifndef TAGALONG_ENVIRONMENT_H
#define TAGALONG_ENVIRONMENT_H

/*
 * LD_PRELOAD gets our library appended (never replaced), TAGALONG_SESSION names the session, and,
 * inside a request, TRACEPARENT and TRACESTATE name it. An environment that asks for
 * TAGALONG_DISABLE=1 is left alone, and so is one that needs no change.
 */

#include <stddef.h>

#include "preload/thread.h"

/*
 * The environment to use instead of `given` (NULL: none), or `given` itself. The memory is the
 * thread's until environment_release: in a vfork child the parent releases it.
 */
char *const *environment_for_child(struct thread *self, char *const *given);
void environment_release(struct thread *self);

#endif
