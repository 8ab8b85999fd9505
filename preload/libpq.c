/* libpq.c - the functions of each copy of PostgreSQL's client library in the process. */
#include "preload/libpq.h"

#include <stdatomic.h>
#include <stddef.h>

#define COPIES 32

static const char *const names[] = {
	"PQdb",        "PQuser",    "PQhost",         "PQport",
	"PQsocket",    "PQstatus",  "PQresultStatus", "PQresultErrorField",
	"PQcmdTuples", "PQntuples", "PQcancel",       "PQpipelineStatus",
	"PQsslInUse",
};

#define NAMES  (sizeof(names) / sizeof(names[0]))
#define NEEDED (NAMES - 2) /* the last two are newer */

_Static_assert(sizeof(struct libpq) == NAMES * sizeof(void *), "a name for each function");

/* Entries are never changed nor freed: what is kept of a connection holds them. */
struct copy {
	uintptr_t base;
	union {
		struct libpq functions;
		void *found[NAMES];
	};
	uint32_t epoch; /* of the loader, see caller_forget: another copy may be at the same base */
	_Atomic uint32_t ready;
};

static struct copy copies[COPIES];
static _Atomic uint32_t copy_count;

static int fill(struct copy *copy, const struct caller *caller)
{
	for (size_t i = 0; i < NAMES; i++) {
		copy->found[i] = caller_sibling(caller, names[i]);
		if (!copy->found[i] && i < NEEDED)
			return 0;
	}
	return 1;
}

static const struct libpq *add(const struct caller *caller, uint32_t epoch)
{
	uint32_t index = atomic_fetch_add(&copy_count, 1);
	struct copy *copy = &copies[index % COPIES];

	if (index >= COPIES) {
		atomic_fetch_sub(&copy_count, 1);
		return NULL;
	}
	copy->base = caller->library;
	copy->epoch = epoch;
	if (!fill(copy, caller))
		return NULL;
	atomic_store_explicit(&copy->ready, 1, memory_order_release);
	return &copy->functions;
}

/* After an object was unloaded: whether a copy is still what it was. */
static int is_same(const struct copy *copy, const struct caller *caller)
{
	return caller_sibling(caller, "PQstatus") == (void *)copy->functions.status &&
	       caller_sibling(caller, "PQntuples") == (void *)copy->functions.ntuples;
}

const struct libpq *libpq_of(const struct caller *caller)
{
	uint32_t epoch = atomic_load_explicit(&caller->epoch, memory_order_relaxed);
	uint32_t count = atomic_load(&copy_count);

	for (uint32_t i = 0; i < count && i < COPIES; i++) {
		struct copy *copy = &copies[i];

		if (!atomic_load_explicit(&copy->ready, memory_order_acquire) ||
		    copy->base != caller->library)
			continue;
		if (copy->epoch == epoch)
			return &copy->functions;
		if (is_same(copy, caller)) {
			copy->epoch = epoch;
			return &copy->functions;
		}
	}
	return add(caller, epoch);
}

const struct libpq *libpq_any(void)
{
	uint32_t count = atomic_load(&copy_count);

	for (uint32_t i = 0; i < count && i < COPIES; i++)
		if (atomic_load_explicit(&copies[i].ready, memory_order_acquire))
			return &copies[i].functions;
	return NULL;
}
