/* process_metrics.c - what instrumented processes use: process.*, from /proc and from their slots.
 */
#include "process_metrics.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAT_FIELDS 24 /* of proc(5)'s stat that are read, from the third on */
#define TEXT_BYTES  4096
#define THREADS_MAX 512 /* of one process that are read */

enum process_metric {
	PROCESS_CPU,
	PROCESS_MEMORY,
	PROCESS_VIRTUAL,
	PROCESS_DISK,
	PROCESS_NETWORK,
	PROCESS_THREADS,
	PROCESS_DESCRIPTORS,
	PROCESS_SWITCHES,
	PROCESS_FAULTS,
	PROCESS_UPTIME,
	PROCESS_METRICS,
};

static const struct metric_definition definitions[PROCESS_METRICS] = {
	[PROCESS_CPU] = {.name = "process.cpu.time",
			 .unit = "s",
			 .description = "CPU time of the process, by mode.",
			 .kind = METRIC_COUNTER,
			 .is_observed = 1},
	[PROCESS_MEMORY] = {.name = "process.memory.usage",
			    .unit = "By",
			    .description = "Physical memory in use.",
			    .kind = METRIC_UPDOWN,
			    .is_integer = 1,
			    .is_observed = 1},
	[PROCESS_VIRTUAL] = {.name = "process.memory.virtual",
			     .unit = "By",
			     .description = "Committed virtual memory.",
			     .kind = METRIC_UPDOWN,
			     .is_integer = 1,
			     .is_observed = 1},
	[PROCESS_DISK] = {.name = "process.disk.io",
			  .unit = "By",
			  .description = "Bytes that went to or came from a disk.",
			  .kind = METRIC_COUNTER,
			  .is_integer = 1,
			  .is_observed = 1},
	[PROCESS_NETWORK] = {.name = "process.network.io",
			     .unit = "By",
			     .description = "Bytes on connections whose protocol is recognised.",
			     .kind = METRIC_COUNTER,
			     .is_integer = 1,
			     .is_observed = 1},
	[PROCESS_THREADS] = {.name = "process.thread.count",
			     .unit = "{thread}",
			     .description = "Threads.",
			     .kind = METRIC_UPDOWN,
			     .is_integer = 1,
			     .is_observed = 1},
	[PROCESS_DESCRIPTORS] = {.name = "process.unix.file_descriptor.count",
				 .unit = "{file_descriptor}",
				 .description = "Open file descriptors.",
				 .kind = METRIC_UPDOWN,
				 .is_integer = 1,
				 .is_observed = 1},
	[PROCESS_SWITCHES] = {.name = "process.context_switches",
			      .unit = "{context_switch}",
			      .description = "Context switches of its threads, by type.",
			      .kind = METRIC_COUNTER,
			      .is_integer = 1,
			      .is_observed = 1},
	[PROCESS_FAULTS] = {.name = "process.paging.faults",
			    .unit = "{fault}",
			    .description = "Page faults, by type.",
			    .kind = METRIC_COUNTER,
			    .is_integer = 1,
			    .is_observed = 1},
	[PROCESS_UPTIME] = {.name = "process.uptime",
			    .unit = "s",
			    .description = "Time since the process started.",
			    .kind = METRIC_GAUGE,
			    .is_observed = 1},
};

struct known {
	struct resource *resource; /* a reference */
	uint64_t switches[2];      /* voluntary and not, so far */
	uint64_t look;             /* the last one in which the process lived */
};

struct process_metrics {
	struct metrics *metrics;
	struct drain *drain;
	struct metric *metric[PROCESS_METRICS];
	char proc[64];
	struct known *known;
	size_t count, room;
	uint64_t look;
	double tick_s;
	uint64_t page_bytes;
};

/* One process while it is looked at. */
struct looked_at {
	struct process_metrics *all;
	struct resource *resource;
	struct known *known;
	uint32_t pid;
};

static void set(const struct looked_at *at, enum process_metric which, const char *key,
		const char *value, double number)
{
	struct attribute attribute = {.key = key, .type = ATTRIBUTE_TEXT};
	struct series *series;

	if (key)
		attribute.text = (struct text){value, (uint32_t)strlen(value)};
	series = metric_series(at->all->metric[which], at->resource, &attribute, key ? 1 : 0);
	if (series)
		series_set(series, number);
}

