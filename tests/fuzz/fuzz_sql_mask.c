/* fuzz_sql_mask.c - any bytes as SQL: pieces equal the whole, within bounds, no literal shows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/sql_mask.h"
#include "tests/fuzz/target.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct input {
	enum sql_dialect dialect;
	size_t room;
	size_t step; /* 0: all at once */
};

static size_t mask_all(const struct input *input, const char *at, size_t size, char *out, int *cut)
{
	size_t step = input->step ? input->step : size + 1;
	struct sql_mask mask;

	sql_mask_begin(&mask, input->dialect, out, input->room);
	for (size_t done = 0; done < size; done += step)
		sql_mask_feed(&mask, at + done, size - done < step ? size - done : step);
	size_t masked = sql_mask_end(&mask);
	CHECK(masked == mask.size && masked <= input->room);
	*cut = mask.cut;
	return masked;
}

/* A quote of a string stands in an identifier only. */
static void check_no_string(enum sql_dialect dialect, const char *at, size_t size)
{
	const char quote = dialect == SQL_MYSQL ? '`' : '"';
	int inside = 0;

	for (size_t i = 0; i < size; i++) {
		if (at[i] == quote)
			inside = !inside;
		CHECK(inside || at[i] != '\'');
		CHECK(inside || dialect == SQL_POSTGRESQL || at[i] != '"');
	}
	CHECK(!inside);
}

static void try_any(struct input input, const char *at, size_t size)
{
	int cut, cut_again;
	char *out = malloc(input.room + 1), *again = malloc(input.room + 1);
	struct input whole = input;

	whole.step = 0;
	size_t masked = mask_all(&whole, at, size, out, &cut);
	size_t pieces = mask_all(&input, at, size, again, &cut_again);
	CHECK(masked == pieces && cut == cut_again && memcmp(out, again, masked) == 0);
	check_no_string(input.dialect, out, masked);
	free(out);
	free(again);
}

/* What statements are made of, whole in any order: the secrets are in literals and comments only.
 */
static const char *const both[] = {
	" ",
	",",
	"(",
	")",
	" IN (",
	" VALUES (",
	"),(",
	"=",
	"\n",
	"||",
	" null ",
	" a1 ",
	"t.c",
	";",
	" -",
	"::",
	" ? ",
	" .5 ",
	" -1e-5",
	" 'SECRET' ",
	"'SECRET'",
	"''",
	" 'a''SECRET' ",
	" N'SECRET'",
	" x'SECRET' ",
	" /* 'SECRET */ ",
	" -- SECRET'\n",
};
static const char *const postgresql[] = {
	" E'a\\'SECRET' ", " E'SECRET''\\'SECRET'",        " U&'SECRET\\' ",
	" $$SECRET'$$ ",   " $t$SECRET $$ $T$ SECRET$t$ ", " $1 ",
	" \"a'b\" ",       " /* /* */ SECRET */ ",
};
static const char *const mysql[] = {
	" \"SECRET\\\"SECRET\" ",
	" 'SECRET\\'SECRET' ",
	" # SECRET'\n",
	" _utf8'SECRET' ",
	" `a'b` ",
	" /*!50000 ",
	" */ ",
	" \"SECRET\"'SECRET'",
};

static const char *fragment(enum sql_dialect dialect, uint8_t choice)
{
	size_t i = choice % (COUNT(both) + COUNT(postgresql));

	_Static_assert(COUNT(postgresql) == COUNT(mysql), "one choice for both");
	if (i < COUNT(both))
		return both[i];
	return (dialect == SQL_MYSQL ? mysql : postgresql)[i - COUNT(both)];
}

static void try_secrets(struct input input, const uint8_t *choices, size_t count)
{
	char text[8192];
	size_t size = 0;
	int cut;

	for (size_t i = 0; i < count; i++) {
		const char *next = fragment(input.dialect, choices[i]);
		if (size + strlen(next) > sizeof(text))
			break;
		memcpy(text + size, next, strlen(next));
		size += strlen(next);
	}
	char *out = malloc(input.room + 1);
	size_t masked = mask_all(&input, text, size, out, &cut);
	CHECK(!memmem(out, masked, "SECRET", 6));
	free(out);
	try_any(input, text, size);
}

/* The first bytes say in which dialect, into how much room, and in pieces of which size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;

	if (size < 3)
		return 0;
	input.dialect = data[0] & 1 ? SQL_MYSQL : SQL_POSTGRESQL;
	input.room = data[0] & 2 ? 16384 : data[1];
	input.step = data[2] % 16 + 1;
	if (data[0] & 4)
		try_secrets(input, data + 3, size - 3);
	else
		try_any(input, (const char *)data + 3, size - 3);
	return 0;
}
