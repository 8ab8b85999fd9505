/* runtime_take.h - runtime_take for a connection that no descriptor leads to. */
#ifndef TAGALONG_RUNTIME_TAKE_H
#define TAGALONG_RUNTIME_TAKE_H

#include "preload/conn.h"
#include "preload/runtime.h"

/* In the guard, with the connection locked. */
int runtime_take_from(struct conn *conn, struct runtime_context *out);

/*
 * For a runtime whose code reads in the name of what runs: from now on a request that this managed
 * thread reads is its word at once; one that is not next on its connection makes it none.
 */
void runtime_reading_switches(int switches);

/* What reading does then; 0: none. */
void runtime_read(uint64_t reference);

#endif
