/* spool_record.h - one payload as it stands in a file of the spool, and finding it after damage. */
#ifndef TAGALONG_SPOOL_RECORD_H
#define TAGALONG_SPOOL_RECORD_H

/*
 * A head of 32 bytes, then the payload's bytes; the next head follows. In the byte order of the
 * machine. Head and bytes have a CRC-32 each: a damaged payload is stepped over by its size, a
 * damaged head by searching for the next one.
 */

#include <stdint.h>

#include "exporter/payload.h"

#define SPOOL_HEAD_BYTES 32u
#define SPOOL_SIZE_MOST  (64u << 20) /* of a payload */

struct spool_record {
	uint64_t offset; /* of the head, in the file */
	uint64_t unix_ns;
	uint32_t size; /* of the payload's bytes */
	uint32_t items;
	uint32_t signal;
	uint32_t bytes_crc;
};

/* Where the next one begins. */
static inline uint64_t spool_record_end(const struct spool_record *record)
{
	return record->offset + SPOOL_HEAD_BYTES + record->size;
}

/* Writes one whole. 0, or -errno: nothing, or a part, stands behind `offset`. */
int spool_record_write(int descriptor, uint64_t offset, const struct payload *payload,
		       uint64_t unix_ns);

/*
 * The first one at or behind `offset` in a file of `end` bytes. *damaged grows if bytes had to be
 * stepped over. 1, 0: there is none, or -errno.
 */
int spool_record_find(int descriptor, uint64_t offset, uint64_t end, struct spool_record *record,
		      uint64_t *damaged);

/* A reference of the caller's in *payload. 0, -EBADMSG: its bytes are damaged, or -errno. */
int spool_record_read(int descriptor, const struct spool_record *record, struct payload **payload);

#endif
