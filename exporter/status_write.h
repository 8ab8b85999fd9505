/* status_write.h - what the exporter tells about itself in the segment, for `tagalong status`. */
#ifndef TAGALONG_STATUS_WRITE_H
#define TAGALONG_STATUS_WRITE_H

#include "exporter/deliver.h"
#include "exporter/drain.h"
#include "exporter/drops.h"
#include "exporter/tail.h"
#include "preload/segment.h"

struct status_source {
	const struct drain *drain;
	const struct tail *tail;
	const struct deliver *deliver;
	const struct drops *drops;
	uint64_t delivered_spans;
};

void status_write(struct segment_exporter *to, const struct status_source *from);

#endif
