/* shim_test.h - the shim inside a test program, with a session of its own. */
#ifndef TAGALONG_SHIM_TEST_H
#define TAGALONG_SHIM_TEST_H

/* For one source file of a program: it also stands in for preload/init.c, which defines hooks. */

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/conn.h"
#include "preload/context.h"
#include "preload/fd.h"
#include "preload/scratch.h"
#include "preload/thread.h"
#include "preload/threads.h"
#include "preload/tls.h"
#include "tests/unit/shim_told.h"

/* As in preload/init.c. */
void process_forked(void)
{
	process_epoch++;
	attach_forked();
}

/* Makes a segment file with `slots` free slots, as the exporter does; the header is the caller's.
 */
static inline struct segment_header *shim_segment(char path[32], uint32_t slots)
{
	struct segment_header *header;
	int fd;

	memcpy(path, "/tmp/tagalong-test-XXXXXX", sizeof("/tmp/tagalong-test-XXXXXX"));
	fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, (off_t)segment_slot_offset(slots)))
		abort();
	header = mmap(NULL, SEGMENT_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (header == MAP_FAILED)
		abort();
	header->version = SEGMENT_VERSION;
	header->header_bytes = SEGMENT_HEADER_BYTES;
	header->slot_bytes = sizeof(struct slot);
	header->slot_count = slots;
	header->ring_bytes = RING_BYTES;
	header->inflight_count = INFLIGHT_COUNT;
	header->span_bytes = SPAN_BYTES;
	header->magic = SEGMENT_MAGIC;
	return header;
}

/* What the constructor does, with an empty environment. Once a process. */
static inline void shim_start(const void *main_frame)
{
	char *none[] = {NULL};

	if (conf_init(none, "test") || exchanges_init() || conns_init() || threads_init() ||
	    scratch_init() || tls_init())
		abort();
	context_init(main_frame);
	fd_init();
	atomic_store(&process_mode, MODE_ON);
}

/* Starts the shim and takes a slot in a segment of its own, which nobody else can find. */
static inline struct slot *shim_attach(const void *main_frame)
{
	char path[32];

	munmap(shim_segment(path, 1), SEGMENT_HEADER_BYTES);
	shim_start(main_frame);
	memcpy(conf.session, path, sizeof(path));
	if (!attach_ready())
		abort();
	unlink(path);
	return attach_slot();
}

/* A stream socket, connected, for hooks that are told of transfers that never took place. */
static inline int shim_socket(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	return pair[0];
}

/* The descriptor is closed; what was in flight is told and thrown away. */
static inline void shim_hang_up(struct slot *slot, int fd)
{
	struct told told;

	fd_reset(fd, FD_UNKNOWN);
	while (shim_next(slot, &told))
		;
}

#endif
