/* pgwire_parts.h - what the files of PostgreSQL's parser have from each other. */
#ifndef TAGALONG_PGWIRE_PARTS_H
#define TAGALONG_PGWIRE_PARTS_H

#include "preload/pgwire.h"

/* Who is told. */
struct pgwire_ear {
	const struct wire_calls *calls;
	void *to;
};

uint32_t pgwire_number(const uint8_t *at); /* four bytes, the highest first */

/*
 * Start-up packets: the header, of eight bytes, says which it is; then the body in pieces; then its
 * end, also if it is empty.
 */
enum wire_result pgwire_start_open(struct pgwire *wire);
void pgwire_start_body(struct pgwire *wire, const char *at, size_t size);
enum wire_result pgwire_start_close(struct pgwire *wire, const struct pgwire_ear *ear);

/* The one byte that answers a request for encryption; 1 if it is that, else a message begins. */
int pgwire_answer(struct pgwire *wire, char byte, enum wire_result *result);

/* Messages of the server: the body in pieces, at least one byte each, then the end. */
void pgwire_reply_body(struct pgwire *wire, const char *at, size_t size);
enum wire_result pgwire_reply_close(struct pgwire *wire, const struct pgwire_ear *ear);

#endif
