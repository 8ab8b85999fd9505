/* log.c - the exporter's own messages, rate-limited per site. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LOG_SITES 64

struct log_site {
	const char *format;
	time_t window_start;
	unsigned printed;
	unsigned held_back;
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static int level_limit = LOG_INFO;
static struct log_site sites[LOG_SITES];

void log_set_level(enum log_level level)
{
	level_limit = (int)level;
}

int log_level_parse(const char *text, int *level)
{
	for (int i = 0; i < 4; i++) {
		if (strcasecmp(text, level_names[i]) == 0) {
			*level = i;
			return 0;
		}
	}
	if (strcasecmp(text, "none") == 0) {
		*level = -1;
		return 0;
	}
	return -EINVAL;
}

/* Two sites that share an entry take turns in it, which costs a line too many at worst. */
static struct log_site *site_of(const char *format)
{
	struct log_site *site = &sites[((uintptr_t)format >> 3) % LOG_SITES];

	if (site->format != format) {
		memset(site, 0, sizeof(*site));
		site->format = format;
	}
	return site;
}

/* Returns how many lines were held back before this one, or -1: hold this one back too. */
static int site_admit(struct log_site *site, time_t now)
{
	int held_back;

	if (now - site->window_start >= LOG_SITE_SECONDS) {
		site->window_start = now;
		site->printed = 0;
	}
	if (site->printed >= LOG_SITE_BURST) {
		site->held_back++;
		return -1;
	}
	site->printed++;
	held_back = (int)site->held_back;
	site->held_back = 0;
	return held_back;
}

void log_line(enum log_level level, const char *area, const char *format, ...)
{
	char line[2048];
	struct timespec now;
	va_list arguments;
	int held_back, size, more;

	if ((int)level > level_limit)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	held_back = site_admit(site_of(format), now.tv_sec);
	if (held_back < 0)
		return;
	size = snprintf(line, sizeof(line), "%s %s: ", level_names[level], area);
	va_start(arguments, format);
	more = vsnprintf(line + size, sizeof(line) - (size_t)size - 32, format, arguments);
	va_end(arguments);
	if (more < 0)
		return;
	size = (int)strlen(line);
	if (held_back)
		size += snprintf(line + size, 31, " (%d more like it)", held_back);
	line[size++] = '\n';
	/* One write a line, so that lines of several processes don't mix. */
	if (write(STDERR_FILENO, line, (size_t)size) < 0)
		return;
}
