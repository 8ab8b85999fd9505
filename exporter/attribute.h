/* attribute.h - attributes of spans and resources, and lists of them under construction. */
#ifndef TAGALONG_ATTRIBUTE_H
#define TAGALONG_ATTRIBUTE_H

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/text.h"

#define ATTRIBUTES_MAX 64

enum attribute_type {
	ATTRIBUTE_TEXT,
	ATTRIBUTE_TEXTS, /* an array with this one text in it */
	ATTRIBUTE_NUMBER,
	ATTRIBUTE_BOOLEAN, /* in `number` */
};

struct attribute {
	const char *key;
	struct text text; /* valid UTF-8, NUL-terminated */
	int64_t number;
	uint8_t type; /* enum attribute_type */
};

/* Under construction, usually on the stack. What finds no room or memory counts as dropped. */
struct attribute_list {
	struct arena *arena; /* for texts that must be copied */
	size_t count;
	size_t dropped;
	uint32_t count_limit;  /* <= ATTRIBUTES_MAX is held to anyway */
	uint32_t length_limit; /* characters of a text, UINT32_MAX: none */
	struct attribute at[ATTRIBUTES_MAX];
};

void attribute_list_init(struct attribute_list *list, struct arena *arena, uint32_t count_limit,
			 uint32_t length_limit);

/* The key and the text are borrowed for the life of the arena. Absent texts are left out. */
void attribute_add_text(struct attribute_list *list, const char *key, struct text text);
void attribute_add_texts(struct attribute_list *list, const char *key, struct text text);
void attribute_add_string(struct attribute_list *list, const char *key, const char *string);
void attribute_add_number(struct attribute_list *list, const char *key, int64_t number);
void attribute_add_boolean(struct attribute_list *list, const char *key, int is_true);

/* Whether an attribute of this type has its value in `text`. */
static inline int attribute_is_text(uint8_t type)
{
	return type == ATTRIBUTE_TEXT || type == ATTRIBUTE_TEXTS;
}

/*
 * Whether a key is part of this program, so that its address stands for it. A key that was made, of
 * a captured header, lies outside, and another may lie in its place later.
 */
int attribute_key_is_literal(const char *key);

/* Replaces an attribute of that key, or adds it. */
void attribute_set_text(struct attribute_list *list, const char *key, struct text text);

/* The attribute of that key, or NULL. */
const struct attribute *attribute_find(const struct attribute *at, size_t count, const char *key);

/* A copy of what the list has, in its arena. NULL: no memory. */
struct attribute *attribute_list_copy(const struct attribute_list *list);

#endif
