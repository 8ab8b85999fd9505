/* gnutls.h - what is asked of a copy of GnuTLS. */
#ifndef TAGALONG_GNUTLS_H
#define TAGALONG_GNUTLS_H

#include <sys/types.h>

#include "preload/tls_copy.h"

/* Versions 3.4 and later. */
extern const struct tls_kind gnutls_kind __attribute__((visibility("hidden")));

/* What a call that returned an error, or for a read 0, means. */
enum tls_outcome gnutls_outcome(const struct tls_session *session, long result);

/* 1: what was to be sent is kept by the library, and goes out with the next call. */
int gnutls_kept(ssize_t result);

#endif
