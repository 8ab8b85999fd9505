/* object_debug.c - the separate file that holds the debugging information of an ELF file. */
#include "object_debug.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "exporter/rooted.h"

#define DEBUG_ROOT   "/usr/lib/debug"
#define BUILD_ID_MAX 64
#define CRC_FILE_MAX (256u << 20)

/* What the file was linked with: one of both, or none. */
struct wanted {
	unsigned char id[BUILD_ID_MAX];
	size_t id_size;   /* 0: none */
	const char *link; /* a file's name, or NULL */
	uint32_t crc;
};

static size_t read_build_id(Elf *elf, unsigned char id[BUILD_ID_MAX])
{
	const void *bits;
	ssize_t size = dwelf_elf_gnu_build_id(elf, &bits);

	if (size < 2 || size > BUILD_ID_MAX)
		return 0;
	memcpy(id, bits, (size_t)size);
	return (size_t)size;
}

static void read_wanted(Elf *elf, struct wanted *wanted)
{
	GElf_Word crc = 0;

	wanted->id_size = read_build_id(elf, wanted->id);
	wanted->link = dwelf_elf_gnu_debuglink(elf, &crc);
	wanted->crc = crc;
	/* A name, not a way out of the directories below. */
	if (wanted->link && (wanted->link[0] == '\0' || strchr(wanted->link, '/')))
		wanted->link = NULL;
}

static int crc_matches(int fd, uint32_t expected)
{
	unsigned char bytes[65536];
	uLong crc = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t size;

	while (at < (off_t)CRC_FILE_MAX && (size = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		crc = crc32(crc, bytes, (uInt)size);
		at += size;
	}
	return (uint32_t)crc == expected;
}

static int is_wanted(Elf *elf, int fd, const struct wanted *wanted)
{
	unsigned char id[BUILD_ID_MAX];
	size_t size = read_build_id(elf, id);

	if (wanted->id_size && size)
		return size == wanted->id_size && memcmp(id, wanted->id, size) == 0;
	return wanted->link && crc_matches(fd, wanted->crc);
}

static Elf *try_path(int root, const char *path, const struct wanted *wanted, int *fd)
{
	struct stat status;
	int found = rooted_open_file(root, path, &status);
	Elf *elf;

	if (found < 0)
		return NULL;
	elf = elf_begin(found, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && is_wanted(elf, found, wanted)) {
		*fd = found;
		return elf;
	}
	elf_end(elf);
	close(found);
	return NULL;
}

static Elf *by_build_id(int root, const struct wanted *wanted, int *fd)
{
	char path[sizeof(DEBUG_ROOT) + BUILD_ID_MAX * 2ul + 32];
	char *end = path + sprintf(path, DEBUG_ROOT "/.build-id/%02x/", wanted->id[0]);

	for (size_t i = 1; i < wanted->id_size; i++)
		end += sprintf(end, "%02x", wanted->id[i]);
	memcpy(end, ".debug", sizeof(".debug"));
	return try_path(root, path, wanted, fd);
}

static Elf *by_link(int root, const char *object, const struct wanted *wanted, int *fd)
{
	static const struct {
		const char *before, *after;
	} places[] = {{"", ""}, {"", "/.debug"}, {DEBUG_ROOT, ""}};
	const char *slash = strrchr(object, '/');
	Elf *elf = NULL;

	for (size_t i = 0; slash && !elf && i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX];
		int size = snprintf(path, sizeof(path), "%s%.*s%s/%s", places[i].before,
				    (int)(slash - object), object, places[i].after, wanted->link);

		if (size > 0 && (size_t)size < sizeof(path) && strcmp(path, object) != 0)
			elf = try_path(root, path, wanted, fd);
	}
	return elf;
}

Elf *object_debug_open(Elf *elf, int root, const char *path, int *fd)
{
	struct wanted wanted;
	Elf *found = NULL;

	read_wanted(elf, &wanted);
	if (wanted.id_size)
		found = by_build_id(root, &wanted, fd);
	/* A container seldom has them; the machine around it may. */
	if (!found && wanted.id_size && root >= 0)
		found = by_build_id(-1, &wanted, fd);
	if (!found && wanted.link)
		found = by_link(root, path, &wanted, fd);
	return found;
}

int object_debug_has_alternate(Dwarf *dwarf)
{
	const void *id;
	const char *name;

	return dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) != 0;
}

Elf *object_debug_alternate(Dwarf *dwarf, int root, int *fd)
{
	struct wanted wanted = {.link = NULL};
	const void *id;
	const char *name;
	ssize_t size = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id);
	Elf *elf;

	if (size < 2 || size > BUILD_ID_MAX ||
	    strncmp(name, DEBUG_ROOT "/", sizeof(DEBUG_ROOT)) != 0)
		return NULL;
	wanted.id_size = (size_t)size;
	memcpy(wanted.id, id, wanted.id_size);
	elf = try_path(root, name, &wanted, fd);
	return elf || root < 0 ? elf : try_path(-1, name, &wanted, fd);
}
