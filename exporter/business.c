/* business.c - metrics that users define over their traffic: counters with a condition and labels.
 */
#include "exporter/business.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/business_rule.h"
#include "exporter/log.h"
#include "exporter/metrics_options.h"

#define RULES_MAX   64
#define SERIES_MOST 1000000

/* Names of metrics are for ever: those of rules that are gone may come back with the same series.
 */
struct name {
	struct name *next;
	char text[];
};

struct business {
	struct metrics *metrics;
	struct business_rule rules[RULES_MAX];
	struct metric *metric[RULES_MAX];
	unsigned count;
	struct name *names;
};

/* ---- requests -------------------------------------------------------------------------------- */

static void count(struct business *business, unsigned which, struct resource *stream,
		  const struct record *record)
{
	const struct business_rule *rule = &business->rules[which];
	struct attribute attributes[BUSINESS_LABELS];
	size_t found = 0;
	struct series *series;

	for (unsigned i = 0; i < rule->label_count; i++) {
		struct text value = business_rule_value(&rule->labels[i], stream, record);

		if (!value.at)
			continue;
		attributes[found++] = (struct attribute){
			.key = rule->labels[i].key, .text = value, .type = ATTRIBUTE_TEXT};
	}
	series = metric_series(business->metric[which], stream, attributes, found);
	if (series)
		series_add(series, 1);
}

static void visit(void *context, struct resource *stream, const struct record *record,
		  const struct batch_span *span)
{
	struct business *business = context;

	(void)span;
	if (!business->count || record->span.kind != SPAN_SERVER ||
	    record->span.protocol != SPAN_HTTP)
		return;
	for (unsigned i = 0; i < business->count; i++)
		if (business_rule_matches(&business->rules[i], stream, record))
			count(business, i, stream, record);
}

/* ---- settings -------------------------------------------------------------------------------- */

static const char *keep_name(struct business *business, const char *text)
{
	size_t size = strlen(text) + 1;
	struct name *name;

	for (name = business->names; name; name = name->next)
		if (strcmp(name->text, text) == 0)
			return name->text;
	name = malloc(sizeof(*name) + size);
	if (!name)
		return NULL;
	memcpy(name->text, text, size);
	name->next = business->names;
	business->names = name;
	return name->text;
}

static struct metric *define(struct business *business, const struct business_rule *rule)
{
	struct metric_definition definition = {
		.name = keep_name(business, rule->name),
		.unit = "",
		.description = keep_name(business, rule->description),
		.kind = METRIC_COUNTER,
		.is_integer = 1,
	};

	if (!definition.name || !definition.description)
		return NULL;
	return metric_define(business->metrics, &definition);
}

static void forget(struct business *business)
{
	for (unsigned i = 0; i < business->count; i++)
		business_rule_fini(&business->rules[i]);
	business->count = 0;
}

static void read_limits(struct business *business, const struct config_node *limits)
{
	if (limits && config_type(limits) != CONFIG_MAP) {
		config_complain(limits, "has to be a map of metrics and numbers");
		return;
	}
	if (business)
		metrics_unlimit(business->metrics);
	for (size_t i = 0; i < config_count(limits); i++) {
		const char *name = config_key_at(limits, i);
		uint32_t limit = (uint32_t)config_integer(config_at(limits, i), 1, SERIES_MOST, 1);

		if (!business)
			continue;
		name = strcmp(name, "default") == 0 ? NULL : keep_name(business, name);
		if (metrics_limit(business->metrics, name, limit) != 0)
			log_line(LOG_ERROR, "metrics", "no memory, a limit is left out");
	}
}

static void take_rule(struct business *business, struct business_rule *rule)
{
	struct metric *metric = define(business, rule);

	if (!metric) {
		business_rule_fini(rule);
		return;
	}
	business->metric[business->count] = metric;
	business->rules[business->count++] = *rule;
}

void business_configure(struct business *business, const struct config_node *section)
{
	const struct config_node *rules = config_get(section, "rules");
	size_t many = config_is_list(rules) ? config_count(rules) : 0;

	read_limits(business, config_get(section, "limits"));
	if (many > RULES_MAX) {
		config_complain(rules, "has more than %d members", RULES_MAX);
		many = RULES_MAX;
	}
	if (business)
		forget(business);
	for (size_t i = 0; i < many; i++) {
		struct business_rule rule;
		int result = business_rule_read(&rule, config_at(rules, i));

		if (result == 0 && business)
			take_rule(business, &rule);
		else
			business_rule_fini(&rule);
	}
}

struct business *business_new(struct metrics *metrics, struct measure *measure)
{
	struct business *business = calloc(1, sizeof(*business));

	if (!business)
		return NULL;
	business->metrics = metrics;
	measure_also(measure, visit, business);
	return business;
}

void business_free(struct business *business)
{
	if (!business)
		return;
	forget(business);
	while (business->names) {
		struct name *next = business->names->next;

		free(business->names);
		business->names = next;
	}
	free(business);
}
