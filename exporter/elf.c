/* elf.c - what an executable file says about itself: loader, libraries, language. */
#include "exporter/elf.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tables of a sane program are far smaller; a bound keeps a forged file from costing time. */
#define HEADERS_MAX 4096
#define SYMBOLS_MAX 200000
#define DYNAMIC_MAX 4096

struct image {
	const uint8_t *at;
	uint64_t size;
	bool wide; /* 64 bits */
	bool big;
};

struct span_of_file {
	uint64_t offset;
	uint64_t size;
};

static uint64_t get_number(const struct image *image, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	if (offset > image->size || image->size - offset < width)
		return 0;
	for (unsigned i = 0; i < width; i++) {
		unsigned from = image->big ? i : width - 1 - i;
		value = value << 8 | image->at[offset + from];
	}
	return value;
}

/* A field whose place and width differ between the two classes. */
static uint64_t get_word(const struct image *image, uint64_t base, unsigned at32, unsigned at64)
{
	return image->wide ? get_number(image, base + at64, 8) : get_number(image, base + at32, 4);
}

/* The bytes of a part of the file, cut at its end; NULL if it begins outside. */
static const char *get_part(const struct image *image, struct span_of_file part, size_t *size)
{
	if (part.offset >= image->size)
		return NULL;
	uint64_t left = image->size - part.offset;
	*size = part.size < left ? part.size : left;
	return (const char *)image->at + part.offset;
}

/* Copies the NUL-terminated text at `offset` inside `part`; cut to `room`. */
static void copy_text(const struct image *image, struct span_of_file part, uint64_t offset,
		      char *out, size_t room)
{
	size_t size = 0;
	const char *at = get_part(image, part, &size);

	out[0] = '\0';
	if (!at || offset >= size)
		return;
	size_t length = strnlen(at + offset, size - offset);
	if (length >= room)
		length = room - 1;
	memcpy(out, at + offset, length);
	out[length] = '\0';
}

/* ---- program headers ---------------------------------------------------------------------- */

struct segments {
	uint64_t table;
	unsigned entry_size;
	unsigned count;
};

static struct segments find_segments(const struct image *image)
{
	struct segments found = {
		.table = get_word(image, 0, offsetof(Elf32_Ehdr, e_phoff),
				  offsetof(Elf64_Ehdr, e_phoff)),
		.entry_size = image->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr),
	};
	found.count = get_number(
		image, image->wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum),
		2);
	if (found.count > HEADERS_MAX)
		found.count = HEADERS_MAX;
	if (found.table >= image->size)
		found.count = 0;
	return found;
}

static struct span_of_file segment_part(const struct image *image, uint64_t header)
{
	return (struct span_of_file){
		.offset = get_word(image, header, offsetof(Elf32_Phdr, p_offset),
				   offsetof(Elf64_Phdr, p_offset)),
		.size = get_word(image, header, offsetof(Elf32_Phdr, p_filesz),
				 offsetof(Elf64_Phdr, p_filesz)),
	};
}

/* File offset of a virtual address; past the end of the file if no segment holds it. */
static uint64_t address_to_offset(const struct image *image, const struct segments *segments,
				  uint64_t address)
{
	for (unsigned i = 0; i < segments->count; i++) {
		uint64_t header = segments->table + (uint64_t)i * segments->entry_size;
		if (get_number(image, header, 4) != PT_LOAD)
			continue;
		uint64_t begin = get_word(image, header, offsetof(Elf32_Phdr, p_vaddr),
					  offsetof(Elf64_Phdr, p_vaddr));
		struct span_of_file part = segment_part(image, header);
		if (address >= begin && address - begin < part.size)
			return part.offset + (address - begin);
	}
	return UINT64_MAX;
}

static void read_dynamic(const struct image *image, const struct segments *segments,
			 struct span_of_file dynamic, struct elf_facts *facts)
{
	const uint64_t word = image->wide ? 8 : 4;
	uint64_t count = dynamic.size / (2 * word);
	struct span_of_file strings = {.offset = UINT64_MAX};

	if (count > DYNAMIC_MAX)
		count = DYNAMIC_MAX;
	/* The string table's place may come after the entries that refer to it. */
	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = dynamic.offset + i * 2 * word;
		uint64_t value = get_number(image, entry + word, (unsigned)word);
		if (get_number(image, entry, (unsigned)word) == DT_STRTAB)
			strings.offset = address_to_offset(image, segments, value);
		if (get_number(image, entry, (unsigned)word) == DT_STRSZ)
			strings.size = value;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = dynamic.offset + i * 2 * word;
		uint64_t tag = get_number(image, entry, (unsigned)word);
		if (tag == DT_NULL)
			break;
		if (tag != DT_NEEDED || facts->needed_count == ELF_NEEDED_MAX)
			continue;
		copy_text(image, strings, get_number(image, entry + word, (unsigned)word),
			  facts->needed[facts->needed_count], ELF_NEEDED_NAME);
		facts->needed_count++;
	}
}

static void read_segments(const struct image *image, struct elf_facts *facts)
{
	struct segments segments = find_segments(image);

	for (unsigned i = 0; i < segments.count; i++) {
		uint64_t header = segments.table + (uint64_t)i * segments.entry_size;
		struct span_of_file part = segment_part(image, header);

		switch (get_number(image, header, 4)) {
		case PT_INTERP:
			copy_text(image, part, 0, facts->interpreter, sizeof(facts->interpreter));
			break;
		case PT_DYNAMIC:
			if (facts->dynamic)
				break;
			facts->dynamic = true;
			read_dynamic(image, &segments, part, facts);
			break;
		default:
			break;
		}
	}
}

