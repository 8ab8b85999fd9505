/* pipeline.h - the exporter at work: polls the rings, fills batches, hands them on, and ends. */
#ifndef TAGALONG_PIPELINE_H
#define TAGALONG_PIPELINE_H

#include "exporter/segment_file.h"
#include "exporter/settings.h"

struct pipeline_options {
	int exits_descriptor; /* -1: none; taken over */
	int private_segment;  /* end when every process is gone */
};

/*
 * Runs until SIGTERM or SIGINT, or the end of a private segment, then drains, delivers and returns
 * the exit code. The segment stays open.
 */
int pipeline_run(struct segment_file *file, const struct settings *settings,
		 const struct pipeline_options *options);

#endif
