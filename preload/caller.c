/* caller.c - functions of libraries that a process may hold several copies of, found by who calls.
 */
#include "preload/caller.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/old_dl.h"
#include "preload/sys.h"

#define PLACES 4096u /* power of two */
#define PROBES 8u

/* clang-format off */
static const char *const names[FOREIGN_COUNT] = {
#define BEFORE(...)
#define AFTER(...)
#define AROUND(...)
#define WAIT(...)
#define CUSTOM(...)
#define CALLER(library, type, absent, name, parameters, arguments, pass) [FOREIGN_##name] = #name,
#include "preload/hooks.def"
};

#undef CALLER
#define CALLER(library, type, absent, name, parameters, arguments, pass) type name parameters;
#include "preload/hooks.def"

static void *const ours[FOREIGN_COUNT] = {
#undef CALLER
#define CALLER(library, type, absent, name, parameters, arguments, pass) [FOREIGN_##name] = (void *)name,
#include "preload/hooks.def"
};
/* clang-format on */

/* What was found. Entries are never changed but for their epoch, nor freed: calls hold them. */
static _Atomic(struct caller *) table[PLACES];
static struct caller *places;
static _Atomic uint32_t place_count;
static _Atomic uint32_t epoch;

/* The symbol in the scope of an object that is loaded anyway; NULL: not there. */
static void *in_scope(const struct link_map *map, const char *name)
{
	void *handle = real_dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
	void *found;

	if (!handle)
		return NULL;
	found = old_dlsym(handle, name);
	real_dlclose(handle);
	return found;
}

/* The loader has turned some of these addresses absolute: not the versions' definitions. */
static const void *pointer(const struct link_map *map, ElfW(Addr) value)
{
	return (const void *)(value < map->l_addr ? map->l_addr + value : value);
}