/* ---- /proc ----------------------------------------------------------------------------------- */

/* The file's text, terminated. 0, or -errno. */
static int read_file(const struct looked_at *at, const char *name, char text[TEXT_BYTES])
{
	char path[128];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/%u/%s", at->all->proc, at->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, text, TEXT_BYTES - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	return size > 0 ? 0 : -EIO;
}

/* The number behind "name:" at the beginning of a line. */
static int number_of(const char *text, const char *name, uint64_t *number)
{
	size_t size = strlen(name);

	for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
		if (strncmp(at, name, size) != 0 || at[size] != ':')
			continue;
		*number = strtoull(at + size + 1, NULL, 10);
		return 1;
	}
	return 0;
}

/* By proc(5)'s numbering; the command, the second field, may hold anything. */
static int parse_stat(const char *text, uint64_t field[STAT_FIELDS + 1])
{
	const char *at = strrchr(text, ')');
	unsigned number = 3;

	if (!at || at[1] != ' ' || !at[2])
		return -EINVAL;
	for (at += 3; *at && number < STAT_FIELDS; number++) {
		char *end;

		field[number + 1] = strtoull(at, &end, 10);
		if (end == at)
			return -EINVAL;
		at = end;
	}
	return number == STAT_FIELDS ? 0 : -EINVAL;
}

static double uptime_s(const struct process_metrics *all, uint64_t start_ticks)
{
	struct timespec now;
	double s;

	clock_gettime(CLOCK_BOOTTIME, &now);
	s = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)start_ticks * all->tick_s;
	return s > 0 ? s : 0;
}

/* 0, or -ESRCH: it is gone, or another process has its ID now. */
static int look_at_stat(const struct looked_at *at, uint64_t start_ticks)
{
	const struct process_metrics *all = at->all;
	uint64_t field[STAT_FIELDS + 1];
	char text[TEXT_BYTES];

	if (read_file(at, "stat", text) != 0 || parse_stat(text, field) != 0 ||
	    (start_ticks && field[22] != start_ticks))
		return -ESRCH;
	set(at, PROCESS_CPU, "cpu.mode", "user", (double)field[14] * all->tick_s);
	set(at, PROCESS_CPU, "cpu.mode", "system", (double)field[15] * all->tick_s);
	set(at, PROCESS_FAULTS, "system.paging.fault.type", "minor", (double)field[10]);
	set(at, PROCESS_FAULTS, "system.paging.fault.type", "major", (double)field[12]);
	set(at, PROCESS_THREADS, NULL, NULL, (double)field[20]);
	set(at, PROCESS_VIRTUAL, NULL, NULL, (double)field[23]);
	set(at, PROCESS_MEMORY, NULL, NULL, (double)(field[24] * all->page_bytes));
	set(at, PROCESS_UPTIME, NULL, NULL, uptime_s(all, field[22]));
	return 0;
}

/* Who may not trace the process may not read this. */
static void look_at_io(const struct looked_at *at)
{
	char text[TEXT_BYTES];
	uint64_t bytes;

	if (read_file(at, "io", text) != 0)
		return;
	if (number_of(text, "read_bytes", &bytes))
		set(at, PROCESS_DISK, "disk.io.direction", "read", (double)bytes);
	if (number_of(text, "write_bytes", &bytes))
		set(at, PROCESS_DISK, "disk.io.direction", "write", (double)bytes);
}

/* The kernel tells them of each thread alone: what ended threads did since the last look is
 * missing. */
