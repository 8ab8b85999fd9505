/* wire_log.c - what a parser of wire.h told, as one line of text to compare. */
#include "tests/unit/wire_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void add(struct wire_log *log, const char *format, ...)
{
	size_t room = sizeof(log->at) - log->size;
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(log->at + log->size, room, format, arguments);
	va_end(arguments);
	if (size > 0)
		log->size += (size_t)size < room ? (size_t)size : room - 1;
}

static void add_bytes(struct wire_log *log, const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (at[i] >= ' ' && at[i] < 0x7f)
			add(log, "%c", at[i]);
		else
			add(log, "\\x%02x", (unsigned char)at[i]);
	}
}

static void word(struct wire_log *log, const char *name)
{
	if (log->in_text)
		add(log, ")");
	log->in_text = 0;
	add(log, "%s%s", log->size ? " " : "", name);
}

static void in_brackets(struct wire_log *log, const char *brackets, const char *at, size_t size)
{
	add(log, "%c", brackets[0]);
	add_bytes(log, at, size);
	add(log, "%c", brackets[1]);
}

static void begin(void *to)
{
	word(to, "begin");
}

static void text(void *to, const char *at, size_t size, int raw)
{
	struct wire_log *log = to;

	if (!log->in_text)
		word(log, raw ? "raw(" : "text(");
	log->in_text = 1;
	add_bytes(log, at, size);
}

static void request(void *to, const struct wire_request *request)
{
	static const char *const kinds[] = {
		[WIRE_EXECUTE] = "execute",     [WIRE_PREPARE] = "prepare",
		[WIRE_EXECUTE_NAME] = "run",    [WIRE_CLOSE_NAME] = "close",
		[WIRE_NAMESPACE] = "namespace", [WIRE_SESSION] = "session",
		[WIRE_CANCEL] = "cancel",
	};

	word(to, kinds[request->kind]);
	if (request->name_size || request->kind == WIRE_PREPARE ||
	    request->kind == WIRE_EXECUTE_NAME || request->kind == WIRE_CLOSE_NAME)
		in_brackets(to, "()", request->name, request->name_size);
	if (request->operation_size)
		in_brackets(to, "[]", request->operation, request->operation_size);
	if (!request->replies)
		add(to, "!");
}

static void flush(void *to)
{
	word(to, "flush");
}

static void reply(void *to, const struct wire_reply *reply)
{
	struct wire_log *log = to;

	word(log, reply->failed ? "failed" : "reply");
	if (reply->code_size)
		in_brackets(log, "()", reply->code, reply->code_size);
	if (reply->name_size) {
		add(log, "=");
		add_bytes(log, reply->name, reply->name_size);
	}
	if (reply->has_rows)
		add(log, ":%llu", (unsigned long long)reply->rows);
	if (reply->partial)
		add(log, "+");
}

static void flushed(void *to)
{
	word(to, "flushed");
}

static void session(void *to, const char *database, size_t database_size, const char *user,
		    size_t user_size)
{
	word(to, "login(");
	add_bytes(to, database, database_size);
	add(to, ",");
	add_bytes(to, user, user_size);
	add(to, ")");
}

static void mariadb(void *to)
{
	word(to, "mariadb");
}

void wire_log_result(struct wire_log *log, enum wire_result result)
{
	if (result != WIRE_OK)
		word(log, result == WIRE_TLS ? "TLS" : result == WIRE_STOP ? "STOP" : "BAD");
	else if (log->in_text)
		add(log, ")");
	log->in_text = 0;
}

const struct wire_calls wire_log_calls = {
	.begin = begin,
	.text = text,
	.request = request,
	.flush = flush,
	.reply = reply,
	.flushed = flushed,
	.session = session,
	.mariadb = mariadb,
};
