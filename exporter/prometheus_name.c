/* prometheus_name.c - OpenTelemetry's names as Prometheus has them. */
#include "prometheus_name.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17
#define WORD_ROOM  50 /* of one unit that is not in the table */

static const struct unit {
	const char *unit, *word;
} units[] = {
	{"s", "seconds"},      {"ms", "milliseconds"}, {"us", "microseconds"},
	{"ns", "nanoseconds"}, {"min", "minutes"},     {"h", "hours"},
	{"d", "days"},         {"By", "bytes"},        {"kBy", "kilobytes"},
	{"MBy", "megabytes"},  {"GBy", "gigabytes"},   {"TBy", "terabytes"},
	{"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},  {"GiBy", "gibibytes"},
	{"TiBy", "tebibytes"}, {"m", "meters"},        {"V", "volts"},
	{"A", "amperes"},      {"J", "joules"},        {"W", "watts"},
	{"g", "grams"},        {"Cel", "celsius"},     {"Hz", "hertz"},
	{"%", "percent"},
};

/* What stands behind a "/". */
static const struct unit per_units[] = {
	{"s", "second"}, {"m", "minute"}, {"min", "minute"}, {"h", "hour"},
	{"d", "day"},    {"w", "week"},   {"mo", "month"},   {"y", "year"},
};

static int is_letter_or_digit(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

/* Everything else becomes '_', and several of them one. Returns the size. */
static size_t escape(const char *from, size_t size, int may_colon, char *to, size_t room)
{
	size_t done = 0;

	for (size_t i = 0; i < size && done < room - 1; i++) {
		if (is_letter_or_digit(from[i]) || (may_colon && from[i] == ':'))
			to[done++] = from[i];
		else if (done == 0 || to[done - 1] != '_')
			to[done++] = '_';
	}
	to[done] = '\0';
	return done;
}

static void translate(const struct unit *known, size_t count, const char *unit, size_t size,
		      char word[WORD_ROOM])
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(known[i].unit, unit, size) == 0 && known[i].unit[size] == '\0') {
			snprintf(word, WORD_ROOM, "%s", known[i].word);
			return;
		}
	}
	escape(unit, size, 0, word, WORD_ROOM);
}

/* The unit up to what stands in braces, which is no unit but a remark. */
static size_t plain_size(const char *unit, size_t size)
{
	const char *brace = memchr(unit, '{', size);

	return brace ? (size_t)(brace - unit) : size;
}

static void unit_word(const struct metric_definition *definition, char *to, size_t room)
{
	const char *unit = definition->unit ? definition->unit : "";
	const char *slash = strchr(unit, '/');
	size_t size = slash ? (size_t)(slash - unit) : strlen(unit);
	char word[WORD_ROOM] = "", per_word[WORD_ROOM] = "";

	if (strcmp(unit, "1") == 0) {
		snprintf(to, room, "%s", definition->kind == METRIC_GAUGE ? "ratio" : "");
		return;
	}
	size = plain_size(unit, size);
	if (size)
		translate(units, sizeof(units) / sizeof(units[0]), unit, size, word);
	if (slash)
		translate(per_units, sizeof(per_units) / sizeof(per_units[0]), slash + 1,
			  plain_size(slash + 1, strlen(slash + 1)), per_word);
	snprintf(to, room, "%s%s%s%s", word, slash && size ? "_" : "", slash ? "per_" : "",
		 per_word);
}

static int ends_with(const char *name, const char *word)
{
	size_t size = strlen(name), word_size = strlen(word);

	return size > word_size && name[size - word_size - 1] == '_' &&
	       strcmp(name + size - word_size, word) == 0;
}

void prometheus_name(const struct metric_definition *definition, struct prometheus_name *name)
{
	char plain[PROMETHEUS_NAME_MAX / 2];
	size_t size = escape(definition->name, strlen(definition->name), 1, plain, sizeof(plain));
	int begins_with_digit = definition->name[0] >= '0' && definition->name[0] <= '9';
	int has_unit;

	/* What is already there comes again in its place, behind the unit. */
	if (definition->kind == METRIC_COUNTER && ends_with(plain, "total"))
		plain[size - strlen("_total")] = '\0';
	unit_word(definition, name->unit, sizeof(name->unit));
	has_unit = name->unit[0] == '\0' || ends_with(plain, name->unit);
	snprintf(name->family, sizeof(name->family), "%s%s%s%s", begins_with_digit ? "_" : "",
		 plain, has_unit ? "" : "_", has_unit ? "" : name->unit);
}

size_t prometheus_label(const char *key, char *label)
{
	size_t prefix = 0;

	if (key[0] >= '0' && key[0] <= '9') {
		memcpy(label, "key_", 4);
		prefix = 4;
	}
	return prefix +
	       escape(key, strlen(key), 0, label + prefix, PROMETHEUS_NAME_MAX - prefix - 1);
}

/* The next character of the label, '\0' at its end. */
static char next_of(const char **at)
{
	char byte = **at;

	if (byte == '\0')
		return byte;
	++*at;
	if (is_letter_or_digit(byte))
		return byte;
	while (**at && !is_letter_or_digit(**at))
		++*at;
	return '_';
}

int prometheus_same_label(const char *key, const char *other)
{
	char byte;

	do {
		byte = next_of(&key);
		if (byte != next_of(&other))
			return 0;
	} while (byte);
	return 1;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static size_t special(double value, char *text)
{
	const char *word = isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";

	return (size_t)sprintf(text, "%s", word);
}

static size_t whole(double value, char *text)
{
	char digits[24];
	size_t at = sizeof(digits), size = 0;
	uint64_t left = (uint64_t)fabs(value);

	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (value < 0)
		text[size++] = '-';
	memcpy(text + size, digits + at, sizeof(digits) - at);
	size += sizeof(digits) - at;
	text[size] = '\0';
	return size;
}

size_t prometheus_number(double value, char *text)
{
	if (!isfinite(value))
		return special(value, text);
	if (fabs(value) < 1e15 && floor(value) == value)
		return whole(value, text);
	for (int digits = 15; digits <= DIGITS_MAX; digits++) {
		snprintf(text, 32, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return strlen(text);
}

size_t prometheus_bound(double value, char *text)
{
	int exponent;
	size_t size;

	if (!isfinite(value))
		return special(value, text);
	for (int digits = 1; digits <= DIGITS_MAX; digits++) {
		snprintf(text, 32, "%.*e", digits - 1, value);
		if (strtod(text, NULL) == value)
			break;
	}
	exponent = value != 0 ? atoi(strchr(text, 'e') + 1) : 0;
	if (exponent < -4 || exponent >= 6)
		return strlen(text);
	size = prometheus_number(value, text);
	if (strchr(text, '.'))
		return size;
	memcpy(text + size, ".0", 3);
	return size + 2;
}