static void look_at_switches(const struct looked_at *at)
{
	uint64_t sum[2] = {0}, count;
	char text[TEXT_BYTES], name[64];
	unsigned threads = 0;
	DIR *directory;

	snprintf(text, sizeof(text), "%s/%u/task", at->all->proc, at->pid);
	directory = opendir(text);
	if (!directory)
		return;
	/* cppcheck-suppress readdirCalled ; no other thread has this stream */
	for (struct dirent *entry; threads < THREADS_MAX && (entry = readdir(directory));) {
		if (entry->d_name[0] == '.')
			continue;
		threads++;
		snprintf(name, sizeof(name), "task/%.32s/status", entry->d_name);
		if (read_file(at, name, text) != 0)
			continue;
		sum[0] += number_of(text, "voluntary_ctxt_switches", &count) ? count : 0;
		sum[1] += number_of(text, "nonvoluntary_ctxt_switches", &count) ? count : 0;
	}
	closedir(directory);
	for (int i = 0; i < 2; i++) {
		if (sum[i] > at->known->switches[i])
			at->known->switches[i] = sum[i];
		set(at, PROCESS_SWITCHES, "process.context_switch.type",
		    i ? "involuntary" : "voluntary", (double)at->known->switches[i]);
	}
}

/* From Linux 6.2 on the directory's size tells; before, its entries are counted. */
static void look_at_descriptors(const struct looked_at *at)
{
	char path[128];
	struct stat status;
	unsigned count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/%u/fd", at->all->proc, at->pid);
	if (stat(path, &status) == 0 && status.st_size > 0) {
		set(at, PROCESS_DESCRIPTORS, NULL, NULL, (double)status.st_size);
		return;
	}
	directory = opendir(path);
	if (!directory)
		return;
	/* cppcheck-suppress readdirCalled ; no other thread has this stream */
	for (struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	closedir(directory);
	set(at, PROCESS_DESCRIPTORS, NULL, NULL, count);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Notes that it lives. NULL: no memory. */
static struct known *note(struct process_metrics *all, struct resource *resource)
{
	struct known *known;

	for (size_t i = 0; i < all->count; i++) {
		if (all->known[i].resource != resource)
			continue;
		all->known[i].look = all->look;
		return &all->known[i];
	}
	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 16;

		known = realloc(all->known, room * sizeof(*known));
		if (!known)
			return NULL;
		all->known = known;
		all->room = room;
	}
	known = &all->known[all->count++];
	*known = (struct known){.resource = resource_get(resource), .look = all->look};
	return known;
}

static void look_at(void *context, struct resource *resource, const struct slot *slot)
{
	struct process_metrics *all = context;
	struct looked_at at = {.all = all, .resource = resource, .pid = slot->identity.pid};

	at.known = note(all, resource);
	if (!at.known || look_at_stat(&at, slot->identity.start_ticks) != 0)
		return;
	look_at_io(&at);
	look_at_switches(&at);
	look_at_descriptors(&at);
	set(&at, PROCESS_NETWORK, "network.io.direction", "receive",
	    (double)atomic_load_explicit(&slot->counters.received_bytes, memory_order_relaxed));
	set(&at, PROCESS_NETWORK, "network.io.direction", "transmit",
	    (double)atomic_load_explicit(&slot->counters.sent_bytes, memory_order_relaxed));
}

void process_metrics_look(struct process_metrics *all)
{
	all->look++;
	drain_each(all->drain, look_at, all);
	for (size_t i = 0; i < all->count;) {
		struct known *known = &all->known[i];

		if (known->look == all->look) {
			i++;
			continue;
		}
		metrics_end(all->metrics, known->resource);
		resource_put(known->resource);
		*known = all->known[--all->count];
	}
}

static void observe(void *context)
{
	process_metrics_look(context);
}

struct process_metrics *process_metrics_new(struct metrics *metrics, struct drain *drain,
					    const char *proc)
{
	struct process_metrics *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->metrics = metrics;
	all->drain = drain;
	all->tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
	all->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	snprintf(all->proc, sizeof(all->proc), "%s", proc);
	for (unsigned i = 0; i < PROCESS_METRICS; i++) {
		all->metric[i] = metric_define(metrics, &definitions[i]);
		if (!all->metric[i])
			goto failed;
	}
	if (metrics_observe(metrics, observe, all) == 0)
		return all;
failed:
	free(all);
	return NULL;
}

void process_metrics_free(struct process_metrics *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++)
		resource_put(all->known[i].resource);
	free(all->known);
	free(all);
}
