/* deepbind.c - objects that were loaded with RTLD_DEEPBIND call libc past us; their calls are led
 * back. */
#include "preload/deepbind.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/hook.h"
#include "preload/sys.h"

#define PAGE 4096ul

#if defined(__x86_64__)
#define RELOCATION_SLOT R_X86_64_JUMP_SLOT
#define RELOCATION_DATA R_X86_64_GLOB_DAT
#else
#define RELOCATION_SLOT R_AARCH64_JUMP_SLOT
#define RELOCATION_DATA R_AARCH64_GLOB_DAT
#endif

/* clang-format off */

/* Names that the headers declare only for fortified callers. */
#define ROW(library, type, absent, name, parameters, arguments, pass) type name parameters;
#define BEFORE ROW
#define AFTER ROW
#define AROUND ROW
#define WAIT ROW
#define CUSTOM ROW
#define CALLER ROW
#include "preload/hooks.def"
#undef ROW

static const struct wrapper {
	const char *name;
	void *ours;
	int foreign; /* any library's, not libc's */
} wrappers[] = {
#define ROW(library, type, absent, name, parameters, arguments, pass) {#name, (void *)name, 0},
#undef CALLER
#define CALLER(library, type, absent, name, parameters, arguments, pass) {#name, (void *)name, 1},
#include "preload/hooks.def"
};

/* clang-format on */

/* What the dynamic section of an object says about its relocations. */
struct object {
	uintptr_t base;
	const char *strings;
	const ElfW(Sym) * symbols;
	const ElfW(Rela) * tables[2];
	size_t sizes[2]; /* bytes */
};

/* The loader has turned these addresses absolute, but not on every machine. */
static const void *pointer(const struct link_map *map, ElfW(Addr) value)
{
	return (const void *)(value < map->l_addr ? map->l_addr + value : value);
}

static int read_object(const struct link_map *map, struct object *object)
{
	memset(object, 0, sizeof(*object));
	object->base = map->l_addr;
	for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_STRTAB)
			object->strings = pointer(map, entry->d_un.d_ptr);
		else if (entry->d_tag == DT_SYMTAB)
			object->symbols = pointer(map, entry->d_un.d_ptr);
		else if (entry->d_tag == DT_JMPREL)
			object->tables[0] = pointer(map, entry->d_un.d_ptr);
		else if (entry->d_tag == DT_PLTRELSZ)
			object->sizes[0] = entry->d_un.d_val;
		else if (entry->d_tag == DT_RELA)
			object->tables[1] = pointer(map, entry->d_un.d_ptr);
		else if (entry->d_tag == DT_RELASZ)
			object->sizes[1] = entry->d_un.d_val;
	}
	return object->base && object->strings && object->symbols;
}

/* The extent of the object's read-only data after relocation; its header lies at its base. */
static void find_relro(const struct object *object, uintptr_t *begin, uintptr_t *end)
{
	const ElfW(Ehdr) *header = (const void *)object->base;
	const ElfW(Phdr) *part = (const void *)(object->base + header->e_phoff);

	*begin = *end = 0;
	for (int i = 0; i < header->e_phnum; i++) {
		if (part[i].p_type != PT_GNU_RELRO)
			continue;
		*begin = (object->base + part[i].p_vaddr) & ~(PAGE - 1);
		*end = object->base + part[i].p_vaddr + part[i].p_memsz;
	}
}

static const struct wrapper *find_wrapper(const char *name)
{
	for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		if (strcmp(name, wrappers[i].name) == 0)
			return &wrappers[i];
	return NULL;
}

/* Whether a slot leads to what we stand for. One that is not bound yet leads into the object's own
 * linkage table. */
static int is_real(const struct object *object, const struct wrapper *wrapper, uintptr_t value)
{
	const ElfW(Ehdr) *header = (const void *)object->base;
	const ElfW(Phdr) *part = (const void *)(object->base + header->e_phoff);

	if (wrapper->foreign)
		return value != 0;
	if (value == (uintptr_t)hook_find(wrapper->name))
		return 1;
	for (int i = 0; i < header->e_phnum; i++)
		if (part[i].p_type == PT_LOAD && value >= object->base + part[i].p_vaddr &&
		    value < object->base + part[i].p_vaddr + part[i].p_memsz)
			return 1;
	return 0;
}

static void set_slot(uintptr_t *slot, void *ours, uintptr_t relro, uintptr_t relro_end)
{
	int locked = (uintptr_t)slot >= relro && (uintptr_t)slot < relro_end;
	long page = (long)((uintptr_t)slot & ~(PAGE - 1));

	if (locked && sys_call3(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE))
		return;
	__atomic_store_n(slot, (uintptr_t)ours, __ATOMIC_RELEASE);
	if (locked)
		sys_call3(SYS_mprotect, page, PAGE, PROT_READ);
}

static void rebind_object(const struct object *object)
{
	uintptr_t relro;
	uintptr_t relro_end;

	find_relro(object, &relro, &relro_end);
	for (int table = 0; table < 2; table++) {
		size_t count = object->sizes[table] / sizeof(ElfW(Rela));

		for (size_t i = 0; object->tables[table] && i < count; i++) {
			const ElfW(Rela) *entry = &object->tables[table][i];
			unsigned type = ELF64_R_TYPE(entry->r_info);
			uintptr_t *slot = (uintptr_t *)(object->base + entry->r_offset);
			const ElfW(Sym) *symbol = &object->symbols[ELF64_R_SYM(entry->r_info)];
			const struct wrapper *wrapper;

			if (type != RELOCATION_SLOT && type != RELOCATION_DATA)
				continue;
			wrapper = find_wrapper(object->strings + symbol->st_name);
			if (wrapper && symbol->st_shndx == SHN_UNDEF &&
			    is_real(object, wrapper, *slot))
				set_slot(slot, wrapper->ours, relro, relro_end);
		}
	}
}

void deepbind_rebind(void *handle)
{
	struct object object;

	/* glibc's handle is the object's entry in the loader's list, newest last. */
	for (const struct link_map *map = handle; map; map = map->l_next)
		if (read_object(map, &object))
			rebind_object(&object);
}
