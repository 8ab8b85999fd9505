/* tail_policy.h - which traces are worth keeping, by what their spans tell. */
#ifndef TAGALONG_TAIL_POLICY_H
#define TAGALONG_TAIL_POLICY_H

/* Section `tail_sampling` of the settings file. One thread. */

#include <stdint.h>

#include "exporter/batch.h"
#include "exporter/config.h"

#define TAIL_POLICIES_MAX 16
#define TAIL_VALUES_MAX   32

enum tail_policy_kind {
	TAIL_ERRORS,
	TAIL_SLOWER_THAN,
	TAIL_SLOWER_THAN_P99,
	TAIL_RARE_ROUTE,
	TAIL_ATTRIBUTE,
	TAIL_RATE,
	TAIL_RATIO,
	TAIL_KINDS,
};

struct tail_policy {
	enum tail_policy_kind kind;
	uint64_t number; /* nanoseconds, traces a second, or a threshold */
	const char *key; /* of an attribute; borrowed of the section, as the values are */
	const char *values[TAIL_VALUES_MAX];
	unsigned value_count; /* 0: any value */
	double tokens;        /* of a rate */
	uint64_t filled_ns;
};

struct tail_policies {
	struct tail_policy at[TAIL_POLICIES_MAX];
	unsigned count; /* 0: no tail sampling */
	uint64_t decision_wait_ns, grace_ns;
	uint64_t memory;
	struct tail_routes *routes; /* the owner's; NULL: p99 and rare match nothing */
};

/* What is known of a trace when it is decided. */
struct tail_evidence {
	uint32_t matched;    /* policies that some span of it matched, as bits */
	uint64_t randomness; /* of sampling.h */
	int errors_only;
};

/* Reads the section, NULL: off; complains. Leaves `routes` alone. */
void tail_policies_read(const struct config_node *section, struct tail_policies *policies);

/* The policies that this span matches, as bits. */
uint32_t tail_policies_match(struct tail_policies *policies, const struct batch_span *span,
			     uint64_t now_ns);

/* The first policy that keeps the trace, or -1. */
int tail_policies_decide(struct tail_policies *policies, const struct tail_evidence *evidence,
			 uint64_t now_ns);

/* As it stands in the settings file: "slower_than". */
const char *tail_policy_name(enum tail_policy_kind kind);

#endif
