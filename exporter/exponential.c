/* exponential.c - base-2 exponential histograms of OpenTelemetry's data model. */
#include "exponential.h"

#include <math.h>
#include <string.h>

void exponential_init(struct exponential *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
	histogram->scale = EXPONENTIAL_SCALE_MAX;
}

int32_t exponential_index(double value, int32_t scale)
{
	int exponent;
	double mantissa = frexp(value, &exponent);
	int32_t within, octave = exponent - 1;

	/* A power of two is the upper bound of the bucket below it. */
	if (mantissa == 0.5)
		octave--;
	if (scale <= 0)
		return octave >> -scale;
	if (mantissa == 0.5)
		return (int32_t)(((int64_t)exponent - 1) * (1 << scale) - 1);
	within = (int32_t)floor(log2(mantissa) * (1 << scale));
	if (within > -1)
		within = -1;
	return (int32_t)((int64_t)exponent * (1 << scale) + within);
}

static void halve(struct exponential *histogram, int32_t steps)
{
	int32_t offset = histogram->offset >> steps;
	uint32_t size = 0;

	for (uint32_t i = 0; i < histogram->size; i++) {
		uint64_t count = histogram->counts[i];
		uint32_t to = (uint32_t)(((histogram->offset + (int32_t)i) >> steps) - offset);

		histogram->counts[i] = 0;
		histogram->counts[to] += count;
		size = to + 1;
	}
	histogram->scale -= steps;
	histogram->offset = offset;
	histogram->size = size;
}

void exponential_coarsen(struct exponential *histogram, int32_t scale)
{
	if (histogram->scale > scale)
		halve(histogram, histogram->scale - scale);
}

/* Makes room for an index, at a coarser scale if need be. Returns the index at that scale. */
static int32_t make_room(struct exponential *histogram, int32_t index)
{
	int64_t low = histogram->offset, high = low + histogram->size - 1;
	int32_t steps = 0;

	low = index < low ? index : low;
	high = index > high ? index : high;
	for (; high - low >= EXPONENTIAL_BUCKETS; steps++) {
		low >>= 1;
		high >>= 1;
	}
	if (steps)
		halve(histogram, steps);
	return index >> steps;
}

void exponential_add_at(struct exponential *histogram, int32_t index, uint64_t count)
{
	uint64_t *counts = histogram->counts;
	uint32_t at;

	if (histogram->size == 0)
		histogram->offset = index;
	if (index < histogram->offset ||
	    (int64_t)index - histogram->offset >= (int64_t)histogram->size)
		index = make_room(histogram, index);
	if (index < histogram->offset) {
		uint32_t shift = (uint32_t)(histogram->offset - index);

		memmove(counts + shift, counts, histogram->size * sizeof(*counts));
		memset(counts, 0, shift * sizeof(*counts));
		histogram->offset = index;
		histogram->size += shift;
	}
	at = (uint32_t)(index - histogram->offset);
	/* Counts beyond the size are 0. */
	if (at >= histogram->size)
		histogram->size = at + 1;
	counts[at] += count;
}

void exponential_add(struct exponential *histogram, double value)
{
	if (value > 0)
		exponential_add_at(histogram, exponential_index(value, histogram->scale), 1);
	else
		histogram->zero_count++;
}

void exponential_subtract(struct exponential *histogram, struct exponential *earlier)
{
	exponential_coarsen(earlier, histogram->scale);
	histogram->zero_count -= earlier->zero_count;
	for (uint32_t i = 0; i < earlier->size; i++)
		histogram->counts[earlier->offset - histogram->offset + (int32_t)i] -=
			earlier->counts[i];
}
