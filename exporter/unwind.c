/* unwind.c - the stack of a thread that waits in a call, walked from outside. */
#include "unwind.h"

#include <errno.h>

#if defined(__x86_64__)

#include <elf.h>
#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/mapped.h"
#include "exporter/maps.h"
#include "exporter/memory.h"

#define READS_MAX   400000
#define PREADS_MAX  100000 /* each is a system call */
#define HEADERS_MAX 64

/* libunwind exports this for unwinders of other processes, and declares it in no header. */
#define search_unwind_table _Ux86_64_dwarf_search_unwind_table
int search_unwind_table(unw_addr_space_t space, unw_word_t address, unw_dyn_info_t *table,
			unw_proc_info_t *info, int need_unwind_info, void *argument);

/* One walk. */
struct walk {
	const uint64_t *registers;
	const struct unwind_copy *copy;  /* NULL: the stack is the process's */
	uint64_t stack_start, stack_end; /* with a copy: what is there now is not meant */
	struct maps maps;
	struct memory *memory; /* NULL: it may not be read, the files serve */
	struct mapped files;
	int lost; /* the present frame has no unwind table: the next is a guess by rbp */
};

/* Where an object is and what it has there. */
struct image {
	uint64_t bias;   /* what the loader added to the addresses that were linked */
	uint64_t tables; /* .eh_frame_hdr, 0: none */
};

static int read_memory(struct walk *walk, uint64_t address, void *to, size_t size)
{
	const struct unwind_copy *copy = walk->copy;

	if (copy && address >= copy->base && size <= copy->size &&
	    address - copy->base <= copy->size - size) {
		memcpy(to, (const uint8_t *)copy->bytes + (address - copy->base), size);
		return 0;
	}
	if (address + size > walk->stack_start && address < walk->stack_end)
		return -EFAULT;
	if (!walk->memory)
		return mapped_read(&walk->files, address, to, size);
	return memory_read(walk->memory, address, to, size);
}

/* ---- unwind tables -------------------------------------------------------------------------- */

static int read_image(struct walk *walk, const struct map *map, struct image *image)
{
	const struct map *first = maps_first(&walk->maps, map);
	Elf64_Phdr headers[HEADERS_MAX];
	Elf64_Ehdr head;
	int loaded = 0;

	if (!first || read_memory(walk, first->start, &head, sizeof(head)) != 0 ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_phentsize != sizeof(headers[0]) || head.e_phnum > HEADERS_MAX ||
	    read_memory(walk, first->start + head.e_phoff, headers,
			head.e_phnum * sizeof(headers[0])) != 0)
		return 0;
	memset(image, 0, sizeof(*image));
	for (int i = 0; i < head.e_phnum; i++) {
		if (headers[i].p_type == PT_LOAD && !loaded) {
			image->bias = first->start - (headers[i].p_vaddr - headers[i].p_offset);
			loaded = 1;
		}
		if (headers[i].p_type == PT_GNU_EH_FRAME)
			image->tables = headers[i].p_vaddr;
	}
	if (image->tables)
		image->tables += image->bias;
	return loaded;
}

/* The sorted table behind .eh_frame_hdr, in the one encoding that linkers write. */
static int find_table(struct walk *walk, const struct map *map, unw_dyn_info_t *table)
{
	struct {
		uint8_t version, frame_encoding, count_encoding, table_encoding;
		uint32_t frame, count;
	} head;
	struct image image;

	if (!read_image(walk, map, &image) || !image.tables ||
	    read_memory(walk, image.tables, &head, sizeof(head)) != 0 || head.version != 1 ||
	    head.frame_encoding != 0x1b || head.count_encoding != 0x03 ||
	    head.table_encoding != 0x3b)
		return 0;
	memset(table, 0, sizeof(*table));
	table->format = UNW_INFO_FORMAT_REMOTE_TABLE;
	table->start_ip = map->start;
	table->end_ip = map->end;
	table->u.rti.segbase = image.tables;
	table->u.rti.table_data = image.tables + sizeof(head);
	table->u.rti.table_len = head.count;
	return 1;
}

/* ---- what libunwind asks -------------------------------------------------------------------- */

