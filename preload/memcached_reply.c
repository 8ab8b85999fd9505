/* memcached_reply.c - what memcached answers: told by its lines alone, paired by their order. */
#include <string.h>

#include "preload/memcached_parts.h"

#define VALUE_MAX (1ll << 32)

enum answer_kind {
	PLAIN,
	META,
	VALUE,      /* a value follows, and more lines */
	META_VALUE, /* a value follows */
	LISTED,     /* more lines follow */
	END,
	MISS, /* no quiet command answers so */
	ERROR,
};

/* Rows that are none: what begins a line is no name. */
enum { ANSWER_NUMBER = -1, ANSWER_LISTED = -2 };

struct answer {
	char name[WIRE_ROW_NAME];
	uint8_t kind;
	uint8_t own; /* no other protocol's server begins with it */
};

/* In the order of the names' bytes. */
static const struct answer answers[] = {
	/* clang-format off */
	{"BADCLASS",     PLAIN, 0},
	{"BUSY",         PLAIN, 0},
	{"CLIENT_ERROR", ERROR, 1},
	{"DELETED",      PLAIN, 1},
	{"EN",           MISS, 0},
	{"END",          END, 0},
	{"ERROR",        ERROR, 0},
	{"EX",           META, 0},
	{"EXISTS",       PLAIN, 1},
	{"HD",           META, 0},
	{"ITEM",         LISTED, 0},
	{"ME",           META, 0},
	{"MN",           PLAIN, 0},
	{"NF",           META, 0},
	{"NOSPARE",      PLAIN, 0},
	{"NOTFULL",      PLAIN, 0},
	{"NOT_FOUND",    PLAIN, 1},
	{"NOT_STORED",   PLAIN, 1},
	{"NS",           META, 0},
	{"OK",           PLAIN, 0},
	{"PREFIX",       LISTED, 0},
	{"RESET",        PLAIN, 0},
	{"SAME",         PLAIN, 0},
	{"SERVER_ERROR", ERROR, 1},
	{"STAT",         LISTED, 0},
	{"STORED",       PLAIN, 1},
	{"TOUCHED",      PLAIN, 1},
	{"UNSAFE",       PLAIN, 0},
	{"VA",           META_VALUE, 0},
	{"VALUE",        VALUE, 1},
	{"VERSION",      PLAIN, 1},
	{"mg",           LISTED, 0},
	/* clang-format on */
};

static int find_answer(const char *name, size_t size)
{
	return wire_row(answers, sizeof(answers) / sizeof(answers[0]), sizeof(answers[0]), name,
			size, 0);
}

static enum answer_kind kind_of(const struct memcached *wire)
{
	if (wire->answer < 0)
		return wire->answer == ANSWER_NUMBER ? PLAIN : LISTED;
	return answers[wire->answer].kind;
}

int memcached_answer_looks_like(const char *at, size_t size)
{
	size_t name = 0;

	while (name < size && ((at[name] >= 'A' && at[name] <= 'Z') || at[name] == '_'))
		name++;
	if (!name || name >= WIRE_ROW_NAME)
		return 0;
	if (name == size)
		return -2;
	int row = find_answer(at, name);
	return row >= 0 && answers[row].own && (at[name] == ' ' || at[name] == '\r');
}

/* ---- whole replies -------------------------------------------------------------------------- */

/* Answers the oldest request. */
static void answer(struct memcached *wire, const struct wire_reply *reply,
		   const struct wire_calls *calls, void *to)
{
	calls->reply(to, reply);
	if (--wire->run[0].count)
		return;
	wire->runs--;
	memmove(wire->run, wire->run + 1, wire->runs * sizeof(wire->run[0]));
}

/* Quiet requests before the one that was answered now had nothing to say. */
static void answer_quiet(struct memcached *wire, const struct wire_calls *calls, void *to)
{
	static const struct wire_reply nothing;

	while (wire->runs && wire->run[0].quiet)
		answer(wire, &nothing, calls, to);
}

