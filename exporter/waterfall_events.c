/* waterfall_events.c - what happened within a span: a line for each of its events. */
#include <stdlib.h>
#include <string.h>

#include "exporter/waterfall.h"

#define EVENTS_SHOWN 20
#define LINE_BYTES   4096

/* The next field of "unix_ns\tname\tkey=value\n" as a string; `at` goes on behind it. */
static void take_field(const char **at, char separator, char *out, size_t room)
{
	size_t size = strcspn(*at, separator == '\t' ? "\t\n" : "\n");
	size_t copied = size < room ? size : room - 1;

	memcpy(out, *at, copied);
	out[copied] = '\0';
	*at += size;
	if (**at == separator)
		(*at)++;
}

static void print_event(FILE *to, const struct terminal *terminal, const struct span_row *row,
			int indent, const char **at)
{
	char when[32], name[256], attributes[LINE_BYTES], offset[32];
	char line[2 * LINE_BYTES], cell[LINE_BYTES];

	take_field(at, '\t', when, sizeof(when));
	take_field(at, '\t', name, sizeof(name));
	take_field(at, '\n', attributes, sizeof(attributes));
	terminal_duration(strtoll(when, NULL, 10) - row->start_unix_ns, offset, sizeof(offset));
	snprintf(line, sizeof(line), "%s %s +%s  %s", terminal->utf8 ? "\u00b7" : "*", name, offset,
		 attributes);
	terminal_fit(terminal, line, terminal->columns - indent, cell, sizeof(cell));
	fprintf(to, "\n%*s%s", indent, "", cell);
}

void waterfall_print_events(FILE *to, const struct terminal *terminal, const struct span_row *row,
			    int indent)
{
	const char *at = row->event_lines;

	for (int i = 0; *at; i++) {
		if (i == EVENTS_SHOWN) {
			fprintf(to, "\n%*s...", indent, "");
			return;
		}
		print_event(to, terminal, row, indent, &at);
	}
}
