/* spool_test.h - a spool in a directory of its own, and payloads that are known by a number. */
#ifndef TESTS_UNIT_SPOOL_TEST_H
#define TESTS_UNIT_SPOOL_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "exporter/payload.h"
#include "exporter/spool.h"

#define HOUR_NS 3600000000000ull

extern char directory[64]; /* of this test alone */
extern char path[96];      /* of the spool below it; not there yet */
extern struct spool_limits limits;
extern struct spool *spool; /* closed after the test; NULL before spool_begin */

/* Of each test: makes the directory, and removes it with all that is in it. */
int spool_set_up(void **state);
int spool_tear_down(void **state);

/* Opens the spool, again if it was open. */
void spool_begin(void);

/* A payload that is known by its number, of any size from 4 on. The caller's. */
struct payload *numbered_payload(uint32_t number, size_t size);

#endif
