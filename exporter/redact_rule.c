/* redact_rule.c - what is a secret, as expressions, and masking what they find. */
#include "redact_rule.h"

#include <ctype.h>
#include <string.h>

#define FOUND_MAX       8 /* groups that are looked at */
#define CARD_DIGITS_MAX 19

#define BEGIN "(^|[^A-Za-z0-9]|%[0-9A-Fa-f][0-9A-Fa-f])"
#define SPACE "( |\\+|%20)"

static const struct {
	enum redaction rule;
	unsigned group;
	const char *needs[3];
	const char *expression;
} built_in[] = {
	{REDACTION_PRIVATE_KEY,
	 0,
	 {"-----BEGIN"},
	 "-----BEGIN[^-]*PRIVATE.?.?.?KEY-----([^-]*(-----END[^-]*-----)?)"},
	{REDACTION_JWT, 2, {"eyJ"}, BEGIN "(eyJ[A-Za-z0-9_-]{9,}(\\.[A-Za-z0-9_-]*){0,4})"},
	{REDACTION_AWS_KEY, 2, {"AKIA", "ASIA"}, BEGIN "(A[KS]IA[A-Z0-9]{16})"},
	{REDACTION_TOKEN,
	 2,
	 {"_", "-", "AIza"},
	 BEGIN "((gh[opusr]_|github_pat_|glpat-|xox[abprs]-|[sr]k_live_|sk_test_|whsec_|npm_|"
	       "dop_v1_|AIza)[A-Za-z0-9_-]{12,})"},
	{REDACTION_BEARER,
	 2,
	 {"earer", "EARER"},
	 "[Bb][Ee][Aa][Rr][Ee][Rr]" SPACE "([A-Za-z0-9._~+/=-]*([0-9]|[A-Za-z._~+/=-]{16})"
	 "[A-Za-z0-9._~+/=-]*)"},
	{REDACTION_USERINFO, 1, {"://"}, "://([^/?@ ]+)@"},
	{REDACTION_EMAIL,
	 0,
	 {"@", "%40"},
	 "[A-Za-z0-9._%+'!#~-]+(@|%40)([A-Za-z0-9-]+\\.)+[A-Za-z]{2,}"},
	{REDACTION_SESSION,
	 2,
	 {";"},
	 ";(jsessionid|JSESSIONID|phpsessid|PHPSESSID|sessionid|sid|token)=([^/;]+)"},
	{REDACTION_CARD,
	 2,
	 {NULL},
	 "(^|[^0-9])([0-9]((-|" SPACE ")?[0-9]){12,18})($|[^A-Za-z0-9])"},
};

#define BUILT_IN (sizeof(built_in) / sizeof(built_in[0]))

struct redact_rule *redact_rules(size_t *count)
{
	static struct redact_rule rules[BUILT_IN];
	static int is_compiled;

	*count = BUILT_IN;
	for (size_t i = 0; !is_compiled && i < BUILT_IN; i++) {
		rules[i].rule = built_in[i].rule;
		rules[i].group = built_in[i].group;
		rules[i].is_card = built_in[i].rule == REDACTION_CARD;
		memcpy(rules[i].needs, built_in[i].needs, sizeof(rules[i].needs));
		if (regcomp(&rules[i].regex, built_in[i].expression, REG_EXTENDED) != 0)
			*count = 0;
	}
	is_compiled = 1;
	return rules;
}

/* The digits of a number, and how many stand in each of its groups. */
struct number {
	char digit[CARD_DIGITS_MAX];
	unsigned count;
	unsigned sizes[CARD_DIGITS_MAX];
	unsigned groups;
};

static int read_number(const char *at, size_t size, struct number *number)
{
	int in_group = 0;

	*number = (struct number){0};
	for (size_t i = 0; i < size; i++) {
		if (at[i] >= '0' && at[i] <= '9') {
			if (number->count == CARD_DIGITS_MAX)
				return 0;
			number->groups += !in_group;
			number->sizes[number->groups - 1]++;
			number->digit[number->count++] = (char)(at[i] - '0');
			in_group = 1;
			continue;
		}
		in_group = 0;
		/* The digits of "%20" are none of the number's. */
		i += at[i] == '%' ? 2 : 0;
	}
	return number->count >= 13;
}

