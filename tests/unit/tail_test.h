/* tail_test.h - tail sampling by the test's clock: spans that come, and what is kept of them. */
#ifndef TESTS_UNIT_TAIL_TEST_H
#define TESTS_UNIT_TAIL_TEST_H

#include <stdint.h>

#include "exporter/tail.h"

#define MS     1000000ull
#define IN_ONE 64u /* spans of a batch */

/* What came out, in its order. */
extern struct kept {
	uint8_t trace_id[16], span_id[8];
	char name[32], policy[24], state[64];
	uint16_t attributes;
} kept[];
extern unsigned kept_count, batch_count;

extern int room; /* whether what comes out is taken */
extern struct drops drops;
extern struct tail *tail;
extern uint64_t now;

/* Of each test. Every reference to the resource must have been given back at its end. */
int tail_set_up(void **state);
int tail_tear_down(void **state);

/* A settings file of this text is in force. */
void configure(const char *text);

struct made {
	unsigned trace;
	uint8_t span, parent; /* 0: none */
	int is_remote;        /* the parent */
	int is_error;
	uint64_t duration_ms;
	const char *name, *state;
};

/* One span as the pipeline has it; a whole trace of one. */
void come(const struct made *made);
void come_root(unsigned trace);

/* So much later the tail is looked after. */
void pass(uint64_t ms);

/* How many spans of a trace were kept. */
unsigned kept_of(unsigned trace);

#endif
