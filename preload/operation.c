/* operation.c - requests to a database become client spans, alone or as batches. */
#include "preload/operation.h"

#include <string.h>

#include "preload/exchange.h"
#include "preload/message.h"
#include "preload/sys.h"

/* Of a batch of the same command. */
#define BATCH_TEXTS 2

void operations_init(struct operations *operations, enum span_protocol protocol)
{
	memset(operations, 0, offsetof(struct operations, text));
	operations->protocol = (uint8_t)protocol;
	operations->by_flush = protocol == SPAN_POSTGRESQL;
	operations->owner = statements_owner();
}

static struct exchange *open_unit(struct operation_feed *feed)
{
	struct operations *operations = feed->operations;
	struct exchange *exchange = exchange_of(operations->unit);

	if (exchange)
		return exchange;
	exchange = message_operation_prepare(feed->self, feed->conn, feed->fd);
	if (!exchange) {
		feed->failed = 1;
		return NULL;
	}
	exchange_span(exchange)->protocol = operations->protocol;
	operations->unit = exchange_reference(exchange);
	operations->told = 0;
	operations->mixed = 0;
	operations->is_multi = 0;
	operations->framing = 0;
	operations->last_size = 0;
	operations->count = 0;
	operations->operation_size = 0;
	operations->unit_size = 0;
	return exchange;
}

static void begin(void *to)
{
	struct operation_feed *feed = to;
	struct operations *operations = feed->operations;

	if (!open_unit(feed))
		return;
	operations->in_request = 1;
	operations->is_raw = 0;
	operations->text_size = 0;
	sql_mask_begin(&operations->mask,
		       operations->protocol == SPAN_POSTGRESQL ? SQL_POSTGRESQL : SQL_MYSQL,
		       operations->text, sizeof(operations->text));
}

static void text(void *to, const char *at, size_t size, int raw)
{
	struct operation_feed *feed = to;
	struct operations *operations = feed->operations;

	if (raw) {
		sql_mask_feed(&operations->mask, at, size);
		operations->is_raw = 1;
		return;
	}
	if (size > sizeof(operations->text) - operations->text_size)
		size = sizeof(operations->text) - operations->text_size;
	memcpy(operations->text + operations->text_size, at, size);
	operations->text_size += (uint32_t)size;
}

/* The same text once; another one joined with "; ", as long as there is room for all of it. */
static void join_text(struct operations *operations)
{
	char *end = operations->unit_text + operations->unit_size;
	size_t size = operations->text_size;

	if (!size)
		return;
	if (operations->last_size) {
		if (operations->last_size == size &&
		    memcmp(end - size, operations->text, size) == 0)
			return;
		if (operations->unit_size + size + 2 > sizeof(operations->unit_text))
			return;
		memcpy(end, "; ", 2);
		end += 2;
		operations->unit_size += 2;
	}
	memcpy(end, operations->text, size);
	operations->unit_size += (uint32_t)size;
	operations->last_size = (uint32_t)size;
}

/* A word in small letters, whatever the program's. */
static int is_word(const char *at, const char *word, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((at[i] | 32) != word[i])
			return 0;
	return 1;
}

static void join_operation(struct operations *operations, const struct wire_request *request)
{
	size_t size = request->operation_size;

	if (!size)
		return;
	if (size == 5 && is_word(request->operation, "multi", 5) && !operations->count) {
		operations->is_multi = 1;
		operations->framing++;
		return;
	}
	if (operations->is_multi && size == 4 && is_word(request->operation, "exec", 4)) {
		operations->framing++;
		return;
	}
	if (!operations->operation_size) {
		memcpy(operations->operation, request->operation, size);
		operations->operation_size = (uint8_t)size;
	} else if (operations->operation_size != size ||
		   memcmp(operations->operation, request->operation, size) != 0) {
		operations->mixed = 1;
	}
}

/* "USE name" in MySQL's text protocol changes the database as COM_INIT_DB does. */
static int takes_namespace(struct operations *operations)
{
	const char *at = operations->text;
	size_t size = operations->text_size;

	if (operations->protocol == SPAN_POSTGRESQL || size < 5 || !is_word(at, "use ", 4))
		return 0;
	at += 4;
	size -= 4;
	while (size && (at[size - 1] == ';' || at[size - 1] == '`' || at[size - 1] == ' '))
		size--;
	if (size && *at == '`') {
		at++;
		size--;
	}
	memmove(operations->text, at, size);
	operations->text_size = (uint32_t)size;
	return size > 0;
}

static void take_namespace(struct operations *operations)
{
	size_t size = operations->text_size;

	if (size > sizeof(operations->next_namespace))
		size = sizeof(operations->next_namespace);
	memcpy(operations->next_namespace, operations->text, size);
	operations->next_namespace_size = (uint8_t)size;
}

