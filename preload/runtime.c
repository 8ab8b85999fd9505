/* runtime.c - a language runtime that knows which request its thread works for says so here. */
#include "preload/runtime.h"

#include <string.h>

#include "preload/conn.h"
#include "preload/exchange.h"
#include "preload/fd.h"
#include "preload/late.h"
#include "preload/published.h"
#include "preload/runtime_take.h"
#include "preload/thread.h"

_Static_assert(sizeof(struct runtime_context) == 40, "bridges copy it by words");

void runtime_manage(struct runtime_context *current)
{
	/* Without memory for it late calls have request IDs of their own. */
	late_init();
	thread_self.last_read = 0;
	thread_self.reading_switches = 0;
	thread_self.runtime = current;
}

struct runtime_context *runtime_current(void)
{
	return thread_self.runtime;
}

void runtime_switch(const struct runtime_context *context)
{
	if (!thread_self.runtime)
		return;
	published_set(&thread_self, runtime_lasts(context) ? &context->own : NULL);
	if (context)
		*thread_self.runtime = *context;
	else
		memset(thread_self.runtime, 0, sizeof(*thread_self.runtime));
}

int runtime_alive(const struct runtime_context *context)
{
	return context->reference && exchange_of(context->reference);
}

static void fill(struct runtime_context *out, const struct exchange *exchange)
{
	memset(out, 0, sizeof(*out));
	out->reference = exchange_reference(exchange);
	out->own = exchange->own;
}

int runtime_take_from(struct conn *conn, struct runtime_context *out)
{
	struct exchange *exchange;

	if (conn->role != ROLE_SERVER)
		return 0;
	for (exchange = conn_first(conn); exchange; exchange = exchange_at(exchange->next)) {
		if (exchange->taken || exchange->epoch != process_epoch)
			continue;
		exchange->taken = 1;
		fill(out, exchange);
		return 1;
	}
	return 0;
}

int runtime_take(int descriptor, struct runtime_context *out)
{
	struct thread *self;
	struct conn *conn;
	int taken = 0;

	if (descriptor < 0 || fd_ignored(descriptor))
		return 0;
	self = thread_enter();
	if (!self)
		return 0;
	/* A connection that is not known has had no request. */
	conn = fd_known_connection(descriptor) ? fd_lock(descriptor) : NULL;
	if (conn) {
		taken = runtime_take_from(conn, out);
		conn_unlock(conn);
	}
	thread_leave(self);
	return taken;
}

int runtime_last_read(int forget, struct runtime_context *out)
{
	struct exchange *exchange = exchange_of(thread_self.last_read);

	if (forget)
		thread_self.last_read = 0;
	if (exchange)
		fill(out, exchange);
	return exchange != NULL;
}

void runtime_reading_switches(int switches)
{
	thread_self.reading_switches = (uint8_t)switches;
}

void runtime_read(uint64_t reference)
{
	const struct exchange *exchange = exchange_of(reference);
	struct runtime_context read;

	if (exchange)
		fill(&read, exchange);
	runtime_switch(exchange ? &read : NULL);
}

void runtime_sends(int descriptor, int is_pending)
{
	const struct runtime_context *current = thread_self.runtime;
	struct thread *self;
	struct conn *conn;

	if (!current || descriptor < 0 || fd_ignored(descriptor) || !(self = thread_enter()))
		return;
	conn = fd_lock(descriptor);
	if (conn) {
		int is_sure = !is_pending || conn->sender.reference == current->reference;

		conn->sender = is_sure ? *current : (struct runtime_context){0};
		conn->has_sender = 1;
		conn_unlock(conn);
	}
	thread_leave(self);
}
