/* check_ebpf.c - `tagalong check --ebpf`: which of the probes in the kernel work on this host. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "ebpf/probes.h"
#include "exporter/commands.h"

static void tell(void *own, const char *feature, const char *what, int result)
{
	unsigned *tried = own;

	(*tried)++;
	printf("  %-9s %-51s %s\n", feature, what, result == 0 ? "works" : strerror(-result));
}

int check_ebpf(void)
{
	struct utsname system = {0};
	unsigned tried = 0;
	char why[256];

	uname(&system);
	int working = probes_try(tell, &tried, why, sizeof(why));
	if (working < 0) {
		printf("eBPF: no: %s\n", why);
		return 1;
	}
	printf("eBPF: %s: %d of %u probes work on Linux %s\n", working > 0 ? "yes" : "no", working,
	       tried, system.release);
	return working > 0 ? 0 : 1;
}
