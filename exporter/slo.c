/* slo.c - service level objectives, as people write them into a file. */
#include "exporter/slo.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/config.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define DAY_MS          86400000.0

/* The bounds of the histograms: a threshold between two of them could not be told. Seconds. */
static const double http_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
				     0.5,   0.75, 1,     2.5,  5,     7.5, 10};
static const double database_bounds[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};

const char *slo_metric(const struct slo *slo)
{
	static const char *const names[] = {
		[SLO_SERVER] = "http_server_request_duration_seconds",
		[SLO_CLIENT] = "http_client_request_duration_seconds",
		[SLO_DATABASE] = "db_client_operation_duration_seconds",
	};

	return names[slo->indicator];
}

static int is_bound(enum slo_indicator indicator, double seconds)
{
	const double *bounds = indicator == SLO_DATABASE ? database_bounds : http_bounds;
	size_t count = indicator == SLO_DATABASE ? sizeof(database_bounds) / sizeof(double)
						 : sizeof(http_bounds) / sizeof(double);

	for (size_t i = 0; i < count; i++)
		if (bounds[i] > seconds - 1e-9 && bounds[i] < seconds + 1e-9)
			return 1;
	return 0;
}

static void read_kind(const struct config_node *node, struct slo *slo)
{
	static const char *const bad[] = {"5xx", "errors", NULL};
	const struct config_node *latency = config_get(node, "latency");
	const struct config_node *availability = config_get(node, "availability");

	if (!latency == !availability) {
		config_complain(node, "has either latency or availability");
		return;
	}
	if (latency) {
		slo->latency_s = (double)config_duration_ms(latency, 250) / 1000;
		if (!is_bound(slo->indicator, slo->latency_s))
			config_complain(latency, "is no bound of the histogram %s",
					slo_metric(slo));
		return;
	}
	/* A database has no status by which a request is bad. */
	slo->failures = config_choice(availability, bad, 0) || slo->indicator == SLO_DATABASE;
}

static const char *read_name(const struct config_node *node)
{
	const struct config_node *name = config_get(node, "name");
	const char *text = config_text(name, "");

	if (!name)
		config_complain(node, "has no name");
	else if (!*text || strspn(text, NAME_CHARACTERS) != strlen(text))
		config_complain(name, "has to consist of a-z, 0-9, - and _");
	return text;
}

static void read_slo(const struct config_node *node, struct slo *slo)
{
	static const char *const indicators[] = {"http.server", "http.client", "db.client", NULL};
	const struct config_node *objective = config_get(node, "objective");

	slo->name = read_name(node);
	slo->service = config_text(config_get(node, "service"), NULL);
	slo->route = config_text(config_get(node, "route"), NULL);
	slo->summary = config_text(config_get(node, "summary"), NULL);
	slo->runbook = config_text(config_get(node, "runbook"), NULL);
	slo->indicator = (enum slo_indicator)config_choice(config_get(node, "indicator"),
							   indicators, SLO_SERVER);
	slo->period_days =
		(double)config_duration_ms(config_get(node, "period"), (uint64_t)(30 * DAY_MS)) /
		DAY_MS;
	slo->minimum_rate = config_number(config_get(node, "minimum_rate"), 0, 1e9, 0);
	if (!objective)
		config_complain(node, "has no objective");
	slo->objective = config_number(objective, 1, 99.9999, 99) / 100;
	if (slo->period_days < 7 || slo->period_days > 92)
		config_complain(config_get(node, "period"), "has to be 7d to 92d");
	if (slo->route && slo->indicator == SLO_DATABASE)
		config_complain(config_get(node, "route"), "means nothing for a database");
	read_kind(node, slo);
}

static void check_names(const struct config_node *list, const struct slo_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(file->slos[i].name, file->slos[j].name) == 0)
				config_complain(config_at(list, i), "has the name of another one");
}

unsigned slo_read(const char *path, struct slo_file *file)
{
	const struct config_node *list;
	unsigned complaints;

	memset(file, 0, sizeof(*file));
	file->config = config_read(path);
	if (!file->config)
		return 1;
	list = config_get(config_root(file->config), "slos");
	if (!config_is_list(list) || config_count(list) == 0 || config_count(list) > SLO_MAX)
		config_complain(config_root(file->config), "a list `slos` of 1 to %d is needed",
				SLO_MAX);
	else
		file->count = config_count(list);
	file->slos = calloc(file->count ? file->count : 1, sizeof(*file->slos));
	for (size_t i = 0; file->slos && i < file->count; i++)
		read_slo(config_at(list, i), &file->slos[i]);
	if (file->slos)
		check_names(list, file);
	complaints = config_finish(file->config) + !file->slos;
	if (complaints)
		slo_free(file);
	return complaints;
}

void slo_free(struct slo_file *file)
{
	config_free(file->config);
	free(file->slos);
	memset(file, 0, sizeof(*file));
}
