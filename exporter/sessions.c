/* sessions.c - the segments of this machine that we may see. */
#include "exporter/sessions.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exporter/segment_file.h"

#define HEX_4         "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
#define HEX_16        HEX_4 HEX_4 HEX_4 HEX_4
#define SEGMENTS_GLOB SEGMENT_DIRECTORY "*/" HEX_16 HEX_16

void sessions_visit(const char *run_directory, void (*visit)(void *context, const char *path),
		    void *context)
{
	char link[4096], target[4096];
	ssize_t size;
	bool listed = false;
	glob_t found = {0};

	snprintf(link, sizeof(link), "%s/session", run_directory);
	size = readlink(link, target, sizeof(target) - 1);
	target[size > 0 ? size : 0] = '\0';
	if (glob(SEGMENTS_GLOB, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++) {
			listed |= strcmp(found.gl_pathv[i], target) == 0;
			visit(context, found.gl_pathv[i]);
		}
	globfree(&found);
	if (target[0] && !listed)
		visit(context, target);
}