/* ---- sections ------------------------------------------------------------------------------- */

struct sections {
	uint64_t table;
	unsigned entry_size;
	unsigned count;
};

static struct span_of_file section_part(const struct image *image, const struct sections *sections,
					uint64_t index)
{
	uint64_t header = sections->table + index * sections->entry_size;

	if (index >= sections->count)
		return (struct span_of_file){.offset = UINT64_MAX};
	return (struct span_of_file){
		.offset = get_word(image, header, offsetof(Elf32_Shdr, sh_offset),
				   offsetof(Elf64_Shdr, sh_offset)),
		.size = get_word(image, header, offsetof(Elf32_Shdr, sh_size),
				 offsetof(Elf64_Shdr, sh_size)),
	};
}

/* 1 if the dynamic symbols include a function of liburing that is taken from elsewhere. */
static bool imports_io_uring(const struct image *image, struct span_of_file symbols,
			     struct span_of_file strings)
{
	const unsigned entry_size = image->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	const unsigned section_at =
		image->wide ? offsetof(Elf64_Sym, st_shndx) : offsetof(Elf32_Sym, st_shndx);
	uint64_t count = symbols.size / entry_size;
	char name[16];

	if (count > SYMBOLS_MAX)
		count = SYMBOLS_MAX;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = symbols.offset + i * entry_size;
		if (entry >= image->size)
			break;
		if (get_number(image, entry + section_at, 2) != SHN_UNDEF)
			continue;
		copy_text(image, strings, get_number(image, entry, 4), name, sizeof(name));
		if (strncmp(name, "io_uring_", 9) == 0)
			return true;
	}
	return false;
}

static void read_sections(const struct image *image, struct elf_facts *facts)
{
	const bool wide = image->wide;
	struct sections sections = {
		.table = get_word(image, 0, offsetof(Elf32_Ehdr, e_shoff),
				  offsetof(Elf64_Ehdr, e_shoff)),
		.entry_size = wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr),
	};
	sections.count = get_number(
		image, wide ? offsetof(Elf64_Ehdr, e_shnum) : offsetof(Elf32_Ehdr, e_shnum), 2);
	uint64_t names_index = get_number(
		image, wide ? offsetof(Elf64_Ehdr, e_shstrndx) : offsetof(Elf32_Ehdr, e_shstrndx),
		2);
	struct span_of_file names = section_part(image, &sections, names_index);

	if (sections.table == 0 || sections.table >= image->size || sections.count > HEADERS_MAX)
		return;
	for (unsigned i = 0; i < sections.count; i++) {
		uint64_t header = sections.table + (uint64_t)i * sections.entry_size;
		char name[32];

		copy_text(image, names, get_number(image, header, 4), name, sizeof(name));
		if (strcmp(name, ".note.go.buildid") == 0 || strcmp(name, ".gopclntab") == 0 ||
		    strcmp(name, ".go.buildinfo") == 0)
			facts->go = true;
		if (get_number(image, header + 4, 4) != SHT_DYNSYM)
			continue;
		uint64_t link = get_number(image,
					   header + (wide ? offsetof(Elf64_Shdr, sh_link)
							  : offsetof(Elf32_Shdr, sh_link)),
					   4);
		if (imports_io_uring(image, section_part(image, &sections, i),
				     section_part(image, &sections, link)))
			facts->io_uring = true;
	}
}

int elf_inspect(const void *bytes, size_t size, struct elf_facts *facts)
{
	const uint8_t *at = bytes;
	struct image image = {.at = at, .size = size};

	if (size < sizeof(Elf32_Ehdr) || memcmp(at, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (at[EI_CLASS] != ELFCLASS32 && at[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	if (at[EI_DATA] != ELFDATA2LSB && at[EI_DATA] != ELFDATA2MSB)
		return -ENOEXEC;
	image.wide = at[EI_CLASS] == ELFCLASS64;
	image.big = at[EI_DATA] == ELFDATA2MSB;
	if (image.wide && size < sizeof(Elf64_Ehdr))
		return -ENOEXEC;

	memset(facts, 0, sizeof(*facts));
	facts->bits = image.wide ? 64 : 32;
	facts->big_endian = image.big;
	facts->machine = get_number(&image, offsetof(Elf64_Ehdr, e_machine), 2);
	read_segments(&image, facts);
	read_sections(&image, facts);
	return 0;
}

int elf_read(const char *path, struct elf_facts *facts)
{
	struct stat status;
	int result;
	/* Not blocking: the name may be that of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		result = -errno;
		goto out;
	}
	result = -ENOEXEC;
	if (!S_ISREG(status.st_mode) || status.st_size < EI_NIDENT)
		goto out;
	void *bytes = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		result = -errno;
		goto out;
	}
	result = elf_inspect(bytes, status.st_size, facts);
	munmap(bytes, status.st_size);
out:
	close(fd);
	return result;
}

int elf_needs(const struct elf_facts *facts, const char *prefix)
{
	for (size_t i = 0; i < facts->needed_count; i++)
		if (strncmp(facts->needed[i], prefix, strlen(prefix)) == 0)
			return 1;
	return 0;
}