static void find_text(struct operations *operations, const struct wire_request *request)
{
	operations->text_size =
		(uint32_t)statements_find(operations->owner, request->name, request->name_size,
					  operations->text, sizeof(operations->text));
}

/* Of a unit that executes something, what is only prepared in it is not told. */
static void join_execution(struct operations *operations)
{
	if (!operations->count++)
		operations->unit_size = operations->last_size = 0;
	join_text(operations);
}

static void take_kind(struct operations *operations, const struct wire_request *request)
{
	switch ((enum wire_kind)request->kind) {
	case WIRE_EXECUTE:
		join_execution(operations);
		if (operations->protocol != SPAN_REDIS && takes_namespace(operations))
			take_namespace(operations);
		break;
	case WIRE_PREPARE:
		if (operations->by_flush || request->name_size)
			statements_keep(operations->owner, request->name, request->name_size,
					operations->text, operations->text_size);
		if (!operations->count)
			join_text(operations);
		break;
	case WIRE_EXECUTE_NAME:
		find_text(operations, request);
		join_execution(operations);
		break;
	case WIRE_NAMESPACE:
		operations->count++;
		take_namespace(operations);
		operations->text_size = 0;
		break;
	case WIRE_CANCEL:
		memcpy(operations->operation, "CANCEL", 6);
		operations->operation_size = 6;
		break;
	default:
		break;
	}
}

/* "SET"; of several "PIPELINE SET" or "PIPELINE", in a transaction "MULTI SET" or "MULTI". */
static void tell_operation(struct operations *operations, struct exchange *exchange)
{
	char name[OPERATION_NAME_MAX + 16];
	const char *prefix = operations->is_multi ? "MULTI" : "PIPELINE";
	uint32_t executed = operations->count - operations->framing;
	size_t size = 0;

	if (operations->protocol != SPAN_REDIS && operations->protocol != SPAN_MEMCACHED) {
		if (!operations->count && !operations->operation_size)
			exchange_field(exchange, FIELD_OPERATION, "PREPARE", 7);
		else if (operations->operation_size && !operations->mixed)
			exchange_field(exchange, FIELD_OPERATION, operations->operation,
				       operations->operation_size);
		return;
	}
	if (executed > 1 || (executed && operations->is_multi)) {
		size = strlen(prefix);
		memcpy(name, prefix, size);
		if (!operations->mixed)
			name[size++] = ' ';
	}
	if (operations->is_multi && !operations->operation_size) {
		/* Alone, and so the text as it was sent. */
		exchange_field(exchange, FIELD_OPERATION, operations->unit_text,
			       operations->unit_size);
		return;
	}
	if (executed <= 1 || !operations->mixed) {
		memcpy(name + size, operations->operation, operations->operation_size);
		size += operations->operation_size;
	}
	exchange_field(exchange, FIELD_OPERATION, name, size);
}

/* All of the unit is known: its texts go into the span, which becomes visible. */
static void close_unit(struct operations *operations, struct exchange *exchange)
{
	operations->unit = 0;
	exchange->closed = 1;
	exchange->told = operations->told;
	/* One that was inherited by fork lies in the parent's shared memory. */
	if (!operations->told || exchange->epoch != process_epoch)
		return;
	exchange_span(exchange)->operations = operations->count - operations->framing;
	tell_operation(operations, exchange);
	if (operations->namespace_size)
		exchange_field(exchange, FIELD_NAMESPACE, operations->namespace,
			       operations->namespace_size);
	if (operations->user_size)
		exchange_field(exchange, FIELD_USER, operations->user, operations->user_size);
	if (operations->unit_size)
		exchange_field(exchange, FIELD_QUERY_TEXT, operations->unit_text,
			       operations->unit_size);
	exchange_publish(exchange);
}

static void end_mask(struct operations *operations, struct exchange *exchange)
{
	operations->text_size = (uint32_t)sql_mask_end(&operations->mask);
	if (operations->mask.cut && exchange->epoch == process_epoch)
		exchange_span(exchange)->flags |= SPAN_TEXT_CUT;
}

static void request_done(void *to, const struct wire_request *request)
{
	struct operation_feed *feed = to;
	struct operations *operations = feed->operations;
	struct exchange *exchange;

	if (request->kind == WIRE_CLOSE_NAME) {
		if (request->name_size || operations->by_flush)
			statements_forget(operations->owner, request->name, request->name_size);
		else
			operations->owner = statements_owner();
		operations->in_request = 0;
		return;
	}
	exchange = open_unit(feed);
	if (!exchange)
		return;
	if (!operations->in_request)
		operations->text_size = 0;
	else if (operations->is_raw)
		end_mask(operations, exchange);
	operations->in_request = 0;
	exchange->replies_due += request->replies;
	if (request->kind != WIRE_SESSION) {
		join_operation(operations, request);
		operations->told = 1;
	}
	take_kind(operations, request);
	if (request->kind == WIRE_CANCEL) {
		close_unit(operations, exchange);
		conn_end_first(feed->conn, sys_now_ns());
	}
}

