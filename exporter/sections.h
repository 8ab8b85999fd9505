/* sections.h - which sections a settings file may have, and who checks them. */
#ifndef TAGALONG_SECTIONS_H
#define TAGALONG_SECTIONS_H

#include "exporter/config.h"

/*
 * Lets each module complain of its section, without any effect, and complains of what nobody
 * knows. Returns the number of complaints.
 */
unsigned sections_check(struct config *config);

/* Says in the log which sections have changed that are read at the start alone. */
void sections_tell_late(const struct config_node *before, const struct config_node *now);

#endif
