/* profile_table.c - a profile as a table like top's: calls, and what threads waited for. */
#include "exporter/profile_table.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 24
#define CALL_COLUMNS  18

/* One line: rows that have the same label and call, summed up. */
struct line {
	uint64_t process;
	uint32_t thread;
	int call;
	int wait;
	struct latency latency;
	uint64_t errors;
};

struct lines {
	struct line *at;
	size_t count;
};

const char *profile_duration(uint64_t ns, char *out, size_t room)
{
	if (ns >= 10000)
		return terminal_duration((int64_t)ns, out, room);
	if (ns < 1000)
		snprintf(out, room, "%uns", (unsigned)ns);
	else
		snprintf(out, room, "%.1fus", (double)ns / 1000);
	return out;
}

static int same_line(const struct line *line, const struct line *other)
{
	return line->process == other->process && line->thread == other->thread &&
	       line->call == other->call && line->wait == other->wait;
}

static int compare_lines(const void *left, const void *right)
{
	const struct line *one = left, *two = right;

	if (one->process != two->process)
		return one->process < two->process ? -1 : 1;
	if (one->thread != two->thread)
		return one->thread < two->thread ? -1 : 1;
	if (one->call != two->call)
		return one->call - two->call;
	return one->wait - two->wait;
}

static int compare_time(const void *left, const void *right)
{
	const struct line *one = left, *two = right;

	if (one->latency.total_ns != two->latency.total_ns)
		return one->latency.total_ns < two->latency.total_ns ? 1 : -1;
	return compare_lines(left, right);
}

static void merge(struct lines *lines)
{
	size_t kept = 0;

	qsort(lines->at, lines->count, sizeof(lines->at[0]), compare_lines);
	for (size_t i = 0; i < lines->count; i++) {
		if (kept == 0 || !same_line(&lines->at[kept - 1], &lines->at[i])) {
			lines->at[kept++] = lines->at[i];
			continue;
		}
		profile_latency_add(&lines->at[kept - 1].latency, &lines->at[i].latency);
		lines->at[kept - 1].errors += lines->at[i].errors;
	}
	lines->count = kept;
	qsort(lines->at, lines->count, sizeof(lines->at[0]), compare_time);
}

static int take_row(const struct profile_row *row, const struct profile_view *view,
		    struct line *line)
{
	line->latency = view->interval ? row->news : row->total;
	line->errors = row->key.measure == MEASURE_CALL && row->key.error ? line->latency.count : 0;
	return line->latency.count > 0;
}

/* The rows of one measure; with by_wait the threads' waits, all processes together. */
static struct lines gather(const struct profile_data *data, const struct profile_view *view,
			   int measure, int by_wait)
{
	struct lines lines = {calloc(data->row_count + 1, sizeof(struct line)), 0};

	for (size_t i = 0; i < data->row_count && lines.at; i++) {
		const struct profile_row *row = data->rows[i];
		struct line *line = &lines.at[lines.count];
		if (row->key.measure != measure || !take_row(row, view, line))
			continue;
		line->process = by_wait || view->by == BY_CALL ? 0 : row->key.process;
		line->thread = by_wait || view->by != BY_THREAD ? 0 : row->key.thread;
		line->call = row->key.call;
		line->wait = measure == MEASURE_OFFCPU ? row->key.wait : 0;
		lines.count++;
	}
	if (lines.at)
		merge(&lines);
	return lines;
}

static void print_label(const struct profile_data *data, const struct profile_view *view,
			const struct line *line, FILE *to)
{
	const struct profile_process *process = profile_data_process(data, line->process);
	char label[64], fitted[128];

	if (view->by == BY_CALL)
		return;
	unsigned number = line->thread ? line->thread : (unsigned)(line->process >> 32);
	snprintf(label, sizeof(label), number ? "%s %u" : "%s (ended)",
		 process ? process->name : "?", number);
	int used = terminal_fit(&view->terminal, label, LABEL_COLUMNS, fitted, sizeof(fitted));
	fprintf(to, "%s%*s", fitted, LABEL_COLUMNS + 1 - used, "");
}

static double seconds_of(const struct profile_data *data, const struct profile_view *view)
{
	uint64_t since = view->interval ? data->before_ns : data->begun_ns;

	return data->now_ns > since ? (double)(data->now_ns - since) / 1e9 : 1e-9;
}

static void print_numbers(const struct latency *latency, double seconds, FILE *to)
{
	char text[4][32];
	const double parts[] = {0.5, 0.95, 0.99};

	for (int i = 0; i < 3; i++)
		profile_duration(profile_quantile(latency, parts[i]), text[i], sizeof(text[i]));
	profile_duration(latency->max_ns, text[3], sizeof(text[3]));
	fprintf(to, " %8s %8s %8s %8s %6.1f\n", text[0], text[1], text[2], text[3],
		100 * (double)latency->total_ns / 1e9 / seconds);
}

