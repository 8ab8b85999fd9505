/* memcached_request.c - what a client sends to memcached: lines, some with data behind them. */
#include <string.h>

#include "preload/memcached_parts.h"

#define DATA_MAX (1ll << 32)

enum silence { SPEAKING, SILENT, QUIET };

#define ROW(name, words, more_keys, noreply, special)                                              \
	{                                                                                          \
		name, words, more_keys, noreply, MEMCACHED_##special                               \
	}

/* In the order of the names' bytes. */
static const struct memcached_command commands[] = {
	/* clang-format off */
	ROW("add",            "knnd",  0, 1, TEXT),
	ROW("append",         "knnd",  0, 1, TEXT),
	ROW("cache_memlimit", "n",     0, 1, TEXT),
	ROW("cas",            "knndn", 0, 1, TEXT),
	ROW("decr",           "kn",    0, 1, TEXT),
	ROW("delete",         "k",     0, 1, TEXT),
	ROW("extstore",       "",      0, 0, TEXT),
	ROW("flush_all",      "",      0, 1, TEXT),
	ROW("gat",            "nk",    1, 0, TEXT),
	ROW("gats",           "nk",    1, 0, TEXT),
	ROW("get",            "k",     1, 0, TEXT),
	ROW("gets",           "k",     1, 0, TEXT),
	ROW("incr",           "kn",    0, 1, TEXT),
	ROW("lru",            "",      0, 0, TEXT),
	ROW("lru_crawler",    "",      0, 0, TEXT),
	ROW("ma",             "k",     0, 0, META),
	ROW("md",             "k",     0, 0, META),
	ROW("me",             "k",     0, 0, META),
	ROW("mg",             "k",     0, 0, META),
	ROW("mn",             "",      0, 0, TEXT),
	ROW("ms",             "kd",    0, 0, META),
	ROW("prepend",        "knnd",  0, 1, TEXT),
	ROW("quit",           "",      0, 0, QUIT),
	ROW("refresh_certs",  "",      0, 0, TEXT),
	ROW("replace",        "knnd",  0, 1, TEXT),
	ROW("set",            "knnd",  0, 1, TEXT),
	ROW("shutdown",       "",      0, 0, TEXT),
	ROW("slabs",          "",      0, 0, TEXT),
	ROW("stats",          "",      0, 0, TEXT),
	ROW("touch",          "kn",    0, 1, TEXT),
	ROW("verbosity",      "",      0, 1, TEXT),
	ROW("version",        "",      0, 0, TEXT),
	ROW("watch",          "",      0, 0, STOP),
	/* clang-format on */
};

int memcached_command_find(const char *name, size_t size)
{
	return wire_row(commands, sizeof(commands) / sizeof(commands[0]), sizeof(commands[0]), name,
			size, 0);
}

const struct memcached_command *memcached_command_at(int row)
{
	return &commands[row];
}

/* ---- words ---------------------------------------------------------------------------------- */

/* What a word is, by its place in the line: a letter as the table has them, or 0. */
static char letter_of(const struct memcached *wire)
{
	const struct memcached_command *command = memcached_command_at(wire->command);
	size_t before = wire->line.token - 2; /* words between the name and it */

	if (before < strlen(command->words))
		return command->words[before];
	return command->more_keys ? 'k' : 0;
}

static void take_piece(struct memcached *wire, const char *at, size_t size,
		       const struct wire_calls *calls, void *to)
{
	if (wire->line.token == 1 || letter_of(wire) != 'k')
		return;
	if (!wire->in_key)
		wire_text_word(&wire->text, calls, to);
	wire->in_key = 1;
	wire_text_put(&wire->text, at, size, calls, to);
}

static enum wire_result end_name(struct memcached *wire, const struct wire_calls *calls, void *to)
{
	int row = memcached_command_find(wire->line.word, wire->line.size);

	if (row < 0)
		return WIRE_BAD;
	wire->command = (int8_t)row;
	wire->silence = SPEAKING;
	wire->operation_size = wire->line.size;
	memcpy(wire->operation, wire->line.word, wire->line.size);
	wire_text_begin(&wire->text);
	calls->begin(to);
	wire_text_put(&wire->text, wire->operation, wire->operation_size, calls, to);
	return WIRE_OK;
}

