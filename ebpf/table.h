/* table.h - a hash table of flat keys and values. */
#ifndef TAGALONG_EBPF_TABLE_H
#define TAGALONG_EBPF_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table {
	uint8_t *slots; /* a used mark, a key, a value each */
	size_t key_bytes, value_bytes, slot_bytes;
	size_t count, room; /* room is a power of two, or 0 */
};

/* Sizes are multiples of 8. Nothing is allocated yet. */
void table_init(struct table *table, size_t key_bytes, size_t value_bytes);
void table_fini(struct table *table);

/* The value of a key, zeros if it is new; valid until the next table_put. NULL: no memory. */
void *table_put(struct table *table, const void *key);
void *table_get(const struct table *table, const void *key); /* NULL: not there */

/* Removes every entry that `drop` says so of. */
typedef int table_filter(void *own, const void *key, const void *value);
void table_sift(struct table *table, table_filter *drop, void *own);

/* The entry at a place: 0 past the end; leaves *key NULL where there is none. */
int table_at(const struct table *table, size_t place, const void **key, void **value);

#endif
