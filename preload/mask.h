/* mask.h - values of sensitive query keys are replaced before they enter the shared memory. */
#ifndef TAGALONG_MASK_H
#define TAGALONG_MASK_H

#include <stddef.h>

#define MASK_TEXT "REDACTED"

/*
 * Keys to mask, matched without ASCII case after percent-decoding. The default list is
 * OpenTelemetry's (X-Amz-Signature, X-Amz-Credential, X-Amz-Security-Token, AWSAccessKeyId,
 * Signature, sig, X-Goog-Signature) and what people put into URLs all the same: password, passwd,
 * pwd, secret, token, access_token, refresh_token, id_token, api_key, apikey, key, auth,
 * authorization, client_secret, code, session, sessionid, jwt, private_key, credential, ...; a list
 * given by the user replaces it.
 * In the default list '-' and '_' make no difference. A key with brackets, such as user[password],
 * is sensitive by each of its parts. Keys of over 64 characters are not.
 */
struct mask_keys {
	const char *const *names; /* NULL: the default list */
	size_t count;
};

/*
 * Copies a query string (without '?') into `out`, at most `room` bytes, each sensitive value
 * replaced by MASK_TEXT; keys are kept. Separators are '&' and ';', but a masked value goes on to
 * the next '&', as for most servers. Returns the bytes written; *cut is set to 1 if it did not fit,
 * and else left alone (cut at a parameter's boundary where possible; never so that half a
 * masked value shows). Pure, any thread, async-signal-safe.
 */
size_t mask_query(const struct mask_keys *keys, const char *at, size_t size, char *out, size_t room,
		  int *cut);

/*
 * Size of `authority` (user:password@host:port) without its credentials, and where that begins: the
 * credentials are dropped, not replaced.
 */
size_t mask_authority(const char *at, size_t size, const char **begin);

#endif
