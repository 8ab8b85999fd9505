/* tls_model.c - TLS libraries that follow the rules of the real ones, and take what a test says. */
#include "tests/unit/tls_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/caller.h"

struct tls_model library;

static void take_record(const char *at, size_t left)
{
	library.record_size = left < library.most ? left : library.most;
	memcpy(library.record, at, library.record_size);
}

/* 1: the record has left. */
static int flush(void)
{
	library.flushes++;
	if (library.flushes == library.refuse ||
	    (library.refuse_each && library.flushes % library.refuse_each == 0))
		return 0;
	assert_true(library.size + library.record_size <= MOST);
	memcpy(library.out + library.size, library.record, library.record_size);
	library.size += library.record_size;
	library.record_size = 0;
	library.records++;
	return 1;
}

static int refuse(int error)
{
	library.error = error;
	return -1;
}

int model_SSL_write(void *ssl, const void *at, int n)
{
	size_t size = (size_t)n;

	assert_ptr_equal(ssl, MODEL_HANDLE);
	if (library.not_ready && library.not_ready--)
		return refuse(ERROR_WANT_READ);
	if (library.asked && (size < library.asked || (!library.moving && at != library.at))) {
		library.violations++;
		return refuse(ERROR_SSL);
	}
	for (size_t done = library.done;;) {
		if (library.breaks_at && library.flushes + 1 >= library.breaks_at)
			return refuse(ERROR_SSL);
		if (!library.record_size)
			take_record((const char *)at + done, size - done);
		size_t taken = library.record_size;
		if (!flush()) {
			library.at = at;
			library.asked = size;
			library.done = done;
			return refuse(ERROR_WANT);
		}
		done += taken;
		if (done == size || library.partial) {
			library.asked = library.done = 0;
			return (int)done;
		}
	}
}

int model_SSL_write_ex(void *ssl, const void *at, size_t n, size_t *done)
{
	int result = model_SSL_write(ssl, at, (int)n);

	*done = result > 0 ? (size_t)result : 0;
	return result > 0;
}

int model_SSL_read(void *ssl, void *at, int n)
{
	static const char request[] = "GET /p HTTP/1.1\r\nX-Request-ID: ab-7\r\n\r\n";

	assert_ptr_equal(ssl, MODEL_HANDLE);
	assert_in_range(n, sizeof(request), 4096);
	memcpy(at, request, sizeof(request));
	return (int)sizeof(request) - 1;
}

static int get_error(const void *ssl, int result)
{
	(void)ssl;
	assert_true(result <= 0);
	return library.error;
}

static int is_finished(const void *ssl)
{
	(void)ssl;
	return !library.not_ready;
}

static int is_server(const void *ssl)
{
	(void)ssl;
	return (int)library.server;
}

static int version(const void *ssl)
{
	(void)ssl;
	return 0x0304;
}

static long ctrl(void *ssl, int command, long number, void *pointer)
{
	(void)ssl;
	(void)pointer;
	assert_int_equal(command, CTRL_MODE);
	assert_int_equal(number, 0);
	return library.partial;
}

ssize_t model_gnutls_record_send(void *session, const void *at, size_t size)
{
	size_t taken = library.record_size;

	assert_ptr_equal(session, MODEL_HANDLE);
	if (!taken) {
		if (!size)
			return -50;
		take_record(at, size);
		taken = library.record_size;
	}
	return flush() ? (ssize_t)taken : GNUTLS_AGAIN;
}

static int error_is_fatal(int error)
{
	return error != GNUTLS_AGAIN;
}

static int gnutls_version(void *session)
{
	(void)session;
	return 5;
}

void *caller_sibling(const struct caller *caller, const char *name)
{
	static const struct {
		const char *name;
		void *function;
	} functions[] = {
		{"SSL_get_error", (void *)get_error},
		{"SSL_is_init_finished", (void *)is_finished},
		{"SSL_is_server", (void *)is_server},
		{"SSL_version", (void *)version},
		{"SSL_ctrl", (void *)ctrl},
		{"gnutls_error_is_fatal", (void *)error_is_fatal},
		{"gnutls_protocol_get_version", (void *)gnutls_version},
	};

	(void)caller;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strcmp(name, functions[i].name) == 0)
			return functions[i].function;
	return NULL;
}
