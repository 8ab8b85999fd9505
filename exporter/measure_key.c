/* measure_key.c - the attributes of a span that its metrics have, and the series known for them. */
#include "measure_key.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES     4096 /* power of two */
#define ENTRIES_MAX (ENTRIES / 2)
#define MEMORIES    256 /* power of two */

#define SERVER  (1u << MEASURE_HTTP_SERVER)
#define CLIENT  (1u << MEASURE_HTTP_CLIENT)
#define DB      (1u << MEASURE_DB)
#define FAILURE (1u << MEASURE_FAILURE)
#define ACTIVE  (1u << MEASURE_ACTIVE)
#define REPEATS (1u << MEASURE_REPEATS)

/* Semantic conventions 1.44.0: what is required, or recommended, and not opt-in. */
static const struct wanted {
	const char *key;
	unsigned families;
} wanted[] = {
	{"db.collection.name", DB},
	{"db.namespace", DB},
	{"db.operation.name", DB},
	{"db.query.summary", DB},
	{"db.response.status_code", DB},
	{"db.stored_procedure.name", DB},
	{"db.system.name", DB},
	{"error.type", SERVER | CLIENT | DB | FAILURE},
	{"http.request.method", SERVER | CLIENT | ACTIVE | REPEATS},
	{"http.response.status_code", SERVER | CLIENT},
	{"http.route", SERVER | REPEATS},
	{"network.peer.address", DB | FAILURE},
	{"network.peer.port", DB | FAILURE},
	{"network.protocol.name", SERVER | CLIENT},
	{"network.protocol.version", SERVER | CLIENT},
	{"server.address", CLIENT | DB | FAILURE},
	{"server.port", CLIENT | DB},
	{"url.scheme", SERVER | ACTIVE},
};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

_Static_assert(WANTED <= MEASURE_PICKS, "all fit into a pick");

/* ---- picking --------------------------------------------------------------------------------- */

/* Which key is which: literals are remembered by their address, two in a place. */
static struct memory {
	const char *key;
	size_t place; /* in `wanted`; WANTED: it is not */
} memories[MEMORIES][2];

static size_t search(const char *key)
{
	size_t place = 0;

	while (place < WANTED && strcmp(wanted[place].key, key) != 0)
		place++;
	return place;
}

static size_t place_of(const char *key)
{
	uint64_t hash = (uintptr_t)key * 0x9e3779b97f4a7c15u;
	struct memory *memory = memories[hash >> 48 & (MEMORIES - 1)];

	if (memory[0].key == key)
		return memory[0].place;
	if (memory[1].key == key)
		return memory[1].place;
	if (!attribute_key_is_literal(key))
		return search(key);
	memory[1] = memory[0];
	memory[0] = (struct memory){key, search(key)};
	return memory[0].place;
}

void measure_pick(const struct batch_span *span, enum measure_family family,
		  struct measure_pick *pick)
{
	const struct attribute *found[WANTED] = {NULL};

	pick->count = 0;
	for (size_t i = 0; i < span->attribute_count; i++) {
		size_t place = place_of(span->attributes[i].key);

		if (place < WANTED && wanted[place].families >> family & 1)
			found[place] = &span->attributes[i];
	}
	for (size_t i = 0; i < WANTED; i++)
		if (found[i])
			pick->at[pick->count++] = *found[i];
}

/* ---- the cache ------------------------------------------------------------------------------- */

struct entry {
	uint64_t hash;
	struct series *series[MEASURE_SERIES];
	uint32_t size;
	char key[];
};

struct measure_cache {
	size_t count;
	struct entry *at[ENTRIES];
};

struct measure_cache *measure_cache_new(void)
{
	return calloc(1, sizeof(struct measure_cache));
}

void measure_cache_clear(struct measure_cache *cache)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		free(cache->at[i]);
		cache->at[i] = NULL;
	}
	cache->count = 0;
}

void measure_cache_free(struct measure_cache *cache)
{
	if (cache)
		measure_cache_clear(cache);
	free(cache);
}

static char *put(char *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	return to + size;
}

/* Each value with its place and its size, so that no two picks have the same bytes. 0: too long. */
static size_t write_key(char key[MEASURE_KEY_MAX], enum measure_family family,
			const struct resource *stream, const struct measure_pick *pick)
{
	char *to = put(key, &stream, sizeof(const struct resource *));

	*to++ = (char)family;
	for (size_t i = 0; i < pick->count; i++) {
		const struct attribute *from = &pick->at[i];
		size_t size = attribute_is_text(from->type) ? from->text.size : 0;

		if ((size_t)(to - key) + size + 16 > MEASURE_KEY_MAX)
			return 0;
		*to++ = (char)place_of(from->key);
		if (!attribute_is_text(from->type)) {
			to = put(to, &from->number, sizeof(from->number));
			continue;
		}
		to = put(to, &from->text.size, sizeof(from->text.size));
		to = put(to, from->text.at, size);
	}
	return (size_t)(to - key);
}

static struct entry *new_entry(uint64_t hash, const char *key, size_t size)
{
	struct entry *entry = calloc(1, sizeof(*entry) + size);

	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->size = (uint32_t)size;
	memcpy(entry->key, key, size);
	return entry;
}

struct series **measure_cache_find(struct measure_cache *cache, enum measure_family family,
				   const struct resource *stream, const struct measure_pick *pick)
{
	char key[MEASURE_KEY_MAX];
	size_t size = write_key(key, family, stream, pick), i;
	uint64_t hash;

	if (size == 0)
		return NULL;
	hash = text_hash((struct text){key, (uint32_t)size});
	for (i = hash % ENTRIES; cache->at[i]; i = (i + 1) % ENTRIES) {
		struct entry *entry = cache->at[i];

		if (entry->hash == hash && entry->size == size &&
		    memcmp(entry->key, key, size) == 0)
			return entry->series;
	}
	if (cache->count >= ENTRIES_MAX) {
		measure_cache_clear(cache);
		i = hash % ENTRIES;
	}
	cache->at[i] = new_entry(hash, key, size);
	if (!cache->at[i])
		return NULL;
	cache->count++;
	return cache->at[i]->series;
}