static enum wire_result end_reply(struct memcached *wire, const struct wire_calls *calls, void *to)
{
	enum answer_kind kind = kind_of(wire);
	struct wire_reply reply = {.failed = kind == ERROR};

	if (kind != META && kind != META_VALUE && kind != ERROR)
		answer_quiet(wire, calls, to);
	if (!wire->runs) /* an error may be that of a request that asked for no answer */
		return kind == ERROR ? WIRE_OK : WIRE_BAD;
	reply.has_rows = kind == META_VALUE || kind == MISS || (kind == END && !wire->listed);
	reply.rows = wire->rows;
	if (reply.failed) {
		reply.code_size = (uint8_t)strlen(answers[wire->answer].name);
		memcpy(reply.code, answers[wire->answer].name, reply.code_size);
	}
	wire->rows = 0;
	wire->listed = 0;
	answer(wire, &reply, calls, to);
	return WIRE_OK;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static enum wire_result end_name(struct memcached *wire)
{
	const struct memcached_line *line = &wire->reply_line;
	size_t size = line->size;

	if (line->word[size - 1] == ':') /* "ERROR: shutdown not enabled" */
		size--;
	wire->answer = (int8_t)find_answer(line->word, size);
	if (wire->answer >= 0)
		return WIRE_OK;
	int is_number = memcached_number(line->word, line->size) >= 0;
	wire->answer = is_number ? ANSWER_NUMBER : ANSWER_LISTED;
	if (is_number || (line->size > 4 && memcmp(line->word, "key=", 4) == 0))
		return WIRE_OK;
	return WIRE_BAD;
}

static enum wire_result end_word(struct memcached *wire)
{
	const struct memcached_line *line = &wire->reply_line;

	if (line->token == 1)
		return end_name(wire);
	enum answer_kind kind = kind_of(wire);
	if (!(kind == VALUE && line->token == 4) && !(kind == META_VALUE && line->token == 2))
		return WIRE_OK;
	int64_t size = memcached_number(line->word, line->size);
	if (size < 0 || size > VALUE_MAX)
		return WIRE_BAD;
	wire->value_left = (uint64_t)size + 2;
	wire->rows++;
	return WIRE_OK;
}

static enum wire_result end_line(struct memcached *wire, const struct wire_calls *calls, void *to)
{
	enum answer_kind kind = kind_of(wire);

	if (kind == VALUE || kind == META_VALUE) {
		wire->in_value = wire->value_left != 0;
		return wire->in_value ? WIRE_OK : WIRE_BAD;
	}
	if (kind != LISTED)
		return end_reply(wire, calls, to);
	wire->listed = 1;
	return WIRE_OK;
}

static enum wire_result take_line(struct memcached *wire, const char **at, const char *end,
				  const struct wire_calls *calls, void *to)
{
	const char *piece;
	uint32_t words = wire->reply_line.token;

	switch (memcached_line_next(&wire->reply_line, at, end, &piece)) {
	case MEMCACHED_WORD:
		return end_word(wire);
	case MEMCACHED_END:
		return words ? end_line(wire, calls, to) : WIRE_BAD;
	default:
		return WIRE_OK;
	}
}

static enum wire_result take_value(struct memcached *wire, const char **at, const char *end,
				   const struct wire_calls *calls, void *to)
{
	if (memcached_data(&wire->value_left, at, end))
		return WIRE_BAD;
	wire->in_value = wire->value_left != 0;
	if (wire->in_value || kind_of(wire) == VALUE)
		return WIRE_OK;
	return end_reply(wire, calls, to);
}

enum wire_result memcached_feed_reply(struct memcached *wire, const char *at, size_t size,
				      const struct wire_calls *calls, void *to)
{
	const char *end = at + size;
	enum wire_result result = WIRE_OK;

	while (at < end && result == WIRE_OK)
		result = wire->in_value ? take_value(wire, &at, end, calls, to)
					: take_line(wire, &at, end, calls, to);
	return result;
}
