/* pgcall.h - a call of libpq by the program: what surrounds the real call. */
#ifndef TAGALONG_PGCALL_H
#define TAGALONG_PGCALL_H

/*
 * A hook enters, begins or resumes an exchange, waits (pgcall_wait is the last thing before the
 * real call), and tells what came of it:
 *
 *	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0)))
 *		return REAL;
 *	pgcall_begin(&call, &request);
 *	pgcall_wait(&call, "PQexec");
 *	result = REAL;
 *	pgcall_executed(&call, result);
 *
 * Debian's libpq calls its own exports through the linkage table: a hook that is entered from there
 * passes through. Within the real call thread_inside_libpq is true. Whatever leaves it otherwise
 * than by a return (a longjmp, a cancellation) leaves the exchange with its connection, where the
 * next call finds it.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "preload/exchange.h"
#include "preload/libpq.h"
#include "preload/live.h"
#include "preload/pgconn.h"
#include "preload/registers.h"
#include "preload/sys.h"
#include "preload/thread.h"

struct pgcall {
	struct thread *self;
	const struct caller *caller;
	struct pg_conn *conn;
	uint64_t exchange;          /* 0: nothing is told */
	struct inflight_wait *wait; /* of the exchange, NULL: none */
	int noted;                  /* this call has noted its registers there */
	uintptr_t outer;            /* the frame that was noted before, and its copy of libpq */
	uintptr_t outer_base;
};

/* What the program asks for. */
struct pgrequest {
	const char *operation; /* FIELD_OPERATION, NULL: plain execution */
	const char *sql;       /* NULL: the text of `name` */
	const char *name;      /* of a prepared statement, NULL: none */
	uint8_t comments;      /* the text may get the trace context as a comment */
	uint8_t sends;         /* the call only sends; its results are asked for later */
};

/*
 * 1: the hook is the outermost; our own code runs until pgcall_wait or pgcall_pass. 0: pass
 * through. `frame` is the hook's.
 */
int pgcall_enter(struct pgcall *call, const struct caller *caller, struct pg_conn *conn,
		 void *frame);

/* Begins an exchange, in flight on the connection; the statement to send instead of request->sql.
 */
const char *pgcall_begin(struct pgcall *call, const struct pgrequest *request);

/* The exchange whose results are being asked for. */
void pgcall_resume(struct pgcall *call);

/* After the real call. Executed, or sent (`sent`: it returned 1), or a result was asked for. */
void pgcall_executed(struct pgcall *call, struct pg_result *result);
void pgcall_returned(struct pgcall *call, int succeeded); /* executed; the result was libpq's */
void pgcall_sent(struct pgcall *call, int sent);
void pgcall_got(struct pgcall *call, struct pg_result *result);

/* The entry of the call's connection, locked; a connection that is new to us gets one. Or NULL. */
struct pgconn *pgcall_state(const struct pgcall *call);

/* The call is about that exchange. */
void pgcall_exchange(struct pgcall *call, struct exchange *exchange);

/* The exchange ends with this call: its stack, if it is asked for and worth it. */
void pgcall_stack(const struct pgcall *call, const struct pgconn *state, struct exchange *exchange);

/* Our own code ends before the real call, and begins again after it (0: it can't). */
void pgcall_pass(struct pgcall *call);
int pgcall_back(struct pgcall *call);

/* The hook is done. */
void pgcall_leave(struct pgcall *call);

/* As pgcall_pass, for a call that may wait: notes where, and the hook's registers. */
static inline __attribute__((always_inline)) void pgcall_wait(struct pgcall *call, const char *name)
{
	struct inflight_wait *wait = call->wait;

	if (wait) {
		memcpy(wait->call, name, strlen(name) + 1);
		wait->thread_id = thread_id(call->self);
		call->noted = registers_note(wait->registers);
		atomic_store_explicit(&wait->since_ns, sys_now_ns(), memory_order_release);
	}
	pgcall_pass(call);
}

/* As pgcall_pass, for a call that only sends: its registers are noted if they may be wanted. */
static inline __attribute__((always_inline)) void pgcall_send(struct pgcall *call)
{
	if (live_now()->call_stacks && call->wait)
		call->noted = registers_note(call->wait->registers);
	pgcall_pass(call);
}

#endif
