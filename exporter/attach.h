/* attach.h - will the library be loaded into a program, has it been, and if not, why not. */
#ifndef TAGALONG_EXPORTER_ATTACH_H
#define TAGALONG_EXPORTER_ATTACH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "exporter/elf.h"

/* What keeps the library out of a program: bits of attach_target.obstacles, most telling first. */
enum attach_obstacle {
	ATTACH_NEVER = 1,         /* on the list of programs that are never touched */
	ATTACH_GO = 2,            /* loaded or not, Go doesn't call libc */
	ATTACH_MACHINE = 4,       /* 32-bit, or another processor than ours */
	ATTACH_STATIC = 8,        /* no loader runs */
	ATTACH_OTHER_LIBC = 16,   /* a loader that is not glibc's */
	ATTACH_SETUID = 32,       /* setuid or setgid for the present user: AT_SECURE */
	ATTACH_CAPABILITIES = 64, /* file capabilities that the present user gains: AT_SECURE */
	ATTACH_OBSTACLES_END = 128,
};

struct attach_target {
	char program[PATH_MAX]; /* the ELF file that finally runs */
	char script[PATH_MAX];  /* the script that was asked for, "" if none */
	bool privileged_file;   /* setuid, setgid or capabilities, but of no effect for this user */
	struct elf_facts elf;
	unsigned obstacles; /* enum attach_obstacle */
};

/*
 * The file that `name` runs: itself if it has a slash, else found in the directories of `path`
 * (NULL: the environment's PATH). Returns 0, -ENOENT, or -EACCES if only files that cannot be
 * executed were found. `out` has PATH_MAX bytes.
 */
int attach_find(const char *name, const char *path, char *out);

/*
 * Follows the #! lines from `file` to the program that runs, and says what stands in the way there.
 * Returns 0 or -errno: -EACCES not readable, -ELOOP too many interpreters, -ENOENT.
 */
int attach_examine(const char *file, struct attach_target *target);

/* The same for what a process runs now. Its file is read even if it has another root or was
 * deleted. */
int attach_examine_process(pid_t pid, struct attach_target *target);

/* One clause about one obstacle, without a full stop. Returns `out`. */
const char *attach_explain(const struct attach_target *target, enum attach_obstacle obstacle,
			   char *out, size_t room);

/* The first, most telling obstacle; 0: none. */
enum attach_obstacle attach_first_obstacle(const struct attach_target *target);

/*
 * Looks at a living process. Returns 1 if the library is mapped in it and of use, 0 if not, with
 * the reason in `why`; -errno if that cannot be told (it is gone, or may not be looked at).
 */
int attach_look(pid_t pid, const char *library, char *why, size_t room);

/*
 * The path of libtagalong.so: TAGALONG_LIBRARY, else beside the program, else ../lib/tagalong, else
 * /usr/lib/tagalong. Returns 0, or -ENOENT if none is readable. `out` has PATH_MAX bytes.
 */
int attach_library(char *out);

#endif
