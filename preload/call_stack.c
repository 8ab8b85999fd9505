/* call_stack.c - on request, the stack of a call that failed or is repeated, for the exporter. */
#include "preload/call_stack.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/context.h"
#include "preload/ring.h"
#include "preload/sys.h"

#define PAGE        4096u
#define REPEAT_TOLD UINT32_MAX

enum { REGISTER_STACK = 1 }; /* rsp among the registers */

/* FNV-1a. */
static uint64_t hash(uint64_t start, const char *text, size_t size)
{
	uint64_t value = start ^ 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++)
		value = (value ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return value;
}

void call_stack_count(struct thread *self, struct exchange *exchange, const char *text, size_t size)
{
	uint64_t value = hash(exchange->parent, text, size);

	if (value != self->repeat_hash || !size) {
		self->repeat_hash = value;
		self->repeat_count = 0;
	}
	if (size && self->repeat_count != REPEAT_TOLD)
		exchange->repeated = ++self->repeat_count >= CALL_STACK_REPEATS;
}

/* Of this second, by all threads. */
static int within_rate(void)
{
	static _Atomic uint64_t taken; /* the second, and in the lowest byte how many in it */
	uint64_t second = sys_now_ns() / 1000000000u << 8;
	uint64_t before = atomic_load_explicit(&taken, memory_order_relaxed);
	uint64_t after;

	do {
		after = before >> 8 << 8 == second ? before + 1 : second + 1;
		if ((after & 0xff) > CALL_STACKS_PER_S)
			return 0;
	} while (!atomic_compare_exchange_weak(&taken, &before, after));
	return 1;
}

/*
 * The kernel looks at the new mask before it looks at what is to be done with it, which is nothing
 * that it knows: EFAULT for an address that can't be read, EINVAL for others.
 */
static int is_readable(uintptr_t address)
{
	return sys_call6(SYS_rt_sigprocmask, ~0, (long)address, 0, 8, 0, 0) == -EINVAL;
}

/* So many bytes of the stack can be read from `base` on. */
static uint32_t readable(uintptr_t base, uintptr_t top)
{
	uintptr_t end = top - base > STACK_BYTES ? base + STACK_BYTES : top;
	uintptr_t at = base;

	while (at < end && is_readable(at))
		at = (at | (PAGE - 1)) + 1;
	return (uint32_t)((at < end ? at : end) - base) & ~7u;
}

/* The registers stand in shared memory: a stack pointer is believed if it is our caller's. */
static int is_of_our_stack(uintptr_t base, uintptr_t top)
{
	return base > (uintptr_t)__builtin_frame_address(0) && base < top && base % 8 == 0;
}

static int push(struct thread *self, const struct exchange *exchange, const uint64_t registers[8])
{
	uintptr_t top = context_stack_top();
	struct stack_record stack;

	memcpy(stack.span_id, exchange->own.span_id, sizeof(stack.span_id));
	memcpy(stack.registers, registers, sizeof(stack.registers));
	stack.thread_id = thread_id(self);
	stack.base = stack.registers[REGISTER_STACK];
	if (!is_of_our_stack((uintptr_t)stack.base, top) || !within_rate())
		return 0;
	stack.size = readable((uintptr_t)stack.base, top);
	return stack.size && ring_push_stack(&stack);
}

void call_stack_take(struct thread *self, const struct exchange *exchange,
		     const uint64_t registers[8], int failed)
{
	if ((!exchange->repeated && !failed) || !(exchange->own.flags & 1) ||
	    exchange->epoch != process_epoch || conf.no_telemetry || !attach_is_read())
		return;
	if (push(self, exchange, registers) && exchange->repeated)
		self->repeat_count = REPEAT_TOLD;
}