/*
 * How cards are written: in one row, or in fours, or as four, six, and the rest. Others are serial
 * numbers, and UUIDs with few letters.
 */
static int is_grouped(const struct number *number)
{
	const unsigned *sizes = number->sizes;

	if (number->groups == 1)
		return 1;
	if (number->groups == 3)
		return sizes[0] == 4 && sizes[1] == 6 && sizes[2] >= 4;
	for (unsigned i = 0; i + 1 < number->groups; i++)
		if (sizes[i] != 4)
			return 0;
	return number->groups >= 4 && sizes[number->groups - 1] <= 4;
}

/* Groups right behind a letter, if it is no percent code's, are a part of a UUID. */
static int is_behind_letter(const char *text, regoff_t at)
{
	return at > 0 && isalnum((unsigned char)text[at - 1]) && !(at >= 3 && text[at - 3] == '%');
}

/* Luhn's sum, over digits that networks issue. */
static int is_card_number(const char *at, size_t size, int behind_letter)
{
	struct number number;
	unsigned sum = 0;

	if (!read_number(at, size, &number) || !is_grouped(&number) ||
	    (number.groups > 1 && behind_letter))
		return 0;
	for (unsigned i = 0; i < number.count; i++) {
		unsigned digit = (unsigned)number.digit[number.count - 1 - i];

		if (i & 1)
			digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
		sum += digit;
	}
	return sum % 10 == 0 && number.digit[0] >= 2 && number.digit[0] <= 6;
}

/* What is to be masked of a match; 0: nothing. */
static int part_of(const struct redact_rule *rule, const char *text, const regmatch_t *found,
		   regmatch_t *part)
{
	size_t size;

	*part = found[rule->group < FOUND_MAX && found[rule->group].rm_so >= 0 ? rule->group : 0];
	size = (size_t)(part->rm_eo - part->rm_so);
	if (size == 0 ||
	    (size == sizeof(REDACT_MASK) - 1 && memcmp(text + part->rm_so, REDACT_MASK, size) == 0))
		return 0;
	return !rule->is_card ||
	       is_card_number(text + part->rm_so, size, is_behind_letter(text, part->rm_so));
}

static int may_apply(const struct redact_rule *rule, struct text text)
{
	if (!rule->needs[0])
		return 1;
	for (size_t i = 0; i < 3 && rule->needs[i]; i++)
		if (memmem(text.at, text.size, rule->needs[i], strlen(rule->needs[i])))
			return 1;
	return 0;
}

unsigned redact_rule_apply(const struct redact_rule *rule, struct arena *arena, struct text *text)
{
	const size_t mask = sizeof(REDACT_MASK) - 1;
	regmatch_t found[FOUND_MAX], part;
	unsigned times = 0;
	size_t at = 0;

	if (!may_apply(rule, *text))
		return 0;
	while (at < text->size) {
		char *copy;

		found[0].rm_so = (regoff_t)at;
		found[0].rm_eo = (regoff_t)text->size;
		if (regexec(&rule->regex, text->at, FOUND_MAX, found, REG_STARTEND) != 0)
			break;
		at = (size_t)found[0].rm_eo + (found[0].rm_eo == found[0].rm_so);
		if (!part_of(rule, text->at, found, &part)) {
			/* A number may follow right behind another one. */
			if (rule->is_card)
				at = (size_t)part.rm_so +
				     strspn(text->at + part.rm_so, "0123456789");
			continue;
		}
		copy = arena_bytes(arena, text->size + mask + 1);
		if (!copy)
			break;
		memcpy(copy, text->at, (size_t)part.rm_so);
		memcpy(copy + part.rm_so, REDACT_MASK, mask);
		memcpy(copy + part.rm_so + mask, text->at + part.rm_eo,
		       text->size - (size_t)part.rm_eo + 1);
		text->at = copy;
		text->size = (uint32_t)(text->size - (size_t)(part.rm_eo - part.rm_so) + mask);
		at = (size_t)part.rm_so + mask;
		times++;
	}
	return times;
}
