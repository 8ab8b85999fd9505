/* profile_table.h - a profile for people: table, waits, histograms, heat map. */
#ifndef TAGALONG_PROFILE_TABLE_H
#define TAGALONG_PROFILE_TABLE_H

#include <stdio.h>

#include "exporter/profile_data.h"
#include "exporter/terminal.h"

enum profile_by { BY_PROCESS, BY_THREAD, BY_CALL };

struct profile_view {
	struct terminal terminal;
	enum profile_by by;
	int rows;     /* of the table, at most; 0: all */
	int interval; /* 1: rates and rows are those of the last interval, else of the whole time */
	int histogram, heatmap;
};

/* As terminal_duration, with "850ns" and "1.2us" for what is short. Returns `out`. */
const char *profile_duration(uint64_t ns, char *out, size_t room);

void profile_table_print(const struct profile_data *data, const struct profile_view *view,
			 FILE *to);

/* System calls by duration, and over time: a column an interval. */
void profile_histogram_print(const struct profile_data *data, const struct profile_view *view,
			     FILE *to);
void profile_heatmap_print(const struct profile_data *data, const struct profile_view *view,
			   FILE *to);

#endif
