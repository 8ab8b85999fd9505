/* redact_rule.h - one rule of what is a secret, as an expression; private to the redact_* files. */
#ifndef TAGALONG_REDACT_RULE_H
#define TAGALONG_REDACT_RULE_H

#include <regex.h>

#include "exporter/arena.h"
#include "exporter/text.h"
#include "preload/segment.h"

#define REDACT_MASK "REDACTED"

struct redact_rule {
	enum redaction rule;
	unsigned group; /* what is masked: a group of the expression, 0: all of it */
	const char
		*needs[3]; /* one of these stands in every text that has it; none: always tried */
	int is_card;       /* digits that must be a card's number */
	regex_t regex;
};

/* The built-in rules, compiled at the first call, as many as *count says. */
struct redact_rule *redact_rules(size_t *count);

/* Masks what the rule finds; *text becomes a copy in the arena. Returns how often it did. */
unsigned redact_rule_apply(const struct redact_rule *rule, struct arena *arena, struct text *text);

#endif
