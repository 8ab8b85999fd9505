/* statements.c - the masked texts of prepared statements, by name. */
#include "preload/statements.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/sys.h"

#define SETS 512u /* power of two */
#define WAYS 8u

/* `version` is odd while the entry is written; a reader that saw it change saw nothing. */
struct statement {
	_Atomic uint32_t version;
	uint32_t size;
	_Atomic uint64_t key; /* of owner and name, 0: empty */
	_Atomic uint64_t used;
	char text[STATEMENT_TEXT_MAX];
};

static struct statement *statements;
static _Atomic uint64_t owners;
static _Atomic uint64_t uses;

int statements_init(void)
{
	if (!statements)
		statements = sys_map(sizeof(*statements) * SETS * WAYS);
	return statements ? 0 : -ENOMEM;
}

uint64_t statements_owner(void)
{
	return atomic_fetch_add(&owners, 1) + 1;
}

/* 64 bits of owner and name: that two of one process agree is less likely than a broken bit. */
static uint64_t key_of(uint64_t owner, const char *name, size_t size)
{
	uint64_t hash = (owner ^ 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3ull;
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	hash ^= hash >> 29;
	return hash ? hash : 1;
}

static struct statement *find(uint64_t key)
{
	struct statement *set = &statements[(key & (SETS - 1)) * WAYS];

	for (unsigned i = 0; i < WAYS; i++)
		if (atomic_load_explicit(&set[i].key, memory_order_acquire) == key)
			return &set[i];
	return NULL;
}

/* The entry of the key, or the one of its set that was not used for longest. */
static struct statement *place(uint64_t key)
{
	struct statement *set = &statements[(key & (SETS - 1)) * WAYS];
	struct statement *oldest = find(key);

	if (oldest)
		return oldest;
	oldest = set;
	for (unsigned i = 1; i < WAYS; i++)
		if (atomic_load_explicit(&set[i].used, memory_order_relaxed) <
		    atomic_load_explicit(&oldest->used, memory_order_relaxed))
			oldest = &set[i];
	return oldest;
}

static void use(struct statement *statement)
{
	atomic_store_explicit(&statement->used,
			      atomic_fetch_add_explicit(&uses, 1, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* Another thread that writes the same entry wins; the text is then unknown or the other's. */
static void write_entry(struct statement *to, uint64_t key, const char *text, size_t size)
{
	uint32_t version = atomic_load_explicit(&to->version, memory_order_relaxed);

	if (version & 1 || !atomic_compare_exchange_strong(&to->version, &version, version + 1))
		return;
	atomic_store_explicit(&to->key, key, memory_order_release);
	to->size = (uint32_t)(size < sizeof(to->text) ? size : sizeof(to->text));
	memcpy(to->text, text, to->size);
	atomic_store_explicit(&to->version, version + 2, memory_order_release);
}

void statements_keep(uint64_t owner, const char *name, size_t name_size, const char *text,
		     size_t size)
{
	uint64_t key = key_of(owner, name, name_size);
	struct statement *to;

	if (!statements)
		return;
	to = place(key);
	write_entry(to, key, text, size);
	use(to);
}

size_t statements_find(uint64_t owner, const char *name, size_t name_size, char *text, size_t room)
{
	uint64_t key = key_of(owner, name, name_size);
	struct statement *from = statements ? find(key) : NULL;
	uint32_t version;
	size_t size;

	if (!from)
		return 0;
	version = atomic_load_explicit(&from->version, memory_order_acquire);
	size = from->size < room ? from->size : room;
	if (version & 1 || size > sizeof(from->text))
		return 0;
	memcpy(text, from->text, size);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&from->version, memory_order_relaxed) != version ||
	    atomic_load_explicit(&from->key, memory_order_relaxed) != key)
		return 0;
	use(from);
	return size;
}

void statements_forget(uint64_t owner, const char *name, size_t name_size)
{
	struct statement *statement = statements ? find(key_of(owner, name, name_size)) : NULL;

	if (statement) {
		write_entry(statement, 0, "", 0);
		atomic_store_explicit(&statement->used, 0, memory_order_relaxed);
	}
}