static void print_calls(const struct profile_data *data, const struct profile_view *view, FILE *to)
{
	struct lines lines = gather(data, view, MEASURE_CALL, 0);
	double seconds = seconds_of(data, view);

	if (view->by != BY_CALL)
		fprintf(to, "%-*s ", LABEL_COLUMNS, view->by == BY_THREAD ? "THREAD" : "PROCESS");
	fprintf(to, "%-*s %9s %9s %7s %8s %8s %8s %8s %6s\n", CALL_COLUMNS, "CALL", "CALLS",
		"RATE/S", "ERRORS", "P50", "P95", "P99", "MAX", "WALL%");
	for (size_t i = 0; i < lines.count && (!view->rows || (int)i < view->rows); i++) {
		const struct line *line = &lines.at[i];
		print_label(data, view, line, to);
		fprintf(to, "%-*.*s %9llu %9.1f %7llu", CALL_COLUMNS, CALL_COLUMNS,
			probes_call_name(line->call), (unsigned long long)line->latency.count,
			(double)line->latency.count / seconds, (unsigned long long)line->errors);
		print_numbers(&line->latency, seconds, to);
	}
	free(lines.at);
}

static void print_wait(const char *name, const char *call, const struct latency *latency,
		       double seconds, FILE *to)
{
	fprintf(to, "%-*s %-*.*s %9llu %9.1f %7s", LABEL_COLUMNS, name, CALL_COLUMNS, CALL_COLUMNS,
		call, (unsigned long long)latency->count, (double)latency->count / seconds, "");
	print_numbers(latency, seconds, to);
}

static void print_waits(const struct profile_data *data, const struct profile_view *view, FILE *to)
{
	static const struct {
		int measure;
		const char *name;
	} others[] = {{MEASURE_RUNQUEUE, "waiting for a CPU"},
		      {MEASURE_BLOCK, "block I/O"},
		      {MEASURE_CONNECT, "TCP connect"},
		      {MEASURE_ACCEPT, "TCP accept queue"}};
	struct lines lines = gather(data, view, MEASURE_OFFCPU, 1);
	double seconds = seconds_of(data, view);

	if (lines.count)
		fprintf(to, "\n%-*s %-*s %9s %9s %7s %8s %8s %8s %8s %6s\n", LABEL_COLUMNS,
			"OFF THE CPU FOR", CALL_COLUMNS, "IN", "TIMES", "RATE/S", "", "P50", "P95",
			"P99", "MAX", "WALL%");
	for (size_t i = 0; i < lines.count && (!view->rows || (int)i < view->rows); i++)
		print_wait(probes_wait_name(lines.at[i].wait),
			   lines.at[i].call < 0 ? "-" : probes_call_name(lines.at[i].call),
			   &lines.at[i].latency, seconds, to);
	free(lines.at);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		lines = gather(data, view, others[i].measure, 1);
		if (lines.count)
			print_wait(others[i].name, "-", &lines.at[0].latency, seconds, to);
		free(lines.at);
	}
}

static void print_counts(const struct profile_data *data, FILE *to)
{
	static const char *const names[] = {[COUNT_RETRANSMIT] = "TCP retransmits",
					    [COUNT_RESET_SENT] = "TCP resets sent",
					    [COUNT_RESET_RECEIVED] = "TCP resets received"};

	for (unsigned what = COUNT_RETRANSMIT; what < COUNT_KINDS; what++) {
		uint64_t sum = 0;
		for (size_t i = 0; i < data->count_count; i++)
			if (data->counts[i]->key.what == what)
				sum += data->counts[i]->total;
		if (sum)
			fprintf(to, "%-*s %*s %9llu\n", LABEL_COLUMNS, names[what], CALL_COLUMNS,
				"", (unsigned long long)sum);
	}
	for (int reason = 0; reason < LOST_REASONS; reason++)
		if (data->lost[reason])
			fprintf(to, "lost for want of room: %llu %s\n",
				(unsigned long long)data->lost[reason], probes_lost_name(reason));
}

void profile_table_print(const struct profile_data *data, const struct profile_view *view, FILE *to)
{
	size_t count = data->merged_count;

	for (size_t i = 0; i < data->process_count; i++)
		count += data->processes[i]->pid != 0;

	fprintf(to, "%zu process%s, %.1f s\n\n", count, count == 1 ? "" : "es",
		seconds_of(data, view));
	print_calls(data, view, to);
	print_waits(data, view, to);
	print_counts(data, to);
}
