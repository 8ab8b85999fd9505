/* open_requests.h - the requests that one process has in flight, as spans. */
#ifndef TAGALONG_OPEN_REQUESTS_H
#define TAGALONG_OPEN_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/batch.h"
#include "exporter/record.h"
#include "exporter/settings.h"
#include "exporter/snapshot.h"
#include "exporter/stack.h"

struct open_request {
	uint32_t entry; /* of the in-flight table */
	struct record record;
	struct batch_span span;
	uint64_t waits_since_ns; /* 0: in no call */
	char waits_in[24];       /* its name */
	bool shown;              /* the caller's to use */
};

struct open_requests {
	struct open_request *at; /* the oldest first */
	size_t count;
	uint64_t now_ns; /* monotonic; no span begins later */
	struct symbol_process process;
	struct resource *resource;
	/* private */
	int descriptor;
	const struct snapshot *snapshot;
	struct batch *batch; /* all texts are in its arena */
};

/* 0, or -ENOMEM. The descriptor and the snapshot are borrowed. What can't be right is left out. */
int open_requests_init(struct open_requests *requests, int descriptor,
		       const struct snapshot *snapshot, const struct settings *settings);
void open_requests_fini(struct open_requests *requests);

/* No other request of this process is its parent. */
bool open_requests_is_root(const struct open_requests *requests,
			   const struct open_request *request);

/* The stack of the call that it waits in, as stack_of_wait gives it; -ENOENT if there is none. */
int open_requests_stack(const struct open_requests *requests, const struct open_request *request,
			char *text, size_t room);

#endif
