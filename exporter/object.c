/* object.c - one ELF file and its debugging information: which function and line is at an address?
 */
#include "object.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/object_debug.h"
#include "exporter/object_name.h"

#define SECTIONS_MAX 65536
#define UNITS_MAX    65536

struct object {
	int fd, debug_fd, alternate_fd; /* -1: none */
	Elf *elf, *debug, *alternate;
	Dwarf *dwarf, *alternate_dwarf;
	uint64_t bytes; /* of debugging information */
};

/* A candidate on the way through the symbol tables. */
struct best {
	GElf_Sym symbol;
	const char *name; /* NULL: none */
};

/* ---- what may be read ----------------------------------------------------------------------- */

/* Bytes that a section takes in memory; UINT64_MAX if that can't be told. */
static uint64_t size_in_memory(Elf_Scn *section, const GElf_Shdr *header, const char *name)
{
	GElf_Chdr compressed;

	if (strncmp(name, ".zdebug", 7) == 0)
		return UINT64_MAX;
	if (!(header->sh_flags & SHF_COMPRESSED))
		return header->sh_size;
	return gelf_getchdr(section, &compressed) ? compressed.ch_size : UINT64_MAX;
}

static Elf_Scn *next_section(Elf *elf, Elf_Scn *section, GElf_Shdr *header, const char **name)
{
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	section = elf_nextscn(elf, section);
	if (!section || elf_ndxscn(section) >= SECTIONS_MAX || !gelf_getshdr(section, header))
		return NULL;
	*name = elf_strptr(elf, names, header->sh_name);
	return *name ? section : NULL;
}

/* The size of the debugging information, if there is any, and of a size that may be read; else 0.
 */
static uint64_t debug_bytes(Elf *elf)
{
	Elf_Scn *section = NULL;
	uint64_t total = 0;
	GElf_Shdr header;
	const char *name;
	int found = 0;

	while ((section = next_section(elf, section, &header, &name))) {
		uint64_t size;

		if (!strstr(name, "debug_") || header.sh_type == SHT_NOBITS)
			continue;
		size = size_in_memory(section, &header, name);
		if (size > OBJECT_TABLE_MAX || (total += size) > OBJECT_TABLE_MAX)
			return 0;
		found |= strcmp(name, ".debug_info") == 0;
	}
	return found ? total : 0;
}

static int ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* libdw takes each table of texts to end with a NUL, and reads on where one does not. */
static int texts_end(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;

	while ((section = next_section(elf, section, &header, &name))) {
		const Elf_Data *data;

		if (header.sh_type == SHT_NOBITS || header.sh_size == 0 ||
		    (!ends_with(name, "debug_str") && !ends_with(name, "debug_line_str")))
			continue;
		if ((header.sh_flags & SHF_COMPRESSED) && elf_compress(section, 0, 0) < 0)
			return 0;
		data = elf_getdata(section, NULL);
		if (!data || data->d_size == 0 ||
		    ((const char *)data->d_buf)[data->d_size - 1] != '\0')
			return 0;
	}
	return 1;
}

static Dwarf *begin_dwarf(Elf *elf, uint64_t *bytes)
{
	uint64_t size = debug_bytes(elf);
	Dwarf *dwarf = size && texts_end(elf) ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;

	if (dwarf)
		*bytes += size;
	return dwarf;
}

/* ---- opening -------------------------------------------------------------------------------- */

/*
 * dwz moves what several files share to one more file. libdw would open whatever the link names;
 * so it is found here, or the information that lacks it is not used.
 */
static int join_alternate(struct object *object, int root)
{
	object->alternate = object_debug_alternate(object->dwarf, root, &object->alternate_fd);
	if (object->alternate)
		object->alternate_dwarf = begin_dwarf(object->alternate, &object->bytes);
	if (!object->alternate_dwarf)
		return 0;
	dwarf_setalt(object->dwarf, object->alternate_dwarf);
	return 1;
}

static void open_dwarf(struct object *object, int root)
{
	object->dwarf = begin_dwarf(object->debug ? object->debug : object->elf, &object->bytes);
	if (!object->dwarf || !object_debug_has_alternate(object->dwarf))
		return;
	if (!join_alternate(object, root)) {
		dwarf_end(object->dwarf);
		object->dwarf = NULL;
	}
}

struct object *object_open(int fd, int root, const char *path)
{
	struct object *object = calloc(1, sizeof(*object));

	elf_version(EV_CURRENT);
	if (!object) {
		close(fd);
		return NULL;
	}
	object->fd = fd;
	object->debug_fd = object->alternate_fd = -1;
	object->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!object->elf || elf_kind(object->elf) != ELF_K_ELF) {
		object_close(object);
		return NULL;
	}
	if (debug_bytes(object->elf) == 0)
		object->debug = object_debug_open(object->elf, root, path, &object->debug_fd);
	open_dwarf(object, root);
	return object;
}

