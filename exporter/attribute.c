/* attribute.c - attributes of spans and resources, and lists of them under construction. */
#include "attribute.h"

#include <string.h>

void attribute_list_init(struct attribute_list *list, struct arena *arena, uint32_t count_limit,
			 uint32_t length_limit)
{
	list->arena = arena;
	list->count = 0;
	list->dropped = 0;
	list->count_limit = count_limit < ATTRIBUTES_MAX ? count_limit : ATTRIBUTES_MAX;
	list->length_limit = length_limit;
}

static struct attribute *add(struct attribute_list *list, const char *key, uint8_t type)
{
	struct attribute *attribute;

	if (list->count >= list->count_limit) {
		list->dropped++;
		return NULL;
	}
	attribute = &list->at[list->count++];
	attribute->key = key;
	attribute->type = type;
	return attribute;
}

/* A shortened text is a copy: others may point to the whole one. */
static struct text limited(const struct attribute_list *list, struct text text)
{
	size_t size;
	char *copy;

	if (text.size <= list->length_limit)
		return text;
	size = text_cut(text.at, text.size, list->length_limit);
	if (size == text.size)
		return text;
	copy = arena_text(list->arena, text.at, size);
	return copy ? (struct text){copy, (uint32_t)size} : (struct text){"", 0};
}

static void add_text(struct attribute_list *list, const char *key, struct text text, uint8_t type)
{
	struct attribute *attribute;

	if (!text.at)
		return;
	attribute = add(list, key, type);
	if (attribute)
		attribute->text = limited(list, text);
}

void attribute_add_text(struct attribute_list *list, const char *key, struct text text)
{
	add_text(list, key, text, ATTRIBUTE_TEXT);
}

void attribute_add_texts(struct attribute_list *list, const char *key, struct text text)
{
	add_text(list, key, text, ATTRIBUTE_TEXTS);
}

void attribute_add_string(struct attribute_list *list, const char *key, const char *string)
{
	if (string)
		attribute_add_text(list, key, (struct text){string, (uint32_t)strlen(string)});
}

void attribute_add_number(struct attribute_list *list, const char *key, int64_t number)
{
	struct attribute *attribute = add(list, key, ATTRIBUTE_NUMBER);

	if (attribute)
		attribute->number = number;
}

void attribute_add_boolean(struct attribute_list *list, const char *key, int is_true)
{
	struct attribute *attribute = add(list, key, ATTRIBUTE_BOOLEAN);

	if (attribute)
		attribute->number = is_true != 0;
}

int attribute_key_is_literal(const char *key)
{
	/* The linker's names for the two ends of the program's image. */
	extern const char __executable_start[]; /* NOLINT(readability-identifier-naming): ld's */
	extern const char end[];

	return key >= __executable_start && key < end;
}

const struct attribute *attribute_find(const struct attribute *at, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(at[i].key, key) == 0)
			return &at[i];
	}
	return NULL;
}

void attribute_set_text(struct attribute_list *list, const char *key, struct text text)
{
	const struct attribute *found = attribute_find(list->at, list->count, key);
	struct attribute *attribute;

	if (!found) {
		attribute_add_text(list, key, text);
		return;
	}
	attribute = &list->at[found - list->at];
	attribute->type = ATTRIBUTE_TEXT;
	attribute->text = limited(list, text);
}

struct attribute *attribute_list_copy(const struct attribute_list *list)
{
	struct attribute *copy = arena_take(list->arena, (list->count + 1) * sizeof(*copy));

	if (copy)
		memcpy(copy, list->at, list->count * sizeof(*copy));
	return copy;
}
