/* names.c - the names that the program resolved lately, by address. */
#include "preload/names.h"

#include <stdatomic.h>
#include <string.h>

#define NAMES     64
#define NAME_SIZE 104

/* `sequence` is odd while an entry is written; a reader that sees it change looks elsewhere. */
struct entry {
	_Atomic uint32_t sequence;
	uint8_t family;
	uint8_t size;
	uint8_t bytes[16];
	char name[NAME_SIZE];
};

static struct entry entries[NAMES];
static _Atomic uint32_t newest;

static int same(const struct entry *entry, const struct span_address *address)
{
	return entry->family == address->family &&
	       memcmp(entry->bytes, address->bytes, sizeof(entry->bytes)) == 0;
}

void names_add(const struct span_address *address, const char *name)
{
	size_t size = strlen(name);
	struct entry *entry;
	uint32_t sequence;

	if (!size || size > NAME_SIZE)
		return;
	for (uint32_t i = 0, last = atomic_load(&newest); i < NAMES; i++) {
		entry = &entries[(last - i) % NAMES];
		if (!same(entry, address))
			continue;
		/* Only the latest counts: of two names of one address, each may come again. */
		if (entry->size == size && memcmp(entry->name, name, size) == 0)
			return;
		break;
	}
	entry = &entries[(atomic_fetch_add(&newest, 1) + 1) % NAMES];
	sequence = atomic_load(&entry->sequence);
	if (sequence & 1 ||
	    !atomic_compare_exchange_strong(&entry->sequence, &sequence, sequence + 1))
		return;
	entry->family = address->family;
	entry->size = (uint8_t)size;
	memcpy(entry->bytes, address->bytes, sizeof(entry->bytes));
	memcpy(entry->name, name, size);
	atomic_store(&entry->sequence, sequence + 2);
}

size_t names_find(const struct span_address *address, char *out, size_t room)
{
	uint32_t last = atomic_load(&newest);

	for (uint32_t i = 0; last && i < NAMES; i++) {
		const struct entry *entry = &entries[(last - i) % NAMES];
		uint32_t sequence = atomic_load(&entry->sequence);
		size_t size = entry->size;

		if (!sequence || sequence & 1 || size > room || size > NAME_SIZE ||
		    !same(entry, address))
			continue;
		memcpy(out, entry->name, size);
		if (atomic_load(&entry->sequence) == sequence)
			return size;
	}
	return 0;
}
