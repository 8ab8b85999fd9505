/* slow.c - stacks of calls that take long, or sent a snapshot, kept until their spans come. */
#include "slow.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/log.h"
#include "exporter/record.h"
#include "exporter/stack.h"

#define MS_NS           1000000ull
#define LOOK_LEAST_NS   (10 * MS_NS)
#define SLOTS_A_PASS    16
#define UNWIND_LEAST_NS (20 * MS_NS)    /* from the beginning of one to that of the next */
#define UNWIND_SHARE    20              /* times as long as it took is to pass afterwards, ... */
#define UNWIND_SAVED_NS (10000 * MS_NS) /* ... of which so much may have passed before */

struct kept_stack {
	uint8_t span_id[8];
	uint32_t slot;
	uint64_t age; /* counts up; 0: free */
	char *text;   /* NULL: there was nothing to be had */
};

struct seen_slot {
	uint64_t next_look_ns;
	int refused; /* its memory may not be read */
	int unknown; /* nor what it has mapped */
};

struct slow_calls {
	uint64_t slow_ns;
	uint64_t pass_ns;
	unsigned looks_left; /* in this pass */
	uint64_t next_unwind_ns;
	uint64_t paid_until_ns; /* what was taken is paid for by the time that passes until then */
	uint64_t age;
	unsigned kept_count;
	struct seen_slot slots[SEGMENT_SLOTS_MAX];
	struct kept_stack kept[SLOW_KEPT];
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS_NS + (uint64_t)now.tv_nsec;
}

struct slow_calls *slow_calls_new(uint32_t slow_ms)
{
	struct slow_calls *slow = calloc(1, sizeof(*slow));

	if (slow)
		slow->slow_ns = slow_ms * MS_NS;
	return slow;
}

static void drop(struct slow_calls *slow, struct kept_stack *kept)
{
	if (kept->age)
		slow->kept_count--;
	free(kept->text);
	memset(kept, 0, sizeof(*kept));
}

void slow_calls_free(struct slow_calls *slow)
{
	for (int i = 0; slow && i < SLOW_KEPT; i++)
		drop(slow, &slow->kept[i]);
	free(slow);
	symbol_forget();
}

static struct kept_stack *find_kept(struct slow_calls *slow, const uint8_t span_id[8])
{
	for (int i = 0; slow->kept_count && i < SLOW_KEPT; i++)
		if (slow->kept[i].age && memcmp(slow->kept[i].span_id, span_id, 8) == 0)
			return &slow->kept[i];
	return NULL;
}

/* The place of the oldest, if all are taken. */
static void keep(struct slow_calls *slow, uint32_t slot, const uint8_t span_id[8], const char *text)
{
	struct kept_stack *oldest = &slow->kept[0];

	for (int i = 1; i < SLOW_KEPT; i++)
		if (slow->kept[i].age < oldest->age)
			oldest = &slow->kept[i];
	drop(slow, oldest);
	memcpy(oldest->span_id, span_id, 8);
	oldest->slot = slot;
	oldest->age = ++slow->age;
	slow->kept_count++;
	oldest->text = text ? strdup(text) : NULL;
}

static void note_refusal(struct slow_calls *slow, uint32_t slot, const struct process *process,
			 int error)
{
	slow->slots[slot].refused = 1;
	if (error == -EPERM || error == -EACCES)
		log_line(LOG_INFO, "slow",
			 "the stacks of process %u may not be read (see ptrace(2)), so its slow "
			 "calls are told without",
			 process->pid);
}

/*
 * The first stack of a process may take long, for files are opened and their tables unpacked; what
 * follows is quick, and is not to wait for it.
 */
static void pay(struct slow_calls *slow, uint64_t began_ns, uint64_t ended_ns)
{
	if (slow->paid_until_ns + UNWIND_SAVED_NS < began_ns)
		slow->paid_until_ns = began_ns - UNWIND_SAVED_NS;
	slow->paid_until_ns += (ended_ns - began_ns) * UNWIND_SHARE;
	slow->next_unwind_ns = began_ns + UNWIND_LEAST_NS;
	if (slow->next_unwind_ns < slow->paid_until_ns)
		slow->next_unwind_ns = slow->paid_until_ns;
}

static int is_refusal(int result)
{
	return result == -EPERM || result == -EACCES || result == -ENOSYS;
}

