/* pgwire.c - PostgreSQL's messages, and what a client asks for with them. */
#include "preload/pgwire.h"

#include <string.h>

#include "preload/pgwire_parts.h"

#define HEADER      5u /* the type, and the length with itself */
#define LENGTH_MAX  (1u << 30)
#define LENGTH_SANE (64u << 20)

#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/* Parts of the bodies that we look into; what follows REST is skipped. */
enum { FIRST, SECOND, REST };

static void name_begin(struct pgwire *wire)
{
	wire->hash = FNV_BASIS;
	wire->length = 0;
	memset(&wire->name, 0, sizeof(wire->name));
}

/* Takes bytes of a name up to its NUL, and this; the part is over then. The bytes taken. */
static size_t name_feed(struct pgwire *wire, const char *at, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	struct pgwire_name *name = &wire->name;
	const char *end = memchr(at, 0, size);
	size_t taken = end ? (size_t)(end - at) : size;

	for (size_t i = 0; i < taken; i++) {
		wire->hash = (wire->hash ^ (uint8_t)at[i]) * FNV_PRIME;
		if (name->size < sizeof(name->at))
			name->at[name->size++] = at[i];
	}
	wire->length += (uint32_t)taken;
	if (!end)
		return taken;
	for (unsigned i = 0; wire->length > sizeof(name->at) && i < 16; i++)
		name->at[sizeof(name->at) - 16 + i] = digits[wire->hash >> (60 - 4 * i) & 15];
	wire->request.part++;
	return taken + 1;
}

/* The key of the portal whose name was fed; 0: the unnamed one. */
static uint64_t portal_key(const struct pgwire *wire)
{
	return wire->length ? wire->hash | 1 : 0;
}

static struct pgwire_name *portal_find(struct pgwire *wire, uint64_t key)
{
	struct pgwire_portals *portals = &wire->portals;

	if (!key)
		return &portals->unnamed;
	for (size_t i = 0; i < PGWIRE_PORTALS; i++)
		if (portals->key[i] == key)
			return &portals->statement[i];
	return NULL;
}

/* The statement that was named last is bound to the portal. */
static void portal_bind(struct pgwire *wire)
{
	struct pgwire_portals *portals = &wire->portals;
	struct pgwire_name *statement = portal_find(wire, wire->portal);

	if (!statement) {
		statement = &portals->statement[portals->next];
		portals->key[portals->next] = wire->portal;
		portals->next = (portals->next + 1) % PGWIRE_PORTALS;
	}
	*statement = wire->name;
}

static void tell(const struct pgwire_ear *ear, enum wire_kind kind, const struct pgwire_name *name)
{
	struct wire_request request = {.kind = (uint8_t)kind};

	request.replies = kind == WIRE_EXECUTE || kind == WIRE_EXECUTE_NAME;
	if (name) {
		request.name_size = name->size;
		memcpy(request.name, name->at, name->size);
	}
	ear->calls->request(ear->to, &request);
}

static void tell_execute(struct pgwire *wire, const struct pgwire_ear *ear)
{
	static const struct pgwire_name unknown = {1, PGWIRE_UNKNOWN};
	const struct pgwire_name *statement = portal_find(wire, portal_key(wire));

	tell(ear, WIRE_EXECUTE_NAME, statement ? statement : &unknown);
}

static void tell_function(const struct pgwire_ear *ear)
{
	static const char operation[] = "FUNCTION";
	struct wire_request request = {.kind = WIRE_EXECUTE, .replies = 1};

	request.operation_size = sizeof(operation) - 1;
	memcpy(request.operation, operation, sizeof(operation) - 1);
	ear->calls->request(ear->to, &request);
}

static void flush(struct pgwire *wire, const struct pgwire_ear *ear)
{
	wire->open = 0;
	wire->units++;
	wire->ended_by = wire->request.type;
	ear->calls->flush(ear->to);
}

static size_t text_feed(struct pgwire *wire, const struct pgwire_ear *ear, const char *at,
			size_t size)
{
	const char *end = memchr(at, 0, size);
	size_t taken = end ? (size_t)(end - at) : size;

	if (taken)
		ear->calls->text(ear->to, at, taken, 1);
	if (!end)
		return taken;
	wire->request.part++;
	return taken + 1;
}

/* One piece of a part; the bytes of it that were taken. Nothing of values is looked at. */
static size_t part_feed(struct pgwire *wire, const struct pgwire_ear *ear, const char *at,
			size_t size)
{
	int first = wire->request.part == FIRST;
	size_t taken;

	switch (wire->request.type) {
	case 'Q':
		taken = text_feed(wire, ear, at, size);
		wire->request.part = wire->request.part == FIRST ? FIRST : REST;
		return taken;
	case 'P':
		return first ? name_feed(wire, at, size) : text_feed(wire, ear, at, size);
	case 'B':
		taken = name_feed(wire, at, size);
		if (first && wire->request.part == SECOND) {
			wire->portal = portal_key(wire);
			name_begin(wire);
		}
		return taken;
	case 'E':
		taken = name_feed(wire, at, size);
		wire->request.part = wire->request.part == FIRST ? FIRST : REST;
		return taken;
	case 'C':
		if (!first)
			return name_feed(wire, at, size);
		wire->request.part = *at == 'S' ? SECOND : REST;
		return 1;
	default:
		wire->request.part = REST;
		return size;
	}
}

