/* resp_argument.c - a Redis command's arguments: which are told, which decide something. */
#include <string.h>

#include "preload/resp_parts.h"

#define STEP_VALUES 255 /* in place of a step: all further arguments are values */

enum argument_role {
	NAME,
	SECOND, /* the second word of a container command */
	KEY,
	VALUE,
	NOTHING,  /* not even a '?' */
	KEYS,     /* how many keys follow */
	STREAM,   /* of XREAD, up to STREAMS */
	DATABASE, /* of SELECT */
	MODE,     /* of CLIENT REPLY */
};

uint8_t resp_special_of(const struct resp *wire)
{
	return wire->row < 0 ? RESP_PLAIN : resp_command_at(wire->row)->special;
}

/* Commands that are not told with a text of their own. */
static int is_mute(uint8_t special)
{
	return special == RESP_SESSION || special == RESP_SELECT || special == RESP_RESET ||
	       special == RESP_STOP;
}

int resp_word_is(const struct resp *wire, const char *capitals, size_t size)
{
	if (wire->word_size != size)
		return 0;
	for (size_t i = 0; i < size; i++)
		if ((wire->word[i] & ~0x20) != capitals[i])
			return 0;
	return 1;
}

/* The word as a number of up to nine digits, or -1. */
static int32_t word_number(const struct resp *wire)
{
	int32_t number = 0;

	if (!wire->word_size || wire->word_size > 9)
		return -1;
	for (size_t i = 0; i < wire->word_size; i++) {
		if (wire->word[i] < '0' || wire->word[i] > '9')
			return -1;
		number = number * 10 + (wire->word[i] - '0');
	}
	return number;
}

/* ---- what an argument is -------------------------------------------------------------------- */

static char next_letter(struct resp *wire, const struct resp_command *command)
{
	const char *again = memchr(command->arguments, '*', sizeof(command->arguments));

	if (wire->step == STEP_VALUES)
		return 'v';
	char letter = command->arguments[wire->step];
	if (letter == '*')
		letter = command->arguments[++wire->step];
	if (!letter) {
		if (!again)
			return 'v';
		wire->step = (uint8_t)(again - command->arguments + 1);
		letter = command->arguments[wire->step];
	}
	wire->step++;
	return letter;
}

static enum argument_role role_by_letter(struct resp *wire, const struct resp_command *command)
{
	int last = wire->argument + 1 == wire->arguments;

	if (wire->keys_left) {
		wire->keys_left--;
		return KEY;
	}
	switch (next_letter(wire, command)) {
	case 'k':
		return command->special == RESP_LAST_VALUE && last ? VALUE : KEY;
	case 'n':
		return KEYS;
	case 's':
		return STREAM;
	default:
		return VALUE;
	}
}

static enum argument_role role_of(struct resp *wire)
{
	if (wire->argument == 0)
		return NAME;
	if (wire->row < 0)
		return VALUE;
	const struct resp_command *command = resp_command_at(wire->row);
	switch (command->special) {
	case RESP_CONTAINER:
		return wire->argument == 1 ? SECOND : VALUE;
	case RESP_SELECT:
		return wire->argument == 1 ? DATABASE : NOTHING;
	case RESP_REPLY:
		return wire->argument == 2 ? MODE : VALUE;
	case RESP_SESSION:
	case RESP_RESET:
	case RESP_STOP:
		return NOTHING;
	default:
		return role_by_letter(wire, command);
	}
}

/* ---- arguments ------------------------------------------------------------------------------ */

void resp_argument_begin(struct resp *wire, const struct wire_calls *calls, void *to)
{
	wire->word_size = 0;
	wire->role = (uint8_t)role_of(wire);
	if (wire->role == KEY)
		wire_text_word(&wire->text, calls, to);
}

void resp_argument_put(struct resp *wire, const char *at, size_t size,
		       const struct wire_calls *calls, void *to)
{
	size_t room = sizeof(wire->word) - wire->word_size;

	if (wire->role == KEY)
		wire_text_put(&wire->text, at, size, calls, to);
	if (wire->role == KEY || wire->role == VALUE || wire->role == NOTHING)
		return;
	size = size < room ? size : room;
	memcpy(wire->word + wire->word_size, at, size);
	wire->word_size = (uint8_t)(wire->word_size + size);
}

