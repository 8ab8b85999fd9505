/* record.h - adding to the histograms and counts, from within the kernel. */
#ifndef TAGALONG_EBPF_RECORD_H
#define TAGALONG_EBPF_RECORD_H

#include "ebpf/maps.h"

static __always_inline void count_lost(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&lost, &reason);

	if (count)
		*count += 1;
}

/*
 * Bucket boundaries are powers of two of a second, so that they are those of an exponential
 * histogram at scale 0. 2^26 / 10^9 is 288230376 / 2^32, or 70368 / 2^20, a little less in both
 * cases: so a duration right on a boundary falls below it, as the upper bounds are inclusive.
 */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 units = ns < 1ull << 35 ? (ns * 288230376ull) >> 32 : (ns >> 20) * 70368ull;
	__u32 bucket = 0;

	if (units >= 1ull << (PROBE_BUCKETS - 1))
		return PROBE_BUCKETS - 1;
	if (units >= 1ull << 32) {
		units >>= 32;
		bucket += 32;
	}
	if (units >= 1u << 16) {
		units >>= 16;
		bucket += 16;
	}
	if (units >= 1u << 8) {
		units >>= 8;
		bucket += 8;
	}
	if (units >= 1u << 4) {
		units >>= 4;
		bucket += 4;
	}
	if (units >= 1u << 2) {
		units >>= 2;
		bucket += 2;
	}
	return bucket + (units >= 2);
}

static __always_inline struct latency *latency_entry(const struct latency_key *key)
{
	static const struct latency empty;
	struct latency *entry = bpf_map_lookup_elem(&latencies, key);

	if (entry)
		return entry;
	bpf_map_update_elem(&latencies, key, &empty, BPF_NOEXIST);
	entry = bpf_map_lookup_elem(&latencies, key);
	if (!entry)
		count_lost(LOST_LATENCIES);
	return entry;
}

static __always_inline void latency_add(const struct latency_key *key, __u64 ns)
{
	struct latency *entry = latency_entry(key);
	__u32 bucket = bucket_of(ns);

	if (!entry || bucket >= PROBE_BUCKETS)
		return;
	__sync_fetch_and_add(&entry->total_ns, ns);
	__sync_fetch_and_add(&entry->buckets[bucket], 1);
	if (ns > entry->max_ns)
		entry->max_ns = ns;
}

static __always_inline void count_add(const struct count_key *key)
{
	__u64 *count = bpf_map_lookup_elem(&counts, key), zero = 0;

	if (!count) {
		bpf_map_update_elem(&counts, key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&counts, key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		count_lost(LOST_COUNTS);
}

#endif
