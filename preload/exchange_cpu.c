/* exchange_cpu.c - what a thread did for a request: its CPU time, and its calls. */
#include "preload/exchange_cpu.h"

#include "preload/conf.h"
#include "preload/sys.h"

void exchange_count_cpu(struct thread *self, struct exchange *exchange)
{
	if (!conf.cpu_time || self->waits == THREAD_LOOPS || self->runtime)
		return;
	exchange->cpu_start_ns = sys_thread_cpu_ns();
	exchange->turn = self->turns;
}

/* The thread's own clock tells what it did for this request, if it took up no other meanwhile. */
static void served_by(struct thread *self, const struct exchange *exchange, struct span *span)
{
	if (!exchange->cpu_start_ns || self->turns != exchange->turn ||
	    span->thread_id != thread_id(self))
		return;
	span->cpu_ns = sys_thread_cpu_ns() - exchange->cpu_start_ns;
	span->flags |= SPAN_CPU_KNOWN;
}

/* The time of a call counts for its request if one thread does both. */
static void count_call(struct thread *self, const struct exchange *exchange,
		       const struct span *span)
{
	struct exchange *server = exchange_of(exchange->parent);
	struct span *of_server = server ? exchange_span(server) : NULL;

	if (of_server && server->cpu_start_ns && of_server->thread_id == thread_id(self) &&
	    span->thread_id == of_server->thread_id)
		of_server->calls_ns += span->end_ns - span->start_ns;
}

void exchange_counted(struct thread *self, struct exchange *exchange)
{
	struct span *span = exchange_span(exchange);

	if (exchange->kind == SPAN_SERVER)
		served_by(self, exchange, span);
	else
		count_call(self, exchange, span);
}
