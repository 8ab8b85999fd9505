/* sections.c - which sections a settings file may have, and who checks them. */
#include "exporter/sections.h"

#include "exporter/business.h"
#include "exporter/control.h"
#include "exporter/destinations.h"
#include "exporter/log.h"
#include "exporter/redact.h"
#include "exporter/routes.h"
#include "exporter/settings_section.h"
#include "exporter/tail_policy.h"

/*
 * A section's module comes here as well as to settings_file_register: it reads the section (NULL if
 * there is none) into something of its own that is thrown away, and complains.
 */
struct section {
	const char *name; /* NULL: the whole file */
	void (*check)(const struct config_node *section);
};

static void check_control(const struct config_node *root)
{
	struct control control;

	control_read(root, &control);
}

static void check_settings(const struct config_node *root)
{
	struct settings_section settings;

	settings_section_read(root, &settings);
}

static void check_destinations(const struct config_node *root)
{
	struct destinations destinations = {0};

	destinations_of_config(&destinations, root);
	destinations_fini(&destinations);
}

static void check_redaction(const struct config_node *section)
{
	redact_configure(NULL, section);
}

static void check_routes(const struct config_node *section)
{
	routes_configure(NULL, section);
}

static void check_tail(const struct config_node *section)
{
	struct tail_policies policies;

	tail_policies_read(section, &policies);
}

static void check_metrics(const struct config_node *section)
{
	business_configure(NULL, section);
}

static const struct section sections[] = {
	{NULL, check_control},      /* sampling, capture, features, disabled */
	{NULL, check_settings},     /* slow_call, repeated_queries, store */
	{NULL, check_destinations}, /* destinations, spool */
	{"redaction", check_redaction}, {"routes", check_routes},
	{"tail_sampling", check_tail},  {"metrics", check_metrics},
};

/* Read at the start alone. */
static const char *const late[] = {"store", "spool"};

void sections_tell_late(const struct config_node *before, const struct config_node *now)
{
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		if (!config_same(config_get(before, late[i]), config_get(now, late[i])))
			log_line(LOG_WARN, "settings",
				 "%s: what changed takes effect when the exporter is started again",
				 late[i]);
}

unsigned sections_check(struct config *config)
{
	const struct config_node *root = config_root(config);

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		sections[i].check(sections[i].name ? config_get(root, sections[i].name) : root);
	return config_finish(config);
}
