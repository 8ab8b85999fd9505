/* settings_section.h - what the settings file says of the exporter itself. */
#ifndef TAGALONG_SETTINGS_SECTION_H
#define TAGALONG_SETTINGS_SECTION_H

/* Keys `slow_call`, `repeated_queries` and `store`. A variable of the environment goes before. */

#include <stdint.h>

#include "exporter/config.h"
#include "exporter/settings.h"

struct settings_section {
	uint32_t slow_call_ms;
	uint32_t repeated_queries;
	const char *store_path; /* the file's; NULL: not given */
	int store_enabled;      /* -1: not given */
	uint32_t store_max_mb;
	uint32_t store_max_age_hours;
};

/* Reads the file's root, NULL: no file, and complains. What is not given is as by default. */
void settings_section_read(const struct config_node *root, struct settings_section *section);

/*
 * Puts what the file says, of destinations too, into settings that settings_read has filled, before
 * anybody uses them. 0, or -ENOMEM.
 */
int settings_section_start(const struct config_node *root, struct settings *settings);

/* Later: changes what can be. Returns 1 if slow_call_ms or repeated_queries changed. */
int settings_section_change(const struct config_node *root, struct settings *settings);

#endif
