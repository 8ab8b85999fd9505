/* python.h - CPython is recognised, and runs our script: the bridge. */
#ifndef TAGALONG_PYTHON_H
#define TAGALONG_PYTHON_H

/*
 * What the script (bridge.py, beside the library) does there is said in the script. It is read and
 * run by the library itself, at a moment when CPython calls it and the thread has, or may have, the
 * interpreter's lock: nothing is imported from a path, so -I, -S, virtual environments and
 * sitecustomize make no difference. Without the script CPython runs as it does without us.
 */

struct py_object;

/*
 * An event loop is about to exist: after the real call, with its caller's address; outside the
 * guard. Keeps errno. Does something in a process that is CPython alone.
 */
void python_loop_made(const void *caller);

/*
 * A thread is about to be made: perhaps one of a pool, which a program has without any loop. Cheap
 * once that is done.
 */
void python_thread_made(void);

/* The interpreter ends: nothing is done in this process any more. */
void python_over(void);

/* The functions that the script calls go into its globals; 0, or -1 with an exception set. */
int python_calls_put(struct py_object *globals);

#endif
