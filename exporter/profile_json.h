/* profile_json.h - a profile as JSON, folded stacks, a flame graph, and lines of slow calls. */
#ifndef TAGALONG_PROFILE_JSON_H
#define TAGALONG_PROFILE_JSON_H

#include <stdio.h>

#include "exporter/profile_data.h"

/*
 * One object on one line: elapsed_ns, processes (pid, name, thread if told apart, and a list of
 * measures with call, errno, wait, count, total_ns, max_ns, quantiles and buckets), counts, lost.
 */
void profile_json_print(const struct profile_data *data, FILE *to);

/* A slow call as a line for people. */
void profile_slow_print(const struct slow_call *call, FILE *to);

#endif
