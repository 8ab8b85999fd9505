/* env.c - values of environment variables, parsed as OpenTelemetry's specification says. */
#include "env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/log.h"

const char *env_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int env_boolean(const char *name)
{
	const char *value = env_get(name);

	if (!value || strcasecmp(value, "false") == 0)
		return 0;
	if (strcasecmp(value, "true") == 0)
		return 1;
	log_line(LOG_WARN, "settings", "%s is neither true nor false, taken as false", name);
	return 0;
}

uint32_t env_integer(const char *name, uint32_t otherwise)
{
	const char *value = env_get(name);
	char *end;
	long number;

	if (!value)
		return otherwise;
	errno = 0;
	number = strtol(value, &end, 10);
	if (errno != 0 || *end || end == value || number < 0 || number > INT32_MAX) {
		log_line(LOG_WARN, "settings", "%s is not a whole number from 0 on, ignored", name);
		return otherwise;
	}
	return (uint32_t)number;
}

uint32_t env_positive(const char *name, uint32_t otherwise)
{
	uint32_t value = env_integer(name, otherwise);

	if (value)
		return value;
	log_line(LOG_WARN, "settings", "%s must be more than 0, %u is used", name, otherwise);
	return otherwise;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static struct text trim(struct text text)
{
	while (text.size && (*text.at == ' ' || *text.at == '\t')) {
		text.at++;
		text.size--;
	}
	while (text.size && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static int decode(struct arena *arena, struct text from, struct text *to)
{
	char *out = arena_bytes(arena, from.size + 1);
	uint32_t size = 0;

	if (!out)
		return -ENOMEM;
	for (uint32_t i = 0; i < from.size; i++) {
		int high, low;

		if (from.at[i] != '%') {
			out[size++] = from.at[i];
			continue;
		}
		if (from.size - i < 3)
			return -EINVAL;
		high = hex_value(from.at[i + 1]);
		low = hex_value(from.at[i + 2]);
		if (high < 0 || low < 0)
			return -EINVAL;
		out[size++] = (char)(high << 4 | low);
		i += 2;
	}
	if (!text_valid(out, size))
		return -EINVAL;
	out[size] = '\0';
	*to = (struct text){out, size};
	return 0;
}

static int parse_pair(struct arena *arena, struct text member, struct env_pair *pair)
{
	const char *equals = memchr(member.at, '=', member.size);
	struct text key, value;
	int result;

	if (!equals)
		return -EINVAL;
	key = trim((struct text){member.at, (uint32_t)(equals - member.at)});
	value = trim((struct text){equals + 1, member.size - (uint32_t)(equals - member.at) - 1});
	if (key.size == 0)
		return -EINVAL;
	result = decode(arena, key, &pair->key);
	return result == 0 ? decode(arena, value, &pair->value) : result;
}

int env_parse_pairs(struct arena *arena, const char *at, size_t size, struct env_pair *pairs,
		    int room)
{
	int count = 0;

	while (size) {
		const char *comma = memchr(at, ',', size);
		size_t length = comma ? (size_t)(comma - at) : size;
		struct text member = trim((struct text){at, (uint32_t)length});
		int result;

		at += length + (comma != NULL);
		size -= length + (comma != NULL);
		if (member.size == 0)
			continue;
		if (count >= room)
			return -E2BIG;
		result = parse_pair(arena, member, &pairs[count]);
		if (result != 0)
			return result;
		count++;
	}
	return count;
}
