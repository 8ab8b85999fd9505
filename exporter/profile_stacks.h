/* profile_stacks.h - where threads were when they left the CPU, as stacks with times. */
#ifndef TAGALONG_PROFILE_STACKS_H
#define TAGALONG_PROFILE_STACKS_H

/*
 * The kernel walks frame pointers. Where there are none, a thread that stays blocked long enough to
 * be met by profile_stacks_look is unwound from outside, from the registers that it entered the
 * kernel with; the same call at the same stack pointer is then known. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "ebpf/probes.h"
#include "exporter/profile_data.h"

struct profile_stack {
	struct blocked_key key;
	struct blocked total;
	uint64_t pending_ns; /* of a thread that is blocked now */
	char *frames;        /* outermost first, with ';' between; NULL: not known */
	int unwound;         /* by unwind tables, so there is nothing better */
	int tries;
};

struct profile_stacks {
	void *tree;
	struct profile_stack **at;
	size_t count;
	struct profile_blocked *blocked; /* threads, while one pass looks at them */
	size_t blocked_count, blocked_room;
	uint64_t now_ns;
};

void profile_stacks_init(struct profile_stacks *stacks);
void profile_stacks_fini(struct profile_stacks *stacks);

/* To be called often: a process that is gone can't be asked for its symbols any more. */
void profile_stacks_look(struct profile_stacks *stacks, struct probes *probes, uint64_t now_ns);

struct profile_fold {
	char *line; /* "process;outermost;...;innermost;[call];[wait]" */
	uint64_t microseconds;
};

/* All stacks with their times, ascending by line; NULL: no memory. The caller frees. */
struct profile_fold *profile_stacks_fold(const struct profile_stacks *stacks,
					 const struct profile_data *data, size_t *count);
void profile_fold_free(struct profile_fold *folds, size_t count);

#endif
