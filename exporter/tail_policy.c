/* tail_policy.c - which traces are worth keeping, by what their spans tell. */
#include "exporter/tail_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exporter/sampling.h"
#include "exporter/tail_pack.h"
#include "exporter/tail_route.h"

#define MS_NS      1000000ull
#define SECOND_NS  (1000 * MS_NS)
#define WAIT_MS    5000u
#define GRACE_MS   500u
#define MEMORY     (24ull << 20)
#define MEMORY_MIN (1u << 20)
#define MEMORY_MAX (64ull << 30)
#define WAIT_MAX   3600000u

static const char *const names[TAIL_KINDS + 1] = {
	[TAIL_ERRORS] = "errors",
	[TAIL_SLOWER_THAN] = "slower_than",
	[TAIL_SLOWER_THAN_P99] = "slower_than_p99",
	[TAIL_RARE_ROUTE] = "rare_route",
	[TAIL_ATTRIBUTE] = "attribute",
	[TAIL_RATE] = "rate",
	[TAIL_RATIO] = "ratio",
};

const char *tail_policy_name(enum tail_policy_kind kind)
{
	return names[kind];
}

/* ---- settings ----------------------------------------------------------------------------- */

static void read_attribute(const struct config_node *node, struct tail_policy *policy)
{
	const struct config_node *values = config_get(node, "values");

	policy->key = config_text(config_get(node, "key"), NULL);
	if (!policy->key)
		config_complain(node, "must have a key, and may have values");
	if (!config_is_list(values))
		return;
	if (config_count(values) == 0 || config_count(values) > TAIL_VALUES_MAX)
		config_complain(values, "must have 1 to %d values", TAIL_VALUES_MAX);
	for (size_t i = 0; i < config_count(values) && i < TAIL_VALUES_MAX; i++)
		policy->values[policy->value_count++] = config_text(config_at(values, i), "");
}

static void read_value(const struct config_node *node, struct tail_policy *policy)
{
	switch (policy->kind) {
	case TAIL_SLOWER_THAN:
	case TAIL_RARE_ROUTE:
		policy->number = config_duration_ms(node, 0) * MS_NS;
		break;
	case TAIL_ATTRIBUTE:
		read_attribute(node, policy);
		break;
	case TAIL_RATE:
		policy->number = (uint64_t)config_integer(node, 1, 1000000, 1);
		policy->tokens = (double)policy->number;
		break;
	case TAIL_RATIO:
		policy->number = sampling_threshold(config_number(node, 0, 1, 1));
		break;
	default:
		config_complain(node, "takes no value: write - %s", names[policy->kind]);
	}
}

/* "errors", or a map of one key and its value. */
static void read_policy(const struct config_node *item, struct tail_policies *to)
{
	const struct config_node *value = config_at(item, 0);
	struct tail_policy *policy = &to->at[to->count];
	const char *name;
	unsigned kind = 0;

	if (config_type(item) == CONFIG_MAP && config_count(item) == 1)
		name = config_key_at(item, 0);
	else
		name = config_text(item, NULL);
	while (name && kind < TAIL_KINDS && strcmp(name, names[kind]) != 0)
		kind++;
	if (!name)
		return;
	if (kind == TAIL_KINDS || (!value && kind != TAIL_ERRORS && kind != TAIL_SLOWER_THAN_P99)) {
		config_complain(item, "is no policy: errors, slower_than: TIME, slower_than_p99, "
				      "rare_route: TIME, attribute: {key: NAME, values: [...]}, "
				      "rate: NUMBER or ratio: SHARE");
		return;
	}
	memset(policy, 0, sizeof(*policy));
	policy->kind = (enum tail_policy_kind)kind;
	if (value)
		read_value(value, policy);
	to->count++;
}

static uint64_t read_time(const struct config_node *node, uint64_t otherwise_ms)
{
	uint64_t ms = config_duration_ms(node, otherwise_ms);

	if (ms > WAIT_MAX)
		config_complain(node, "must be 1h or less");
	return ms * MS_NS;
}

