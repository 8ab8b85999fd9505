/* secret_find.c - secrets in a text that is suspected to have some. */
#include <string.h>

#include "preload/secret.h"

#define CARD_DIGITS_MIN 13
#define CARD_DIGITS_MAX 19
#define LOCAL_MAX       192 /* bytes of an address before its '@', percent codes and all */
#define USERINFO_MAX    256

enum { DIGIT = 1, UPPER = 2, LOWER = 4, URL64 = 8, TOKEN = 16, LOCAL = 32, DOMAIN = 64 };

#define ALNUM (DIGIT | UPPER | LOWER)
#define EVERY (URL64 | TOKEN | LOCAL | DOMAIN)

/* What each byte may be part of. */
static const uint8_t kinds[256] = {
	['0' ... '9'] = DIGIT | EVERY,
	['A' ... 'Z'] = UPPER | EVERY,
	['a' ... 'z'] = LOWER | EVERY,
	['-'] = URL64 | TOKEN | LOCAL | DOMAIN,
	['_'] = URL64 | TOKEN | LOCAL,
	['.'] = TOKEN | LOCAL | DOMAIN,
	['~'] = TOKEN | LOCAL,
	['+'] = TOKEN | LOCAL,
	['/'] = TOKEN,
	['='] = TOKEN,
	['%'] = LOCAL,
	['\''] = LOCAL,
	['!'] = LOCAL,
	['#'] = LOCAL,
};

/* The text that is looked through. */
struct view {
	const char *at, *end;
	enum secret_place place;
};

static int is(char c, unsigned kind)
{
	return (kinds[(unsigned char)c] & kind) != 0;
}

static const char *skip(const char *from, const char *end, unsigned kind)
{
	while (from < end && is(*from, kind))
		from++;
	return from;
}

static int begins(const char *from, const char *end, const char *with, size_t size)
{
	return (size_t)(end - from) >= size && memcmp(from, with, size) == 0;
}

/* Whatever case; `lower` is in lower case. */
static int begins_fold(const char *from, const char *end, const char *lower, size_t size)
{
	if ((size_t)(end - from) < size)
		return 0;
	for (size_t i = 0; i < size; i++)
		if ((from[i] | 0x20) != lower[i])
			return 0;
	return 1;
}

static int take(const struct view *view, const char *begin, const char *end, enum redaction rule,
		struct secret *found)
{
	found->begin = (size_t)(begin - view->at);
	found->end = (size_t)(end - view->at);
	found->rule = rule;
	return 1;
}

/* ---- tokens --------------------------------------------------------------------------------- */

/*
 * Sixteen letters and digits in a row that are not all lower case: what chance gives to every token
 * that is long enough, and what secret_suspected looks for.
 */
static int is_random(const char *from, const char *end)
{
	const char *odd = NULL;
	const char *begin = from;

	for (; from < end; from++) {
		if (!is(*from, ALNUM)) {
			begin = from + 1;
			odd = NULL;
			continue;
		}
		if (!is(*from, LOWER))
			odd = from;
		if (from - begin >= 15 && odd)
			return 1;
	}
	return 0;
}

/* Slack's begin with numbers; as for cards, thirteen digits and joints in a row. */
static int is_numbered(const char *from, const char *end)
{
	const char *at = from;

	while (at < end && (is(*at, DIGIT) || *at == '-'))
		at++;
	return at - from >= CARD_DIGITS_MIN;
}

/* "eyJ" is base64 of `{"`: a header in JSON, mostly with a payload and a signature. */
static int find_jwt(const struct view *view, const char *from, struct secret *found)
{
	const char *at = skip(from, view->end, URL64);

	if (!begins(from, view->end, "eyJ", 3) || !is_random(from, at))
		return 0;
	for (int i = 0; i < 4 && at < view->end && *at == '.'; i++)
		at = skip(at + 1, view->end, URL64);
	return take(view, from, at, REDACTION_JWT, found);
}

static int find_aws(const struct view *view, const char *from, struct secret *found)
{
	const char *end = skip(from, view->end, ALNUM);

	if (!begins(from, view->end, "AKIA", 4) && !begins(from, view->end, "ASIA", 4))
		return 0;
	if (end - from != 20 || skip(from, end, DIGIT | UPPER) != end)
		return 0;
	return take(view, from, end, REDACTION_AWS_KEY, found);
}

/* What services begin their tokens with, and how much follows at least. */
static int find_prefixed(const struct view *view, const char *from, struct secret *found)
{
	static const struct {
		char prefix[12];
		uint8_t size, least;
	} tokens[] = {
		{"ghp_", 4, 20},     {"gho_", 4, 20},     {"ghu_", 4, 20},
		{"ghs_", 4, 20},     {"ghr_", 4, 20},     {"github_pat_", 11, 20},
		{"glpat-", 6, 16},   {"xoxb-", 5, 10},    {"xoxp-", 5, 10},
		{"xoxa-", 5, 10},    {"xoxr-", 5, 10},    {"xoxs-", 5, 10},
		{"sk_live_", 8, 12}, {"rk_live_", 8, 12}, {"sk_test_", 8, 12},
		{"whsec_", 6, 16},   {"AIza", 4, 30},     {"npm_", 4, 30},
		{"dop_v1_", 7, 30},  {"ya29.", 5, 20},
	};
	const char *end;

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		if (!begins(from, view->end, tokens[i].prefix, tokens[i].size))
			continue;
		end = skip(from + tokens[i].size, view->end, URL64);
		if (end - from >= tokens[i].size + tokens[i].least &&
		    (is_random(from, end) || is_numbered(from + tokens[i].size, end)))
			return take(view, from, end, REDACTION_TOKEN, found);
	}
	return 0;
}

