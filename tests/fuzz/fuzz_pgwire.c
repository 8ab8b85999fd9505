/* fuzz_pgwire.c - any bytes as PostgreSQL's protocol: pieces equal the whole, nothing leaks. */
#include <string.h>

#include "preload/pgwire.h"
#include "tests/fuzz/wire_target.h"

#define SECRET "SECRET"

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return pgwire_feed(wire, way, at, size, calls, to);
}

static const struct wire_parser parser = {sizeof(struct pgwire), pgwire_looks_like, feed};

/* A session with values of Bind, a password and copy data made of any bytes between them. */
static void no_secret_is_told(const uint8_t *data, size_t size)
{
	static const uint8_t start[] = "\x24\0\0\0\x12\0\3\0\0user\0ann\0";
	uint8_t session[sizeof(start) + 3 * (size_t)128];
	size_t at = sizeof(start);

	memcpy(session, start, sizeof(start));
	for (size_t i = 0; i < 3; i++) {
		static const char types[] = "pBd";
		size_t body = size < 60 ? size : 60;
		size_t length = 4 + body + sizeof(SECRET) - 1 + (types[i] == 'B' ? 2 : 0);
		session[at++] = (uint8_t)((length + 1) << 1);
		session[at++] = (uint8_t)types[i];
		memset(session + at, 0, 6);
		session[at + 3] = (uint8_t)length;
		at += types[i] == 'B' ? 6 : 4;
		memcpy(session + at, data, body);
		memcpy(session + at + body, SECRET, sizeof(SECRET) - 1);
		at += body + sizeof(SECRET) - 1;
	}
	wire_target_run(&parser, session, at, SECRET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wire_target_run(&parser, data, size, NULL);
	no_secret_is_told(data, size);
	return 0;
}
