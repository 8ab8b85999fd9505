/* symbol.c - from an object's path and an address in it to function, file and line; cached. */
#include "symbol.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/process.h"
#include "exporter/rooted.h"
#include "exporter/text.h"

#define OBJECTS   12
#define BYTES_MAX (256u << 20) /* of all their debugging information */
#define ANSWERS   1024         /* 2^10: the top bits of a hash choose */

/* A file as it was when it was opened; what is no object is remembered, too. */
struct cached_object {
	struct object *object;
	uint64_t path_hash;
	uint64_t used; /* by the clock below; 0: free */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct cached_answer {
	uint64_t path_hash;
	uint64_t address;
	struct symbol_process process; /* pid 0: free */
	struct object_place place;
};

static struct cached_object objects[OBJECTS];
static struct cached_answer *answers; /* ANSWERS of them, on first use */
static uint64_t clock_now;

/* Cuts at the first byte that is not UTF-8: names come from files that anybody may have written. */
static void keep_valid(char *text)
{
	size_t size = strlen(text), low = 0;

	if (text_valid(text, size))
		return;
	while (low < size && ((unsigned char)text[low] < 0x80))
		low++;
	text[low] = '\0';
}

static int is_same_file(const struct cached_object *cached, const struct stat *status)
{
	return cached->device == status->st_dev && cached->inode == status->st_ino &&
	       cached->size == status->st_size &&
	       cached->changed.tv_sec == status->st_ctim.tv_sec &&
	       cached->changed.tv_nsec == status->st_ctim.tv_nsec;
}

static struct cached_object *find_cached(uint64_t path_hash, const struct stat *status)
{
	for (int i = 0; i < OBJECTS; i++)
		if (objects[i].used && objects[i].path_hash == path_hash &&
		    is_same_file(&objects[i], status))
			return &objects[i];
	return NULL;
}

static struct cached_object *oldest(void)
{
	struct cached_object *found = &objects[0];

	for (int i = 1; i < OBJECTS; i++)
		if (objects[i].used < found->used)
			found = &objects[i];
	return found;
}

static void forget_object(struct cached_object *cached)
{
	object_close(cached->object);
	memset(cached, 0, sizeof(*cached));
}

/* All but the last one used go, the oldest first, until the rest is small enough. */
static void make_small(void)
{
	for (int round = 0; round < OBJECTS; round++) {
		struct cached_object *oldest_other = NULL;
		uint64_t total = 0;

		for (int i = 0; i < OBJECTS; i++) {
			struct cached_object *cached = &objects[i];

			if (!cached->object)
				continue;
			total += object_bytes(cached->object);
			if (cached->used != clock_now &&
			    (!oldest_other || cached->used < oldest_other->used))
				oldest_other = cached;
		}
		if (total <= BYTES_MAX || !oldest_other)
			return;
		forget_object(oldest_other);
	}
}

static struct object *get_object(int root, const char *path, uint64_t path_hash)
{
	struct stat status;
	int fd = rooted_open_file(root, path, &status);
	struct cached_object *cached;

	if (fd < 0)
		return NULL;
	cached = find_cached(path_hash, &status);
	if (cached) {
		close(fd);
	} else {
		cached = oldest();
		forget_object(cached);
		cached->object = object_open(fd, root, path);
		cached->path_hash = path_hash;
		cached->device = status.st_dev;
		cached->inode = status.st_ino;
		cached->size = status.st_size;
		cached->changed = status.st_ctim;
	}
	cached->used = ++clock_now;
	make_small();
	return cached->object;
}

static void look_up(const struct symbol_process *process, const char *path, uint64_t path_hash,
		    struct cached_answer *answer)
{
	int alive =
		process->start_ticks && process_start_ticks(process->pid) == process->start_ticks;
	int root = alive ? rooted_open(process->pid) : -1;
	struct object *object = get_object(root, path, path_hash);

	memset(&answer->place, 0, sizeof(answer->place));
	if (object)
		object_find(object, answer->address, &answer->place);
	keep_valid(answer->place.function);
	keep_valid(answer->place.file);
	if (root >= 0)
		close(root);
}

static struct cached_answer *answer_of(const struct symbol_process *process, uint64_t path_hash,
				       uint64_t address)
{
	uint64_t mixed =
		(path_hash ^ address ^ ((uint64_t)process->pid << 32)) * 0x9e3779b97f4a7c15ull;

	if (!answers)
		answers = calloc(ANSWERS, sizeof(*answers));
	return answers ? &answers[mixed >> 54] : NULL;
}

const struct object_place *symbol_place(const struct symbol_process *process, const char *path,
					uint64_t address)
{
	uint64_t path_hash = text_hash((struct text){path, (uint32_t)strlen(path)});
	struct cached_answer *answer = answer_of(process, path_hash, address);
	const struct object_place *place;

	if (!answer || process->pid == 0 || address == 0)
		return NULL;
	if (answer->process.pid != process->pid ||
	    answer->process.start_ticks != process->start_ticks || answer->path_hash != path_hash ||
	    answer->address != address) {
		answer->process = *process;
		answer->path_hash = path_hash;
		answer->address = address;
		look_up(process, path, path_hash, answer);
	}
	place = &answer->place;
	return place->function[0] || place->file[0] ? place : NULL;
}

int symbol_find(const struct symbol_process *process, const char *path, uint64_t address,
		struct object_place *place)
{
	const struct object_place *found = symbol_place(process, path, address);

	if (!found) {
		memset(place, 0, sizeof(*place));
		return 0;
	}
	*place = *found;
	return 1;
}

void symbol_forget(void)
{
	for (int i = 0; i < OBJECTS; i++)
		forget_object(&objects[i]);
	free(answers);
	answers = NULL;
}