/* The version that a symbol is defined with, NULL: none. */
static const char *version_of(const void *symbol)
{
	const ElfW(Sym) *entry = NULL, *symbols = NULL;
	const ElfW(Half) *versions = NULL;
	const ElfW(Verdef) *definition = NULL;
	const char *strings = NULL;
	struct link_map *map = NULL;
	Dl_info info;

	if (!old_dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry ||
	    !old_dladdr1(symbol, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return NULL;
	for (const ElfW(Dyn) *at = map->l_ld; at && at->d_tag != DT_NULL; at++) {
		if (at->d_tag == DT_SYMTAB)
			symbols = pointer(map, at->d_un.d_ptr);
		else if (at->d_tag == DT_STRTAB)
			strings = pointer(map, at->d_un.d_ptr);
		else if (at->d_tag == DT_VERSYM)
			versions = pointer(map, at->d_un.d_ptr);
		else if (at->d_tag == DT_VERDEF)
			definition = pointer(map, at->d_un.d_ptr);
	}
	if (!symbols || !strings || !versions || !definition)
		return NULL;
	for (ElfW(Half) wanted = versions[entry - symbols] & 0x7fff;;) {
		if (definition->vd_ndx == wanted)
			return strings + ((const ElfW(Verdaux) *)((const char *)definition +
								  definition->vd_aux))
						 ->vda_name;
		if (!definition->vd_next)
			return NULL;
		definition = (const void *)((const char *)definition + definition->vd_next);
	}
}

/* Whether the loader would take one for the other. */
static int is_same_version(const void *one, const void *other)
{
	const char *first = version_of(one);
	const char *second = version_of(other);

	return first && second ? strcmp(first, second) == 0 : first == second;
}

/*
 * As the loader binds: the global scope, behind us, goes before the caller's own, but for a
 * definition of another version than the caller's library has. Any object's serves a call that was
 * the last of its function: then the return address is that function's caller's, in another object
 * perhaps.
 */
static void *find_real(const struct link_map *map, const char *name, const void *own)
{
	void *found = hook_find(name);
	void *local = map && map->l_name[0] ? in_scope(map, name) : NULL;

	if (local && local != own && (!found || !is_same_version(found, local)))
		found = local;
	while (map && map->l_prev)
		map = map->l_prev;
	for (; map && (!found || found == own); map = map->l_next)
		if (map->l_name[0])
			found = in_scope(map, name);
	return found == own ? NULL : found;
}

/* Where the object that holds an address is loaded; 0: in none. */
static uintptr_t base_of(const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	if (!old_dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return 0;
	return map->l_addr;
}

static int resolve(enum foreign function, uintptr_t address, struct caller *to)
{
	struct link_map *map = NULL;
	Dl_info info;

	/* The call itself lies before the return address, which may be the next object's. */
	if (!old_dladdr1((const void *)(address - 1), &info, (void **)&map, RTLD_DL_LINKMAP))
		map = NULL;
	to->address = address;
	to->function = function;
	to->real = find_real(map, names[function], ours[function]);
	to->object = map ? map->l_name : "";
	to->base = map ? map->l_addr : 0;
	to->library = to->real ? base_of(to->real) : 0;
	return to->real ? 0 : -1;
}

static _Atomic(struct caller *) *slot_of(enum foreign function, uintptr_t address, unsigned probe)
{
	uint64_t hash = (address ^ (uint64_t)function << 48) * 0x9e3779b97f4a7c15ull;

	return &table[((hash >> 40) + probe) & (PLACES - 1)];
}

static struct caller *look_up(enum foreign function, uintptr_t address)
{
	for (unsigned probe = 0; probe < PROBES; probe++) {
		struct caller *at = atomic_load_explicit(slot_of(function, address, probe),
							 memory_order_acquire);

		if (!at || (at->address == address && at->function == function))
			return at;
	}
	return NULL;
}

/* A new entry, put where the probes find it first; NULL: the ceiling is reached. */
static struct caller *add(const struct caller *from)
{
	struct caller *to;
	uint32_t index;

	if (!places) {
		struct caller *fresh = sys_map(sizeof(*fresh) * PLACES);

		if (!__sync_bool_compare_and_swap(&places, NULL, fresh) && fresh)
			sys_unmap(fresh, sizeof(*fresh) * PLACES);
	}
	index = atomic_fetch_add(&place_count, 1);
	if (!places || index >= PLACES) {
		atomic_fetch_sub(&place_count, 1);
		return NULL;
	}
	to = &places[index];
	*to = *from;
	for (unsigned probe = 0; probe < PROBES; probe++) {
		_Atomic(struct caller *) *slot = slot_of(from->function, from->address, probe);
		struct caller *old = atomic_load_explicit(slot, memory_order_relaxed);

		if (probe + 1 < PROBES && old &&
		    (old->address != from->address || old->function != from->function))
			continue;
		atomic_store_explicit(slot, to, memory_order_release);
		break;
	}
	return to;
}

/* `known` is what was found before an object was unloaded, NULL: nothing. */
static __attribute__((noinline)) const struct caller *find_anew(enum foreign function,
								void *address, struct caller *known,
								uint32_t now)
{
	/* Beyond the ceiling: good until the thread's next such call. */
	static __thread struct caller spare;
	struct caller fresh;
	int error = errno;

	if (resolve(function, (uintptr_t)address, &fresh) == 0) {
		atomic_store_explicit(&fresh.epoch, now, memory_order_relaxed);
		if (known && known->real == fresh.real && known->object == fresh.object &&
		    known->base == fresh.base) {
			atomic_store_explicit(&known->epoch, now, memory_order_relaxed);
		} else {
			known = add(&fresh);
			if (!known) {
				spare = fresh;
				known = &spare;
			}
		}
	} else {
		known = NULL;
	}
	errno = error;
	return known;
}

const struct caller *caller_find(enum foreign function, void *address)
{
	uint32_t now = atomic_load_explicit(&epoch, memory_order_acquire);
	struct caller *known = look_up(function, (uintptr_t)address);

	if (known && atomic_load_explicit(&known->epoch, memory_order_relaxed) == now)
		return known;
	return find_anew(function, address, known, now);
}

void *caller_sibling(const struct caller *caller, const char *name)
{
	struct link_map *map = NULL;
	Dl_info info;
	int error = errno;
	void *found = NULL;

	if (old_dladdr1(caller->real, &info, (void **)&map, RTLD_DL_LINKMAP) && map &&
	    map->l_name[0])
		found = in_scope(map, name);
	errno = error;
	return found;
}

void caller_forget(void)
{
	atomic_fetch_add_explicit(&epoch, 1, memory_order_release);
}
