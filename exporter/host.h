/* host.h - what is the same for all processes of the machine: host.* and os.* attributes. */
#ifndef TAGALONG_HOST_H
#define TAGALONG_HOST_H

#include "exporter/attribute.h"

/* Adds host.name, host.arch, os.type and os.description; host.id unless `in_container`. Texts live
 * as long as the program; read once. */
void host_add_attributes(struct attribute_list *list, int in_container);

/* Seconds since the epoch at which the machine booted, 0: unknown. */
uint64_t host_boot_time(void);

#endif
