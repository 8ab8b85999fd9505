/* profile_options.h - the command line of `tagalong profile`. */
#ifndef TAGALONG_PROFILE_OPTIONS_H
#define TAGALONG_PROFILE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/profile_table.h"

struct profile_options {
	uint32_t pid;       /* 0: none */
	const char *cgroup; /* NULL: none */
	bool all;
	char **command;      /* NULL: none */
	int64_t duration_ns; /* 0: until the end of what is profiled, or a signal */
	int64_t interval_ns;
	int64_t slow_ns; /* 0: slow calls are not told */
	bool json, folded, ascii, histogram, heatmap;
	bool each; /* a table each interval was asked for */
	const char *svg;
	const char *output; /* NULL: stdout, or stderr beside a command */
	enum profile_by by;
	int rows;
};

/* Returns -1 to go on, else the exit code. */
int profile_options_parse(struct profile_options *options, int argc, char **argv);

#endif
