/* wire_log.h - what a parser of wire.h told, as one line of text to compare. */
#ifndef TAGALONG_WIRE_LOG_H
#define TAGALONG_WIRE_LOG_H

#include <stddef.h>

#include "preload/wire.h"

/* A parser by wire.h, its state in whatever form. */
struct wire_parser {
	size_t size; /* of the state */
	int (*looks_like)(enum wire_way way, const char *at, size_t size);
	enum wire_result (*feed)(void *wire, enum wire_way way, const char *at, size_t size,
				 const struct wire_calls *calls, void *to);
};

/*
 * The calls in their order, separated by spaces: "begin", "raw(..)" and "text(..)" for texts, whose
 * pieces are joined, "execute", "prepare(name)", "run(name)", "close(name)", "namespace",
 * "session", "cancel" for requests, with "[operation]" and, if not answered, "!" behind them;
 * "flush", "flushed"; "reply" or "failed" with
 * "(code)", "=name", ":rows" and "+" for a partial one behind it; "login(database,user)",
 * "mariadb". Bytes that are not printable are \xNN. What has no room is left out.
 */
struct wire_log {
	size_t size;
	int in_text;
	char at[8192]; /* terminated */
};

extern const struct wire_calls wire_log_calls; /* `to` is a struct wire_log, zeroed before */

/* The end of the feeding: "TLS", "STOP" or "BAD"; nothing for WIRE_OK. */
void wire_log_result(struct wire_log *log, enum wire_result result);

#endif
