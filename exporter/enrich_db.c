/* enrich_db.c - what a database was asked, by OpenTelemetry's semantic conventions. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exporter/enrich_work.h"
#include "exporter/failure.h"
#include "exporter/sql_summary.h"

#define NAME_PART 120 /* characters of each half of a name */

static const struct system {
	const char *name;
	uint16_t port;
	uint8_t is_sql;
} systems[] = {
	[SPAN_POSTGRESQL] = {"postgresql", 5432, 1}, [SPAN_MYSQL] = {"mysql", 3306, 1},
	[SPAN_MARIADB] = {"mariadb", 3306, 1},       [SPAN_REDIS] = {"redis", 6379, 0},
	[SPAN_MEMCACHED] = {"memcached", 11211, 0},
};

static const struct system *system_of(const struct enrich_work *work)
{
	return &systems[work->from->protocol];
}

static int is_word(const char *at, size_t size, const char *word)
{
	return strlen(word) == size && strncasecmp(at, word, size) == 0;
}

/* Whether a text has this word, between spaces. */
static int has_word(struct text text, const char *word)
{
	const char *at = text.at, *end = text.at + text.size;

	while (at < end) {
		const char *space = memchr(at, ' ', (size_t)(end - at));
		if (is_word(at, (size_t)((space ? space : end) - at), word))
			return 1;
		at = space ? space + 1 : end;
	}
	return 0;
}

/* The summary of what was called for ("PREPARE", "BATCH", "COPY") begins with that word. */
static struct text summary_of(struct enrich_work *work)
{
	struct text operation = enrich_field(work, FIELD_OPERATION);
	struct text sql = enrich_field(work, FIELD_QUERY_TEXT);
	char summary[SQL_SUMMARY_MAX + 1], *text;
	size_t size, prefix = 0;

	if (!system_of(work)->is_sql || !sql.size)
		return ENRICH_ABSENT;
	size = sql_summary(sql, summary);
	if (!size)
		return ENRICH_ABSENT;
	if (operation.size && !is_word(summary, strcspn(summary, " ;"), operation.at) &&
	    operation.size + 1 + size <= SQL_SUMMARY_MAX)
		prefix = operation.size + 1;
	text = arena_bytes(work->list.arena, prefix + size + 1);
	if (!text)
		return ENRICH_ABSENT;
	if (prefix)
		sprintf(text, "%s %s", operation.at, summary);
	else
		memcpy(text, summary, size + 1);
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
		return system_of(work)->name;
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

/* Rows that a change touched were not returned, unless it says so. */
static void add_rows(struct enrich_work *work, struct text summary)
{
	static const char *const changes[] = {"INSERT", "UPDATE", "DELETE", "REPLACE",
					      "MERGE",  "COPY",   "CREATE"};
	struct text sql = enrich_field(work, FIELD_QUERY_TEXT);
	int changed = 0;

	if (!(work->from->flags & SPAN_ROWS_KNOWN))
		return;
	for (size_t i = 0; summary.at && i < sizeof(changes) / sizeof(changes[0]); i++)
		changed |= has_word(summary, changes[i]);
	if (changed && sql.at && strcasestr(sql.at, "RETURNING"))
		changed = 0;
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
	struct text summary = summary_of(work);

	work->to->name = summary.size ? summary.at : name_of(work);
	attribute_add_string(&work->list, "db.system.name", system_of(work)->name);
	add_if_any(work, "db.namespace", FIELD_NAMESPACE);
	add_if_any(work, "db.query.text", FIELD_QUERY_TEXT);
	attribute_add_text(&work->list, "db.query.summary", summary);
	add_if_any(work, "db.operation.name", FIELD_OPERATION);
	if (work->from->operations >= 2)
		attribute_add_number(&work->list, "db.operation.batch.size",
				     work->from->operations);
	add_outcome(work, ending);
	add_rows(work, summary);
	add_server(work);
	enrich_peer(work);
	add_if_any(work, "tagalong.db.user", FIELD_USER);
	add_phases(work);
}
