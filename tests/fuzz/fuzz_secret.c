/* fuzz_secret.c - any bytes: bounded, and what the quick look lets pass has no secret. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/secret.h"
#include "tests/fuzz/target.h"

static void try_room(const char *text, size_t size, enum secret_place place, size_t room)
{
	uint8_t counts[REDACTIONS] = {0};
	char *to = malloc(room ? room : 1);
	int cut = 0;
	size_t written;

	CHECK(to);
	written = secret_copy(text, size, place, to, room, &cut, counts);
	CHECK(written <= room);
	if (!secret_suspected(text, size, place) && size <= room)
		CHECK(written == size && !cut && (!size || memcmp(to, text, size) == 0));
	free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum secret_place place = size ? (enum secret_place)(data[0] % 2) : SECRET_IN_TEXT;
	size_t begin = size ? 1 : 0, from = 0;
	char *text = malloc(size ? size : 1);
	struct secret found;
	int any = 0;

	CHECK(text);
	memcpy(text, data + begin, size - begin);
	size -= begin;
	while (secret_find(text, size, from, place, &found)) {
		CHECK(found.begin >= from && found.end > found.begin && found.end <= size);
		CHECK(found.rule < REDACTIONS);
		from = found.end;
		any = 1;
	}
	CHECK(!any || secret_suspected(text, size, place));
	try_room(text, size, place, size + 64);
	try_room(text, size, place, size / 2);
	try_room(text, size, SECRET_IN_VALUE, size);
	free(text);
	return 0;
}
