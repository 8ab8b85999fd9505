/* control.h - the part of the settings file that is for running processes, in the control block. */
#ifndef TAGALONG_CONTROL_H
#define TAGALONG_CONTROL_H

/*
 * Sections `sampling`, `capture`, `features`, `disabled`, and `query_keys` of `redaction`. What the
 * exporter's own environment sets goes before the file, so the block says nothing of it: each
 * process has its own. One thread.
 */

#include "exporter/config.h"
#include "preload/segment.h"

struct control {
	int disabled;
	struct segment_settings settings;
};

/* Reads the file's root, NULL: no file, and complains of what can't be used. */
void control_read(const struct config_node *root, struct control *control);

/*
 * Writes it, and raises the generation if that changed anything; once at least, so that processes
 * know that it is there. Shims that read meanwhile see it whole or not at all.
 */
void control_write(struct segment_control *block, const struct control *control);

#endif
