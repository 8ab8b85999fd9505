/* tls_model.h - TLS libraries that follow the rules of the real ones, and take what a test says. */
#ifndef TAGALONG_TLS_MODEL_H
#define TAGALONG_TLS_MODEL_H

#include <stddef.h>
#include <sys/types.h>

#define MOST   (1u << 17)
#define RECORD 16384u

#define ERROR_SSL       1
#define ERROR_WANT_READ 2
#define ERROR_WANT      3
#define CTRL_MODE       33
#define GNUTLS_AGAIN    (-28)

/* What the program holds of a session is only a pointer. */
#define MODEL_HANDLE ((void *)0x7f0000001000)

struct tls_model {
	char out[MOST]; /* what left, in the clear */
	size_t size;
	char record[RECORD]; /* encrypted, and not gone yet */
	size_t record_size;
	size_t most; /* bytes a record */
	unsigned partial, moving, server;
	/* The call that is to be repeated: SSL_write's rules. */
	const void *at;
	size_t asked, done;
	unsigned flushes;     /* records that were to leave */
	unsigned refuse;      /* the number of the one that finds the socket full, 0: none */
	unsigned refuse_each; /* every so many-th, 0: none */
	unsigned not_ready;   /* calls before the handshake is complete */
	unsigned breaks_at;   /* the number of the one that fails for good */
	unsigned records;     /* that left */
	unsigned violations;
	int error;
};

extern struct tls_model library;

/* OpenSSL: a call that could not finish is repeated with the same buffer, and no less of it. */
int model_SSL_write(void *ssl, const void *at, int n);
int model_SSL_write_ex(void *ssl, const void *at, size_t n, size_t *done);

/* Reads a request whose ID is ab-7. */
int model_SSL_read(void *ssl, void *at, int n);

/* GnuTLS: one record a call; what it could not send it keeps, whatever it is asked with next. */
ssize_t model_gnutls_record_send(void *session, const void *at, size_t size);

#endif