/* As a word of the text. */
void resp_tell_word(struct resp *wire, const char *at, size_t size, const struct wire_calls *calls,
		    void *to)
{
	wire_text_word(&wire->text, calls, to);
	wire_text_put(&wire->text, at, size, calls, to);
}

/* Adds the word to the operation, as far as there is room. */
static void add_to_operation(struct resp *wire)
{
	for (size_t i = 0; i < wire->word_size; i++) {
		if (wire->operation_size == sizeof(wire->operation))
			return;
		char c = wire->word[i];
		char letter = (char)(c | 0x20);
		int fit = (letter >= 'a' && letter <= 'z') || (c >= '-' && c <= ':') || c == '_';
		wire->operation[wire->operation_size++] = fit ? c : '_';
	}
}

/* Most commands are what the last one was: then neither the row nor the operation changes. */
static int is_last_name(const struct resp *wire)
{
	return wire->word_size && wire->word_size == wire->name_size &&
	       wire->operation_size == wire->name_size &&
	       memcmp(wire->word, wire->operation, wire->word_size) == 0;
}

static enum wire_result end_name(struct resp *wire, const struct wire_calls *calls, void *to)
{
	wire->keys_left = 0;
	wire->step = 0;
	if (!is_last_name(wire)) {
		wire->operation_size = 0;
		wire->row = (int16_t)resp_command_find(wire->word, wire->word_size);
		add_to_operation(wire);
		wire->name_size = wire->operation_size;
	}
	if (wire->row < 0 && !wire->arguments)
		return WIRE_BAD;
	if (!wire->operation_size) /* an empty name is a name as well */
		wire->operation[wire->operation_size++] = '_';
	uint8_t special = resp_special_of(wire);
	if (!is_mute(special) && special != RESP_CONTAINER)
		resp_tell_word(wire, wire->operation, wire->operation_size, calls, to);
	return WIRE_OK;
}

static void end_second(struct resp *wire, const struct wire_calls *calls, void *to)
{
	size_t first = wire->operation_size;

	if (wire->word_size && first < sizeof(wire->operation)) {
		wire->operation[wire->operation_size++] = ' ';
		add_to_operation(wire);
	}
	int row = resp_command_find(wire->operation, wire->operation_size);
	if (row >= 0)
		wire->row = (int16_t)row;
	if (is_mute(resp_special_of(wire)))
		return;
	resp_tell_word(wire, wire->operation, first, calls, to);
	if (wire->operation_size > first)
		resp_tell_word(wire, wire->operation + first + 1, wire->operation_size - first - 1,
			       calls, to);
}

static void end_keys(struct resp *wire, const struct wire_calls *calls, void *to)
{
	int32_t number = word_number(wire);

	wire->keys_left = number > 0 ? (uint32_t)number : 0;
	if (number >= 0)
		resp_tell_word(wire, wire->word, wire->word_size, calls, to);
	else
		wire_text_value(&wire->text, calls, to);
}

static void end_stream(struct resp *wire, const struct wire_calls *calls, void *to)
{
	if (!resp_word_is(wire, "STREAMS", 7)) {
		wire_text_value(&wire->text, calls, to);
		return;
	}
	resp_tell_word(wire, wire->word, wire->word_size, calls, to);
	wire->step = STEP_VALUES;
	if (wire->arguments)
		wire->keys_left = (wire->arguments - wire->argument - 1) / 2;
}

enum wire_result resp_argument_end(struct resp *wire, const struct wire_calls *calls, void *to)
{
	enum wire_result result = WIRE_OK;

	switch (wire->role) {
	case NAME:
		result = end_name(wire, calls, to);
		break;
	case SECOND:
		end_second(wire, calls, to);
		break;
	case KEY:
		wire_text_word_end(&wire->text, calls, to);
		break;
	case KEYS:
		end_keys(wire, calls, to);
		break;
	case STREAM:
		end_stream(wire, calls, to);
		break;
	case DATABASE:
		if (word_number(wire) >= 0)
			resp_tell_word(wire, wire->word, wire->word_size, calls, to);
		break;
	case VALUE:
	case MODE:
		wire_text_value(&wire->text, calls, to);
		break;
	default:
		break;
	}
	wire->argument++;
	return result;
}
