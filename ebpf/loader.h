/* loader.h - the inside of struct probes, and loading parts of the programs. */
#ifndef TAGALONG_EBPF_LOADER_H
#define TAGALONG_EBPF_LOADER_H

#include "ebpf/probes.h"
#include "ebpf/table.h"
#include <programs.skel.h>

struct ring_buffer;

struct probes {
	struct programs *programs;
	struct ring_buffer *events;
	probes_slow_visitor *slow_visitor; /* of the poll under way */
	void *slow_own;
	unsigned features;
	enum probe_scope scope;
	struct table latencies; /* as they were told last */
	struct table counts;
	struct table ended; /* processes whose end was told in the last reading */
	uint8_t *batch;     /* of keys and values that are being read */
	size_t batch_bytes;
};

/* One program: which feature it is a part of (0: all need it), and its name for people. */
struct loader_part {
	const char *program;
	const char *what;
	unsigned feature;
	const char *only_with;  /* only if the kernel has this tracepoint */
	const char *instead_of; /* only if it has not */
};

extern const struct loader_part loader_parts[];
extern const unsigned loader_part_count;

const char *loader_feature_name(unsigned feature);

/* Whether a part is meant for this kernel. */
int loader_is_meant(const struct loader_part *part);

/* Opens, sets the sizes and switches that do not depend on options. NULL: -errno in errno. */
struct programs *loader_open(void);

/* Loads and attaches the parts that `chosen` has a 1 for. */
int loader_load(struct programs *programs, const uint8_t *chosen);

/* Whether this can work here at all: 0, or -EPERM or -ENOSYS and a clause. */
int loader_check_host(char *why, size_t room);

#endif
