/* host.c - what is the same for all processes of the machine: host.* and os.* attributes. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#elif defined(__i386__)
#define HOST_ARCH "x86"
#elif defined(__arm__)
#define HOST_ARCH "arm32"
#elif defined(__powerpc64__)
#define HOST_ARCH "ppc64"
#elif defined(__s390x__)
#define HOST_ARCH "s390x"
#else
#define HOST_ARCH NULL
#endif

struct host {
	int known;
	char name[256];
	char id[64];
	char description[256];
};

static struct host host;

static int keep_if_valid(char *text)
{
	if (text[0] == '\0' || !text_valid(text, strlen(text)))
		text[0] = '\0';
	return text[0] != '\0';
}

static void read_line(const char *path, char *line, size_t room)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, (int)room, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)" of os-release(5), quotes and all. */
static void read_description(char *out, size_t room)
{
	FILE *file = fopen("/etc/os-release", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		char *value = line + strlen("PRETTY_NAME=");

		if (strncmp(line, "PRETTY_NAME=", strlen("PRETTY_NAME=")) != 0)
			continue;
		value += strspn(value, "\"'");
		value[strcspn(value, "\"'\n")] = '\0';
		snprintf(out, room, "%s", value);
	}
	if (file)
		fclose(file);
}

static void host_read(void)
{
	host.known = 1;
	if (gethostname(host.name, sizeof(host.name) - 1) != 0)
		host.name[0] = '\0';
	read_line("/etc/machine-id", host.id, sizeof(host.id));
	if (host.id[0] == '\0')
		read_line("/var/lib/dbus/machine-id", host.id, sizeof(host.id));
	read_description(host.description, sizeof(host.description));
}

void host_add_attributes(struct attribute_list *list, int in_container)
{
	if (!host.known)
		host_read();
	if (keep_if_valid(host.name))
		attribute_add_string(list, "host.name", host.name);
	if (!in_container && keep_if_valid(host.id))
		attribute_add_string(list, "host.id", host.id);
	attribute_add_string(list, "host.arch", HOST_ARCH);
	attribute_add_string(list, "os.type", "linux");
	if (keep_if_valid(host.description))
		attribute_add_string(list, "os.description", host.description);
}

uint64_t host_boot_time(void)
{
	static uint64_t boot_time;
	FILE *file;
	char line[256];

	if (boot_time)
		return boot_time;
	file = fopen("/proc/stat", "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "btime ", 6) == 0)
			boot_time = strtoull(line + 6, NULL, 10);
	}
	if (file)
		fclose(file);
	return boot_time;
}
