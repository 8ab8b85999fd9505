/* settings_section.c - what the settings file says of the exporter itself. */
#include "exporter/settings_section.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/env.h"
#include "exporter/log.h"

#define SLOW_CALL_MS     100
#define REPEATED_QUERIES 10
#define STORE_MAX_MB     256
#define STORE_MAX_HOURS  72
#define HOUR_MS          3600000u

static void read_store(const struct config_node *store, struct settings_section *to)
{
	const struct config_node *path = config_get(store, "path");
	const struct config_node *size = config_get(store, "max_size");
	const struct config_node *age = config_get(store, "max_age");
	uint64_t bytes = config_bytes(size, (uint64_t)STORE_MAX_MB << 20);
	uint64_t age_ms = config_duration_ms(age, (uint64_t)STORE_MAX_HOURS * HOUR_MS);

	to->store_enabled = config_boolean(config_get(store, "enabled"), store ? 1 : -1);
	to->store_path = config_text(path, NULL);
	if (to->store_path && to->store_path[0] != '/')
		config_complain(path, "must be an absolute path");
	if (bytes >> 20 == 0 || bytes >> 20 > INT32_MAX)
		config_complain(size, "must be 1MiB or more");
	if (age_ms < HOUR_MS || age_ms / HOUR_MS > INT32_MAX)
		config_complain(age, "must be 1h or more");
	to->store_max_mb = (uint32_t)(bytes >> 20);
	to->store_max_age_hours = (uint32_t)(age_ms / HOUR_MS);
}

void settings_section_read(const struct config_node *root, struct settings_section *to)
{
	const struct config_node *slow = config_get(root, "slow_call");
	uint64_t slow_ms = config_duration_ms(slow, SLOW_CALL_MS);

	memset(to, 0, sizeof(*to));
	if (slow_ms > INT32_MAX)
		config_complain(slow, "is too long");
	to->slow_call_ms = (uint32_t)slow_ms;
	to->repeated_queries = (uint32_t)config_integer(config_get(root, "repeated_queries"), 0,
							INT32_MAX, REPEATED_QUERIES);
	read_store(config_get(root, "store"), to);
}

static int start_store(const struct settings_section *from, struct settings *to)
{
	char *path;

	if (!env_get("TAGALONG_STORE_MAX_MB"))
		to->store_max_mb = from->store_max_mb;
	if (!env_get("TAGALONG_STORE_MAX_AGE"))
		to->store_max_age_hours = from->store_max_age_hours;
	if (env_get("TAGALONG_STORE") || from->store_enabled < 0 || to->disabled)
		return 0;
	to->store_enabled = from->store_enabled;
	if (from->store_path) {
		path = strdup(from->store_path);
		if (!path)
			return -ENOMEM;
		free(to->store_path);
		to->store_path = path;
	}
	if (to->store_enabled && !to->store_path) {
		log_line(LOG_WARN, "settings",
			 "no HOME and no XDG_STATE_HOME, so there is no place for the store");
		to->store_enabled = 0;
	}
	return 0;
}

static void take_limits(const struct settings_section *from, struct settings *to)
{
	if (!env_get("TAGALONG_SLOW_CALL_MS"))
		to->slow_call_ms = from->slow_call_ms;
	if (!env_get("TAGALONG_REPEATED_QUERIES"))
		to->repeated_queries = from->repeated_queries;
}

static int start_destinations(const struct config_node *root, struct settings *settings)
{
	struct destinations *destinations = &settings->destinations;
	int result;

	if (settings->disabled)
		return 0;
	result = destinations_of_config(destinations, root);
	/* The store is where spans go that go nowhere else. */
	if (!env_get("TAGALONG_STORE") && destinations_take(destinations, SIGNAL_TRACES))
		settings->store_enabled = 0;
	return result;
}

int settings_section_start(const struct config_node *root, struct settings *settings)
{
	struct settings_section section;
	int result = start_destinations(root, settings);

	settings_section_read(root, &section);
	if (result != 0)
		return result;
	take_limits(&section, settings);
	return start_store(&section, settings);
}

int settings_section_change(const struct config_node *root, struct settings *settings)
{
	struct settings_section section;
	uint32_t slow_call_ms = settings->slow_call_ms;
	uint32_t repeated_queries = settings->repeated_queries;

	settings_section_read(root, &section);
	take_limits(&section, settings);
	return settings->slow_call_ms != slow_call_ms ||
	       settings->repeated_queries != repeated_queries;
}
