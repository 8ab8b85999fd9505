/* spool_test.c - a spool in a directory of its own, and payloads that are known by a number. */
#include "tests/unit/spool_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

char directory[64], path[96];
struct spool_limits limits;
struct spool *spool;

int spool_set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/tagalong-test-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/deep/spool", directory);
	limits = (struct spool_limits){.max_bytes = 64 << 20, .max_age_ns = HOUR_NS};
	spool = NULL;
	return 0;
}

int spool_tear_down(void **state)
{
	char command[128];

	(void)state;
	spool_close(spool);
	snprintf(command, sizeof(command), "/bin/rm -rf %s", directory);
	return system(command);
}

void spool_begin(void)
{
	int error = 0;

	spool_close(spool);
	spool = spool_open(path, &limits, &error);
	assert_int_equal(error, 0);
	assert_non_null(spool);
}

struct payload *numbered_payload(uint32_t number, size_t size)
{
	struct payload *payload = payload_new(SIGNAL_TRACES, number + 1, size);

	assert_non_null(payload);
	memset(payload->bytes, (int)('a' + number % 26), size);
	memcpy(payload->bytes, &number, sizeof(number));
	return payload;
}
