/* init.c - constructor, kill switches, and what a fork child forgets. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/context.h"
#include "preload/fd.h"
#include "preload/node.h"
#include "preload/old_dl.h"
#include "preload/thread.h"

/* Bytes of a hook's code; every hook is longer. */
#define CODE_COMPARED 32

void process_forked(void)
{
	process_epoch++;
	attach_forked();
}

/*
 * Loaded twice, by two paths: only the first in the order of look-up may act, for the other's real
 * functions would be those of the first. Another interposer in front of us is no reason to step
 * aside: ours is told by its name, or, under another one, by its code, which is the same in the
 * same build.
 */
static int is_second(void)
{
	void *first = old_dlsym(RTLD_DEFAULT, "close_range");
	Dl_info info;
	const char *name;

	if (!first || first == (void *)close_range || !old_dladdr(first, &info) || !info.dli_fname)
		return 0;
	name = strrchr(info.dli_fname, '/');
	return strncmp(name ? name + 1 : info.dli_fname, "libtagalong", 11) == 0 ||
	       memcmp(first, (void *)close_range, CODE_COMPARED) == 0;
}

/* The path that we were loaded by goes into the environment of children. */
static void find_library(void)
{
	Dl_info info;

	if (!old_dladdr((void *)find_library, &info) || !info.dli_fname)
		return;
	if (strlen(info.dli_fname) < sizeof(conf.library))
		memcpy(conf.library, info.dli_fname, strlen(info.dli_fname) + 1);
}

/*
 * Reads the settings; no file, no memory, no thread, no descriptor. glibc hands
 * main's arguments to constructors; another C library may not, but then the library would not have
 * been loaded.
 */
__attribute__((constructor)) static void begin(int argc, char **argv, char **envp)
{
	if (argc < 1 || !argv || !envp || conf_init(envp, argv[0] ? argv[0] : ""))
		return;
	if (is_second())
		return;
	find_library();
	context_init(argv);
	fd_init();
	node_begin(argv, envp);
	atomic_store(&process_mode, MODE_ON);
}
