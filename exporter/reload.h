/* reload.h - when to read the settings file again: SIGHUP, and a change of the file. */
#ifndef TAGALONG_RELOAD_H
#define TAGALONG_RELOAD_H

/* Runs on the loop's thread, between two passes of the pipeline. */

#include <uv.h>

#include "exporter/settings.h"
#include "preload/segment.h"

#define RELOAD_LOOK_MS 250

struct reload;

/* Tells processes the file's settings, before the first of them can attach. */
void reload_tell_settings(const struct settings *settings, struct segment_control *control);

/* Begins to look: processes are told again each time the file changes. NULL: no memory. */
struct reload *reload_start(uv_loop_t *loop, const struct settings *settings,
			    struct segment_control *control);

/* Ends its handles on the loop and frees, once the loop has run. Accepts NULL. */
void reload_stop(struct reload *reload);

#endif