static int find_proc_info(unw_addr_space_t space, unw_word_t address, unw_proc_info_t *info,
			  int need_unwind_info, void *argument)
{
	struct walk *walk = argument;
	const struct map *map = maps_find(&walk->maps, address);
	unw_dyn_info_t table;
	int result = -UNW_ENOINFO;

	if (map && map->executable && find_table(walk, map, &table))
		result = search_unwind_table(space, address, &table, info, need_unwind_info,
					     argument);
	walk->lost = result != 0;
	return result;
}

/* libunwind frees what it allocated itself. */
static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *argument)
{
	(void)space;
	(void)info;
	(void)argument;
}

static int get_dynamic_list(unw_addr_space_t space, unw_word_t *address, void *argument)
{
	(void)space;
	(void)address;
	(void)argument;
	return -UNW_ENOINFO;
}

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
			 void *argument)
{
	struct walk *walk = argument;

	(void)space;
	if (write || read_memory(walk, address, value, sizeof(*value)) != 0)
		return -UNW_EINVAL;
	return 0;
}

static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value,
			   int write, void *argument)
{
	static const unw_regnum_t noted[8] = {UNW_X86_64_RIP, UNW_X86_64_RSP, UNW_X86_64_RBP,
					      UNW_X86_64_RBX, UNW_X86_64_R12, UNW_X86_64_R13,
					      UNW_X86_64_R14, UNW_X86_64_R15};
	const struct walk *walk = argument;

	(void)space;
	for (int i = 0; i < 8 && !write; i++) {
		if (noted[i] != number)
			continue;
		*value = walk->registers[i];
		return 0;
	}
	return -UNW_EBADREG;
}

static int access_float(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
			void *argument)
{
	(void)space;
	(void)number;
	(void)value;
	(void)write;
	(void)argument;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
	(void)space;
	(void)cursor;
	(void)argument;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t address, char *name, size_t room,
			 unw_word_t *offset, void *argument)
{
	(void)space;
	(void)address;
	(void)name;
	(void)room;
	(void)offset;
	(void)argument;
	return -UNW_ENOINFO;
}

/* ---- the walk ------------------------------------------------------------------------------- */

/* Whether a call instruction ends at the address: E8 with 4 bytes, or FF /2 in 2 to 7 bytes. */
static int follows_call(struct walk *walk, uint64_t address)
{
	uint8_t code[8];

	if (read_memory(walk, address - sizeof(code), code, sizeof(code)) != 0)
		return 0;
	if (code[3] == 0xe8)
		return 1;
	for (int i = 1; i <= 6; i++)
		if (code[i] == 0xff && (code[i + 1] & 0x38) == 0x10)
			return 1;
	return 0;
}

static void fill_frame(struct walk *walk, const struct map *map, uint64_t address,
		       struct unwind_frame *frame)
{
	struct image image;

	memset(frame, 0, sizeof(*frame));
	frame->address = address;
	if (!map->path[0] || !read_image(walk, map, &image))
		return;
	strncat(frame->object, map->path, sizeof(frame->object) - 1);
	frame->address -= image.bias;
}

/*
 * Each frame must be code that is mapped, and further up than the one before, but for a signal
 * handler's, which may have a stack of its own. Where unwind tables
 * are missing (generated code), libunwind goes by rbp, which need not be a frame pointer: a guess
 * counts only if a call stands before it.
 */
static size_t take_frames(struct walk *walk, unw_cursor_t *cursor, struct unwind_frame *frames,
			  size_t room)
{
	unw_word_t address, stack, stack_before = 0;
	int exact = 1, guessed = 0;
	size_t count = 0;

	while (count < room && unw_get_reg(cursor, UNW_REG_IP, &address) == 0 &&
	       unw_get_reg(cursor, UNW_REG_SP, &stack) == 0) {
		const struct map *map = maps_find(&walk->maps, address);
		int interrupted;

		if (!map || !map->executable || (stack <= stack_before && !exact) ||
		    (guessed && !follows_call(walk, address)))
			break;
		interrupted = unw_is_signal_frame(cursor) > 0;
		fill_frame(walk, map, exact || interrupted ? address : address - 1,
			   &frames[count++]);
		walk->lost = 0;
		if (unw_step(cursor) <= 0)
			break;
		guessed = walk->lost;
		exact = interrupted;
		stack_before = stack;
	}
	return count;
}