/* A batch of the same: more texts than the first ones say nothing new. */
static int same(void *to)
{
	struct operations *operations = ((struct operation_feed *)to)->operations;
	struct exchange *exchange = exchange_of(operations->unit);

	if (!exchange || operations->count < BATCH_TEXTS)
		return 0;
	operations->count++;
	exchange->replies_due++;
	return 1;
}

/* The oldest unit is over. */
static void end_first(const struct operation_feed *feed, struct exchange *exchange)
{
	struct operations *operations = feed->operations;

	if (!exchange->failed && operations->next_namespace_size) {
		memcpy(operations->namespace, operations->next_namespace,
		       operations->next_namespace_size);
		operations->namespace_size = operations->next_namespace_size;
	}
	operations->next_namespace_size = 0;
	conn_end_first(feed->conn, sys_now_ns());
}

static void flush(void *to)
{
	struct operation_feed *feed = to;
	struct operations *operations = feed->operations;
	struct exchange *exchange = exchange_of(operations->unit);

	operations->closed++;
	if (!exchange)
		return;
	exchange->unit = operations->closed;
	close_unit(operations, exchange);
}

/* The exchange that is being answered, if the program's own reading is not ahead of the replies. */
static struct exchange *answered(const struct operation_feed *feed)
{
	const struct operations *operations = feed->operations;
	struct exchange *exchange = conn_first(feed->conn);

	if (!exchange || !operations->by_flush)
		return exchange;
	if (exchange->closed ? exchange->unit == operations->answered + 1
			     : operations->closed == operations->answered)
		return exchange;
	return NULL;
}

static void fail(struct exchange *exchange, const struct wire_reply *reply)
{
	if (exchange->failed)
		return;
	exchange->failed = 1;
	exchange_field(exchange, FIELD_STATUS, reply->code, reply->code_size);
}

static void reply(void *to, const struct wire_reply *reply)
{
	struct operation_feed *feed = to;
	struct operations *operations = feed->operations;
	struct exchange *exchange = answered(feed);
	struct span *span;

	if (!exchange)
		return;
	span = exchange_span(exchange);
	if (exchange->epoch == process_epoch && reply->has_rows) {
		span->rows += reply->rows;
		span->flags |= SPAN_ROWS_KNOWN;
	}
	if (reply->failed)
		fail(exchange, reply);
	else if (reply->name_size)
		statements_keep(operations->owner, reply->name, reply->name_size,
				operations->unit_text, operations->unit_size);
	if (reply->partial || operations->by_flush)
		return;
	if (exchange->replies_due)
		exchange->replies_due--;
	if (!exchange->replies_due && exchange->closed)
		end_first(feed, exchange);
}

static void flushed(void *to)
{
	struct operation_feed *feed = to;
	struct exchange *exchange = answered(feed);

	feed->operations->answered++;
	if (exchange && exchange->closed)
		end_first(feed, exchange);
}

static void keep(char *to, uint8_t *to_size, const char *at, size_t size)
{
	if (size > 64)
		size = 64;
	memcpy(to, at, size);
	*to_size = (uint8_t)size;
}

static void session(void *to, const char *database, size_t database_size, const char *user,
		    size_t user_size)
{
	struct operations *operations = ((struct operation_feed *)to)->operations;

	keep(operations->namespace, &operations->namespace_size, database, database_size);
	keep(operations->user, &operations->user_size, user, user_size);
}

static void mariadb(void *to)
{
	((struct operation_feed *)to)->operations->protocol = SPAN_MARIADB;
}

const struct wire_calls operation_calls = {
	.begin = begin,
	.text = text,
	.request = request_done,
	.same = same,
	.flush = flush,
	.reply = reply,
	.flushed = flushed,
	.session = session,
	.mariadb = mariadb,
};

void operations_close(struct operations *operations)
{
	struct exchange *exchange = exchange_of(operations->unit);

	if (exchange)
		close_unit(operations, exchange);
}

void operations_sent(const struct operation_feed *feed)
{
	struct operations *operations = feed->operations;
	struct exchange *exchange = exchange_of(operations->unit);

	if (!exchange || operations->by_flush || operations->in_request)
		return;
	close_unit(operations, exchange);
	if (!exchange->replies_due && exchange == conn_first(feed->conn))
		end_first(feed, exchange);
}
