/* settings_file.h - the settings file in force: found, checked, applied, read again. */
#ifndef TAGALONG_SETTINGS_FILE_H
#define TAGALONG_SETTINGS_FILE_H

/*
 * The path is that of --config, else of TAGALONG_CONFIG, else /etc/tagalong/tagalong.yaml, which
 * may be missing. Environment variables go before what the file says of the same thing. A file with
 * a complaint is not applied: what was in force stays. One thread.
 */

#include <stdint.h>

#include "exporter/config.h"

#define SETTINGS_FILE_DEFAULT "/etc/tagalong/tagalong.yaml"

struct settings_file;

/*
 * Takes a section, at once and whenever another file is applied, between batches; NULL: the file
 * has no such section. It is free of complaints: the section's check (sections.h) has seen it. The
 * node and its texts live until the next call.
 */
typedef void (*settings_file_take)(void *context, const struct config_node *section);

/*
 * Finds and reads the file; `given` is the argument of --config, or NULL. NULL with 0 in *error:
 * out of memory; with -EINVAL: it can't be used, which was complained of on stderr.
 */
struct settings_file *settings_file_open(const char *given, int *error);
void settings_file_close(struct settings_file *file); /* accepts NULL */

/*
 * Registers who takes a section, NULL: the whole file, and calls it. Without a file (NULL) it is
 * called once, with NULL. In the order of registration later. -ENOSPC: too many.
 */
int settings_file_register(struct settings_file *file, const char *section, settings_file_take take,
			   void *context);
/* Forgets all registrations of a context that is about to go. Accepts NULL. */
void settings_file_forget(struct settings_file *file, const void *context);

/* The file's root; NULL: none. */
const struct config_node *settings_file_root(const struct settings_file *file);

/* Its absolute path, "" for NULL. */
const char *settings_file_path(const struct settings_file *file);

/* What came of it. */
enum settings_file_result {
	SETTINGS_FILE_SAME,    /* not changed since it was read */
	SETTINGS_FILE_APPLIED, /* everybody has taken the new settings */
	SETTINGS_FILE_REFUSED, /* it can't be used, or is gone; said on stderr */
};

/*
 * Reads it again if it changed and has stayed so since the last look, or, if asked to, in any case.
 * Accepts NULL.
 */
enum settings_file_result settings_file_reload(struct settings_file *file, int in_any_case);

/*
 * Reads and checks a file, without any effect. Returns the number of complaints, each of them said
 * on stderr as "FILE:LINE: text".
 */
unsigned settings_file_check(const char *path);

#endif
