/* redact.c - secrets in what is told: rules, the user's patterns, and how often they were met. */
#include "redact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/log.h"
#include "exporter/redact_look.h"
#include "exporter/redact_query.h"
#include "exporter/redact_rule.h"

struct redact {
	const struct redact_rule *rules; /* built in */
	size_t rule_count;
	struct redact_rule patterns[REDACT_PATTERNS_MAX]; /* of the user */
	size_t pattern_count;
	char *headers[REDACT_HEADERS_MAX];
	size_t header_count;
	uint64_t counts[REDACTIONS];
};

static const char *const rule_names[REDACTIONS] = {
	[REDACTION_QUERY_KEY] = "query_key", [REDACTION_HEADER] = "header",
	[REDACTION_EMAIL] = "email",         [REDACTION_CARD] = "card",
	[REDACTION_BEARER] = "bearer",       [REDACTION_JWT] = "jwt",
	[REDACTION_AWS_KEY] = "aws_key",     [REDACTION_PRIVATE_KEY] = "private_key",
	[REDACTION_TOKEN] = "token",         [REDACTION_SESSION] = "session",
	[REDACTION_USERINFO] = "userinfo",   [REDACTION_PATTERN] = "pattern",
};

/* ---- settings ------------------------------------------------------------------------------- */

struct redact *redact_new(void)
{
	struct redact *redact = calloc(1, sizeof(*redact));

	if (!redact)
		return NULL;
	redact->rules = redact_rules(&redact->rule_count);
	if (redact->rule_count)
		return redact;
	free(redact);
	return NULL;
}

static void forget(struct redact *redact)
{
	for (size_t i = 0; i < redact->pattern_count; i++)
		regfree(&redact->patterns[i].regex);
	for (size_t i = 0; i < redact->header_count; i++)
		free(redact->headers[i]);
	redact->pattern_count = redact->header_count = 0;
}

void redact_free(struct redact *redact)
{
	if (redact)
		forget(redact);
	free(redact);
}

/* {name, regex}; the name is for people alone. */
static void take_pattern(struct redact *redact, const struct config_node *node)
{
	const struct config_node *regex = config_get(node, "regex");
	const char *text = config_text(regex, NULL);
	struct redact_rule *pattern = &redact->patterns[redact->pattern_count];
	char why[128];
	int error;

	config_text(config_get(node, "name"), NULL);
	if (!text) {
		config_complain(node, "a pattern needs a regex");
		return;
	}
	if (redact->pattern_count == REDACT_PATTERNS_MAX) {
		config_complain(node, "there may be %d patterns", REDACT_PATTERNS_MAX);
		return;
	}
	memset(pattern, 0, sizeof(*pattern));
	pattern->rule = REDACTION_PATTERN;
	error = regcomp(&pattern->regex, text, REG_EXTENDED);
	if (error != 0) {
		regerror(error, &pattern->regex, why, sizeof(why));
		config_complain(regex, "is no expression: %s", why);
		return;
	}
	pattern->group = pattern->regex.re_nsub ? 1 : 0;
	redact->pattern_count++;
}

static void take_header(struct redact *redact, const struct config_node *node)
{
	const char *name = config_text(node, NULL);

	if (name && redact->header_count == REDACT_HEADERS_MAX)
		config_complain(node, "there may be %d headers", REDACT_HEADERS_MAX);
	else if (name && (redact->headers[redact->header_count] = strdup(name)) != NULL)
		redact->header_count++;
}

void redact_configure(struct redact *redact, const struct config_node *section)
{
	const struct config_node *patterns = config_get(section, "patterns");
	const struct config_node *headers = config_get(section, "headers");
	struct redact *to = redact ? redact : redact_new();

	if (!to)
		return;
	forget(to);
	for (size_t i = 0; config_is_list(patterns) && i < config_count(patterns); i++)
		take_pattern(to, config_at(patterns, i));
	for (size_t i = 0; config_is_list(headers) && i < config_count(headers); i++)
		take_header(to, config_at(headers, i));
	if (!redact)
		redact_free(to);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static unsigned apply(struct redact *redact, const struct redact_rule *rules, size_t count,
		      struct arena *arena, struct text *text)
{
	unsigned all = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned times = redact_rule_apply(&rules[i], arena, text);

		redact->counts[rules[i].rule] += times;
		all += times;
	}
	return all;
}

static int look_through(struct redact *redact, struct arena *arena, char mark, struct text *text)
{
	unsigned times = 0;

	if (!text->at || text->size == 0)
		return 0;
	if (redact_look(*text, mark))
		times += apply(redact, redact->rules, redact->rule_count, arena, text);
	times += apply(redact, redact->patterns, redact->pattern_count, arena, text);
	return times != 0;
}

int redact_text(struct redact *redact, struct arena *arena, struct text *text)
{
	return look_through(redact, arena, ';', text);
}

/* Of the whole value of a header, by the user's list. */
static int is_listed(const struct redact *redact, struct text name)
{
	for (size_t i = 0; i < redact->header_count; i++)
		if (strlen(redact->headers[i]) == name.size &&
		    strncasecmp(redact->headers[i], name.at, name.size) == 0)
			return 1;
	return 0;
}

static void look_through_header(struct redact *redact, struct arena *arena,
				struct record_header *header)
{
	static const struct text mask = TEXT_OF(REDACT_MASK);

	if (is_listed(redact, header->name) || redact_query_is_header(header->name)) {
		redact->counts[REDACTION_HEADER] +=
			header->value.size != mask.size ||
			memcmp(header->value.at, mask.at, mask.size) != 0;
		header->value = mask;
		return;
	}
	look_through(redact, arena, '@', &header->value);
}

void redact_record(struct redact *redact, struct arena *arena, struct record *record)
{
	if (!redact)
		return;
	for (unsigned id = 0; id < RECORD_FIELDS; id++)
		if (record->field[id].size)
			look_through(redact, arena, id == FIELD_PATH ? ';' : '@',
				     &record->field[id]);
	if (record->field[FIELD_QUERY].size)
		redact->counts[REDACTION_QUERY_KEY] +=
			redact_query(arena, &record->field[FIELD_QUERY]);
	for (size_t i = 0; i < record->header_count; i++)
		look_through_header(redact, arena, &record->headers[i]);
}

/* ---- counts --------------------------------------------------------------------------------- */

void redact_add(struct redact *redact, enum redaction rule, uint64_t times)
{
	if (redact)
		redact->counts[rule] += times;
}

uint64_t redact_count(const struct redact *redact, enum redaction rule)
{
	return redact ? redact->counts[rule] : 0;
}

const char *redact_name(enum redaction rule)
{
	return rule_names[rule];
}

void redact_report(const struct redact *redact)
{
	char line[512];
	size_t size = 0;

	for (unsigned i = 0; redact && i < REDACTIONS; i++)
		if (redact->counts[i])
			size += (size_t)snprintf(line + size, sizeof(line) - size, " %s=%llu",
						 rule_names[i],
						 (unsigned long long)redact->counts[i]);
	if (size)
		log_line(LOG_INFO, "redact", "masked%s", line);
}
