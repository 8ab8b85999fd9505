/* secret.h - what is a secret by its looks, wherever it stands: tokens, keys, cards, addresses. */
#ifndef TAGALONG_SECRET_H
#define TAGALONG_SECRET_H

/*
 * Replaced by MASK_TEXT before a text enters the shared memory: JWTs, AWS access key IDs, tokens of
 * well-known services by their prefixes, what follows "Bearer ", private keys in PEM, e-mail
 * addresses, numbers of payment cards (Luhn, ranges, lengths), credentials in URLs, and session IDs
 * in path parameters (";jsessionid="). Pure, any thread, async-signal-safe. Texts are any bytes.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/segment.h"

struct secret {
	size_t begin, end; /* of what is to be masked */
	enum redaction rule;
};

/* Where a text stands decides what is looked for. */
enum secret_place {
	SECRET_IN_TEXT,
	SECRET_IN_PATH,  /* also path parameters */
	SECRET_IN_VALUE, /* of a header: also "Basic " at its begin, and no look for the quick way
			    out */
};

/*
 * 0 if there is certainly none. For most texts the answer takes some twenty instructions for each
 * sixteen bytes.
 */
int secret_suspected(const char *at, size_t size, enum secret_place place);

/* The first secret that begins at `from` or later; 0: none. */
int secret_find(const char *at, size_t size, size_t from, enum secret_place place,
		struct secret *found);

/*
 * Copies a text with its secrets masked, at most `room` bytes; a secret is found also where only
 * its begin would have been copied. Returns the bytes written, sets *cut to 1 if not all fit, and
 * adds to counts[], by enum redaction.
 */
size_t secret_copy(const char *at, size_t size, enum secret_place place, char *out, size_t room,
		   int *cut, uint8_t counts[REDACTIONS]);

/* Whether the whole value of a header is one, by its name in any case. */
int secret_header(const char *name, size_t size);

#endif
