/* spool_record.c - one payload as it stands in a file of the spool, and finding it after damage. */
#include "spool_record.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC        0x6c6f6774u /* "tgol" */
#define SEARCH_BYTES 16384u

struct head {
	uint32_t magic;
	uint32_t head_crc; /* of what follows */
	uint64_t unix_ns;
	uint32_t size;
	uint32_t items;
	uint32_t signal;
	uint32_t bytes_crc;
};
_Static_assert(sizeof(struct head) == SPOOL_HEAD_BYTES, "the head has no gaps");

static uint32_t crc_of(const void *bytes, size_t size)
{
	return (uint32_t)crc32_z(0, bytes, size);
}

static uint32_t head_crc(const struct head *head)
{
	size_t begin = offsetof(struct head, unix_ns);

	return crc_of((const uint8_t *)head + begin, sizeof(*head) - begin);
}

int spool_record_write(int descriptor, uint64_t offset, const struct payload *payload,
		       uint64_t unix_ns)
{
	struct head head = {.magic = MAGIC,
			    .unix_ns = unix_ns,
			    .size = (uint32_t)payload->size,
			    .items = payload->items,
			    .signal = payload->signal,
			    .bytes_crc = crc_of(payload->bytes, payload->size)};
	struct iovec parts[2] = {{&head, sizeof(head)},
				 {(void *)(uintptr_t)payload->bytes, payload->size}};
	size_t left = sizeof(head) + payload->size;

	head.head_crc = head_crc(&head);
	while (left) {
		ssize_t size = pwritev(descriptor, parts, 2, (off_t)offset);

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size < 0 ? -errno : -EIO;
		offset += (uint64_t)size;
		left -= (size_t)size;
		for (int i = 0; i < 2; i++) {
			size_t taken =
				parts[i].iov_len < (size_t)size ? parts[i].iov_len : (size_t)size;

			parts[i].iov_base = (uint8_t *)parts[i].iov_base + taken;
			parts[i].iov_len -= taken;
			size -= (ssize_t)taken;
		}
	}
	return 0;
}

/* Returns the bytes read, fewer than asked for only at the end of the file, or -errno. */
static ssize_t read_at(int descriptor, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(descriptor, (uint8_t *)to + done, size - done,
				    (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* 1 if a head that can be trusted stands in the bytes, and its payload before `end`. */
static int take_head(const uint8_t *bytes, uint64_t offset, uint64_t end,
		     struct spool_record *record)
{
	struct head head;

	memcpy(&head, bytes, sizeof(head));
	if (head.magic != MAGIC || head.head_crc != head_crc(&head))
		return 0;
	if (head.signal >= SIGNAL_COUNT || head.size > SPOOL_SIZE_MOST ||
	    head.size > end - offset - SPOOL_HEAD_BYTES)
		return 0;
	*record = (struct spool_record){offset,     head.unix_ns, head.size,
					head.items, head.signal,  head.bytes_crc};
	return 1;
}

int spool_record_find(int descriptor, uint64_t offset, uint64_t end, struct spool_record *record,
		      uint64_t *damaged)
{
	uint8_t bytes[SEARCH_BYTES];
	uint64_t begin = offset;

	while (offset + SPOOL_HEAD_BYTES <= end) {
		size_t wanted = offset == begin ? SPOOL_HEAD_BYTES : sizeof(bytes);
		ssize_t size = read_at(descriptor, bytes, wanted, offset);

		if (size < 0)
			return (int)size;
		if (size < (ssize_t)SPOOL_HEAD_BYTES)
			break;
		for (size_t i = 0; i + SPOOL_HEAD_BYTES <= (size_t)size; i++) {
			if (!take_head(bytes + i, offset + i, end, record))
				continue;
			*damaged += record->offset != begin;
			return 1;
		}
		offset += (uint64_t)size - SPOOL_HEAD_BYTES + 1;
	}
	/* What is left of one that was never written whole. */
	*damaged += begin < end;
	return 0;
}

int spool_record_read(int descriptor, const struct spool_record *record, struct payload **payload)
{
	struct payload *read =
		payload_new((enum signal)record->signal, record->items, record->size);
	ssize_t size;

	if (!read)
		return -ENOMEM;
	size = read_at(descriptor, read->bytes, record->size, record->offset + SPOOL_HEAD_BYTES);
	if (size == (ssize_t)record->size &&
	    crc_of(read->bytes, record->size) == record->bytes_crc) {
		*payload = read;
		return 0;
	}
	payload_put(read);
	return size < 0 ? (int)size : -EBADMSG;
}
