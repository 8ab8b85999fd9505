/* exponential.h - base-2 exponential histograms of OpenTelemetry's data model. */
#ifndef TAGALONG_EXPONENTIAL_H
#define TAGALONG_EXPONENTIAL_H

/*
 * At scale s a value v > 0 is in bucket i if base^i < v <= base^(i+1) with base = 2^(2^-s). It
 * begins at the finest scale; when the values need more than EXPONENTIAL_BUCKETS, neighbours are
 * merged and the scale falls.
 */

#include <stdint.h>

#define EXPONENTIAL_BUCKETS   160
#define EXPONENTIAL_SCALE_MAX 20
#define EXPONENTIAL_EXEMPLARS 20

struct exponential {
	int32_t scale;
	int32_t offset; /* index of counts[0] */
	uint32_t size;  /* buckets in use */
	uint64_t zero_count;
	uint64_t counts[EXPONENTIAL_BUCKETS];
};

void exponential_init(struct exponential *histogram);

/* A value >= 0. */
void exponential_add(struct exponential *histogram, double value);

/* The index of a value > 0 at a scale. */
int32_t exponential_index(double value, int32_t scale);

/* Makes the scale `scale` if it is finer. */
void exponential_coarsen(struct exponential *histogram, int32_t scale);

/* Adds to the bucket of that index at the present scale, which may fall by it. */
void exponential_add_at(struct exponential *histogram, int32_t index, uint64_t count);

/*
 * Takes `earlier`, a former state of the same histogram, away from it. `earlier` is brought to its
 * scale.
 */
void exponential_subtract(struct exponential *histogram, struct exponential *earlier);

#endif
