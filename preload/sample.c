/* sample.c - which traces are sampled, consistently along a trace, and the tracestate that says so.
 */
#include "preload/sample.h"

#include <string.h>

#define DIGITS    14u  /* of 56 bits */
#define PRECISION 4u   /* digits of a threshold behind its leading f's */
#define OT_MAX    256u /* of the entry's value */

/* With what was there, a threshold, and a separator. */
#define ENTRY_ROOM (3 + OT_MAX + 3 + DIGITS + 1)

/* The entry of OpenTelemetry in a tracestate, and what it says. */
struct entry {
	const char *at; /* "ot=...", NULL: none */
	size_t size;
	uint64_t threshold;  /* SAMPLE_NEVER: none */
	uint64_t randomness; /* SAMPLE_NEVER: none */
};

uint64_t sample_threshold(double ratio)
{
	uint64_t threshold;
	unsigned keep = PRECISION;
	unsigned cut;

	if (!(ratio > 0))
		return SAMPLE_NEVER;
	if (ratio >= 1)
		return 0;
	/* Not 1 - ratio: a double has no room for shares that small. */
	threshold = SAMPLE_NEVER - (uint64_t)(ratio * (double)SAMPLE_NEVER);
	for (unsigned i = DIGITS; i-- > 0 && (threshold >> (4 * i) & 15) == 15;)
		keep++;
	cut = keep < DIGITS ? 4 * (DIGITS - keep) : 0;
	return cut ? (threshold + (1ull << (cut - 1))) >> cut << cut : threshold;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to 14 digits, the rest of them zeros; SAMPLE_NEVER: there is something else. */
static uint64_t number_of(const char *at, size_t size)
{
	uint64_t number = 0;

	if (!size || size > DIGITS)
		return SAMPLE_NEVER;
	for (size_t i = 0; i < DIGITS; i++) {
		int digit = i < size ? hex_digit(at[i]) : 0;

		if (digit < 0)
			return SAMPLE_NEVER;
		number = number << 4 | (uint64_t)digit;
	}
	return number;
}

static const char *end_of(const char *at, const char *end, char separator)
{
	const char *found = at < end ? memchr(at, separator, (size_t)(end - at)) : NULL;

	return found ? found : end;
}

static int is_threshold(const char *at, const char *end)
{
	return end - at >= 3 && memcmp(at, "th:", 3) == 0;
}

static void read_entry(struct entry *entry)
{
	const char *end = entry->at + entry->size;

	for (const char *at = entry->at + 3; at < end;) {
		const char *stop = end_of(at, end, ';');
		size_t size = (size_t)(stop - at);

		if (is_threshold(at, stop))
			entry->threshold = number_of(at + 3, size - 3);
		else if (size == 3 + DIGITS && memcmp(at, "rv:", 3) == 0)
			entry->randomness = number_of(at + 3, DIGITS);
		at = stop + 1;
	}
}

static struct entry find_entry(struct sample_state state)
{
	struct entry entry = {NULL, 0, SAMPLE_NEVER, SAMPLE_NEVER};
	const char *end = state.at + *state.size;

	for (const char *at = state.at; at < end;) {
		const char *stop = end_of(at, end, ',');

		if (stop - at >= 3 && memcmp(at, "ot=", 3) == 0) {
			entry.at = at;
			entry.size = (size_t)(stop - at);
			read_entry(&entry);
			break;
		}
		at = stop + 1;
	}
	return entry;
}

static uint64_t randomness_of(const uint8_t trace_id[16], const struct entry *entry)
{
	uint64_t randomness = 0;

	if (entry->randomness != SAMPLE_NEVER)
		return entry->randomness;
	for (int i = 9; i < 16; i++)
		randomness = randomness << 8 | trace_id[i];
	return randomness;
}

/* "th:" and as few digits as there must be. */
static size_t write_threshold(char *to, uint64_t threshold)
{
	static const char hex[] = "0123456789abcdef";
	size_t size = 3;

	memcpy(to, "th:", 3);
	do {
		to[size++] = hex[threshold >> 52 & 15];
		threshold = threshold << 4 & (SAMPLE_NEVER - 1);
	} while (threshold);
	return size;
}

/*
 * The entry with that threshold, or, for SAMPLE_NEVER or where there is no room for one, without.
 * Its size; 0: nothing is left.
 */
static size_t make_entry(const struct entry *from, uint64_t threshold, char to[ENTRY_ROOM])
{
	const char *at = from->at ? from->at + 3 : "";
	const char *end = from->at ? from->at + from->size : at;
	size_t size = 3;

	memcpy(to, "ot=", 3);
	if (threshold != SAMPLE_NEVER)
		size += write_threshold(to + size, threshold);
	while (at < end) {
		const char *stop = end_of(at, end, ';');
		size_t part = (size_t)(stop - at);

		if (size + part + 1 > ENTRY_ROOM)
			return 0;
		if (part && !is_threshold(at, stop)) {
			if (size > 3)
				to[size++] = ';';
			memcpy(to + size, at, part);
			size += part;
		}
		at = stop + 1;
	}
	if (size > 3 + OT_MAX)
		return make_entry(from, SAMPLE_NEVER, to);
	return size > 3 ? size : 0;
}

static void remove_entry(struct sample_state state, const struct entry *entry)
{
	char *at = state.at + (entry->at - state.at);
	size_t size = entry->size;
	size_t behind = *state.size - (size_t)(at - state.at) - size;

	/* With the comma behind it, or else the one before. */
	if (behind) {
		size++;
		behind--;
	} else if (at > state.at) {
		at--;
		size++;
	}
	memmove(at, at + size, behind);
	*state.size = (uint16_t)(*state.size - size);
}

/* An entry that was changed goes to the front; what finds no room goes from the end. */
static void put_entry(struct sample_state state, const char *entry, size_t size)
{
	size_t others = *state.size;

	while (others && size + 1 + others > TRACESTATE_MAX) {
		do
			others--;
		while (others && state.at[others] != ',');
	}
	if (others) {
		memmove(state.at + size + 1, state.at, others);
		state.at[size] = ',';
		others++;
	}
	memcpy(state.at, entry, size);
	*state.size = (uint16_t)(size + others);
}

static void set_threshold(struct sample_state state, const struct entry *entry, uint64_t threshold)
{
	char made[ENTRY_ROOM];
	size_t size;

	if (entry->threshold == threshold)
		return;
	size = make_entry(entry, threshold, made);
	if (entry->at)
		remove_entry(state, entry);
	if (size)
		put_entry(state, made, size);
}

static int keeps(const struct live *live, const uint8_t trace_id[16], const struct entry *entry)
{
	if (live->sampler == SAMPLE_RATIO)
		return randomness_of(trace_id, entry) >= live->sample_threshold;
	return live->sampler != SAMPLE_OFF;
}

uint8_t sample_begin(const struct live *live, const uint8_t trace_id[16], struct sample_state state)
{
	struct entry entry = find_entry(state);
	int kept = keeps(live, trace_id, &entry);

	/* Who samples everything need not say so with each request. */
	set_threshold(state, &entry,
		      kept && live->sampler == SAMPLE_RATIO ? live->sample_threshold
							    : SAMPLE_NEVER);
	return kept ? TRACE_FLAG_SAMPLED : 0;
}

uint8_t sample_under(const struct live *live, const struct trace_parent *parent,
		     struct sample_state state)
{
	struct entry entry;

	if (!live->sample_by_parent)
		return (uint8_t)((parent->flags & TRACE_FLAG_RANDOM) |
				 sample_begin(live, parent->trace_id, state));
	entry = find_entry(state);
	if (entry.threshold != SAMPLE_NEVER &&
	    (randomness_of(parent->trace_id, &entry) >= entry.threshold) !=
		    ((parent->flags & TRACE_FLAG_SAMPLED) != 0))
		set_threshold(state, &entry, SAMPLE_NEVER);
	return parent->flags;
}
