/* attach.c - will the library be loaded into a program, has it been, and if not, why not. */
#include "exporter/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 5
#define SCRIPT_LINE  256 /* as much as the kernel reads */
#define LIBRARY_NAME "libtagalong.so"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- finding ------------------------------------------------------------------------------ */

static int executable(const char *file)
{
	struct stat status;

	if (stat(file, &status) < 0)
		return -ENOENT;
	if (!S_ISREG(status.st_mode) || access(file, X_OK) < 0)
		return -EACCES;
	return 0;
}

static int copy_path(char *out, const char *path)
{
	size_t size = strlen(path) + 1;

	if (size > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out, path, size);
	return 0;
}

int attach_find(const char *name, const char *path, char *out)
{
	int result = -ENOENT;

	if (strchr(name, '/')) {
		result = executable(name);
		return result < 0 ? result : copy_path(out, name);
	}
	if (!path)
		path = getenv("PATH");
	if (!path)
		path = "/bin:/usr/bin";
	for (const char *at = path; name[0];) {
		char candidate[PATH_MAX];
		int size = (int)strcspn(at, ":");
		int length = snprintf(candidate, sizeof(candidate), "%.*s%s%s", size, at,
				      size > 0 ? "/" : "./", name);
		int found = length < PATH_MAX ? executable(candidate) : -ENOENT;
		if (found == 0)
			return copy_path(out, candidate);
		if (found == -EACCES)
			result = found;
		if (at[size] == '\0')
			break;
		at += size + 1;
	}
	return result;
}

int attach_library(char *out)
{
	static const char *const places[] = {"", "../lib/tagalong/"};
	const char *set = getenv("TAGALONG_LIBRARY");
	char self[PATH_MAX], candidate[PATH_MAX];

	if (set && set[0])
		return access(set, R_OK) == 0 && realpath(set, out) ? 0 : -ENOENT;
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[size > 0 ? size : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash) {
		slash[1] = '\0';
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			int length = snprintf(candidate, sizeof(candidate), "%s%s" LIBRARY_NAME,
					      self, places[i]);
			if (length < PATH_MAX && access(candidate, R_OK) == 0 &&
			    realpath(candidate, out))
				return 0;
		}
	}
	if (access("/usr/lib/tagalong/" LIBRARY_NAME, R_OK) < 0)
		return -ENOENT;
	return copy_path(out, "/usr/lib/tagalong/" LIBRARY_NAME);
}

/* ---- scripts ------------------------------------------------------------------------------ */

/* The program that `env` runs: the first word that is neither an option nor an assignment. */
static int find_under_env(char *words, char *out)
{
	char *state;

	for (char *word = strtok_r(words, " \t", &state); word;
	     word = strtok_r(NULL, " \t", &state))
		if (word[0] != '-' && !strchr(word, '='))
			return attach_find(word, NULL, out);
	return -ENOENT;
}

/*
 * The interpreter of a file that is not ELF. A file without a #! line is what shells and execvp
 * hand to /bin/sh.
 */
static int find_interpreter(const char *file, char *out)
{
	char line[SCRIPT_LINE + 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	ssize_t size = read(fd, line, SCRIPT_LINE);
	int error = errno;
	close(fd);
	if (size < 0)
		return -error;
	line[size] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strncmp(line, "#!", 2) != 0)
		return copy_path(out, "/bin/sh");
	char *begin = line + 2 + strspn(line + 2, " \t");
	size_t length = strcspn(begin, " \t");
	char *rest = begin + length + strspn(begin + length, " \t");
	begin[length] = '\0';
	if (strcmp(base_name(begin), "env") == 0)
		return find_under_env(rest, out);
	return attach_find(begin, NULL, out);
}

/* ---- obstacles ------------------------------------------------------------------------------ */

/* The library's own list, which it goes by before anything else. */
static const char *const never_touched[] = {
	"tagalong", "apt",        "apt-get",
	"aptitude", "dpkg",       "dpkg-deb",
	"rpm",      "dnf",        "yum",
	"apk",      "pacman",     "ldconfig",
	"ldd",      "ld.so",      "gdb",
	"lldb",     "strace",     "ltrace",
	"valgrind", "systemd",    "init",
	"udevd",    "sudo",       "su",
	"mount",    "umount",     "runc",
	"crun",     "dockerd",    "sshd",
	"login",    "containerd", "containerd-shim",
};

/* 1 if programs of this base name are never instrumented; TAGALONG_NEVER adds to the list. */
static int is_never_touched(const char *name)
{
	const char *list = getenv("TAGALONG_NEVER");

	for (size_t i = 0; i < sizeof(never_touched) / sizeof(never_touched[0]); i++)
		if (strcmp(name, never_touched[i]) == 0)
			return 1;
	while (list && *list) {
		list += strspn(list, ", \t");
		size_t length = strcspn(list, ", \t");
		if (length == strlen(name) && strncmp(list, name, length) == 0)
			return 1;
		list += length;
	}
	return 0;
}

/* As the kernel decides on AT_SECURE: only what changes for the present user counts. */
static void examine_privileges(struct attach_target *target)
{
	struct stat status;
	unsigned found = 0;

	if (stat(target->program, &status) < 0)
		return;
	bool setuid = status.st_mode & S_ISUID;
	bool setgid = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	bool capable = getxattr(target->program, "security.capability", NULL, 0) > 0;

	if ((setuid && status.st_uid != getuid()) || (setgid && status.st_gid != getgid()))
		found |= ATTACH_SETUID;
	if (capable && getuid() != 0)
		found |= ATTACH_CAPABILITIES;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		found = 0;
	target->obstacles |= found;
	target->privileged_file = !found && (setuid || setgid || capable);
}

