/* statement.c - what the text of a statement tells, remembered for texts that come again. */
#include "statement.h"

#include <string.h>
#include <strings.h>

#define WAYS 2u
#define SETS (STATEMENTS_REMEMBERED / WAYS) /* power of two */

struct entry {
	uint64_t hash;
	uint32_t text_size; /* 0: free */
	struct statement statement;
	char text[STATEMENT_BYTES];
};

struct set {
	struct entry entries[WAYS];
	uint8_t latest; /* of the two, the one seen last */
};

static struct set sets[SETS];
static struct statement too_long;

static int is_change(const char *at, size_t size)
{
	static const char *const changes[] = {"INSERT", "UPDATE", "DELETE", "REPLACE",
					      "MERGE",  "COPY",   "CREATE"};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (strlen(changes[i]) == size && strncasecmp(at, changes[i], size) == 0)
			return 1;
	return 0;
}

/* Whether one of its words, between spaces, does. */
static int some_word_changes(const char *summary)
{
	while (*summary) {
		size_t size = strcspn(summary, " ");

		if (is_change(summary, size))
			return 1;
		summary += size + (summary[size] == ' ');
	}
	return 0;
}

/* Rows that a change touched were not returned, unless it says so. */
static void look_at(struct text sql, struct statement *statement)
{
	statement->summary_size = (uint16_t)sql_summary(sql, statement->summary);
	statement->word_size = (uint16_t)strcspn(statement->summary, " ;");
	statement->changes =
		some_word_changes(statement->summary) && !strcasestr(sql.at, "RETURNING");
}

static int is_of(const struct entry *entry, uint64_t hash, struct text sql)
{
	return entry->hash == hash && entry->text_size == sql.size &&
	       memcmp(entry->text, sql.at, sql.size) == 0;
}

const struct statement *statement_of(struct text sql)
{
	uint64_t hash = text_hash(sql);
	struct set *set = &sets[hash % SETS];
	struct entry *entry;

	if (sql.size == 0 || sql.size > STATEMENT_BYTES) {
		look_at(sql, &too_long);
		return &too_long;
	}
	if (!is_of(&set->entries[set->latest], hash, sql)) {
		set->latest = !set->latest;
		entry = &set->entries[set->latest];
		if (!is_of(entry, hash, sql)) {
			entry->hash = hash;
			entry->text_size = sql.size;
			memcpy(entry->text, sql.at, sql.size);
			look_at(sql, &entry->statement);
		}
	}
	return &set->entries[set->latest].statement;
}
