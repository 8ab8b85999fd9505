/* profile_stacks.c - where threads were when they left the CPU, as stacks with times. */
#include "exporter/profile_stacks.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/process.h"
#include "exporter/symbol.h"
#include "exporter/unwind.h"

#define LONG_NS     5000000 /* a thread that is blocked so long is looked at */
#define STACKS_MAX  65536
#define LOOKS_MAX   32 /* threads that are unwound in one pass */
#define TRIES_MAX   3
#define FRAMES_ROOM 8192
#define LINE_ROOM   (FRAMES_ROOM + 128)

struct profile_blocked {
	uint32_t tid;
	struct probe_thread thread;
};

static int compare_keys(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct blocked_key));
}

static void keep(void *item)
{
	(void)item;
}

void profile_stacks_init(struct profile_stacks *stacks)
{
	memset(stacks, 0, sizeof(*stacks));
}

void profile_stacks_fini(struct profile_stacks *stacks)
{
	tdestroy(stacks->tree, keep);
	for (size_t i = 0; i < stacks->count; i++) {
		free(stacks->at[i]->frames);
		free(stacks->at[i]);
	}
	free(stacks->at);
	free(stacks->blocked);
	symbol_forget();
}

static struct profile_stack *stack_of(struct profile_stacks *stacks, const struct blocked_key *key)
{
	struct profile_stack **found = tfind(key, &stacks->tree, compare_keys);

	if (found)
		return *found;
	struct profile_stack **longer = stacks->at;
	if (stacks->count == STACKS_MAX)
		return NULL;
	if (!(stacks->count & (stacks->count - 1)))
		longer = realloc(longer,
				 (stacks->count ? 2 * stacks->count : 1) * sizeof(longer[0]));
	if (!longer)
		return NULL;
	stacks->at = longer;
	struct profile_stack *stack = calloc(1, sizeof(*stack));
	if (!stack)
		return NULL;
	stack->key = *key;
	if (!tsearch(stack, &stacks->tree, compare_keys)) {
		free(stack);
		return NULL;
	}
	stacks->at[stacks->count++] = stack;
	return stack;
}

/* ---- frames as text ----------------------------------------------------------------------- */

static size_t write_frame(const struct symbol_process *process, const struct unwind_frame *frame,
			  char *to, size_t room)
{
	const struct object_place *place = NULL;
	const char *slash = strrchr(frame->object, '/');

	if (frame->object[0])
		place = symbol_place(process, frame->object, frame->address);
	if (place && place->function[0])
		snprintf(to, room, "%s", place->function);
	else if (frame->object[0])
		snprintf(to, room, "%s+0x%" PRIx64, slash ? slash + 1 : frame->object,
			 frame->address);
	else
		snprintf(to, room, "[generated code]");
	for (char *at = to; *at; at++)
		if (*at == ';' || *at == '\n')
			*at = ':';
	return strlen(to);
}

/* Outermost first. NULL: no memory. */
static char *write_frames(uint32_t pid, const struct unwind_frame *frames, int count)
{
	struct symbol_process process = {pid, process_start_ticks(pid)};
	char text[FRAMES_ROOM], line[OBJECT_FUNCTION_ROOM + 64];
	size_t used = 0;

	text[0] = '\0';
	for (int i = count - 1; i >= 0; i--) {
		size_t size = write_frame(&process, &frames[i], line, sizeof(line));
		if (used + size + 2 > sizeof(text))
			break;
		if (used)
			text[used++] = ';';
		memcpy(text + used, line, size + 1);
		used += size;
	}
	return strdup(text);
}

static void set_frames(struct profile_stack *stack, const struct unwind_frame *frames, int count)
{
	char *text = count > 0 ? write_frames((uint32_t)(stack->key.process >> 32), frames, count)
			       : NULL;

	if (!text)
		return;
	free(stack->frames);
	stack->frames = text;
}

/* ---- by frame pointers -------------------------------------------------------------------- */

static void take_blocked(void *own, const struct blocked_key *key, const struct blocked *total)
{
	struct profile_stack *stack = stack_of(own, key);

	if (stack)
		stack->total = *total;
}

static void resolve(struct probes *probes, struct profile_stack *stack)
{
	uint64_t addresses[PROBE_STACK_FRAMES];
	struct unwind_frame frames[PROBE_STACK_FRAMES];
	int count = 0;

	stack->tries++;
	if (stack->key.stack != PROBE_NO_STACK)
		count = probes_stack(probes, stack->key.stack, addresses);
	if (count > 0)
		count = unwind_locate((uint32_t)(stack->key.process >> 32), addresses,
				      (size_t)count, frames);
	set_frames(stack, frames, count);
}

/* ---- by unwind tables --------------------------------------------------------------------- */

