/* runtime_take.h - runtime_take for a connection that no descriptor leads to. */
#ifndef TAGALONG_RUNTIME_TAKE_H
#define TAGALONG_RUNTIME_TAKE_H

#include "preload/conn.h"
#include "preload/runtime.h"

/* In the guard, with the connection locked. */
int runtime_take_from(struct conn *conn, struct runtime_context *out);

#endif
