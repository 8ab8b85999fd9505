/* settings_file.c - the settings file in force: found, checked, applied, read again. */
#include "exporter/settings_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/env.h"
#include "exporter/log.h"
#include "exporter/sections.h"

#define USERS_MAX 32

struct user {
	const char *section;
	settings_file_take take;
	void *context;
};

/* What tells one state of a file from another; editors replace it by rename. */
struct look {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	int error; /* errno; 0: it is there */
};

struct settings_file {
	char path[PATH_MAX];
	struct config *config; /* in force; NULL: none */
	struct look seen;      /* that was read */
	struct look changed;   /* since then: who still writes it changes it once more */
	struct user users[USERS_MAX];
	size_t user_count;
};

static struct look look_at(const char *path)
{
	struct look look = {0};
	struct stat status;

	if (stat(path, &status) != 0) {
		look.error = errno;
		return look;
	}
	look.device = status.st_dev;
	look.inode = status.st_ino;
	look.size = status.st_size;
	look.modified = status.st_mtim;
	return look;
}

static int is_same(const struct look *one, const struct look *other)
{
	return one->error == other->error && one->device == other->device &&
	       one->inode == other->inode && one->size == other->size &&
	       one->modified.tv_sec == other->modified.tv_sec &&
	       one->modified.tv_nsec == other->modified.tv_nsec;
}

/* NULL: it can't be used. */
static struct config *read_checked(const char *path)
{
	struct config *config = config_read(path);

	if (config && sections_check(config) != 0) {
		config_free(config);
		return NULL;
	}
	return config;
}

unsigned settings_file_check(const char *path)
{
	struct config *config = config_read(path);
	unsigned complaints = config ? sections_check(config) : 1;

	config_free(config);
	return complaints;
}

/* Absolute, for the exporter changes its directory; links stay, for what they name may change. */
static int set_path(struct settings_file *file, const char *path)
{
	char directory[PATH_MAX];
	int size;

	if (path[0] == '/')
		size = snprintf(file->path, sizeof(file->path), "%s", path);
	else if (getcwd(directory, sizeof(directory)))
		size = snprintf(file->path, sizeof(file->path), "%s/%s", directory, path);
	else
		return -errno;
	return size < (int)sizeof(file->path) ? 0 : -ENAMETOOLONG;
}

struct settings_file *settings_file_open(const char *given, int *error)
{
	struct settings_file *file = calloc(1, sizeof(*file));
	const char *path = given ? given : env_get("TAGALONG_CONFIG");

	*error = 0;
	if (!file)
		return NULL;
	*error = set_path(file, path ? path : SETTINGS_FILE_DEFAULT);
	if (*error) {
		fprintf(stderr, "%s:1: %s\n", path, strerror(-*error));
		goto failed;
	}
	file->seen = file->changed = look_at(file->path);
	if (!path && file->seen.error == ENOENT)
		return file;
	file->config = read_checked(file->path);
	if (file->config)
		return file;
	*error = -EINVAL;
failed:
	free(file);
	return NULL;
}

void settings_file_close(struct settings_file *file)
{
	if (!file)
		return;
	config_free(file->config);
	free(file);
}

const struct config_node *settings_file_root(const struct settings_file *file)
{
	return file && file->config ? config_root(file->config) : NULL;
}

const char *settings_file_path(const struct settings_file *file)
{
	return file ? file->path : "";
}

static void tell(const struct settings_file *file, const struct user *user)
{
	const struct config_node *root = settings_file_root(file);

	user->take(user->context, user->section ? config_get(root, user->section) : root);
}

int settings_file_register(struct settings_file *file, const char *section, settings_file_take take,
			   void *context)
{
	struct user user = {section, take, context};

	if (file && file->user_count == USERS_MAX)
		return -ENOSPC;
	if (file)
		file->users[file->user_count++] = user;
	tell(file, &user);
	return 0;
}

void settings_file_forget(struct settings_file *file, const void *context)
{
	size_t kept = 0;

	if (!file)
		return;
	for (size_t i = 0; i < file->user_count; i++)
		if (file->users[i].context != context)
			file->users[kept++] = file->users[i];
	file->user_count = kept;
}

enum settings_file_result settings_file_reload(struct settings_file *file, int in_any_case)
{
	struct config *before, *config;
	struct look look;

	if (!file)
		return SETTINGS_FILE_SAME;
	look = look_at(file->path);
	if (!in_any_case && (is_same(&look, &file->seen) || !is_same(&look, &file->changed))) {
		file->changed = look;
		return SETTINGS_FILE_SAME;
	}
	file->seen = file->changed = look;
	if (look.error == ENOENT && !file->config)
		return SETTINGS_FILE_SAME;
	config = look.error ? NULL : read_checked(file->path);
	if (!config) {
		log_line(LOG_ERROR, "settings", "%s %s: the settings in force stay", file->path,
			 look.error ? strerror(look.error) : "can't be used");
		return SETTINGS_FILE_REFUSED;
	}
	before = file->config;
	file->config = config;
	for (size_t i = 0; i < file->user_count; i++)
		tell(file, &file->users[i]);
	sections_tell_late(before ? config_root(before) : NULL, config_root(config));
	config_free(before);
	log_line(LOG_INFO, "settings", "%s is applied", file->path);
	return SETTINGS_FILE_APPLIED;
}
