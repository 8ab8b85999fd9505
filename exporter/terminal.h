/* terminal.h - text for people: what the terminal can show, and foreign text made harmless for it.
 */
#ifndef TAGALONG_TERMINAL_H
#define TAGALONG_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct terminal {
	int columns; /* room on a line */
	bool utf8;   /* block and line characters can be shown */
	bool color;
};

/*
 * Looks at descriptor `fd`: colours only on a terminal and without NO_COLOR; columns from COLUMNS,
 * else the terminal's width, else 100; UTF-8 as the locale says (sets LC_CTYPE). `ascii` overrules.
 */
void terminal_detect(struct terminal *terminal, int fd, bool ascii);

/*
 * Copies text that strangers wrote (paths, header values) so that it cannot steer the terminal:
 * control characters (C0, DEL, C1), direction overrides and bytes that aren't UTF-8 become \xNN;
 * without UTF-8 so does everything beyond ASCII. Cut to at most `columns` columns, then ending in
 * an ellipsis. Returns the columns taken. `out` is always terminated.
 */
int terminal_fit(const struct terminal *terminal, const char *text, int columns, char *out,
		 size_t room);

/* Writes "850us", "12.3ms", "4.56s" or "3m20s". Returns `out`. */
const char *terminal_duration(int64_t duration_ns, char *out, size_t room);

/* Parses "100ms", "1.5s", "250us", "2m", "10ns". Returns 0, or -EINVAL. */
int terminal_parse_duration(const char *text, int64_t *duration_ns);

/*
 * Draws a bar from `begin` to `end` (0 to 1) into a field of `width` columns: eighths of a column
 * with UTF-8, else '=' signs. A bar has at least one mark. The field is always filled.
 */
void terminal_bar(const struct terminal *terminal, double begin, double end, int width, char *out,
		  size_t room);

#endif
