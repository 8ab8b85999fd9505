/* otlp_json.h - OTLP's protobuf as OTLP's JSON. */
#ifndef TAGALONG_OTLP_JSON_H
#define TAGALONG_OTLP_JSON_H

/*
 * opentelemetry-proto's JSON mapping: lowerCamelCase, trace and span ids as hexadecimal text, enums
 * as integers, 64-bit integers as text, other bytes as base64. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/json.h"
#include "exporter/payload.h"

/*
 * Adds an Export*ServiceRequest to the text as one object, without line breaks; requests that were
 * joined are one. What the descriptors don't know is left out. 0, -EINVAL: no protobuf, -ENOMEM.
 */
int otlp_json(struct json *json, enum signal signal, const uint8_t *bytes, size_t size);

#endif
