/* config.c - the settings file: its nodes, who asked for them, and complaints. */
#include "exporter/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exporter/config_node.h"

#define PRINTED_MAX 100u /* complaints; the rest is only counted */
#define KEY_SHOWN   64

void config_complain_of_line(struct config *config, unsigned line, const char *text)
{
	struct config_complaint *said;

	for (said = config->said; said; said = said->next)
		if (said->line == line && strcmp(said->text, text) == 0)
			return;
	config->complaints++;
	if (config->complaints > PRINTED_MAX)
		return;
	fprintf(stderr, "%s:%u: %s\n", config->name, line, text);
	said = arena_take(&config->arena, sizeof(*said));
	if (!said)
		return;
	said->line = line;
	said->text = arena_text(&config->arena, text, strlen(text));
	said->next = config->said;
	if (said->text)
		config->said = said;
}

/* Keys are printed as far as they can't write lines or colours of their own. */
static void show_key(const char *key, char shown[KEY_SHOWN + 1])
{
	size_t size = 0;

	for (; size < KEY_SHOWN && key[size]; size++)
		shown[size] =
			(unsigned char)key[size] < 0x20 || key[size] == 0x7f ? '?' : key[size];
	shown[size] = '\0';
}

void config_complain(const struct config_node *node, const char *format, ...)
{
	char text[512], shown[KEY_SHOWN + 1];
	va_list arguments;
	size_t size = 0;

	if (!node)
		return;
	if (node->key) {
		show_key(node->key, shown);
		size = (size_t)snprintf(text, sizeof(text), "%s: ", shown);
	}
	va_start(arguments, format);
	vsnprintf(text + size, sizeof(text) - size, format, arguments);
	va_end(arguments);
	config_complain_of_line(node->config, node->line, text);
}

const struct config_node *config_root(const struct config *config)
{
	return config->root;
}

enum config_type config_type(const struct config_node *node)
{
	return node ? node->type : CONFIG_SCALAR;
}

unsigned config_line(const struct config_node *node)
{
	return node ? node->line : 0;
}

/* A key whose settings are all commented out is as if it were not there. */
const struct config_node *config_get(const struct config_node *map, const char *key)
{
	if (!map)
		return NULL;
	if (map->type != CONFIG_MAP) {
		config_complain(map, "must have keys of its own");
		return NULL;
	}
	for (size_t i = 0; i < map->count; i++) {
		struct config_node *member = map->members[i];

		if (strcmp(member->key, key) != 0)
			continue;
		member->is_known = 1;
		return member->is_null ? NULL : member;
	}
	return NULL;
}

size_t config_count(const struct config_node *node)
{
	return node ? node->count : 0;
}

const struct config_node *config_at(const struct config_node *node, size_t index)
{
	return node && index < node->count ? node->members[index] : NULL;
}

const char *config_key_at(const struct config_node *map, size_t index)
{
	if (!map || index >= map->count)
		return NULL;
	map->members[index]->is_known = 1;
	return map->members[index]->key;
}

int config_same(const struct config_node *one, const struct config_node *other)
{
	if (!one || !other)
		return one == other;
	if (one->type != other->type || one->count != other->count)
		return 0;
	if (one->type == CONFIG_SCALAR)
		return strcmp(one->text, other->text) == 0;
	for (size_t i = 0; i < one->count; i++) {
		const struct config_node *a = one->members[i], *b = other->members[i];

		if (one->type == CONFIG_MAP && strcmp(a->key, b->key) != 0)
			return 0;
		if (!config_same(a, b))
			return 0;
	}
	return 1;
}

int config_is_list(const struct config_node *node)
{
	if (!node || node->type == CONFIG_LIST)
		return node != NULL;
	config_complain(node, "must be a list");
	return 0;
}

/* What stands below an unknown key is not complained of as well. */
static void find_unknown(const struct config_node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct config_node *member = node->members[i];

		if (node->type == CONFIG_MAP && !member->is_known) {
			config_complain(member, "unknown key");
			continue;
		}
		find_unknown(member);
	}
}

unsigned config_finish(struct config *config)
{
	find_unknown(config->root);
	return config->complaints;
}
