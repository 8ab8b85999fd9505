/* resource.c - what a process is: service, process, host, container, as resource attributes. */
#include "resource.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/env.h"
#include "exporter/host.h"
#include "exporter/json.h"
#include "exporter/log.h"
#include "exporter/uuid.h"

int resource_parse_attributes(const char *at, size_t size, struct attribute_list *list)
{
	struct env_pair pairs[ATTRIBUTES_MAX];
	int count = env_parse_pairs(list->arena, at, size, pairs, ATTRIBUTES_MAX);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		attribute_set_text(list, pairs[i].key.at, pairs[i].value);
	return 0;
}

/* First line in `path` that names 64 hex digits as a whole segment; such are container ids. */
static int find_id(const char *path, const char *only_with, char id[65])
{
	static const char hex[] = "0123456789abcdef";
	FILE *file = fopen(path, "re");
	char line[1024];
	int found = 0;

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (only_with && !strstr(line, only_with))
			continue;
		for (const char *at = line; *at && !found; at++) {
			size_t run = strspn(at, hex);

			if (run == 64) {
				memcpy(id, at, 64);
				id[64] = '\0';
				found = 1;
			}
			at += run ? run - 1 : 0;
		}
	}
	if (file)
		fclose(file);
	return found ? 0 : -ENOENT;
}

/* The container's id for a process, 64 hex digits and a NUL; 0, or -ENOENT. */
static int find_container(uint32_t pid, char id[65])
{
	char path[64];

	/* cgroup v1: the last part of the path. v2 under a private namespace shows only "/", but
	 * the runtime's bind mount of /etc/hostname has the id in its root. */
	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	if (find_id(path, NULL, id) == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/mountinfo", pid);
	return find_id(path, "/etc/hostname", id);
}

/* A valid, terminated copy of a fixed-size text of the slot; absent if empty. */
static struct text copy_fixed(struct arena *arena, const char *at, size_t room)
{
	size_t size = strnlen(at, room);
	const char *copy;

	if (size == 0)
		return (struct text){NULL, 0};
	copy = text_repair(arena, at, size, &size);
	return (struct text){copy, copy ? (uint32_t)size : 0};
}

static struct text base_name(struct text path)
{
	const char *slash = path.at ? strrchr(path.at, '/') : NULL;

	if (!slash || slash[1] == '\0')
		return path;
	return (struct text){slash + 1, path.size - (uint32_t)(slash + 1 - path.at)};
}

static struct text format(struct arena *arena, const char *prefix, struct text rest)
{
	size_t prefix_size = strlen(prefix);
	char *copy = arena_bytes(arena, prefix_size + rest.size + 1);

	if (!copy)
		return (struct text){NULL, 0};
	memcpy(copy, prefix, prefix_size);
	memcpy(copy + prefix_size, rest.at, rest.size);
	copy[prefix_size + rest.size] = '\0';
	return (struct text){copy, (uint32_t)(prefix_size + rest.size)};
}

static void add_instance(struct attribute_list *list)
{
	char text[UUID_TEXT];

	if (uuid_random(text) == 0)
		attribute_add_string(list, "service.instance.id",
				     arena_text(list->arena, text, UUID_TEXT - 1));
}

static void add_creation_time(struct attribute_list *list, uint64_t start_ticks)
{
	uint64_t boot = host_boot_time();
	uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct tm broken_down;
	char text[64];
	size_t size;
	time_t seconds;

	if (boot == 0 || start_ticks == 0 || hertz == 0)
		return;
	seconds = (time_t)(boot + start_ticks / hertz);
	if (!gmtime_r(&seconds, &broken_down))
		return;
	size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &broken_down);
	if (size == 0)
		return;
	size += (size_t)snprintf(text + size, sizeof(text) - size, ".%03uZ",
				 (unsigned)(start_ticks % hertz * 1000 / hertz));
	attribute_add_string(list, "process.creation.time", arena_text(list->arena, text, size));
}

static void add_owner(struct attribute_list *list, uint32_t uid)
{
	struct passwd entry, *found = NULL;
	char buffer[1024];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return;
	if (text_valid(entry.pw_name, strlen(entry.pw_name)))
		attribute_add_string(list, "process.owner",
				     arena_text(list->arena, entry.pw_name, strlen(entry.pw_name)));
}

static void add_process(struct attribute_list *list, const struct slot_identity *identity,
			struct text executable)
{
	struct text command = copy_fixed(list->arena, identity->command, sizeof(identity->command));

