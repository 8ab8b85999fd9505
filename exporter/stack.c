/* stack.c - the stack of a call that waits, or of a snapshot, as text. */
#include "stack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "exporter/text.h"
#include "exporter/unwind.h"

static int is_own(const struct unwind_frame *frame)
{
	const char *slash = strrchr(frame->object, '/');

	return slash && strcmp(slash, "/libtagalong.so") == 0;
}

static void describe_frame(const struct symbol_process *process, const struct unwind_frame *frame,
			   char *line, size_t room)
{
	struct object_place place = {.line = 0};
	const char *object = frame->object;

	if (!text_valid(object, strlen(object)))
		object = "?";
	else if (object[0])
		symbol_find(process, object, frame->address, &place);
	if (place.function[0] && place.line)
		snprintf(line, room, "    at %s (%s:%u)\n", place.function, place.file, place.line);
	else if (place.function[0])
		snprintf(line, room, "    at %s (%s)\n", place.function, object);
	else
		snprintf(line, room, "    at %s+0x%" PRIx64 "\n", object[0] ? object : "?",
			 frame->address);
}

static int write_frames(const struct symbol_process *process, const struct unwind_frame *frames,
			int count, char *text, size_t room)
{
	char line[OBJECT_FUNCTION_ROOM + OBJECT_FILE_ROOM + 64];
	size_t used = 0;
	int first = 0, written = 0;

	while (first < count && is_own(&frames[first]))
		first++;
	for (int i = first; i < count; i++) {
		size_t size;

		describe_frame(process, &frames[i], line, sizeof(line));
		size = strlen(line);
		if (used + size >= room)
			break;
		memcpy(text + used, line, size);
		used += size;
		written++;
	}
	text[used] = '\0';
	return written;
}

int stack_of_wait(const struct symbol_process *process, const struct inflight_wait *wait,
		  uint64_t since_ns, char *text, size_t room)
{
	struct unwind_frame frames[UNWIND_FRAMES];
	uint64_t registers[8];
	int count;

	memcpy(registers, wait->registers, sizeof(registers));
	count = unwind_process(process->pid, registers, frames, UNWIND_FRAMES);
	if (count < 0)
		return count;
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&wait->since_ns, memory_order_acquire) != since_ns)
		return -EAGAIN;
	return write_frames(process, frames, count, text, room);
}

int stack_of_record(const struct symbol_process *process, const struct stack_record *stack,
		    const void *bytes, char *text, size_t room)
{
	struct unwind_copy copy = {stack->base, stack->size, bytes};
	struct unwind_frame frames[UNWIND_FRAMES];
	int count = unwind_copy(process->pid, stack->registers, &copy, frames, UNWIND_FRAMES);

	return count < 0 ? count : write_frames(process, frames, count, text, room);
}
