/* otlp_points.h - one point of a metric as OTLP has it. */
#ifndef TAGALONG_OTLP_POINTS_H
#define TAGALONG_OTLP_POINTS_H

#include <protobuf-c/protobuf-c.h>

#include "exporter/arena.h"
#include "exporter/metrics_collect.h"

/*
 * A NumberDataPoint, HistogramDataPoint or ExponentialHistogramDataPoint by what the point is,
 * copied into the arena. NULL: no memory.
 */
ProtobufCMessage *otlp_point(struct arena *arena, const struct metric_point *from);

#endif
