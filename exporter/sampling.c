/* sampling.c - thresholds of consistent probability sampling, and the tracestate that carries them.
 */
#include "exporter/sampling.h"

#include <string.h>

#define DIGITS    14 /* of 56 bits */
#define PRECISION 4  /* digits of a threshold behind its leading f's */
#define OT_MAX    256
#define STATE_MAX 512

/* Where the entry of OpenTelemetry stands in a tracestate. */
struct entry {
	const char *begin, *value, *end;
};

const char *const sampling_names[] = {"always_on",
				      "always_off",
				      "traceidratio",
				      "parentbased_always_on",
				      "parentbased_always_off",
				      "parentbased_traceidratio",
				      NULL};

static unsigned leading_f(uint64_t threshold)
{
	unsigned count = 0;

	while (count < DIGITS && (threshold >> (4 * (DIGITS - 1 - count)) & 15) == 15)
		count++;
	return count;
}

uint64_t sampling_threshold(double ratio)
{
	uint64_t threshold;
	unsigned cut;

	if (!(ratio > 0))
		return SAMPLING_NEVER;
	if (ratio >= 1)
		return SAMPLING_ALWAYS;
	/* Not 1 - ratio: a double has no room for shares that small. */
	threshold = SAMPLING_NEVER - (uint64_t)(ratio * (double)SAMPLING_NEVER);
	cut = leading_f(threshold) + PRECISION;
	cut = cut < DIGITS ? 4 * (DIGITS - cut) : 0;
	return cut ? (threshold + (1ull << (cut - 1))) >> cut << cut : threshold;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 0, or -1: there is none. */
static int find_entry(const char *state, struct entry *entry)
{
	for (const char *at = state; at && *at; at += *at == ',') {
		const char *end = at + strcspn(at, ",");

		if (strncmp(at, "ot=", 3) == 0) {
			*entry = (struct entry){at, at + 3, end};
			return 0;
		}
		at = end;
	}
	return -1;
}

/* Digits of a member "kk:" of the entry: their number, 0: not there, or no such digits. */
static unsigned find_digits(const struct entry *entry, const char *key, const char **digits)
{
	const char *at = entry->value;

	while (at < entry->end) {
		const char *end = memchr(at, ';', (size_t)(entry->end - at));
		const char *stop = end ? end : entry->end;

		if (stop - at > 3 && memcmp(at, key, 3) == 0) {
			for (const char *c = at + 3; c < stop; c++)
				if (hex_digit(*c) < 0)
					return 0;
			*digits = at + 3;
			return (unsigned)(stop - at - 3);
		}
		at = stop + 1;
	}
	return 0;
}

/* As the first of 14 digits. */
static uint64_t number_of(const char *digits, unsigned count)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < DIGITS; i++)
		number = number << 4 | (i < count ? (uint64_t)hex_digit(digits[i]) : 0);
	return number;
}

uint64_t sampling_randomness(const uint8_t trace_id[16], const char *state)
{
	struct entry entry;
	const char *digits;
	uint64_t number = 0;

	if (find_entry(state, &entry) == 0 && find_digits(&entry, "rv:", &digits) == DIGITS)
		return number_of(digits, DIGITS);
	for (int i = 9; i < 16; i++)
		number = number << 8 | trace_id[i];
	return number;
}

uint64_t sampling_threshold_of(const char *state)
{
	struct entry entry;
	const char *digits;
	unsigned count;

	if (find_entry(state, &entry) != 0)
		return SAMPLING_NEVER;
	count = find_digits(&entry, "th:", &digits);
	return count && count <= DIGITS ? number_of(digits, count) : SAMPLING_NEVER;
}

/* "th:" and as few digits as there must be. */
static size_t write_threshold(char *to, uint64_t threshold)
{
	static const char hex[] = "0123456789abcdef";
	size_t size = 3;

	memcpy(to, "th:", 3);
	do {
		to[size++] = hex[threshold >> 52 & 15];
		threshold = threshold << 4 & (SAMPLING_NEVER - 1);
	} while (threshold);
	return size;
}

/* The other members of the entry follow the new one. */
static size_t write_others(char *to, const struct entry *entry)
{
	const char *at = entry->value;
	size_t size = 0;

	while (at < entry->end) {
		const char *end = memchr(at, ';', (size_t)(entry->end - at));
		const char *stop = end ? end : entry->end;

		if (stop > at && !(stop - at >= 3 && memcmp(at, "th:", 3) == 0)) {
			to[size++] = ';';
			memcpy(to + size, at, (size_t)(stop - at));
			size += (size_t)(stop - at);
		}
		at = stop + 1;
	}
	return size;
}

/* The entry goes to the front: it was changed. */
const char *sampling_set_threshold(struct arena *arena, const char *state, uint64_t threshold)
{
	struct entry entry = {NULL, NULL, NULL};
	size_t state_size = state ? strlen(state) : 0;
	char *text, *to;

	if (state_size > STATE_MAX)
		return NULL;
	text = to = arena_bytes(arena, state_size + DIGITS + 16);
	if (!text)
		return NULL;
	to = mempcpy(to, "ot=", 3);
	to += write_threshold(to, threshold);
	if (find_entry(state, &entry) == 0)
		to += write_others(to, &entry);
	if (to - text - 3 > OT_MAX)
		return NULL;
	for (const char *at = state ? state : ""; *at;) {
		size_t size = strcspn(at, ",");

		if (at != entry.begin && size) {
			*to++ = ',';
			to = mempcpy(to, at, size);
		}
		at += size + (at[size] == ',');
	}
	*to = '\0';
	arena_cut(arena, to + 1);
	return text;
}
