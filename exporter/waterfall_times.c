/* waterfall_times.c - under a span in the waterfall: a bar that is split by kind of time. */
#include <stdlib.h>
#include <string.h>

#include "exporter/waterfall.h"

#define PREFIX    "\"tagalong.time."
#define BAR_WIDTH 24

/* What adds up to the whole; a letter each, so that it can be read on any terminal. */
static const struct kind {
	const char *key; /* in the JSON object, behind PREFIX */
	const char *name;
	char letter;
} kinds[] = {
	{"cpu\":", "cpu", 'C'},
	{"runqueue\":", "run queue", 'q'},
	{"blocked.network\":", "network", 'n'},
	{"blocked.disk\":", "disk", 'd'},
	{"blocked.lock\":", "lock", 'l'},
	{"blocked.sleep\":", "sleep", 's'},
	{"blocked.page_fault\":", "page fault", 'f'},
	{"blocked.pipe\":", "pipe", 'p'},
	{"blocked.poll\":", "poll", 'e'},
	{"blocked.child\":", "child", 'c'},
	{"blocked.stopped\":", "stopped", 't'},
	{"blocked.other\":", "other", 'o'},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* In a value the quotes would be escaped, so this is the key. */
static int64_t read_time(const char *attributes, const struct kind *kind)
{
	for (const char *at = attributes; (at = strstr(at, PREFIX)); at++)
		if (strncmp(at + strlen(PREFIX), kind->key, strlen(kind->key)) == 0)
			return strtoll(at + strlen(PREFIX) + strlen(kind->key), NULL, 10);
	return 0;
}

/* Each kind's end is rounded, not its length, so that the bar has its width whatever the parts. */
static void print_bar(FILE *to, const int64_t times[KINDS], int64_t whole)
{
	int64_t sum = 0;
	int64_t filled = 0;

	for (size_t i = 0; i < KINDS; i++) {
		sum += times[i];
		int64_t end = (int64_t)((double)sum / (double)whole * BAR_WIDTH + 0.5);
		for (; filled < end; filled++)
			fputc(kinds[i].letter, to);
	}
}

void waterfall_print_times(FILE *to, const struct terminal *terminal, const struct span_row *row,
			   int indent)
{
	const char *attributes = row->attributes ? row->attributes : "";
	int64_t times[KINDS], whole = 0;
	char text[32];
	int column = indent + BAR_WIDTH;

	/* The thread's clock alone tells the time on the CPU, but no parts. */
	if (!strstr(attributes, PREFIX "runqueue\":"))
		return;
	for (size_t i = 0; i < KINDS; i++) {
		times[i] = read_time(attributes, &kinds[i]);
		times[i] = times[i] > 0 && times[i] < INT64_MAX / (int64_t)KINDS ? times[i] : 0;
		whole += times[i];
	}
	if (whole == 0)
		return;
	fprintf(to, "\n%*s", indent, "");
	print_bar(to, times, whole);
	for (size_t i = 0; i < KINDS; i++) {
		if (times[i] < whole / 100 || times[i] == 0)
			continue;
		terminal_duration(times[i], text, sizeof(text));
		column += (int)(strlen(kinds[i].name) + strlen(text)) + 5;
		if (column > terminal->columns)
			break;
		fprintf(to, "  %c %s %s", kinds[i].letter, kinds[i].name, text);
	}
}