	attribute_add_number(list, "process.pid", identity->pid);
	attribute_add_number(list, "process.parent_pid", identity->parent_pid);
	add_creation_time(list, identity->start_ticks);
	attribute_add_text(list, "process.executable.name", base_name(executable));
	attribute_add_text(list, "process.executable.path", executable);
	attribute_add_text(list, "process.command", command);
	add_owner(list, identity->uid);
}

static void add_container(struct attribute_list *list, uint32_t pid)
{
	char id[65];
	int contained = find_container(pid, id) == 0;

	host_add_attributes(list, contained);
	if (contained)
		attribute_add_string(list, "container.id", arena_text(list->arena, id, 64));
}

/* What the user wrote for this process beats what was found out. */
static void add_environment(struct attribute_list *list, const struct slot_identity *identity)
{
	const char *at = identity->resource_attributes;
	size_t size = strnlen(at, sizeof(identity->resource_attributes));

	if (size >= sizeof(identity->resource_attributes) - 1) {
		/* There was more than the slot has room for: the last member may be a piece. */
		while (size && at[size - 1] != ',')
			size--;
		log_line(LOG_WARN, "resource", "OTEL_RESOURCE_ATTRIBUTES is cut pid=%u",
			 identity->pid);
	}
	if (size && resource_parse_attributes(at, size, list) != 0)
		log_line(LOG_WARN, "resource",
			 "OTEL_RESOURCE_ATTRIBUTES is malformed, all of it is ignored pid=%u",
			 identity->pid);
}

static void add_telemetry(struct attribute_list *list)
{
	static const struct text name = {TELEMETRY_NAME, sizeof(TELEMETRY_NAME) - 1};
	static const struct text version = {TAGALONG_VERSION, sizeof(TAGALONG_VERSION) - 1};

	attribute_set_text(list, "telemetry.sdk.name", name);
	attribute_set_text(list, "telemetry.sdk.language", (struct text){"c", 1});
	attribute_set_text(list, "telemetry.sdk.version", version);
	attribute_set_text(list, "telemetry.distro.name", name);
	attribute_set_text(list, "telemetry.distro.version", version);
}

static void add_service(struct resource *resource, struct attribute_list *list,
			const struct slot_identity *identity, struct text executable)
{
	struct text name =
		copy_fixed(list->arena, identity->service_name, sizeof(identity->service_name));
	const struct attribute *given;

	if (name.at)
		attribute_set_text(list, "service.name", name);
	given = attribute_find(list->at, list->count, "service.name");
	if (given && given->text.size) {
		resource->service = given->text.at;
		return;
	}
	if (!executable.at) {
		resource->service = "unknown_service";
		attribute_set_text(list, "service.name", (struct text){"unknown_service", 15});
		return;
	}
	resource->service = base_name(executable).at;
	attribute_set_text(list, "service.name",
			   format(list->arena, "unknown_service:", base_name(executable)));
}

static struct text text_in(const struct attribute_list *list, const char *key)
{
	const struct attribute *found = attribute_find(list->at, list->count, key);

	return found ? found->text : (struct text){NULL, 0};
}

static int fill(struct resource *resource, const struct slot_identity *identity)
{
	struct attribute_list list;
	struct text executable, instance;
	struct json json = {0};

	attribute_list_init(&list, &resource->arena, ATTRIBUTES_MAX, UINT32_MAX);
	executable = copy_fixed(list.arena, identity->executable, sizeof(identity->executable));
	add_instance(&list);
	add_process(&list, identity, executable);
	add_container(&list, identity->pid);
	instance = text_in(&list, "service.instance.id");
	add_environment(&list, identity);
	resource->instance_is_given = text_in(&list, "service.instance.id").at != instance.at;
	add_service(resource, &list, identity, executable);
	add_telemetry(&list);
	resource->attributes = attribute_list_copy(&list);
	resource->attribute_count = list.count;
	resource->program = text_in(&list, "process.executable.path");
	json_attributes(&json, list.at, list.count);
	if (!json.failed)
		resource->json = arena_text(&resource->arena, json.at, json.size);
	free(json.at);
	return resource->attributes && resource->json ? 0 : -ENOMEM;
}

struct resource *resource_new(const struct slot_identity *identity)
{
	struct resource *resource = calloc(1, sizeof(*resource));

	if (!resource)
		return NULL;
	arena_init(&resource->arena);
	resource->references = 1;
	if (fill(resource, identity) != 0) {
		resource_put(resource);
		return NULL;
	}
	return resource;
}

struct resource *resource_get(struct resource *resource)
{
	resource->references++;
	return resource;
}

void resource_put(struct resource *resource)
{
	if (!resource || --resource->references)
		return;
	resource_put(resource->stream);
	arena_free(&resource->arena);
	free(resource);
}
