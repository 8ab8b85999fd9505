/* waits.h - what a thread that is blocked in a system call waits for. */
#ifndef TAGALONG_EBPF_WAITS_H
#define TAGALONG_EBPF_WAITS_H

#include <stdint.h>

#include "ebpf/data.h"

/* By call: enum probe_wait, with WAIT_BY_DESCRIPTOR if the first argument is a descriptor. */
void waits_fill(uint8_t wait_of_call[PROBE_CALLS]);

#endif
