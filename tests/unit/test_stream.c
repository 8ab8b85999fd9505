/* test_stream.c - whole conversations, cut at every byte in both directions, give the same spans.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "preload/hook.h"
#include "preload/stream.h"
#include "tests/unit/shim_test.h"

#define LITERAL(text) text, sizeof(text) - 1

static struct slot *slot;
static int fd; /* a stream socket; nothing is really sent on it */

/* Who does what: the client or the server sends, sends unseen (sendfile), or closes. */
enum actor { NOBODY, CLIENT, SERVER, CLIENT_UNSEEN, SERVER_UNSEEN, CLIENT_CLOSES, SERVER_CLOSES };

struct step {
	enum actor actor;
	const char *bytes;
	size_t size;
};

struct expected {
	const char *method, *path;
	uint16_t status;
	uint8_t failure;
	uint64_t request_bytes, response_bytes;
};

struct conversation {
	const char *name;
	struct step steps[8];
	struct expected spans[5];
	uint8_t ends_opaque;
};

static const struct conversation conversations[] = {
	{"keep-alive with lengths",
	 {{CLIENT, LITERAL("GET /a?q=1 HTTP/1.1\r\nHost: x\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")},
	  {CLIENT, LITERAL("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\npayload")},
	  {SERVER, LITERAL("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")}},
	 {{"GET", "/a", 200, 0, 0, 4}, {"POST", "/b", 500, 0, 7, 0}},
	 0},
	{"pipelining",
	 {{CLIENT, LITERAL("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"
			   "PUT /3 HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /4 HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 No\r\n"
			   "Content-Length: 2\r\n\r\nbcHTTP/1.1 204 None\r\n\r\n"
			   "HTTP/1.1 304 Same\r\nContent-Length: 99\r\n\r\n")}},
	 {{"GET", "/1", 200, 0, 0, 1},
	  {"GET", "/2", 404, 0, 0, 2},
	  {"PUT", "/3", 204, 0, 1, 0},
	  {"GET", "/4", 304, 0, 0, 0}},
	 0},
	{"chunks, extensions and trailers both ways",
	 {{CLIENT, LITERAL("POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: GET / HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "10\r\nHTTP/1.1 500 No\n\r\n0\r\nX: 1\r\nY: 2\r\n\r\n")},
	  {CLIENT, LITERAL("GET /d HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz")}},
	 {{"POST", "/c", 200, 0, 15, 16}, {"GET", "/d", 200, 0, 0, 1}},
	 0},
	{"an answer to HEAD has no body",
	 {{CLIENT, LITERAL("HEAD /h HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")},
	  {CLIENT, LITERAL("\r\nGET /i HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz")}},
	 {{"HEAD", "/h", 200, 0, 0, 0}, {"GET", "/i", 200, 0, 0, 1}},
	 0},
	{"100-continue and other interim answers",
	 {{CLIENT, LITERAL("POST /e HTTP/1.1\r\nExpect: 100-continue\r\n"
			   "Content-Length: 3\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 100 Continue\r\n\r\n")},
	  {CLIENT, LITERAL("abc")},
	  {SERVER, LITERAL("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
			   "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")}},
	 {{"POST", "/e", 201, 0, 3, 0}},
	 0},
	{"an upgrade ends the story",
	 {{CLIENT,
	   LITERAL("GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")},
	  {CLIENT, LITERAL("GET /not-http HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\n\r\n")}},
	 {{"GET", "/ws", 101, 0, 0, 0}},
	 1},
	{"a tunnel is opaque",
	 {{CLIENT, LITERAL("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 Established\r\n\r\n")},
	  {CLIENT, LITERAL("GET /inside HTTP/1.1\r\n\r\n")}},
	 {{"CONNECT", NULL, 200, 0, 0, 0}},
	 1},
	{"a refused tunnel is not",
	 {{CLIENT, LITERAL("CONNECT db:5432 HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno")},
	  {CLIENT, LITERAL("GET /again HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}},
	 {{"CONNECT", NULL, 407, 0, 0, 2}, {"GET", "/again", 200, 0, 0, 0}},
	 0},
	{"an early answer, then the rest of the request, then another",
	 {{CLIENT, LITERAL("PUT /big HTTP/1.1\r\nContent-Length: 10\r\n\r\n012")},
	  {SERVER, LITERAL("HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno")},
	  {CLIENT, LITERAL("3456789GET /j HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}},
	 {{"PUT", "/big", 413, 0, 3, 2}, {"GET", "/j", 200, 0, 0, 0}},
	 0},
	{"HTTP/1.0, until the connection closes",
	 {{CLIENT, LITERAL("GET /old HTTP/1.0\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.0 200 OK\r\nServer: y\r\n\r\nHTTP/1.0 200 OK\r\n\r\nabc")},
	  {SERVER_CLOSES, NULL, 0}},
	 {{"GET", "/old", 200, 0, 0, 22}},
	 0},
	{"bodies that are not seen",
	 {{CLIENT, LITERAL("PUT /f HTTP/1.1\r\nContent-Length: 5000000000\r\n\r\n")},
	  {CLIENT_UNSEEN, NULL, 3000000000u},
	  {CLIENT_UNSEEN, NULL, 2000000000u},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n1234567")},
	  {SERVER_UNSEEN, NULL, 63},
	  {CLIENT, LITERAL("GET /k HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}},
	 {{"PUT", "/f", 200, 0, 5000000000u, 70}, {"GET", "/k", 200, 0, 0, 0}},
	 0},
	{"bare line feeds and empty lines in front",
	 {{CLIENT, LITERAL("\r\n\r\n\nGET /lf HTTP/1.1\nHost: x\n\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")}},
	 {{"GET", "/lf", 200, 0, 0, 2}},
	 0},
	{"the answer is cut",
	 {{CLIENT, LITERAL("GET /cut HTTP/1.1\r\n\r\n")},
	  {SERVER, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")},
	  {CLIENT_CLOSES, NULL, 0}},
	 /* Each side says what it knows: see failure_of. */
	 {{"GET", "/cut", 200, FAILURE_CLOSED, 0, 4}},
	 0},
};

#define CONVERSATIONS (sizeof(conversations) / sizeof(conversations[0]))

/* How a step's bytes are handed over. */
struct cut {
	size_t step; /* this one is cut at `at`; the others are whole */
	size_t at;
	uint8_t single;  /* every byte in a call of its own */
	uint8_t vectors; /* the two parts in one call */
};

static void give(enum stream_way way, const char *at, size_t size)
{
	struct conn *conn = fd_connection(fd);
	struct iovec one = {(void *)at, size};

	if (conn && conn->role != ROLE_OPAQUE)
		stream_bytes(&thread_self, conn, fd, way, &one, 1, size);
}

static void give_vectors(enum stream_way way, const struct step *step, size_t at)
{
	struct conn *conn = fd_connection(fd);
	/* Bytes beyond what the call returned must not be looked at. */
	struct iovec three[] = {{(void *)step->bytes, at},
				{(void *)(step->bytes + at), step->size - at},
				{(void *)"GET / HTTP/1.1\r\n\r\n", 18}};

	if (conn && conn->role != ROLE_OPAQUE)
		stream_bytes(&thread_self, conn, fd, way, three, 3, step->size);
}

static void give_step(enum stream_way way, const struct step *step, size_t at,
		      const struct cut *cut)
{
	if (cut->single) {
		for (size_t i = 0; i < step->size; i++)
			give(way, step->bytes + i, 1);
	} else if (cut->vectors) {
		give_vectors(way, step, at);
	} else {
		give(way, step->bytes, at);
		give(way, step->bytes + at, step->size - at);
	}
}

static void take_step(int as_server, const struct step *step, size_t at, const struct cut *cut)
{
	int of_client = step->actor == CLIENT || step->actor == CLIENT_UNSEEN ||
			step->actor == CLIENT_CLOSES;
	enum stream_way way = of_client == as_server ? STREAM_IN : STREAM_OUT;
	char byte;

	switch (step->actor) {
	case CLIENT:
	case SERVER:
		give_step(way, step, at, cut);
		break;
	case CLIENT_UNSEEN:
	case SERVER_UNSEEN:
		stream_skip(fd_connection(fd), way, step->size);
		break;
	default:
		if (way == STREAM_IN)
			after_read(0, fd, &byte, 1);
		else
			fd_reset(fd, FD_UNKNOWN);
	}
}

/* A client that hangs up in the middle of an answer has not failed; the server was not told. */
static uint8_t failure_of(const struct expected *expected, int as_server)
{
	return expected->failure == FAILURE_CLOSED && !as_server ? FAILURE_NONE : expected->failure;
}

static void check_span(const struct expected *expected, int as_server)
{
	struct told told;
	char text[64];

	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.kind, as_server ? SPAN_SERVER : SPAN_CLIENT);
	assert_true(shim_field(&told, FIELD_METHOD, text, sizeof(text)) > 0);
	assert_string_equal(text, expected->method);
	if (expected->path) {
		assert_true(shim_field(&told, FIELD_PATH, text, sizeof(text)) > 0);
		assert_string_equal(text, expected->path);
	}
	assert_int_equal(told.span.status_code, expected->status);
	assert_int_equal(told.span.failure, failure_of(expected, as_server));
	assert_int_equal(told.span.request_body_bytes, expected->request_bytes);
	if (!expected->failure)
		assert_int_equal(told.span.response_body_bytes, expected->response_bytes);
	assert_true(told.span.flags & SPAN_RESPONSE_SEEN);
	assert_true(told.span.start_ns && told.span.start_ns <= told.span.end_ns);
}

static void talk(const struct conversation *talk, int as_server, const struct cut *cut)
{
	struct told more;
	uint64_t lost = slot->counters.dropped[DROP_GAVE_UP];

	for (size_t i = 0; i < 8 && talk->steps[i].actor; i++)
		take_step(as_server, &talk->steps[i], i == cut->step ? cut->at : 0, cut);
	if (fd_known_connection(fd)) {
		assert_int_equal(fd_known_connection(fd)->role == ROLE_OPAQUE, talk->ends_opaque);
		fd_reset(fd, FD_UNKNOWN);
	}
	for (size_t i = 0; i < 5 && talk->spans[i].method; i++)
		check_span(&talk->spans[i], as_server);
	assert_int_equal(shim_next(slot, &more), 0);
	assert_int_equal(slot->counters.dropped[DROP_GAVE_UP], lost);
	for (size_t i = 0; i < INFLIGHT_COUNT; i++)
		assert_int_equal(slot->inflight[i].live, 0);
}

static int tear_down(void **state)
{
	(void)state;
	shim_hang_up(slot, fd);
	return 0;
}

static void whole_conversations_become_spans(void **state)
{
	struct cut none = {.step = SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < CONVERSATIONS; i++)
		for (int as_server = 0; as_server < 2; as_server++) {
			print_message("%s%s\n", conversations[i].name, as_server ? "" : ", client");
			talk(&conversations[i], as_server, &none);
		}
}

static void a_cut_at_any_byte_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONVERSATIONS; i++)
		for (size_t step = 0; step < 8; step++)
			for (size_t at = 1; at < conversations[i].steps[step].size &&
					    conversations[i].steps[step].bytes;
			     at++)
				for (uint8_t vectors = 0; vectors < 2; vectors++) {
					struct cut cut = {step, at, 0, vectors};

					talk(&conversations[i], 0, &cut);
					talk(&conversations[i], 1, &cut);
				}
}

static void single_bytes_change_nothing(void **state)
{
	struct cut single = {.single = 1, .step = SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < CONVERSATIONS; i++)
		for (int as_server = 0; as_server < 2; as_server++)
			talk(&conversations[i], as_server, &single);
}

/* ---- bytes that are not HTTP ----------------------------------------------------------------- */

static const struct step garbage[] = {
	{NOBODY, LITERAL("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03GET / HTTP/1.1\r\n\r\n")},
	{NOBODY, LITERAL("AMQP\0\0\x09\x01")},
	{NOBODY, LITERAL("\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0")},
	{NOBODY, LITERAL("\0\0\0\x14\0\x12\0\x03\0\0\0\x01\0\x04kcat\0\0\0\0")},
	{NOBODY, LITERAL("+OK POP3 ready\r\n")},
	{NOBODY, LITERAL("INFO {\"server_id\":\"x\"}\r\n")},
	{NOBODY, LITERAL("SSH-2.0-OpenSSH_9.2\r\n")},
	{NOBODY, LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
	{NOBODY, LITERAL("220 mail ESMTP\r\n")},
	{NOBODY, LITERAL("EHLO mail.example\r\n")},
	{NOBODY, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
	{NOBODY, LITERAL("GET /gopher\r\n")},
	{NOBODY, LITERAL("Get / HTTP/1.1\r\n\r\n")},
	{NOBODY, LITERAL("GET  / HTTP/1.1\r\n\r\n")},
};

static void other_protocols_make_the_connection_opaque_and_nothing_else(void **state)
{
	struct slot_counters before = slot->counters;
	struct told told;

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		for (int variant = 0; variant < 4; variant++) {
			struct cut cut = {.single = (uint8_t)(variant & 1)};

			give_step(variant & 2 ? STREAM_IN : STREAM_OUT, &garbage[i], 0, &cut);
			assert_int_equal(fd_known_connection(fd)->role, ROLE_OPAQUE);
			fd_reset(fd, FD_UNKNOWN);
		}
	assert_int_equal(shim_next(slot, &told), 0);
	assert_memory_equal(&before, &slot->counters, sizeof(before));
}

static void a_head_of_64_kib_is_told_and_a_longer_one_is_given_up(void **state)
{
	static char head[HTTP1_HEAD_MAX + 2000];
	static const size_t longer[] = {0, 1, 1999};
	static const size_t pieces[] = {1000, sizeof(head)};
	struct told told;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		size_t size = HTTP1_HEAD_MAX + longer[i / 2], piece = pieces[i % 2];
		uint64_t large = slot->counters.dropped[DROP_HEAD_TOO_LARGE];

		memset(head, 'h', sizeof(head));
		memcpy(head, LITERAL("GET /long HTTP/1.1\r\nX: "));
		memcpy(head + size - 4, "\r\n\r\n", 4);
		for (size_t at = 0; at < size; at += piece)
			give(STREAM_IN, head + at, size - at < piece ? size - at : piece);
		if (i < 2)
			give(STREAM_OUT, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
		assert_int_equal(shim_next(slot, &told), i < 2);
		assert_int_equal(slot->counters.dropped[DROP_HEAD_TOO_LARGE], large + (i >= 2));
		fd_reset(fd, FD_UNKNOWN);
	}
}

static void an_answer_that_is_not_http_fails_the_request(void **state)
{
	struct told told;

	(void)state;
	give(STREAM_OUT, LITERAL("GET /x HTTP/1.1\r\n\r\n"));
	give(STREAM_IN, LITERAL("-ERR unknown command\r\n\r\n"));
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.failure, FAILURE_PROTOCOL);
	assert_int_equal(told.span.status_code, 0);
	assert_int_equal(fd_known_connection(fd)->role, ROLE_OPAQUE);
}

/* Told from its first line, or when it is whole: however it comes. */
static void a_broken_answer_is_judged_alike_in_pieces(void **state)
{
	static const struct {
		struct step answer;
		int given_up;
	} cases[] = {
		{{SERVER, LITERAL("-ERR unknown")}, 1},
		{{SERVER, LITERAL("HTTP/1.1 200 OK\r\nno colon\r\nX")}, 0},
		{{SERVER, LITERAL("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")}, 1},
	};
	struct told told;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct cut cut = {.single = (uint8_t)(i % 2)};

		give(STREAM_OUT, LITERAL("GET /x HTTP/1.1\r\n\r\n"));
		give_step(STREAM_IN, &cases[i / 2].answer, 0, &cut);
		assert_int_equal(shim_next(slot, &told), cases[i / 2].given_up);
		tear_down(state);
	}
}

static void a_skip_across_framing_is_given_up(void **state)
{
	struct told told;

	(void)state;
	give(STREAM_IN, LITERAL("GET /x HTTP/1.1\r\n\r\n"));
	give(STREAM_OUT, LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"));
	stream_skip(fd_connection(fd), STREAM_OUT, 6);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.failure, FAILURE_OTHER);
	assert_int_equal(fd_known_connection(fd)->role, ROLE_OPAQUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STREAM_TEST(name) cmocka_unit_test_teardown(name, tear_down)
		STREAM_TEST(whole_conversations_become_spans),
		STREAM_TEST(a_cut_at_any_byte_changes_nothing),
		STREAM_TEST(single_bytes_change_nothing),
		STREAM_TEST(other_protocols_make_the_connection_opaque_and_nothing_else),
		STREAM_TEST(a_head_of_64_kib_is_told_and_a_longer_one_is_given_up),
		STREAM_TEST(an_answer_that_is_not_http_fails_the_request),
		STREAM_TEST(a_broken_answer_is_judged_alike_in_pieces),
		STREAM_TEST(a_skip_across_framing_is_given_up),
	};

	slot = shim_attach(__builtin_frame_address(0));
	fd = shim_socket();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
