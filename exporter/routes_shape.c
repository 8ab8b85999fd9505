/* routes_shape.c - what one segment of a path looks like. */
#include "routes_shape.h"

#include <string.h>

#include "exporter/routes_word.h"

enum byte_kind {
	DIGIT = 1,
	LOWER = 2,
	UPPER = 4,
	HEX = 8,
	JOINT = 16,   /* between the parts of a name */
	NUMERIC = 32, /* digits, and what stands between those of dates, versions, places */
	FREE = 64,    /* in no name that a programmer gives */
	VOWEL = 128,
	PLAIN = 256, /* in names, but nothing of the above */
};

/* What a run of letters and digits consists of. */
struct run {
	uint32_t size, digits, lowers, uppers, vowels;
	uint32_t turns;      /* between digits and letters */
	uint32_t lower_runs; /* runs of lower case letters */
	int is_hex;
};

/* What each byte may be part of; those that are not here are FREE. */
static const uint16_t kinds[256] = {
	['0' ... '9'] = DIGIT | HEX | NUMERIC,
	['a'] = LOWER | HEX | VOWEL,
	['b' ... 'd'] = LOWER | HEX,
	['e'] = LOWER | HEX | VOWEL,
	['f'] = LOWER | HEX,
	['g' ... 'h'] = LOWER,
	['i'] = LOWER | VOWEL,
	['j' ... 'n'] = LOWER,
	['o'] = LOWER | VOWEL,
	['p' ... 't'] = LOWER,
	['u'] = LOWER | VOWEL,
	['v' ... 'x'] = LOWER,
	['y'] = LOWER | VOWEL,
	['z'] = LOWER,
	['A'] = UPPER | HEX | VOWEL,
	['B' ... 'D'] = UPPER | HEX,
	['E'] = UPPER | HEX | VOWEL,
	['F'] = UPPER | HEX,
	['G' ... 'H'] = UPPER,
	['I'] = UPPER | VOWEL,
	['J' ... 'N'] = UPPER,
	['O'] = UPPER | VOWEL,
	['P' ... 'T'] = UPPER,
	['U'] = UPPER | VOWEL,
	['V' ... 'X'] = UPPER,
	['Y'] = UPPER | VOWEL,
	['Z'] = UPPER,
	['-'] = JOINT | NUMERIC,
	['.'] = JOINT | NUMERIC,
	[':'] = JOINT | NUMERIC,
	['_'] = JOINT,
	['~'] = JOINT,
	[','] = FREE | NUMERIC,
	['+'] = FREE | NUMERIC,
	['$'] = PLAIN,
	['@'] = PLAIN,
	['('] = PLAIN,
	[')'] = PLAIN,
};

static unsigned kind_of(char c)
{
	unsigned kind = kinds[(unsigned char)c];

	return kind ? kind : FREE;
}

static struct run run_of(const char *at, size_t size)
{
	struct run run = {.size = (uint32_t)size, .is_hex = 1};
	unsigned before = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned kind = kind_of(at[i]);

		run.digits += (kind & DIGIT) != 0;
		run.lowers += (kind & LOWER) != 0;
		run.uppers += (kind & UPPER) != 0;
		run.vowels += (kind & VOWEL) != 0;
		run.turns += i && ((kind ^ before) & DIGIT);
		run.lower_runs += (kind & LOWER) && !(before & LOWER);
		run.is_hex &= (kind & HEX) != 0;
		before = kind;
	}
	return run;
}

/* Words in camel case have longer runs of lower case letters than chance has. */
static int is_mixed_case(const struct run *run)
{
	return run->size >= 10 && run->uppers >= 3 && run->lower_runs >= 3 &&
	       run->lowers * 10 < run->lower_runs * 23;
}

/* Letters and digits that nobody chose: counters, hashes, random text. */
static int is_value(const struct run *run)
{
	uint32_t letters = run->lowers + run->uppers;

	if (run->digits == 0)
		return is_mixed_case(run) || (run->size >= 12 && run->vowels * 6 < run->size) ||
		       run->size >= 32;
	if (run->is_hex && run->size >= 6 && run->digits >= 2 && (letters == 0 || run->turns >= 2))
		return 1;
	if (run->is_hex && run->size >= 8 && letters)
		return 1;
	if (run->turns >= 3 && run->size >= 7)
		return 1;
	if (run->turns >= 2 && run->size >= 5 && run->vowels == 0)
		return 1;
	return run->digits >= 4 || is_mixed_case(run);
}

static int is_all(struct text text, unsigned wanted)
{
	for (uint32_t i = 0; i < text.size; i++)
		if (!(kind_of(text.at[i]) & wanted))
			return 0;
	return 1;
}

static int has(struct text text, unsigned wanted)
{
	for (uint32_t i = 0; i < text.size; i++)
		if (kind_of(text.at[i]) & wanted)
			return 1;
	return 0;
}

/* v1, V2.1, v1beta2, v2024-01-31 */
static int is_api_version(struct text text)
{
	uint32_t i = 2;

	if (text.size < 2 || text.size > 16 || (text.at[0] | 0x20) != 'v' ||
	    !(kind_of(text.at[1]) & DIGIT))
		return 0;
	while (i < text.size && (kind_of(text.at[i]) & NUMERIC))
		i++;
	if (text.size - i >= 4 && memcmp(text.at + i, "beta", 4) == 0)
		i += 4;
	else if (text.size - i >= 5 && memcmp(text.at + i, "alpha", 5) == 0)
		i += 5;
	while (i < text.size && (kind_of(text.at[i]) & DIGIT))
		i++;
	return i == text.size;
}