/* One for all processes: it holds nothing of theirs, for it caches nothing. */
static unw_addr_space_t get_space(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dynamic_list,
		.access_mem = access_memory,
		.access_reg = access_register,
		.access_fpreg = access_float,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};
	static unw_addr_space_t space;

	if (!space) {
		space = unw_create_addr_space(&accessors, 0);
		if (space)
			unw_set_caching_policy(space, UNW_CACHE_NONE);
	}
	return space;
}

static int walk_all(struct walk *walk, struct unwind_frame *frames, size_t room)
{
	unw_addr_space_t space = get_space();
	unw_cursor_t cursor;

	if (!space)
		return -ENOMEM;
	if (unw_init_remote(&cursor, space, walk) != 0)
		return 0;
	return (int)take_frames(walk, &cursor, frames, room);
}

int unwind_process(uint32_t pid, const uint64_t registers[8], struct unwind_frame *frames,
		   size_t room)
{
	struct walk walk = {.registers = registers};
	uint64_t top;
	int result;

	walk.memory = memory_new(pid, READS_MAX);
	if (!walk.memory)
		return -ENOMEM;
	/* Whether it may be read at all is known before the long list is. */
	result = memory_read(walk.memory, registers[1], &top, sizeof(top));
	if (result == 0)
		result = maps_read(&walk.maps, pid);
	if (result == 0)
		result = walk_all(&walk, frames, room);
	maps_free(&walk.maps);
	memory_free(walk.memory);
	return result;
}

int unwind_locate(uint32_t pid, const uint64_t *addresses, size_t count,
		  struct unwind_frame *frames)
{
	struct walk walk = {.memory = memory_new(pid, READS_MAX)};
	int result = walk.memory ? maps_read(&walk.maps, pid) : -ENOMEM;

	for (size_t i = 0; i < count && result >= 0; i++) {
		const struct map *map = maps_find(&walk.maps, addresses[i]);
		if (!map || !map->executable)
			break;
		fill_frame(&walk, map, addresses[i] - (i > 0), &frames[result++]);
	}
	maps_free(&walk.maps);
	memory_free(walk.memory);
	return result;
}

/* The memory, if it may be read. */
static int try_memory(struct walk *walk, uint32_t pid)
{
	uint64_t code;
	int result;

	walk->memory = memory_new(pid, READS_MAX);
	if (!walk->memory)
		return -ENOMEM;
	result = memory_read(walk->memory, walk->registers[0], &code, sizeof(code));
	if (result != -EPERM)
		return result;
	memory_free(walk->memory);
	walk->memory = NULL;
	return 0;
}

int unwind_copy(uint32_t pid, const uint64_t registers[8], const struct unwind_copy *copy,
		struct unwind_frame *frames, size_t room)
{
	struct walk walk = {.registers = registers, .copy = copy};
	const struct map *map;
	int result = try_memory(&walk, pid);

	if (result == 0)
		result = maps_read(&walk.maps, pid);
	if (result == 0) {
		map = maps_find(&walk.maps, copy->base);
		walk.stack_start = map ? map->start : 0;
		walk.stack_end = map ? map->end : 0;
		mapped_init(&walk.files, pid, &walk.maps, PREADS_MAX);
		result = walk_all(&walk, frames, room);
		mapped_fini(&walk.files);
	}
	maps_free(&walk.maps);
	memory_free(walk.memory);
	return result;
}

#else

int unwind_process(uint32_t pid, const uint64_t registers[8], struct unwind_frame *frames,
		   size_t room)
{
	(void)pid;
	(void)registers;
	(void)frames;
	(void)room;
	return -ENOSYS;
}

int unwind_locate(uint32_t pid, const uint64_t *addresses, size_t count,
		  struct unwind_frame *frames)
{
	(void)pid;
	(void)addresses;
	(void)count;
	(void)frames;
	return -ENOSYS;
}

int unwind_copy(uint32_t pid, const uint64_t registers[8], const struct unwind_copy *copy,
		struct unwind_frame *frames, size_t room)
{
	(void)copy;
	return unwind_process(pid, registers, frames, room);
}

#endif