/* A space as it is, or as URLs have it. */
static size_t space_size(const char *at, const char *end)
{
	if (at < end && (*at == ' ' || *at == '+'))
		return 1;
	return begins(at, end, "%20", 3) ? 3 : 0;
}

static int has_digit(const char *from, const char *end)
{
	while (from < end && !is(*from, DIGIT))
		from++;
	return from < end;
}

/* "Bearer" and a token; in prose a word follows. */
static int find_bearer(const struct view *view, const char *from, struct secret *found)
{
	int is_first = view->place == SECRET_IN_VALUE && from == view->at;
	const char *at = from, *end;
	size_t space;

	if (begins_fold(from, view->end, "bearer", 6))
		at = from + 6;
	else if (is_first && begins_fold(from, view->end, "basic", 5))
		at = from + 5;
	space = at > from ? space_size(at, view->end) : 0;
	if (space == 0)
		return 0;
	at += space;
	end = skip(at, view->end, TOKEN);
	if (at == end || (!is_first && end - at < 16 && !has_digit(at, end)))
		return 0;
	return take(view, at, end, REDACTION_BEARER, found);
}

static int find_private_key(const struct view *view, const char *from, struct secret *found)
{
	static const char begin[] = "-----BEGIN", name[] = "PRIVATE", last[] = "-----END";
	size_t size = (size_t)(view->end - from);
	const char *end;

	if (!begins(from, view->end, begin, sizeof(begin) - 1) ||
	    !memmem(from, size < 40 ? size : 40, name, sizeof(name) - 1))
		return 0;
	end = memmem(from, size, last, sizeof(last) - 1);
	if (end) {
		end += sizeof(last) - 1;
		end = memmem(end, (size_t)(view->end - end), "-----", 5);
	}
	return take(view, from, end ? end + 5 : view->end, REDACTION_PRIVATE_KEY, found);
}

/* ---- numbers of payment cards --------------------------------------------------------------- */

#define CARD_GROUPS_MAX 5

struct digits {
	char at[CARD_DIGITS_MAX + 1];
	unsigned count, groups;
	const char *end;
};

/*
 * How cards are written: in one row, or in fours, or as four, six, and the rest. Others are serial
 * numbers, and UUIDs with few letters.
 */
static int is_grouping(const uint8_t sizes[CARD_GROUPS_MAX], unsigned count)
{
	if (count == 1)
		return 1;
	if (sizes[0] != 4)
		return 0;
	if (count == 3 && sizes[1] == 6)
		return sizes[2] == 4 || sizes[2] == 5;
	for (unsigned i = 1; i + 1 < count; i++)
		if (sizes[i] != 4)
			return 0;
	return count >= 4 && sizes[count - 1] <= 4;
}

/* Digits, perhaps in groups with one separator between them. 0: they are something else. */
static int read_digits(const char *from, const char *end, struct digits *digits)
{
	uint8_t sizes[CARD_GROUPS_MAX] = {0};
	unsigned groups = 1;

	digits->count = 0;
	while (from < end) {
		size_t gap;

		if (is(*from, DIGIT)) {
			if (digits->count > CARD_DIGITS_MAX - 1)
				return 0;
			digits->at[digits->count++] = *from++;
			sizes[groups - 1]++;
			continue;
		}
		gap = *from == '-' ? 1 : space_size(from, end);
		if (gap == 0 || from + gap >= end || !is(from[gap], DIGIT))
			break;
		if (groups == CARD_GROUPS_MAX)
			return 0;
		groups++;
		from += gap;
	}
	digits->end = from;
	digits->groups = groups;
	return digits->count >= CARD_DIGITS_MIN && (from == end || !is(*from, ALNUM)) &&
	       is_grouping(sizes, groups);
}

static int luhn_holds(const struct digits *digits)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < digits->count; i++) {
		unsigned digit = (unsigned)(digits->at[digits->count - 1 - i] - '0');

		if (i & 1)
			digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
		sum += digit;
	}
	return sum % 10 == 0;
}

/* Ranges and lengths that networks issue: Visa, Mastercard, Amex, Diners, JCB, Discover, others. */
static int is_issued(const struct digits *digits)
{
	unsigned two = (unsigned)(digits->at[0] - '0') * 10 + (unsigned)(digits->at[1] - '0');
	unsigned count = digits->count;

	switch (digits->at[0]) {
	case '4':
		return count == 13 || count == 16 || count == 19;
	case '5':
		return count == 16 || (two != 50 && two < 56 ? 0 : count >= 13);
	case '2':
		return two >= 22 && two <= 27 && count == 16;
	case '3':
		return two == 34 || two == 37 ? count == 15 : count == 14 || count == 16;
	case '6':
		return count >= 16;
	default:
		return 0;
	}
}