int route_shape_is_version(struct text segment, int at_root)
{
	return segment.size && segment.size <= 4 && (kind_of(segment.at[0]) & DIGIT) &&
	       ((at_root && segment.size <= 2) || memchr(segment.at, '.', segment.size)) &&
	       is_all(segment, NUMERIC);
}

/* The parts of the text that are values: from the first to the last of them. 0: none is. */
static int find_values(struct text text, struct route_shape *shape, unsigned *numbers)
{
	uint32_t begin = 0, first = text.size, last = 0;

	*numbers = 0;
	for (uint32_t i = 0; i <= text.size; i++) {
		struct run run;

		if (i < text.size && !(kind_of(text.at[i]) & JOINT))
			continue;
		run = run_of(text.at + begin, i - begin);
		*numbers += run.size && run.digits == run.size;
		if (run.size && is_value(&run)) {
			first = begin < first ? begin : first;
			last = i;
		}
		begin = i + 1;
	}
	if (first >= last)
		return 0;
	shape->prefix = (uint16_t)first;
	shape->suffix = (uint16_t)(text.size - last);
	return 1;
}

/* Every part of it is a word that we know; "access-tokens". */
static int is_compound(struct text text)
{
	uint32_t begin = 0;

	for (uint32_t i = 0; i <= text.size; i++) {
		if (i < text.size && !(kind_of(text.at[i]) & JOINT))
			continue;
		if (!route_word((struct text){text.at + begin, i - begin}))
			return 0;
		begin = i + 1;
	}
	return begin > 0;
}

static enum route_shape_kind judge_word(struct text text)
{
	struct run run = run_of(text.at, text.size);
	unsigned joints = 0;

	for (uint32_t i = 0; i < text.size; i++)
		joints += (kind_of(text.at[i]) & JOINT) != 0;
	if (is_compound(text) || text.at[0] == '$' || text.at[0] == '.' || text.at[0] == '_')
		return SHAPE_STATIC;
	/* "getUser": people's names and slugs are not written like that. */
	if (!joints && (kind_of(text.at[0]) & LOWER) && run.uppers && run.size >= 5)
		return SHAPE_STATIC;
	if (run.digits || joints >= 2)
		return SHAPE_SUSPECT;
	if (!joints && run.size >= 5 && text.at[text.size - 1] == 's' &&
	    text.at[text.size - 2] != 's')
		return SHAPE_PLURAL;
	return SHAPE_WORD;
}

/* Size of the file name without its last one or two extensions: "app.js.map". */
static uint32_t stem_size(struct text text)
{
	uint32_t size = text.size;

	for (int i = 0; i < 2; i++) {
		const char *dot = memrchr(text.at, '.', size);

		if (!dot || dot == text.at ||
		    !route_extension((struct text){dot + 1, (uint32_t)(text.at + size - dot - 1)}))
			break;
		size = (uint32_t)(dot - text.at);
	}
	return size;
}

/* "@name", "~name", "Users(42)", "name@host", and what nobody names a place. */
static int is_marked_value(struct text text, struct route_shape *shape)
{
	const char *at = memchr(text.at, '@', text.size);
	const char *open = memchr(text.at, '(', text.size);

	if (text.size > 1 && (text.at[0] == '@' || text.at[0] == '~')) {
		shape->prefix = 1;
		return 1;
	}
	if (open && open > text.at &&
	    !has((struct text){text.at, (uint32_t)(open - text.at)}, FREE) &&
	    text.at[text.size - 1] == ')' && open + 2 < text.at + text.size) {
		shape->prefix = (uint16_t)(open + 1 - text.at);
		shape->suffix = 1;
		return 1;
	}
	return at || has(text, FREE) || text.size > ROUTE_SEGMENT_MAX;
}

/* What ends in a known extension: its stem is judged, or the part of it that is a hash. */
static struct route_shape judge_file(struct text text, uint32_t stem)
{
	struct route_shape shape = {.kind = SHAPE_WORD, .extension = (uint16_t)(text.size - stem)};
	struct text name = {text.at, stem};
	unsigned numbers;

	/* Pages of errors: "404.html". */
	if (stem == 3 && (text.at[0] == '4' || text.at[0] == '5') && text.at[1] == '0') {
		shape.kind = SHAPE_STATIC;
		return shape;
	}
	if (is_all(name, NUMERIC) || find_values(name, &shape, &numbers)) {
		shape.kind = SHAPE_VALUE;
		shape.suffix = (uint16_t)(shape.suffix + shape.extension);
		shape.extension = 0;
		return shape;
	}
	shape.kind = judge_word(name);
	return shape;
}

struct route_shape route_shape(struct text segment)
{
	struct route_shape shape = {.kind = SHAPE_VALUE};
	enum route_word word = route_word(segment);
	unsigned numbers;
	uint32_t stem;

	if (word) {
		shape.kind = word == ROUTE_WORD_KEYWORD ? SHAPE_KEYWORD : SHAPE_STATIC;
		return shape;
	}
	if (is_api_version(segment)) {
		shape.kind = SHAPE_STATIC;
		return shape;
	}
	if (is_all(segment, NUMERIC) && has(segment, DIGIT))
		return shape;
	if (is_marked_value(segment, &shape))
		return shape;
	stem = stem_size(segment);
	if (stem < segment.size)
		return judge_file(segment, stem);
	if (find_values(segment, &shape, &numbers) || numbers >= 3) {
		shape.prefix = shape.suffix = 0;
		return shape;
	}
	shape.kind = judge_word(segment);
	return shape;
}