static void unwind(struct slow_calls *slow, uint32_t slot, const struct process *process,
		   const struct inflight *entry, uint64_t since_ns)
{
	struct symbol_process identity = {process->pid, process->start_ticks};
	char text[STACK_TEXT_ROOM];
	uint8_t span_id[8];
	uint64_t began;
	int frames;

	memcpy(span_id, entry->span.span_id, sizeof(span_id));
	if (find_kept(slow, span_id))
		return;
	began = clock_ns();
	frames = stack_of_wait(&identity, &entry->wait, since_ns, text, sizeof(text));
	pay(slow, began, clock_ns());
	if (is_refusal(frames))
		note_refusal(slow, slot, process, frames);
	else if (frames != -EAGAIN)
		keep(slow, slot, span_id, frames > 0 ? text : NULL);
}

/*
 * When a wait began that is slow by now, and noted its registers; else 0. What is not sampled is
 * not told anyway.
 */
static uint64_t slow_since(const struct slow_calls *slow, const struct inflight *entry)
{
	uint64_t since_ns;

	if (atomic_load_explicit(&entry->live, memory_order_acquire) == 0 ||
	    !(entry->span.trace_flags & 1))
		return 0;
	since_ns = atomic_load_explicit(&entry->wait.since_ns, memory_order_acquire);
	if (since_ns == 0 || since_ns > slow->pass_ns || slow->pass_ns - since_ns < slow->slow_ns ||
	    entry->wait.registers[0] == 0)
		return 0;
	return since_ns;
}

/* A few slots a pass, for a look at one takes a cache line of each of its requests. */
static int is_due(struct slow_calls *slow, struct seen_slot *seen, uint64_t now_ns)
{
	uint64_t pause_ns = slow->slow_ns / 2;

	if (slow->pass_ns != now_ns) {
		slow->pass_ns = now_ns;
		slow->looks_left = SLOTS_A_PASS;
	}
	if (seen->refused || now_ns < seen->next_look_ns || now_ns < slow->next_unwind_ns ||
	    slow->looks_left == 0)
		return 0;
	slow->looks_left--;
	seen->next_look_ns = now_ns + (pause_ns > LOOK_LEAST_NS ? pause_ns : LOOK_LEAST_NS);
	return 1;
}

void slow_calls_visit(struct slow_calls *slow, uint32_t slot, const struct process *process,
		      const struct slot *shared, uint64_t now_ns)
{
	if (!slow || !slow->slow_ns || !is_due(slow, &slow->slots[slot], now_ns))
		return;
	for (uint32_t i = 0; i < INFLIGHT_COUNT; i++) {
		const struct inflight *entry = &shared->inflight[i];
		uint64_t since_ns = slow_since(slow, entry);

		if (since_ns == 0)
			continue;
		unwind(slow, slot, process, entry, since_ns);
		if (slow->slots[slot].refused)
			return;
		if (now_ns < slow->next_unwind_ns) {
			/* The others of this process come as soon as time allows. */
			slow->slots[slot].next_look_ns = slow->next_unwind_ns;
			return;
		}
	}
}

void slow_calls_snapshot(struct slow_calls *slow, uint32_t slot, const struct process *process,
			 const void *payload, size_t size)
{
	struct symbol_process identity = {process->pid, process->start_ticks};
	char text[STACK_TEXT_ROOM];
	struct stack_record stack;
	uint64_t began;
	int frames;

	if (!slow || slow->slots[slot].unknown || record_stack(payload, size, &stack) != 0 ||
	    find_kept(slow, stack.span_id))
		return;
	began = clock_ns();
	if (began < slow->paid_until_ns)
		return;
	frames = stack_of_record(&identity, &stack, (const struct stack_record *)payload + 1, text,
				 sizeof(text));
	pay(slow, began, clock_ns());
	slow->slots[slot].unknown = is_refusal(frames);
	if (frames > 0)
		keep(slow, slot, stack.span_id, text);
}

struct text slow_calls_take(struct slow_calls *slow, const uint8_t span_id[8], struct arena *arena)
{
	struct kept_stack *kept = slow ? find_kept(slow, span_id) : NULL;
	struct text text = {NULL, 0};

	if (!kept)
		return text;
	if (kept->text)
		text.at = arena_text(arena, kept->text, strlen(kept->text));
	if (text.at)
		text.size = (uint32_t)strlen(text.at);
	drop(slow, kept);
	return text;
}

void slow_calls_forget(struct slow_calls *slow, uint32_t slot)
{
	if (!slow)
		return;
	memset(&slow->slots[slot], 0, sizeof(slow->slots[slot]));
	for (int i = 0; i < SLOW_KEPT; i++)
		if (slow->kept[i].age && slow->kept[i].slot == slot)
			drop(slow, &slow->kept[i]);
}
