/* target.h - what every fuzz target has: libFuzzer's way in, and its checks. */
#ifndef TAGALONG_TARGET_H
#define TAGALONG_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* libFuzzer counts an abort as a finding. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* Runs the target once on any bytes; returns 0. libFuzzer calls it, on one thread. */
/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer gives the name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
