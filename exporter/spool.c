/* spool.c - payloads that a destination can't take now, on disk, in order. */
#include "spool.h"

#include <errno.h>
#include <stddef.h>

struct spool *spool_open(const char *directory, const struct spool_limits *limits, int *error)
{
	(void)directory;
	(void)limits;
	*error = -ENOSYS;
	return NULL;
}

void spool_close(struct spool *spool)
{
	(void)spool;
}

int spool_append(struct spool *spool, const struct payload *payload)
{
	(void)spool;
	(void)payload;
	return -ENOSYS;
}

int spool_next(struct spool *spool, struct payload **payload)
{
	(void)spool;
	(void)payload;
	return -ENOSYS;
}

void spool_done(struct spool *spool)
{
	(void)spool;
}

int spool_is_empty(const struct spool *spool)
{
	(void)spool;
	return 1;
}

void spool_housekeep(struct spool *spool, uint64_t unix_ns)
{
	(void)spool;
	(void)unix_ns;
}

void spool_stats(const struct spool *spool, struct spool_stats *stats)
{
	(void)spool;
	*stats = (struct spool_stats){0};
}
