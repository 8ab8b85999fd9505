/* address.h - addresses of spans in text, and authorities taken apart. */
#ifndef TAGALONG_ADDRESS_H
#define TAGALONG_ADDRESS_H

#include "exporter/arena.h"
#include "exporter/text.h"
#include "preload/segment.h"

/* An IP address in text (an IPv4 address that is mapped into IPv6 as IPv4); absent if it is none.
 */
struct text address_text(struct arena *arena, const struct span_address *address);

struct authority {
	struct text host; /* without brackets and credentials; borrowed, or absent */
	uint32_t port;    /* 0: none given */
};

/*
 * Takes "user@host:port", "[::1]:80" or "host" apart (RFC 3986, 3.2). An empty or impossible port
 * counts as none.
 */
struct authority authority_parse(struct text text);

#endif
