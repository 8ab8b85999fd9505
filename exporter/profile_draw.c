/* profile_draw.c - system calls by duration as a histogram, and over time as a heat map. */
#include <string.h>

#include "exporter/profile_table.h"

#define BAR_COLUMNS 50
#define SHADES      5

/* The first and last bucket that hold anything. 0: none does. */
static int range_of(const __u64 sums[PROBE_BUCKETS], int *first, int *last)
{
	*first = PROBE_BUCKETS;
	*last = -1;
	for (int i = 0; i < PROBE_BUCKETS; i++) {
		if (!sums[i])
			continue;
		if (i < *first)
			*first = i;
		*last = i;
	}
	return *last >= 0;
}

void profile_histogram_print(const struct profile_data *data, const struct profile_view *view,
			     FILE *to)
{
	struct latency sum = {0};
	uint64_t most = 0;
	int first, last;

	for (size_t i = 0; i < data->row_count; i++)
		if (data->rows[i]->key.measure == MEASURE_CALL)
			profile_latency_add(&sum, &data->rows[i]->total);
	if (!range_of(sum.buckets, &first, &last))
		return;
	for (int i = first; i <= last; i++)
		most = sum.buckets[i] > most ? sum.buckets[i] : most;
	fputs("\nsystem calls by duration, up to\n", to);
	for (int i = first; i <= last; i++) {
		char text[32], bar[4 * BAR_COLUMNS + 1] = "";
		if (sum.buckets[i])
			terminal_bar(&view->terminal, 0, (double)sum.buckets[i] / (double)most,
				     BAR_COLUMNS, bar, sizeof(bar));
		fprintf(to, "%10s %10llu %s\n",
			profile_duration(profile_bound_ns(i), text, sizeof(text)),
			(unsigned long long)sum.buckets[i], bar);
	}
}

/* A shade for each power of eight, so that one slow call among thousands is still seen. */
static const char *shade(const struct profile_view *view, uint64_t count)
{
	static const char *const blocks[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
	static const char *const letters[] = {" ", ".", "o", "O", "#"};
	int level = 0;

	for (; count && level < SHADES - 1; count /= 8)
		level++;
	return view->terminal.utf8 ? blocks[level] : letters[level];
}

void profile_heatmap_print(const struct profile_data *data, const struct profile_view *view,
			   FILE *to)
{
	uint64_t shown = data->tick_count;
	__u64 sums[PROBE_BUCKETS] = {0};
	uint64_t room = (uint64_t)view->terminal.columns - 12;
	int first, last;

	if (shown > PROFILE_TICKS)
		shown = PROFILE_TICKS;
	if (shown > room)
		shown = room;
	for (uint64_t tick = data->tick_count - shown; tick < data->tick_count; tick++)
		for (int i = 0; i < PROBE_BUCKETS; i++)
			sums[i] += data->ticks[tick % PROFILE_TICKS][i];
	if (!range_of(sums, &first, &last))
		return;
	fputs("\nsystem calls by duration (up) and time (across; a column an interval)\n", to);
	for (int i = last; i >= first; i--) {
		char text[32];
		fprintf(to, "%10s ", profile_duration(profile_bound_ns(i), text, sizeof(text)));
		for (uint64_t tick = data->tick_count - shown; tick < data->tick_count; tick++)
			fputs(shade(view, data->ticks[tick % PROFILE_TICKS][i]), to);
		fputc('\n', to);
	}
}
