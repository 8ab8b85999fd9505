/* json_read.c - members of a JSON object that somebody else wrote. */
#include "json_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* All of these return what stands behind, or NULL: not whole. */
static const char *skip_text(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return NULL;
}

static const char *skip_nested(const char *at, const char *end)
{
	size_t depth = 0;

	while (at && at < end) {
		if (*at == '"') {
			at = skip_text(at, end);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		at++;
		if (depth == 0)
			return at;
	}
	return NULL;
}

static const char *skip_value(const char *at, const char *end)
{
	const char *begin = at;

	if (at < end && *at == '"')
		return skip_text(at, end);
	if (at < end && (*at == '{' || *at == '['))
		return skip_nested(at, end);
	while (at < end && !strchr(",}] \t\r\n", *at))
		at++;
	return at > begin && at < end ? at : NULL;
}

static int is_name(struct text key, const char *name)
{
	size_t size = strlen(name);

	return key.size == size + 2 && memcmp(key.at + 1, name, size) == 0;
}

int json_member(struct text object, const char *name, struct text *value)
{
	const char *at = object.at, *end = object.at + object.size;

	at = skip_space(at, end);
	if (at == end || *at != '{')
		return -ENOENT;
	for (at = skip_space(at + 1, end); at < end && *at == '"'; at = skip_space(at + 1, end)) {
		struct text key = {at, 0};
		const char *begin;

		at = skip_text(at, end);
		if (!at)
			return -ENOENT;
		key.size = (uint32_t)(at - key.at);
		at = skip_space(at, end);
		if (at == end || *at != ':')
			return -ENOENT;
		begin = skip_space(at + 1, end);
		at = skip_value(begin, end);
		if (!at)
			return -ENOENT;
		if (is_name(key, name)) {
			*value = (struct text){begin, (uint32_t)(at - begin)};
			return 0;
		}
		at = skip_space(at, end);
		if (at == end || *at != ',')
			return -ENOENT;
	}
	return -ENOENT;
}

void json_copy_text(struct text value, char *to, size_t room)
{
	size_t size = 0;

	if (value.size >= 2 && value.at[0] == '"') {
		for (uint32_t i = 1; i + 1 < value.size && size + 1 < room; i++) {
			char byte = value.at[i];

			if (byte == '\\') {
				byte = value.at[++i];
				byte = byte == '"' || byte == '\\' || byte == '/' ? byte : '?';
			}
			to[size++] = byte;
		}
	}
	to[size] = '\0';
}

int64_t json_whole(struct text value, int64_t otherwise)
{
	char text[24];
	long long number;
	char *end;

	if (value.size >= 2 && value.at[0] == '"') {
		json_copy_text(value, text, sizeof(text));
	} else {
		size_t size = value.size < sizeof(text) ? value.size : sizeof(text) - 1;

		memcpy(text, value.at, size);
		text[size] = '\0';
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	return errno || end == text || *end ? otherwise : number;
}
