/* business_rule.c - one metric that a user defines: when a request counts, and its labels. */
#include "exporter/business_rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/routes.h"

#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_REST LETTERS "0123456789."
#define KEY_REST  LETTERS "0123456789._-"

/* ---- reading --------------------------------------------------------------------------------- */

/* 1 if it begins with a letter and goes on as it may. */
static int is_name(const char *text, const char *rest)
{
	return *text && strchr(LETTERS, *text) && text[strspn(text, rest)] == '\0';
}

static int copy(char **to, const char *text)
{
	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int copy_lower(char **to, const char *text)
{
	int result = copy(to, text);

	for (char *at = *to; at && *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return result;
}

static void read_status_text(struct business_rule *rule, const struct config_node *node)
{
	const char *text = config_text(node, "");
	unsigned long least, most;
	char *end;

	if (rule->status_count == BUSINESS_STATUS) {
		config_complain(node, "has more than %d members", BUSINESS_STATUS);
		return;
	}
	least = most = strtoul(text, &end, 10);
	if (end == text + 1 && strcasecmp(end, "xx") == 0) {
		least *= 100;
		most = least + 99;
		end += 2;
	} else if (end != text && *end == '-') {
		most = strtoul(end + 1, &end, 10);
	}
	if (*end || least < 100 || most > 599 || least > most) {
		config_complain(node, "is no status: 404, 2xx, or 400-499");
		return;
	}
	rule->status[rule->status_count].least = (uint16_t)least;
	rule->status[rule->status_count++].most = (uint16_t)most;
}

static void read_status(struct business_rule *rule, const struct config_node *node)
{
	if (node && config_type(node) == CONFIG_LIST)
		for (size_t i = 0; i < config_count(node); i++)
			read_status_text(rule, config_at(node, i));
	else if (node)
		read_status_text(rule, node);
}

static int read_header(struct business_rule *rule, const struct config_node *node)
{
	const char *name;

	if (!node)
		return 0;
	if (config_type(node) != CONFIG_MAP || config_count(node) != 1) {
		config_complain(node, "has to be one name and its value");
		return 0;
	}
	name = config_key_at(node, 0);
	if (copy_lower(&rule->header, name) != 0)
		return -ENOMEM;
	return copy(&rule->header_value, config_text(config_at(node, 0), ""));
}

static int read_conditions(struct business_rule *rule, const struct config_node *when)
{
	int result = 0;

	if (!when)
		return 0;
	read_status(rule, config_get(when, "status"));
	result |= copy(&rule->method, config_text(config_get(when, "method"), NULL));
	result |= copy(&rule->route, config_text(config_get(when, "route"), NULL));
	result |= copy(&rule->host, config_text(config_get(when, "host"), NULL));
	result |= copy(&rule->service, config_text(config_get(when, "service"), NULL));
	result |= read_header(rule, config_get(when, "header"));
	return result ? -ENOMEM : 0;
}

static int read_source(struct business_label *label, const struct config_node *node)
{
	static const char *const plain[] = {"status", "method", "host", "service"};
	const char *text = config_text(node, "");

	for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(text, plain[i]) != 0)
			continue;
		label->source = (enum business_source)(BUSINESS_STATUS_CODE + i);
		return 0;
	}
	if (strncmp(text, "route.", 6) == 0 && text[6])
		return copy(&label->name, text + 6);
	label->source = BUSINESS_HEADER;
	if (strncmp(text, "header.", 7) == 0 && text[7])
		return copy_lower(&label->name, text + 7);
	config_complain(node, "is none of route.NAME, header.NAME, status, method, host, service");
	return 0;
}

static int read_labels(struct business_rule *rule, const struct config_node *labels)
{
	size_t count = config_count(labels);

	if (labels && (config_type(labels) != CONFIG_MAP || count > BUSINESS_LABELS)) {
		config_complain(labels, "has to be a map of %d labels at most", BUSINESS_LABELS);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct business_label *label = &rule->labels[rule->label_count++];
		const char *key = config_key_at(labels, i);

		if (!is_name(key, KEY_REST))
			config_complain(config_at(labels, i), "is no name of a label");
		if (copy(&label->key, key) != 0 || read_source(label, config_at(labels, i)) != 0)
			return -ENOMEM;
	}
	return 0;
}