static bool glibc_loader(const char *interpreter)
{
	const char *name = base_name(interpreter);

	return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64.so.", 8) == 0 ||
	       strcmp(name, "ld.so.1") == 0;
}

static void examine_elf(struct attach_target *target)
{
	const struct elf_facts *elf = &target->elf;
	struct elf_facts own;

	if (elf_read("/proc/self/exe", &own) == 0 &&
	    (own.bits != elf->bits || own.machine != elf->machine ||
	     own.big_endian != elf->big_endian))
		target->obstacles |= ATTACH_MACHINE;
	if (elf->go)
		target->obstacles |= ATTACH_GO;
	if (elf->interpreter[0] == '\0')
		target->obstacles |= ATTACH_STATIC;
	else if (!glibc_loader(elf->interpreter))
		target->obstacles |= ATTACH_OTHER_LIBC;
}

int attach_examine(const char *file, struct attach_target *target)
{
	int result;

	memset(target, 0, sizeof(*target));
	result = copy_path(target->program, file);
	if (result < 0)
		return result;
	for (int depth = 0;; depth++) {
		char next[PATH_MAX];

		result = elf_read(target->program, &target->elf);
		if (result != -ENOEXEC)
			break;
		if (depth == SCRIPT_DEPTH)
			return -ELOOP;
		if (depth == 0)
			copy_path(target->script, file);
		result = find_interpreter(target->program, next);
		if (result < 0)
			return result;
		copy_path(target->program, next);
	}
	if (result < 0)
		return result;
	examine_elf(target);
	examine_privileges(target);
	if (is_never_touched(base_name(target->program)))
		target->obstacles |= ATTACH_NEVER;
	return 0;
}

int attach_examine_process(pid_t pid, struct attach_target *target)
{
	char link[64], program[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	ssize_t size = readlink(link, program, sizeof(program) - 1);
	if (size < 0)
		return -errno;
	program[size] = '\0';
	int result = attach_examine(link, target);
	copy_path(target->program, program);
	if (is_never_touched(base_name(program)))
		target->obstacles |= ATTACH_NEVER;
	return result;
}

enum attach_obstacle attach_first_obstacle(const struct attach_target *target)
{
	return target->obstacles & -target->obstacles;
}

const char *attach_explain(const struct attach_target *target, enum attach_obstacle obstacle,
			   char *out, size_t room)
{
	const struct elf_facts *elf = &target->elf;
	const char *name = target->program;

	switch (obstacle) {
	case ATTACH_STATIC:
		snprintf(out, room, "%s is linked statically: no loader runs to load the library",
			 name);
		break;
	case ATTACH_OTHER_LIBC:
		snprintf(out, room, "%s uses another C library than glibc (its loader is %s)%s",
			 name, elf->interpreter, strstr(elf->interpreter, "musl") ? ": musl" : "");
		break;
	case ATTACH_SETUID:
		snprintf(out, room, "%s is setuid or setgid: the loader ignores LD_PRELOAD", name);
		break;
	case ATTACH_CAPABILITIES:
		snprintf(out, room, "%s has file capabilities: the loader ignores LD_PRELOAD",
			 name);
		break;
	case ATTACH_GO:
		snprintf(out, room, "%s is a Go program: it makes system calls without libc", name);
		break;
	case ATTACH_MACHINE:
		snprintf(out, room, "%s is a %d-bit program of another kind than the library", name,
			 elf->bits);
		break;
	case ATTACH_NEVER:
		snprintf(out, room, "%s is on the list of programs that are never touched",
			 base_name(name));
		break;
	default:
		snprintf(out, room, "%s: unknown reason", name);
		break;
	}
	return out;
}

/* ---- a living process ----------------------------------------------------------------------- */

static FILE *open_process_file(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

/* 1, 0, or -errno if the process's mappings can't be read. */
static int has_mapped(pid_t pid, const char *library)
{
	FILE *maps = open_process_file(pid, "maps");
	char *line = NULL;
	size_t room = 0;
	int found = 0, lines = 0;

	if (!maps)
		return -errno;
	while (!found && getline(&line, &room, maps) > 0) {
		lines++;
		found = strstr(line, base_name(library)) != NULL;
	}
	free(line);
	fclose(maps);
	/* A zombie's list is empty. */
	return lines ? found : -ESRCH;
}

/* 1 if the environment that the process was started with has the library in LD_PRELOAD. */
static int has_environment(pid_t pid, const char *library)
{
	FILE *environment = open_process_file(pid, "environ");
	char *entry = NULL;
	size_t room = 0;
	int found = 0;

	if (!environment)
		return -errno;
	while (!found && getdelim(&entry, &room, '\0', environment) > 0)
		found = strncmp(entry, "LD_PRELOAD=", 11) == 0 &&
			strstr(entry, base_name(library)) != NULL;
	free(entry);
	fclose(environment);
	return found;
}

int attach_look(pid_t pid, const char *library, char *why, size_t room)
{
	struct attach_target target = {0};
	int mapped = has_mapped(pid, library);

	if (mapped < 0)
		return mapped;
	int examined = attach_examine_process(pid, &target);
	/* musl's loader maps the library as well, and Go programs with C code have it: no use. */
	if (mapped && (examined < 0 || !(target.obstacles & (ATTACH_OTHER_LIBC | ATTACH_GO))))
		return 1;
	if (examined == 0 && target.obstacles)
		attach_explain(&target, attach_first_obstacle(&target), why, room);
	else if (has_environment(pid, library) == 0)
		snprintf(why, room, "%s was started without LD_PRELOAD in its environment",
			 target.program);
	else
		snprintf(why, room, "the loader of %s did not load the library", target.program);
	return 0;
}
