/* tls_copy.c - the copies of TLS libraries that the process has, and their functions that we ask.
 */
#include "preload/tls_copy.h"

#include <stdatomic.h>
#include <string.h>

#define COPIES 16
#define PLACES 128

static struct tls_copy copies[COPIES];
static _Atomic uint32_t copy_count;

/* What was found for a real function. */
static struct {
	_Atomic(void *) real; /* NULL: empty; stored last */
	uint32_t epoch;
	const struct tls_copy *copy;
} places[PLACES];
static _Atomic uint32_t place_count;

static int resolve(const struct tls_kind *kind, const struct caller *caller, struct tls_copy *to)
{
	memset(to, 0, sizeof(*to));
	to->library = kind->library;
	for (size_t i = 0; i < kind->count; i++) {
		to->functions[i] = caller_sibling(caller, kind->names[i]);
		if (!to->functions[i] && i < kind->needed)
			return -1;
	}
	return 0;
}

/* The same functions are the same copy; two threads may add it twice, which does no harm. */
static const struct tls_copy *add_copy(const struct tls_copy *from)
{
	uint32_t count = atomic_load(&copy_count);

	for (uint32_t i = 0; i < count && i < COPIES; i++)
		if (memcmp(copies[i].functions, from->functions, sizeof(from->functions)) == 0)
			return &copies[i];
	count = atomic_fetch_add(&copy_count, 1);
	if (count >= COPIES) {
		atomic_store(&copy_count, COPIES);
		return NULL;
	}
	copies[count] = *from;
	return &copies[count];
}

static const struct tls_copy *known(const struct caller *caller, uint32_t epoch)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (atomic_load_explicit(&places[i].real, memory_order_acquire) == caller->real &&
		    places[i].epoch == epoch)
			return places[i].copy;
	return NULL;
}

static void remember(const struct caller *caller, uint32_t epoch, const struct tls_copy *copy)
{
	uint32_t at = atomic_fetch_add(&place_count, 1);

	if (at >= PLACES) {
		atomic_store(&place_count, PLACES);
		return;
	}
	places[at].copy = copy;
	places[at].epoch = epoch;
	atomic_store_explicit(&places[at].real, caller->real, memory_order_release);
}

const struct tls_library *tls_copy_of(const struct tls_kind *kind, const struct caller *caller)
{
	uint32_t epoch = atomic_load_explicit(&caller->epoch, memory_order_relaxed);
	const struct tls_copy *copy = known(caller, epoch);
	struct tls_copy fresh;

	if (!copy && resolve(kind, caller, &fresh) == 0) {
		copy = add_copy(&fresh);
		if (copy)
			remember(caller, epoch, copy);
	}
	return copy ? &copy->library : NULL;
}
