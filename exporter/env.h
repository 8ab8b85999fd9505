/* env.h - values of environment variables, parsed as OpenTelemetry's specification says. */
#ifndef TAGALONG_ENV_H
#define TAGALONG_ENV_H

/* Empty is the same as unset everywhere. A bad value is said in one line and counts as unset. */

#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/text.h"

struct env_pair {
	struct text key, value; /* percent-decoded, valid UTF-8, NUL-terminated, in the arena */
};

/* The value, or NULL if unset or empty. */
const char *env_get(const char *name);

/* 1 only for "true", without case; warns of what is neither that nor "false". */
int env_boolean(const char *name);

/* An integer of 0..2^31-1, else `otherwise`. */
uint32_t env_integer(const char *name, uint32_t otherwise);
uint32_t env_positive(const char *name, uint32_t otherwise); /* the same, but for 0 */

/*
 * Parses "k1=v1,k2=v2": keys and values percent-decoded, space around them removed, empty members
 * skipped. Returns how many, or -EINVAL: malformed (no '=', empty key, bad escape, not UTF-8), or
 * -E2BIG, -ENOMEM.
 */
int env_parse_pairs(struct arena *arena, const char *at, size_t size, struct env_pair *pairs,
		    int room);

#endif
