/* enrich_work.h - a span while enrich.c makes it of a record; private to the enrich_* files. */
#ifndef TAGALONG_ENRICH_WORK_H
#define TAGALONG_ENRICH_WORK_H

#include "exporter/enrich.h"

#define ENRICH_ABSENT ((struct text){NULL, 0})

/* What several attributes of one span are made of. */
struct enrich_work {
	const struct settings *settings;
	const struct record *record;
	const struct span *from;
	struct batch_span *to;
	struct attribute_list list;
	struct text peer; /* address, absent if none */
	struct text scheme;
	uint8_t known_method;
};

static inline struct text enrich_field(const struct enrich_work *work, enum span_field id)
{
	return work->record->field[id];
}

struct text enrich_constant(const char *string);

/* A terminated copy: parts of other texts are not terminated, which the encoder needs. */
struct text enrich_copied(struct enrich_work *work, struct text text);

/* Adds network.peer.* and network.transport. */
void enrich_peer(struct enrich_work *work);

/* Makes the span an error of this type. */
void enrich_fail(struct enrich_work *work, const char *error_type);

/* What a database was asked, and a TLS handshake that failed: name, attributes, outcome. */
void enrich_db(struct enrich_work *work, const struct enrich_ending *ending);
void enrich_handshake(struct enrich_work *work, const struct enrich_ending *ending);

/* Adds tls.* of a span that came over TLS. */
void enrich_encryption(struct enrich_work *work);

#endif
