/* enrich_tls.c - what is known of the TLS below a span, and handshakes that failed. */
#include <stdio.h>
#include <string.h>

#include "exporter/enrich_work.h"
#include "exporter/failure.h"

void enrich_encryption(struct enrich_work *work)
{
	struct text version = enrich_field(work, FIELD_TLS_VERSION);
	struct text protocol = enrich_field(work, FIELD_TLS_PROTOCOL);

	if (!(work->from->flags & SPAN_ENCRYPTED))
		return;
	if (version.size) {
		attribute_add_string(&work->list, "tls.protocol.name", "tls");
		attribute_add_text(&work->list, "tls.protocol.version", version);
	}
	if (protocol.size)
		attribute_add_text(&work->list, "tls.next_protocol", protocol);
	if (version.size)
		attribute_add_boolean(&work->list, "tls.resumed",
				      (work->from->flags & SPAN_RESUMED) != 0);
}

/* The name that was asked for, or is known for the peer: of a server's peer there is none. */
static struct text server_name(const struct enrich_work *work)
{
	struct text name = enrich_field(work, FIELD_TLS_SERVER_NAME);

	return name.size ? name : enrich_field(work, FIELD_PEER_NAME);
}

void enrich_handshake(struct enrich_work *work, const struct enrich_ending *ending)
{
	struct text server = server_name(work), why = enrich_field(work, FIELD_STATUS);
	char *name = arena_bytes(work->list.arena, server.size + 16);

	if (!name)
		return;
	sprintf(name, server.size ? "TLS handshake %s" : "TLS handshake",
		server.size ? server.at : "");
	work->to->name = name;
	if (server.size)
		attribute_add_text(&work->list, "server.address", server);
	enrich_peer(work);
	attribute_add_boolean(&work->list, "tls.established", 0);
	if (why.size)
		work->to->status_message = why.at;
	if (ending) {
		work->to->status_message = ending->message;
		enrich_fail(work, ending->error_type);
	} else if (work->from->failure != FAILURE_NONE) {
		enrich_fail(work,
			    failure_error_type(work->from->failure, work->from->error_number));
	}
}