static void take_thread(void *own, uint32_t tid, const struct probe_thread *thread)
{
	struct profile_stacks *stacks = own;

	if (!thread->off_ns || thread->off_ns + LONG_NS > stacks->now_ns)
		return;
	if (stacks->blocked_count == stacks->blocked_room) {
		size_t room = stacks->blocked_room ? 2 * stacks->blocked_room : 64;
		struct profile_blocked *more =
			realloc(stacks->blocked, room * sizeof(stacks->blocked[0]));
		if (!more)
			return;
		stacks->blocked = more;
		stacks->blocked_room = room;
	}
	stacks->blocked[stacks->blocked_count++] = (struct profile_blocked){tid, *thread};
}

/* The stack counts only if the thread has not gone on meanwhile. */
static int look_at(struct probes *probes, const struct profile_blocked *blocked,
		   struct profile_stack *stack)
{
	struct unwind_frame frames[UNWIND_FRAMES];
	struct probe_thread after;
	uint64_t registers[8];

	if (stack->unwound || stack->tries > TRIES_MAX)
		return 0;
	stack->tries++;
	memcpy(registers, blocked->thread.registers, sizeof(registers));
	int count = unwind_process((uint32_t)(stack->key.process >> 32), registers, frames,
				   UNWIND_FRAMES);
	if (count <= 0 || probes_thread(probes, blocked->tid, &after) < 0 ||
	    after.off_ns != blocked->thread.off_ns)
		return 1;
	set_frames(stack, frames, count);
	stack->unwound = 1;
	return 1;
}

static void look_at_blocked(struct profile_stacks *stacks, struct probes *probes)
{
	int looks = 0;

	for (size_t i = 0; i < stacks->count; i++)
		stacks->at[i]->pending_ns = 0;
	for (size_t i = 0; i < stacks->blocked_count; i++) {
		const struct profile_blocked *blocked = &stacks->blocked[i];
		const struct probe_thread *thread = &blocked->thread;
		struct blocked_key key = {.process = thread->process,
					  .stack_pointer = thread->registers[1],
					  .thread = thread->key_thread,
					  .stack = thread->stack,
					  .call = thread->call,
					  .wait = thread->wait};
		struct profile_stack *stack = stack_of(stacks, &key);
		if (!stack)
			continue;
		stack->pending_ns += stacks->now_ns - thread->off_ns;
		if (looks < LOOKS_MAX)
			looks += look_at(probes, blocked, stack);
	}
}

void profile_stacks_look(struct profile_stacks *stacks, struct probes *probes, uint64_t now_ns)
{
	stacks->now_ns = now_ns;
	stacks->blocked_count = 0;
	probes_blocked(probes, take_blocked, stacks);
	probes_threads(probes, take_thread, stacks);
	look_at_blocked(stacks, probes);
	for (size_t i = 0; i < stacks->count; i++)
		if (!stacks->at[i]->frames && stacks->at[i]->tries <= TRIES_MAX)
			resolve(probes, stacks->at[i]);
}

/* ---- folded lines ------------------------------------------------------------------------- */

static char *write_line(const struct profile_stack *stack, const struct profile_data *data)
{
	const struct profile_process *process = profile_data_process(data, stack->key.process);
	const char *frames = stack->frames ? stack->frames : "[unknown]";
	char line[LINE_ROOM], thread[16] = "";
	int call = stack->key.call;

	if (stack->key.thread)
		snprintf(thread, sizeof(thread), "/%u", stack->key.thread);
	snprintf(line, sizeof(line), "%s%s;%s%s%s%s;[%s]", process ? process->name : "?", thread,
		 frames, call < 0 ? "" : ";[", call < 0 ? "" : probes_call_name(call),
		 call < 0 ? "" : "]", probes_wait_name(stack->key.wait));
	return strdup(line);
}

static int compare_lines(const void *left, const void *right)
{
	const struct profile_fold *one = left, *two = right;

	return strcmp(one->line, two->line);
}

static size_t merge(struct profile_fold *folds, size_t count)
{
	size_t kept = 0;

	qsort(folds, count, sizeof(folds[0]), compare_lines);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || strcmp(folds[kept - 1].line, folds[i].line) != 0) {
			folds[kept++] = folds[i];
			continue;
		}
		folds[kept - 1].microseconds += folds[i].microseconds;
		free(folds[i].line);
	}
	return kept;
}

struct profile_fold *profile_stacks_fold(const struct profile_stacks *stacks,
					 const struct profile_data *data, size_t *count)
{
	struct profile_fold *folds = calloc(stacks->count + 1, sizeof(folds[0]));
	size_t filled = 0;

	for (size_t i = 0; i < stacks->count && folds; i++) {
		const struct profile_stack *stack = stacks->at[i];
		uint64_t ns = stack->total.total_ns + stack->pending_ns;
		char *line = ns >= 1000 ? write_line(stack, data) : NULL;
		if (line)
			folds[filled++] = (struct profile_fold){line, ns / 1000};
	}
	*count = folds ? merge(folds, filled) : 0;
	return folds;
}

void profile_fold_free(struct profile_fold *folds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(folds[i].line);
	free(folds);
}