void tail_policies_read(const struct config_node *section, struct tail_policies *to)
{
	const struct config_node *list = config_get(section, "policies");
	const struct config_node *memory = config_get(section, "memory");

	to->count = 0;
	to->decision_wait_ns = read_time(config_get(section, "decision_wait"), WAIT_MS);
	to->grace_ns = read_time(config_get(section, "grace"), GRACE_MS);
	if (to->grace_ns > to->decision_wait_ns)
		to->grace_ns = to->decision_wait_ns;
	to->memory = config_bytes(memory, MEMORY);
	if (to->memory < MEMORY_MIN || to->memory > MEMORY_MAX)
		config_complain(memory, "must be 1MiB to 64GiB");
	if (section && config_count(list) == 0)
		config_complain(section, "must have policies");
	if (!config_is_list(list))
		return;
	if (config_count(list) > TAIL_POLICIES_MAX)
		config_complain(list, "%d policies is the most", TAIL_POLICIES_MAX);
	for (size_t i = 0; i < config_count(list) && i < TAIL_POLICIES_MAX; i++)
		read_policy(config_at(list, i), to);
}

/* ---- spans -------------------------------------------------------------------------------- */

static int is_local_root(const struct batch_span *span)
{
	static const uint8_t none[8];

	return span->flags & TAIL_FLAG_REMOTE || memcmp(span->parent_id, none, sizeof(none)) == 0;
}

static int has_value(const struct tail_policy *policy, const struct attribute *attribute)
{
	char number[24];
	const char *text = attribute->text.at;

	if (policy->value_count == 0)
		return 1;
	if (attribute->type == ATTRIBUTE_BOOLEAN)
		text = attribute->number ? "true" : "false";
	else if (!attribute_is_text(attribute->type))
		text = number;
	snprintf(number, sizeof(number), "%" PRId64, attribute->number);
	for (unsigned i = 0; text && i < policy->value_count; i++)
		if (strcmp(policy->values[i], text) == 0)
			return 1;
	return 0;
}

static int has_attribute(const struct tail_policy *policy, const struct batch_span *span)
{
	const struct attribute *attribute =
		policy->key ? attribute_find(span->attributes, span->attribute_count, policy->key)
			    : NULL;

	return attribute && has_value(policy, attribute);
}

static int matches(const struct tail_policy *policy, const struct batch_span *span,
		   struct tail_route *route, uint64_t now_ns)
{
	uint64_t duration_ns = span->end_unix_ns - span->start_unix_ns;

	switch (policy->kind) {
	case TAIL_ERRORS:
		return span->status == STATUS_ERROR;
	case TAIL_SLOWER_THAN:
		return duration_ns > policy->number;
	case TAIL_SLOWER_THAN_P99:
		return route && tail_route_is_slow(route, duration_ns);
	case TAIL_RARE_ROUTE:
		return route && tail_route_is_rare(route, policy->number, now_ns);
	case TAIL_ATTRIBUTE:
		return has_attribute(policy, span);
	default:
		return 0;
	}
}

uint32_t tail_policies_match(struct tail_policies *policies, const struct batch_span *span,
			     uint64_t now_ns)
{
	struct tail_route *route = NULL;
	uint32_t matched = 0;

	if (policies->routes && is_local_root(span))
		route = tail_routes_find(policies->routes,
					 span->resource ? span->resource->service : "", span->name,
					 now_ns);
	for (unsigned i = 0; i < policies->count; i++)
		if (matches(&policies->at[i], span, route, now_ns))
			matched |= 1u << i;
	return matched;
}

/* ---- traces ------------------------------------------------------------------------------- */

/* A second's worth of traces can be kept at once. */
static int take_token(struct tail_policy *policy, uint64_t now_ns)
{
	double most = (double)policy->number;

	if (policy->filled_ns && now_ns > policy->filled_ns)
		policy->tokens += (double)(now_ns - policy->filled_ns) * most / (double)SECOND_NS;
	if (policy->tokens > most)
		policy->tokens = most;
	policy->filled_ns = now_ns;
	if (policy->tokens < 1)
		return 0;
	policy->tokens -= 1;
	return 1;
}

static int keeps(struct tail_policy *policy, int matched, const struct tail_evidence *evidence,
		 uint64_t now_ns)
{
	if (evidence->errors_only && policy->kind != TAIL_ERRORS)
		return 0;
	if (policy->kind == TAIL_RATE)
		return take_token(policy, now_ns);
	if (policy->kind == TAIL_RATIO)
		return evidence->randomness >= policy->number;
	return matched;
}

int tail_policies_decide(struct tail_policies *policies, const struct tail_evidence *evidence,
			 uint64_t now_ns)
{
	for (unsigned i = 0; i < policies->count; i++)
		if (keeps(&policies->at[i], (int)(evidence->matched >> i & 1), evidence, now_ns))
			return (int)i;
	return -1;
}