void object_close(struct object *object)
{
	if (!object)
		return;
	dwarf_end(object->dwarf);
	dwarf_end(object->alternate_dwarf);
	elf_end(object->alternate);
	elf_end(object->debug);
	elf_end(object->elf);
	if (object->alternate_fd >= 0)
		close(object->alternate_fd);
	if (object->debug_fd >= 0)
		close(object->debug_fd);
	close(object->fd);
	free(object);
}

uint64_t object_bytes(const struct object *object)
{
	return object->bytes;
}

/* ---- symbols -------------------------------------------------------------------------------- */

static int is_function(const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF;
}

static int covers(const GElf_Sym *symbol, uint64_t address)
{
	return address - symbol->st_value < symbol->st_size;
}

/* Names that others may call it by come before local ones; a later start is a closer fit. */
static int is_better(const GElf_Sym *new, const GElf_Sym *old)
{
	if (new->st_value != old->st_value)
		return new->st_value > old->st_value;
	return GELF_ST_BIND(new->st_info) == STB_GLOBAL && GELF_ST_BIND(old->st_info) != STB_GLOBAL;
}

static void search_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, uint64_t address,
			 struct best *best)
{
	Elf_Scn *strings = elf_getscn(elf, header->sh_link);
	Elf_Data *data;
	GElf_Shdr of_strings;
	GElf_Sym symbol;

	if (header->sh_size > OBJECT_TABLE_MAX || header->sh_flags & SHF_COMPRESSED || !strings ||
	    !gelf_getshdr(strings, &of_strings) || of_strings.sh_size > OBJECT_TABLE_MAX)
		return;
	data = elf_getdata(section, NULL);
	for (int i = 1; data && gelf_getsym(data, i, &symbol); i++) {
		const char *name;

		if (!is_function(&symbol) || !covers(&symbol, address) ||
		    (best->name && !is_better(&symbol, &best->symbol)))
			continue;
		name = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (!name || !name[0])
			continue;
		best->name = name;
		best->symbol = symbol;
	}
}

static void search_symbols(Elf *elf, GElf_Word type, uint64_t address, struct best *best)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;

	while (elf && !best->name && (section = next_section(elf, section, &header, &name)))
		if (header.sh_type == type)
			search_table(elf, section, &header, address, best);
}

static void find_symbol(struct object *object, uint64_t address, char function[])
{
	struct best best = {.name = NULL};

	search_symbols(object->elf, SHT_SYMTAB, address, &best);
	search_symbols(object->debug, SHT_SYMTAB, address, &best);
	search_symbols(object->elf, SHT_DYNSYM, address, &best);
	if (best.name)
		strncat(function, best.name, OBJECT_FUNCTION_ROOM - 1);
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* By the index if there is one (clang writes none), else unit by unit. */
static int find_unit(Dwarf *dwarf, uint64_t address, Dwarf_Die *unit)
{
	Dwarf_Off at = 0, next;
	size_t head_size;

	if (dwarf_addrdie(dwarf, address, unit))
		return 1;
	for (int i = 0; i < UNITS_MAX; i++, at = next) {
		if (dwarf_nextcu(dwarf, at, &next, &head_size, NULL, NULL, NULL) != 0)
			return 0;
		if (dwarf_offdie(dwarf, at + head_size, unit) && dwarf_haspc(unit, address) > 0)
			return 1;
	}
	return 0;
}

/* A relative name is one of the directory where the compiler ran. */
static void write_file(Dwarf_Die *unit, const char *file, char to[OBJECT_FILE_ROOM])
{
	const char *directory = NULL;
	Dwarf_Attribute attribute;
	int size;

	if (file[0] != '/')
		directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	size = snprintf(to, OBJECT_FILE_ROOM, "%s%s%s", directory ? directory : "",
			directory ? "/" : "", file);
	if (size < 0 || size >= OBJECT_FILE_ROOM)
		snprintf(to, OBJECT_FILE_ROOM, "%s", file);
}

static void find_line(Dwarf_Die *unit, uint64_t address, struct object_place *place)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	int number;

	if (!file || dwarf_lineno(line, &number) != 0 || number <= 0)
		return;
	write_file(unit, file, place->file);
	place->line = (uint32_t)number;
}

int object_find(struct object *object, uint64_t address, struct object_place *place)
{
	Dwarf_Die unit;

	memset(place, 0, sizeof(*place));
	if (object->dwarf && find_unit(object->dwarf, address, &unit)) {
		find_line(&unit, address, place);
		object_name_find(&unit, address, place->function, sizeof(place->function));
	}
	if (!place->function[0])
		find_symbol(object, address, place->function);
	return place->function[0] || place->file[0];
}