int business_rule_read(struct business_rule *rule, const struct config_node *node)
{
	static const char *const ours[] = {"http.", "db.", "process.", "tagalong.", "otel."};
	const struct config_node *name = config_get(node, "name");
	const char *text = config_text(name, "");

	memset(rule, 0, sizeof(*rule));
	if (!is_name(text, NAME_REST))
		config_complain(name ? name : node, "needs a name of letters, digits, _ and .");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncmp(text, ours[i], strlen(ours[i])) == 0)
			config_complain(name, "begins with %s, which is taken", ours[i]);
	if (copy(&rule->name, text) != 0 ||
	    copy(&rule->description, config_text(config_get(node, "description"), "")) != 0 ||
	    read_conditions(rule, config_get(node, "when")) != 0)
		return -ENOMEM;
	return read_labels(rule, config_get(node, "labels"));
}

void business_rule_fini(struct business_rule *rule)
{
	for (unsigned i = 0; i < rule->label_count; i++) {
		free(rule->labels[i].key);
		free(rule->labels[i].name);
	}
	free(rule->name);
	free(rule->description);
	free(rule->method);
	free(rule->route);
	free(rule->host);
	free(rule->service);
	free(rule->header);
	free(rule->header_value);
	memset(rule, 0, sizeof(*rule));
}

/* ---- requests -------------------------------------------------------------------------------- */

static int same(struct text text, const char *wanted)
{
	return text.at && text.size == strlen(wanted) && memcmp(text.at, wanted, text.size) == 0;
}

/* Without the port, as people write it. */
static struct text host_of(const struct record *record)
{
	struct text host = record->field[FIELD_HOST];
	const char *colon = host.at ? memrchr(host.at, ':', host.size) : NULL;

	if (colon && host.at[host.size - 1] != ']')
		host.size = (uint32_t)(colon - host.at);
	return host;
}

static struct text header_of(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (!record->headers[i].of_response && same(record->headers[i].name, name))
			return record->headers[i].value;
	return (struct text){NULL, 0};
}

static int status_matches(const struct business_rule *rule, unsigned status)
{
	for (unsigned i = 0; i < rule->status_count; i++)
		if (status >= rule->status[i].least && status <= rule->status[i].most)
			return 1;
	return rule->status_count == 0;
}

int business_rule_matches(const struct business_rule *rule, const struct resource *service,
			  const struct record *record)
{
	if (rule->method && !same(record->field[FIELD_METHOD], rule->method))
		return 0;
	if (rule->route && !(record->route && same(record->route->route, rule->route)))
		return 0;
	if (!status_matches(rule, record->span.status_code))
		return 0;
	if (rule->host && !same(host_of(record), rule->host))
		return 0;
	if (rule->service && strcmp(service->service, rule->service) != 0)
		return 0;
	return !rule->header || same(header_of(record, rule->header), rule->header_value);
}

static struct text parameter_of(const struct record *record, const char *name)
{
	const struct route_match *match = record->route;

	for (uint32_t i = 0; match && i < match->parameters; i++)
		if (same(match->name[i], name))
			return match->value[i];
	return (struct text){NULL, 0};
}

/* Three digits, lent until the next call. */
static struct text status_text(unsigned status)
{
	static char digits[3];

	if (status < 100 || status > 999)
		return (struct text){NULL, 0};
	digits[0] = (char)('0' + status / 100);
	digits[1] = (char)('0' + status / 10 % 10);
	digits[2] = (char)('0' + status % 10);
	return (struct text){digits, sizeof(digits)};
}

struct text business_rule_value(const struct business_label *label, const struct resource *service,
				const struct record *record)
{
	switch (label->source) {
	case BUSINESS_ROUTE:
		return parameter_of(record, label->name);
	case BUSINESS_HEADER:
		return header_of(record, label->name);
	case BUSINESS_STATUS_CODE:
		return status_text(record->span.status_code);
	case BUSINESS_METHOD:
		return record->field[FIELD_METHOD];
	case BUSINESS_HOST:
		return host_of(record);
	case BUSINESS_SERVICE:
		break;
	}
	return (struct text){service->service, (uint32_t)strlen(service->service)};
}
