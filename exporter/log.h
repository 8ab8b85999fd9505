/* log.h - the exporter's own messages: one line a fact on stderr, `level area: text`. */
#ifndef TAGALONG_LOG_H
#define TAGALONG_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Prints lines up to `level`; the start is LOG_INFO. Any thread, once at the start. */
void log_set_level(enum log_level level);

/*
 * Parses OTEL_LOG_LEVEL's values (none, error, warn, info, debug, without case). 0, or -EINVAL for
 * another. "none" silences everything.
 */
int log_level_parse(const char *text, int *level);

/*
 * Prints one line. A site, told by the address of its format, prints at most LOG_SITE_BURST lines
 * in LOG_SITE_SECONDS; what it held back is counted in its next line. Main thread only. Never pass
 * payload bytes, header values or credentials.
 */
#define LOG_SITE_BURST   5
#define LOG_SITE_SECONDS 10
void log_line(enum log_level level, const char *area, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
