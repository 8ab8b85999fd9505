/* openssl.h - what is asked of a copy of OpenSSL. */
#ifndef TAGALONG_OPENSSL_H
#define TAGALONG_OPENSSL_H

#include "preload/tls_copy.h"

/* Versions 1.1 and 3, and what is built like them. */
extern const struct tls_kind openssl_kind __attribute__((visibility("hidden")));

/* What a call that returned `result`, 0 or less, means. */
enum tls_outcome openssl_outcome(const struct tls_session *session, int result);

/* 1 if the program takes less than it asked to write as a success. */
int openssl_writes_partly(const struct tls_session *session);

#endif
