/* enrich_db.c - what a database was asked, by OpenTelemetry's semantic conventions. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exporter/enrich_work.h"
#include "exporter/failure.h"
#include "exporter/statement.h"

#define NAME_PART 120 /* characters of each half of a name */

static const struct system {
	struct text name;
	uint16_t port;
	uint8_t is_sql;
} systems[] = {
	[SPAN_POSTGRESQL] = {TEXT_OF("postgresql"), 5432, 1},
	[SPAN_MYSQL] = {TEXT_OF("mysql"), 3306, 1},
	[SPAN_MARIADB] = {TEXT_OF("mariadb"), 3306, 1},
	[SPAN_REDIS] = {TEXT_OF("redis"), 6379, 0},
	[SPAN_MEMCACHED] = {TEXT_OF("memcached"), 11211, 0},
};

static const struct system *system_of(const struct enrich_work *work)
{
	return &systems[work->from->protocol];
}

/* What is known of the statement; NULL: it is none. Lent for the span. */
static const struct statement *statement_in(const struct enrich_work *work)
{
	struct text sql = enrich_field(work, FIELD_QUERY_TEXT);

	return system_of(work)->is_sql && sql.size ? statement_of(sql) : NULL;
}

static int begins_with(const struct statement *statement, struct text word)
{
	return statement->word_size == word.size &&
	       strncasecmp(statement->summary, word.at, word.size) == 0;
}

/* The summary of what was called for ("PREPARE", "BATCH", "COPY") begins with that word. */
static struct text summary_of(struct enrich_work *work, const struct statement *statement)
{
	struct text operation = enrich_field(work, FIELD_OPERATION);
	size_t size, prefix = 0;
	char *text;

	if (!statement || !statement->summary_size)
		return ENRICH_ABSENT;
	size = statement->summary_size;
	if (operation.size && !begins_with(statement, operation) &&
	    operation.size + 1 + size <= SQL_SUMMARY_MAX)
		prefix = operation.size + 1;
	text = arena_bytes(work->list.arena, prefix + size + 1);
	if (!text)
		return ENRICH_ABSENT;
	if (prefix) {
		memcpy(text, operation.at, operation.size);
		text[operation.size] = ' ';
	}
	memcpy(text + prefix, statement->summary, size + 1);
	return (struct text){text, (uint32_t)(prefix + size)};
}

/* The host as it was dialled, else as it was resolved, else its address; a socket's path. */
static struct text server_of(const struct enrich_work *work)
{
	struct text server = enrich_field(work, FIELD_UNIX_PATH);

	if (!server.size)
		server = enrich_field(work, FIELD_HOST);
	if (!server.size)
		server = enrich_field(work, FIELD_PEER_NAME);
	return server.size ? server : work->peer;
}

/* Only a port that is not the usual one is told. */
static unsigned port_of(const struct enrich_work *work)
{
	unsigned port = work->from->peer.port;

	if (enrich_field(work, FIELD_UNIX_PATH).size || work->from->peer.family == ADDRESS_UNIX ||
	    port == system_of(work)->port)
		return 0;
	return port;
}

/* `{operation} {target}`, or one of them, or the system: the target is the database or the server.
 */
static const char *name_of(struct enrich_work *work)
{
	struct text operation = enrich_field(work, FIELD_OPERATION);
	struct text target = enrich_field(work, FIELD_NAMESPACE);
	size_t operation_size, target_size;
	unsigned port = 0;
	char *name, *end;

	/* Redis numbers its databases: that says nothing. */
	if (!target.size || work->from->protocol == SPAN_REDIS) {
		target = server_of(work);
		port = port_of(work);
	}
	if (!operation.size && !target.size)
		return system_of(work)->name.at;
	operation_size = operation.size ? text_cut(operation.at, operation.size, NAME_PART) : 0;
	target_size = target.size ? text_cut(target.at, target.size, NAME_PART) : 0;
	name = end = arena_bytes(work->list.arena, operation_size + target_size + 16);
	if (!name)
		return NULL;
	if (operation_size)
		end = mempcpy(end, operation.at, operation_size);
	if (operation_size && target_size)
		*end++ = ' ';
	if (target_size)
		end = mempcpy(end, target.at, target_size);
	*end = '\0';
	if (target_size && port)
		sprintf(end, ":%u", port);
	return name;
}

static void add_server(struct enrich_work *work)
{
	struct text server = server_of(work);

	if (!server.size)
		return;
	attribute_add_text(&work->list, "server.address", server);
	if (port_of(work))
		attribute_add_number(&work->list, "server.port", port_of(work));
}

static void add_rows(struct enrich_work *work, const struct statement *statement)
{
	int changed = statement && statement->changes;

	if (!(work->from->flags & SPAN_ROWS_KNOWN))
		return;
	attribute_add_number(&work->list,
			     changed ? "tagalong.db.affected_rows" : "db.response.returned_rows",
			     (int64_t)work->from->rows);
}

static void add_phases(struct enrich_work *work)
{
	static const char *const names[SPAN_PHASES] = {
		[PHASE_CONNECT] = "tagalong.connect.transport_us",
		[PHASE_TLS] = "tagalong.connect.tls_us",
		[PHASE_LOGIN] = "tagalong.connect.login_us",
		[PHASE_SETTLE] = "tagalong.connect.settle_us",
	};

	for (int i = 0; i < SPAN_PHASES; i++)
		if (work->from->phase_us[i])
			attribute_add_number(&work->list, names[i], work->from->phase_us[i]);
}

/* PostgreSQL's classes 00 and 01 are success and warnings. */
static int code_is_error(const struct enrich_work *work, struct text code)
{
	return code.size && (work->from->protocol != SPAN_POSTGRESQL || code.size < 2 ||
			     code.at[0] != '0' || (code.at[1] != '0' && code.at[1] != '1'));
}

static void add_outcome(struct enrich_work *work, const struct enrich_ending *ending)
{
	struct text code = enrich_field(work, FIELD_STATUS);

	if (code.size)
		attribute_add_text(&work->list, "db.response.status_code", code);
	if (ending)
		work->to->status_message = ending->message;
	if (code_is_error(work, code))
		enrich_fail(work, code.at);
	else if (ending)
		enrich_fail(work, ending->error_type);
	else if (work->from->failure != FAILURE_NONE)
		enrich_fail(work,
			    failure_error_type(work->from->failure, work->from->error_number));
}

static void add_if_any(struct enrich_work *work, const char *key, enum span_field id)
{
	if (enrich_field(work, id).size)
		attribute_add_text(&work->list, key, enrich_field(work, id));
}

void enrich_db(struct enrich_work *work, const struct enrich_ending *ending)
{
	const struct statement *statement = statement_in(work);
	struct text summary = summary_of(work, statement);

	work->to->name = summary.size ? summary.at : name_of(work);
	attribute_add_text(&work->list, "db.system.name", system_of(work)->name);
	add_if_any(work, "db.namespace", FIELD_NAMESPACE);
	add_if_any(work, "db.query.text", FIELD_QUERY_TEXT);
	attribute_add_text(&work->list, "db.query.summary", summary);
	add_if_any(work, "db.operation.name", FIELD_OPERATION);
	if (work->from->operations >= 2)
		attribute_add_number(&work->list, "db.operation.batch.size",
				     work->from->operations);
	add_outcome(work, ending);
	add_rows(work, statement);
	add_server(work);
	enrich_peer(work);
	add_if_any(work, "tagalong.db.user", FIELD_USER);
	add_phases(work);
}
