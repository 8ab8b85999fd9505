/* config_value.c - values of the settings file: texts, numbers, durations, sizes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/config_node.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* NULL: not there or no scalar, which is complained of. */
static const char *scalar(const struct config_node *node)
{
	if (!node)
		return NULL;
	if (node->type == CONFIG_SCALAR)
		return node->text;
	config_complain(node, "must be one value");
	return NULL;
}

const char *config_text(const struct config_node *node, const char *otherwise)
{
	const char *text = scalar(node);

	return text ? text : otherwise;
}

int config_boolean(const struct config_node *node, int otherwise)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
	const char *text = scalar(node);

	if (!text)
		return otherwise;
	for (int i = 0; i < 6; i++)
		if (strcasecmp(text, words[i]) == 0)
			return i & 1;
	config_complain(node, "must be true or false");
	return otherwise;
}

int64_t config_integer(const struct config_node *node, int64_t least, int64_t most,
		       int64_t otherwise)
{
	const char *text = scalar(node);
	char *end;
	long long value;

	if (!text)
		return otherwise;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && strspn(text, "-0123456789") == strlen(text) &&
	    value >= least && value <= most)
		return value;
	config_complain(node, "must be a whole number from %" PRId64 " to %" PRId64, least, most);
	return otherwise;
}

double config_number(const struct config_node *node, double least, double most, double otherwise)
{
	const char *text = scalar(node);
	char *end;
	double value;

	if (!text)
		return otherwise;
	value = strtod(text, &end);
	/* strtod takes "inf", "nan" and hexadecimal as well. */
	if (end != text && !*end && strspn(text, "+-.eE0123456789") == strlen(text) &&
	    value >= least && value <= most)
		return value;
	config_complain(node, "must be a number from %g to %g", least, most);
	return otherwise;
}

int config_choice(const struct config_node *node, const char *const *words, int otherwise)
{
	const char *text = scalar(node);
	char list[256] = "";
	size_t used = 0;

	if (!text)
		return otherwise;
	for (int i = 0; words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	for (int i = 0; words[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 words[i]);
	config_complain(node, "must be one of %s", list);
	return otherwise;
}

/* A decimal number without sign and exponent, and a unit. 0, or -EINVAL. */
static int with_unit(const char *text, const struct unit *units, size_t count, uint64_t *to)
{
	size_t digits = strspn(text, "0123456789.");
	const char *name = text + digits;
	char *end;
	double value = strtod(text, &end);

	name += strspn(name, " ");
	/* "1e3" would be taken whole by strtod. */
	if (!digits || digits > 20 || end != text + digits)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, units[i].name) != 0)
			continue;
		value *= (double)units[i].factor;
		if (value > 9e15)
			return -EINVAL;
		*to = (uint64_t)(value + 0.5);
		return 0;
	}
	return -EINVAL;
}

uint64_t config_duration_ms(const struct config_node *node, uint64_t otherwise)
{
	static const struct unit units[] = {
		{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
	};
	const char *text = scalar(node);
	uint64_t value;

	if (!text)
		return otherwise;
	if (with_unit(text, units, sizeof(units) / sizeof(units[0]), &value) == 0)
		return value;
	config_complain(node, "must be a duration: a number and ms, s, m, h or d");
	return otherwise;
}

uint64_t config_bytes(const struct config_node *node, uint64_t otherwise)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"k", 1u << 10},
		{"K", 1u << 10},
		{"M", 1u << 20},
		{"G", 1u << 30},
		{"KiB", 1u << 10},
		{"MiB", 1u << 20},
		{"GiB", 1u << 30},
		{"TiB", 1ull << 40},
		{"kB", 1000},
		{"KB", 1000},
		{"MB", 1000000},
		{"GB", 1000000000},
		{"TB", 1000000000000ull},
	};
	const char *text = scalar(node);
	uint64_t value;

	if (!text)
		return otherwise;
	if (with_unit(text, units, sizeof(units) / sizeof(units[0]), &value) == 0)
		return value;
	config_complain(node, "must be a size: a number and B, KiB, MiB, GiB, kB, MB or GB");
	return otherwise;
}
