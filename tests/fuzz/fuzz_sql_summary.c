/* fuzz_sql_summary.c - any bytes as masked SQL: the summary is within bounds and made of the text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/sql_summary.h"
#include "tests/fuzz/target.h"

/* Each word of the summary stands in the text, in the order of the text. */
static void check_words(const char *sql, size_t sql_size, const char *summary, size_t size)
{
	const char *at = summary, *end = summary + size;

	while (at < end) {
		size_t word = strcspn(at, " ;");
		if (word) {
			const char *found = memmem(sql, sql_size, at, word);
			CHECK(found);
			sql_size -= (size_t)(found + word - sql);
			sql = found + word;
		}
		at += word + (at + word < end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char to[SQL_SUMMARY_MAX + 1];
	/* Text as records have it is without NUL. */
	const uint8_t *nul = memchr(data, 0, size);

	memset(to, '#', sizeof(to));
	size = nul ? (size_t)(nul - data) : size;
	size_t said = sql_summary((struct text){(const char *)data, (uint32_t)size}, to);
	CHECK(said <= SQL_SUMMARY_MAX && strlen(to) == said);
	check_words((const char *)data, size, to, said);
	return 0;
}
