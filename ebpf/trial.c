/* trial.c - which of the programs this kernel takes: each one is loaded and attached, alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/loader.h"

static int try_part(unsigned part)
{
	uint8_t chosen[64] = {0};
	struct programs *programs = loader_open();
	int result;

	if (!programs)
		return -errno;
	chosen[part] = 1;
	result = loader_load(programs, chosen);
	programs__destroy(programs);
	return result;
}

int probes_try(probes_trial_visitor *visit, void *own, char *why, size_t room)
{
	int result = loader_check_host(why, room), working = 0;

	if (result < 0)
		return result;
	for (unsigned i = 0; i < loader_part_count; i++) {
		if (!loader_is_meant(&loader_parts[i]))
			continue;
		result = try_part(i);
		working += result == 0;
		visit(own, loader_feature_name(loader_parts[i].feature), loader_parts[i].what,
		      result);
	}
	return working;
}