/* A word that the command need not have: a flag, or the wish not to be answered. */
static void take_option(struct memcached *wire)
{
	const struct memcached_command *command = memcached_command_at(wire->command);
	const struct memcached_line *line = &wire->line;

	if (command->special == MEMCACHED_META && line->word[0] == 'q')
		wire->silence = QUIET;
	if (!command->noreply)
		return;
	int noreply = line->size == 7 && memcmp(line->word, "noreply", 7) == 0;
	wire->silence = noreply ? SILENT : SPEAKING;
}

static enum wire_result take_size(struct memcached *wire)
{
	int64_t size = memcached_number(wire->line.word, wire->line.size);

	if (size < 0 || size > DATA_MAX || wire->line.word[0] == '-')
		return WIRE_BAD;
	wire->data_left = (uint64_t)size + 2;
	return WIRE_OK;
}

static enum wire_result end_word(struct memcached *wire, const struct wire_calls *calls, void *to)
{
	wire->in_key = 0;
	if (wire->line.token == 1)
		return end_name(wire, calls, to);
	switch (letter_of(wire)) {
	case 'k':
		return WIRE_OK;
	case 'd':
		wire_text_value(&wire->text, calls, to);
		return take_size(wire);
	case 'n':
		wire_text_value(&wire->text, calls, to);
		return WIRE_OK;
	default:
		take_option(wire);
		return WIRE_OK;
	}
}

/* ---- whole requests ------------------------------------------------------------------------- */

/* Remembers that a request waits for its answer; 0, or -1: it could not be told apart. */
static int expect(struct memcached *wire, uint8_t special)
{
	uint8_t quiet = wire->silence == QUIET;
	struct memcached_run *last = wire->run + wire->runs - 1;

	if (wire->runs && last->quiet == quiet) {
		last->count++;
		return 0;
	}
	if (wire->runs == MEMCACHED_RUNS || (wire->runs && special == MEMCACHED_META && !quiet))
		return -1;
	wire->run[wire->runs++] = (struct memcached_run){1, quiet};
	return 0;
}

static enum wire_result end_request(struct memcached *wire, const struct wire_calls *calls,
				    void *to)
{
	uint8_t special = memcached_command_at(wire->command)->special;
	struct wire_request request = {.kind = WIRE_EXECUTE};

	request.replies = special != MEMCACHED_QUIT && wire->silence != SILENT;
	if (special == MEMCACHED_STOP || (request.replies && expect(wire, special)))
		return WIRE_STOP;
	if (special == MEMCACHED_QUIT)
		request.kind = WIRE_SESSION;
	request.operation_size = wire->operation_size;
	memcpy(request.operation, wire->operation, wire->operation_size);
	wire_text_tell(&wire->text, calls, to);
	wire->operation_size = 0;
	calls->request(to, &request);
	return WIRE_OK;
}

static enum wire_result take_line(struct memcached *wire, const char **at, const char *end,
				  const struct wire_calls *calls, void *to)
{
	const char *piece = NULL;

	switch (memcached_line_next(&wire->line, at, end, &piece)) {
	case MEMCACHED_PIECE:
		take_piece(wire, piece, (size_t)(*at - piece), calls, to);
		return WIRE_OK;
	case MEMCACHED_WORD:
		return end_word(wire, calls, to);
	case MEMCACHED_END:
		if (!wire->operation_size)
			return WIRE_BAD;
		wire->in_data = wire->data_left != 0;
		return wire->in_data ? WIRE_OK : end_request(wire, calls, to);
	default:
		return WIRE_OK;
	}
}

static enum wire_result take_data(struct memcached *wire, const char **at, const char *end,
				  const struct wire_calls *calls, void *to)
{
	if (memcached_data(&wire->data_left, at, end))
		return WIRE_BAD;
	wire->in_data = wire->data_left != 0;
	return wire->in_data ? WIRE_OK : end_request(wire, calls, to);
}

enum wire_result memcached_feed_request(struct memcached *wire, const char *at, size_t size,
					const struct wire_calls *calls, void *to)
{
	const char *end = at + size;
	enum wire_result result = WIRE_OK;

	while (at < end && result == WIRE_OK)
		result = wire->in_data ? take_data(wire, &at, end, calls, to)
				       : take_line(wire, &at, end, calls, to);
	return result;
}
