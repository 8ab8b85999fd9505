/* table.c - open addressing, doubled when two thirds full. */
#include <stdlib.h>
#include <string.h>

#include "ebpf/table.h"

#define MARK_BYTES 8
#define LEAST_ROOM 64

void table_init(struct table *table, size_t key_bytes, size_t value_bytes)
{
	*table = (struct table){.key_bytes = key_bytes,
				.value_bytes = value_bytes,
				.slot_bytes = MARK_BYTES + key_bytes + value_bytes};
}

void table_fini(struct table *table)
{
	free(table->slots);
	table->slots = NULL;
	table->count = table->room = 0;
}

static uint64_t hash_of(const struct table *table, const uint8_t *key)
{
	uint64_t hash = 0x9e3779b97f4a7c15ull, word;

	for (size_t i = 0; i < table->key_bytes; i += sizeof(word)) {
		memcpy(&word, key + i, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash;
}

/* The slot that has the key, or the free one where it belongs. There is a free one. */
static uint8_t *slot_of(const struct table *table, const void *key)
{
	size_t place = hash_of(table, key) & (table->room - 1);

	for (;; place = (place + 1) & (table->room - 1)) {
		uint8_t *slot = table->slots + place * table->slot_bytes;
		if (!slot[0] || memcmp(slot + MARK_BYTES, key, table->key_bytes) == 0)
			return slot;
	}
}

static int grow(struct table *table)
{
	struct table bigger = *table;

	bigger.room = table->room ? 2 * table->room : LEAST_ROOM;
	bigger.slots = calloc(bigger.room, bigger.slot_bytes);
	if (!bigger.slots)
		return 0;
	for (size_t i = 0; i < table->room; i++) {
		const uint8_t *slot = table->slots + i * table->slot_bytes;
		if (slot[0])
			memcpy(slot_of(&bigger, slot + MARK_BYTES), slot, table->slot_bytes);
	}
	free(table->slots);
	*table = bigger;
	return 1;
}

void *table_put(struct table *table, const void *key)
{
	if (3 * (table->count + 1) > 2 * table->room && !grow(table))
		return NULL;
	uint8_t *slot = slot_of(table, key);
	if (!slot[0]) {
		slot[0] = 1;
		memcpy(slot + MARK_BYTES, key, table->key_bytes);
		table->count++;
	}
	return slot + MARK_BYTES + table->key_bytes;
}

void *table_get(const struct table *table, const void *key)
{
	uint8_t *slot = table->room ? slot_of(table, key) : NULL;

	return slot && slot[0] ? slot + MARK_BYTES + table->key_bytes : NULL;
}

int table_at(const struct table *table, size_t place, const void **key, void **value)
{
	if (place >= table->room)
		return 0;
	uint8_t *slot = table->slots + place * table->slot_bytes;
	*key = slot[0] ? slot + MARK_BYTES : NULL;
	*value = slot + MARK_BYTES + table->key_bytes;
	return 1;
}

/* Into new slots: in place, what stands behind a removed entry would be lost. */
void table_sift(struct table *table, table_filter *drop, void *own)
{
	struct table kept = *table;

	kept.count = 0;
	kept.slots = calloc(table->room ? table->room : 1, table->slot_bytes);
	if (!kept.slots)
		return;
	for (size_t i = 0; i < table->room; i++) {
		const uint8_t *slot = table->slots + i * table->slot_bytes;
		const uint8_t *key = slot + MARK_BYTES;
		if (!slot[0] || drop(own, key, key + table->key_bytes))
			continue;
		memcpy(slot_of(&kept, key), slot, table->slot_bytes);
		kept.count++;
	}
	free(table->slots);
	*table = kept;
}