static void sync(struct pgwire *wire, const struct pgwire_ear *ear)
{
	if (wire->copying)
		return;
	if (wire->resync)
		wire->resync = 0;
	else
		flush(wire, ear);
}

/* The strings of the message must have ended in it. */
static enum wire_result request_close(struct pgwire *wire, const struct pgwire_ear *ear)
{
	uint8_t type = wire->request.type;

	if (strchr("QPBEC", type) && wire->request.part != REST)
		return WIRE_BAD;
	wire->open |= strchr("PBDEC", type) != NULL;
	switch (type) {
	case 'Q':
		tell(ear, WIRE_EXECUTE, NULL);
		flush(wire, ear);
		break;
	case 'F':
		tell_function(ear);
		flush(wire, ear);
		break;
	case 'P':
		tell(ear, WIRE_PREPARE, &wire->name);
		break;
	case 'B':
		portal_bind(wire);
		break;
	case 'E':
		tell_execute(wire, ear);
		break;
	case 'C':
		/* To forget the empty name would be to forget all. */
		if (wire->length)
			tell(ear, WIRE_CLOSE_NAME, &wire->name);
		break;
	case 'S':
		sync(wire, ear);
		break;
	case 'c':
	case 'f':
		wire->copied = !wire->copying;
		wire->copying = 0;
		break;
	default:
		break;
	}
	return WIRE_OK;
}

/* The header of a message is complete. */
static enum wire_result message_open(struct pgwire *wire, enum wire_way way)
{
	struct pgwire_lane *lane = way == WIRE_REQUEST ? &wire->request : &wire->reply;
	const char *types = way == WIRE_REQUEST ? "QPBDECSHdcfFpX" : "RvSKZTDCI123ntsEGHWdcVNA";
	const char *large = way == WIRE_REQUEST ? "QPBdF" : "DdV";
	uint32_t length = pgwire_number(lane->header + 1);

	lane->type = lane->header[0];
	if (!lane->type || !strchr(types, lane->type))
		return WIRE_BAD;
	if (length < 4 || length > (strchr(large, lane->type) ? LENGTH_MAX : LENGTH_SANE))
		return WIRE_BAD;
	lane->left = length - 4;
	if (way == WIRE_REQUEST)
		name_begin(wire);
	return WIRE_OK;
}

/* Takes bytes of a header; the bytes taken. `result` is set when it is complete. */
static size_t header_feed(struct pgwire *wire, enum wire_way way, const char *at, size_t size,
			  enum wire_result *result)
{
	struct pgwire_lane *lane = way == WIRE_REQUEST ? &wire->request : &wire->reply;
	int start = way == WIRE_REQUEST && !wire->started;
	size_t need = (start ? sizeof(lane->header) : HEADER) - lane->have;
	size_t taken = size < need ? size : need;

	memcpy(lane->header + lane->have, at, taken);
	lane->have += (uint8_t)taken;
	if (taken < need)
		return taken;
	lane->opened = 1;
	lane->part = FIRST;
	*result = start ? pgwire_start_open(wire) : message_open(wire, way);
	return taken;
}

static void body_feed(struct pgwire *wire, const struct pgwire_ear *ear, enum wire_way way,
		      const char *at, size_t size)
{
	if (way == WIRE_REPLY) {
		pgwire_reply_body(wire, at, size);
	} else if (!wire->started) {
		pgwire_start_body(wire, at, size);
	} else {
		while (size && wire->request.part != REST) {
			size_t taken = part_feed(wire, ear, at, size);
			at += taken;
			size -= taken;
		}
	}
}

static enum wire_result message_close(struct pgwire *wire, const struct pgwire_ear *ear,
				      enum wire_way way)
{
	if (way == WIRE_REPLY)
		return pgwire_reply_close(wire, ear);
	return wire->started ? request_close(wire, ear) : pgwire_start_close(wire, ear);
}

/* The first byte of a message: 1 if it was more than that, the answer to a start-up packet. */
static int first_byte(struct pgwire *wire, const struct pgwire_ear *ear, enum wire_way way,
		      char byte, enum wire_result *result)
{
	if (way == WIRE_REPLY)
		return wire->asked && pgwire_answer(wire, byte, result);
	if (wire->started && byte && strchr("QPEF", byte))
		ear->calls->begin(ear->to);
	return 0;
}

enum wire_result pgwire_feed(struct pgwire *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	struct pgwire_lane *lane = way == WIRE_REQUEST ? &wire->request : &wire->reply;
	const struct pgwire_ear ear = {calls, to};
	enum wire_result result = WIRE_OK;

	while (size && result == WIRE_OK) {
		if (!lane->opened) {
			size_t taken = 1;
			if (lane->have || !first_byte(wire, &ear, way, *at, &result))
				taken = header_feed(wire, way, at, size, &result);
			at += taken;
			size -= taken;
			if (!lane->opened || result != WIRE_OK)
				continue;
		}
		size_t piece = size < lane->left ? size : lane->left;
		body_feed(wire, &ear, way, at, piece);
		at += piece;
		size -= piece;
		lane->left -= (uint32_t)piece;
		if (!lane->left) {
			lane->opened = lane->have = 0;
			result = message_close(wire, &ear, way);
		}
	}
	return result;
}