/* Groups right behind a letter, if it is no percent code's, are a part of a UUID. */
static int is_behind_letter(const char *begin, const char *at)
{
	return at > begin && is(at[-1], ALNUM) && !(at - begin >= 3 && at[-3] == '%');
}

static int find_card(const struct view *view, const char *from, struct secret *found)
{
	struct digits digits;

	if (!read_digits(from, view->end, &digits) || !is_issued(&digits) || !luhn_holds(&digits))
		return 0;
	if (digits.groups > 1 && is_behind_letter(view->at, from))
		return 0;
	return take(view, from, digits.end, REDACTION_CARD, found);
}

/* ---- addresses and URLs --------------------------------------------------------------------- */

/* Labels with a dot between them, the last one of letters. NULL: no domain. */
static const char *domain_end(const char *from, const char *end)
{
	const char *stop = skip(from, end, DOMAIN);
	const char *dot;

	while (stop > from && (stop[-1] == '.' || stop[-1] == '-'))
		stop--;
	dot = memrchr(from, '.', (size_t)(stop - from));
	if (!dot || dot == from || stop - dot < 3 || skip(dot + 1, stop, UPPER | LOWER) != stop)
		return NULL;
	return stop;
}

/* "user:password@" behind "://": where it begins, or NULL. `at` is the '@'. */
static const char *userinfo_begin(const struct view *view, const char *least, const char *at)
{
	if (at - least > USERINFO_MAX)
		least = at - USERINFO_MAX;
	while (at > least && at[-1] != '/' && at[-1] != ' ' && at[-1] != '?')
		at--;
	return at - view->at >= 3 && memcmp(at - 3, "://", 3) == 0 ? at : NULL;
}

/* `from` is the '@' or its percent code. */
static int find_address(const struct view *view, const char *least, const char *from,
			struct secret *found)
{
	size_t size = *from == '@' ? 1 : 3;
	const char *begin = *from == '@' ? userinfo_begin(view, least, from) : NULL;
	const char *end;

	if (begin && begin < from)
		return take(view, begin, from, REDACTION_USERINFO, found);
	begin = from;
	if (from - least > LOCAL_MAX)
		least = from - LOCAL_MAX;
	while (begin > least && is(begin[-1], LOCAL))
		begin--;
	end = domain_end(from + size, view->end);
	if (begin == from || !end)
		return 0;
	return take(view, begin, end, REDACTION_EMAIL, found);
}

/* The value of a path parameter whose name says that it is a session. */
static int find_session(const struct view *view, const char *from, struct secret *found)
{
	static const char names[][12] = {
		"jsessionid=", "phpsessid=", "sessionid=", "sid=", "token="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t size = strnlen(names[i], sizeof(names[i]));
		const char *value = from + 1 + size;
		const char *end = value;

		if (!begins_fold(from + 1, view->end, names[i], size))
			continue;
		while (end < view->end && *end != '/' && *end != ';')
			end++;
		return end > value && take(view, value, end, REDACTION_SESSION, found);
	}
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* What may begin with this byte, behind one that is no part of a word. */
static int find_word(const struct view *view, const char *from, struct secret *found)
{
	switch (*from) {
	case 'e':
		return find_jwt(view, from, found);
	case 'A':
		return find_aws(view, from, found) || find_prefixed(view, from, found);
	case 'b':
	case 'B':
		return find_bearer(view, from, found);
	case 'd':
	case 'g':
	case 'n':
	case 'r':
	case 's':
	case 'w':
	case 'x':
	case 'y':
		return find_prefixed(view, from, found);
	case '0' ... '9':
		return find_card(view, from, found);
	default:
		return 0;
	}
}

static int find_mark(const struct view *view, const char *least, const char *from,
		     struct secret *found)
{
	switch (*from) {
	case '@':
		return find_address(view, least, from, found);
	case '%':
		return begins(from, view->end, "%40", 3) && find_address(view, least, from, found);
	case ';':
		return view->place == SECRET_IN_PATH && find_session(view, from, found);
	case '-':
		return find_private_key(view, from, found);
	default:
		return 0;
	}
}

/* Whether a word may begin here: behind what is no letter or digit, or behind a percent code. */
static int is_begin(const char *at, size_t i)
{
	if (i == 0 || !is(at[i - 1], ALNUM))
		return 1;
	if (i >= 3 && at[i - 3] == '%')
		return 1;
	return is(at[i], DIGIT) && !is(at[i - 1], DIGIT);
}

int secret_find(const char *at, size_t size, size_t from, enum secret_place place,
		struct secret *found)
{
	const struct view view = {at, at + size, place};

	for (size_t i = from; i < size; i++) {
		if (is(at[i], ALNUM) ? is_begin(at, i) && find_word(&view, at + i, found)
				     : find_mark(&view, at + from, at + i, found))
			return 1;
	}
	return 0;
}
