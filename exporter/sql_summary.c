/* sql_summary.c - what a statement does to what, in a few words: db.query.summary. */
#include "sql_summary.h"

#include <string.h>
#include <strings.h>

#define DEPTH_MAX 32
#define NAMES_MAX 16 /* of WITH; more are taken for tables */

/* What follows an operation. */
enum {
	TARGET = 1,       /* a name */
	LIST = 2,         /* names with commas between */
	FROM = 4,         /* FROM and names */
	TYPE = 8,         /* TABLE, INDEX, ... and a name */
	AGAIN = 16,       /* another statement */
	AFTER_AS = 32,    /* AS and another statement */
	SECOND = 64,      /* a word that belongs to it */
	PRIVILEGES = 128, /* a SELECT after it is none */
	USING = 256,      /* USING and names */
};

static const struct {
	const char *name;
	uint16_t follows;
} operations[] = {
	{"SELECT", FROM},
	{"INSERT", TARGET},
	{"UPDATE", TARGET | LIST | FROM},
	{"DELETE", FROM | USING},
	{"REPLACE", TARGET},
	{"MERGE", TARGET | USING},
	{"CALL", TARGET},
	{"EXEC", TARGET},
	{"COPY", TARGET},
	{"TRUNCATE", TARGET | LIST},
	{"LOCK", TARGET | LIST},
	{"ANALYZE", TARGET},
	{"VACUUM", TARGET},
	{"TABLE", TARGET},
	{"USE", TARGET},
	{"SHOW", TARGET},
	{"DESCRIBE", TARGET},
	{"DESC", TARGET},
	{"CREATE", TYPE},
	{"ALTER", TYPE},
	{"DROP", TYPE | LIST},
	{"REFRESH", TYPE},
	{"REINDEX", TYPE},
	{"EXPLAIN", AGAIN},
	{"PREPARE", AFTER_AS},
	{"START", SECOND},
	{"GRANT", PRIVILEGES},
	{"REVOKE", PRIVILEGES},
};

/* Between an operation and its type, and between either and the name. */
static const char *const before_type[] = {
	"OR",     "REPLACE",      "TEMP",    "TEMPORARY", "GLOBAL",   "LOCAL",   "UNLOGGED",
	"UNIQUE", "MATERIALIZED", "FOREIGN", "RECURSIVE", "FULLTEXT", "SPATIAL", NULL,
};
static const char *const before_target[] = {
	"INTO",         "TABLE",  "TABLES",        "IF",      "NOT",     "EXISTS",
	"CONCURRENTLY", "IGNORE", "LOW_PRIORITY",  "QUICK",   "ON",      "VERBOSE",
	"FULL",         "FREEZE", "HIGH_PRIORITY", "DELAYED", "ANALYZE", NULL,
};
static const char *const before_any_target[] = {
	"ONLY", "LATERAL", "OUTFILE", "DUMPFILE", NULL,
};
static const char *const after_list[] = {
	"WHERE", "GROUP",  "ORDER",     "HAVING", "LIMIT", "OFFSET", "FETCH",     "FOR", "UNION",
	"SET",   "EXCEPT", "INTERSECT", "WINDOW", "WHEN",  "VALUES", "RETURNING", NULL,
};
static const char *const joins[] = {"JOIN", "STRAIGHT_JOIN", "APPLY", NULL};

/* What is known of one level of parentheses. */
struct level {
	uint8_t start;    /* enum start */
	uint8_t target;   /* enum target: a name comes next */
	uint8_t list;     /* the same: it does after a comma */
	uint8_t from;     /* FROM begins names */
	uint8_t using;    /* so does USING */
	uint8_t type;     /* a type comes next, and then a name */
	uint8_t second;   /* a word of the operation comes next */
	uint8_t after_as; /* AS begins a statement */
	uint8_t with;     /* enum with */
};

/* A statement begins: its first word is its operation; after EXPLAIN its first known one. */
enum start { START_NO, START_ANY, START_KNOWN };

/* The name may have words of the language before it, or is a name whatever it looks like. */
enum target { TARGET_NO, TARGET_OF_OPERATION, TARGET_OF_CLAUSE };

enum with { WITH_NONE, WITH_NAME, WITH_QUERY };

struct summary {
	char *to;
	size_t size;
	int full;
	struct level levels[DEPTH_MAX];
	size_t depth;
	struct text names[NAMES_MAX];
	size_t name_count;
	struct text before; /* the token before this one */
	int privileges;
	int statement_ended; /* what comes next belongs to another one */
};

static int is(struct text token, const char *word)
{
	return strlen(word) == token.size && strncasecmp(token.at, word, token.size) == 0;
}

static int is_one_of(struct text token, const char *const *words)
{
	for (; *words; words++)
		if (is(token, *words))
			return 1;
	return 0;
}

static void say(struct summary *summary, struct text token)
{
	const char *between = summary->statement_ended ? "; " : " ";
	size_t gap = summary->size ? strlen(between) : 0;

	if (summary->full || summary->size + gap + token.size > SQL_SUMMARY_MAX) {
		summary->full = 1;
		return;
	}
	memcpy(summary->to + summary->size, between, gap);
	memcpy(summary->to + summary->size + gap, token.at, token.size);
	summary->size += gap + token.size;
	summary->statement_ended = 0;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static int is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 128;
}

static int is_name_byte(unsigned char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '$';
}

static int is_name(struct text token)
{
	return is_letter((unsigned char)*token.at) || strchr("\"`'[", *token.at);
}

/* After the quote that ends a name; a doubled one does not. */
static const char *quoted_end(const char *at, const char *end)
{
	const char quote = *at == '[' ? ']' : *at;

	do {
		at = memchr(at + 1, quote, (size_t)(end - at - 1));
		if (!at)
			return end;
		at++;
	} while (at < end && *at == quote);
	return at;
}

/* One part of a name, NULL: there is none. Brackets are quotes only where a name is due. */
static const char *part_end(const char *at, const char *end, int brackets)
{
	if (*at == '"' || *at == '`' || *at == '\'' || (*at == '[' && brackets))
		return quoted_end(at, end);
	if (!is_letter((unsigned char)*at))
		return NULL;
	while (at < end && is_name_byte((unsigned char)*at))
		at++;
	return at;
}

/* The next token at `*at`: a name with its dots, or a single byte. 0: the end. */
static int next_token(const char **at, const char *end, int brackets, struct text *token)
{
	const char *part;

	while (*at < end && strchr(" \t\r\n\v\f", **at))
		(*at)++;
	if (*at == end)
		return 0;
	token->at = *at;
	part = part_end(*at, end, brackets);
	*at = part ? part : *at + 1;
	while (part && *at + 1 < end && **at == '.') {
		part = part_end(*at + 1, end, brackets);
		*at = part ? part : *at;
	}
	/* :name and @name are no words of the language. */
	if (strchr(":@$", *token->at))
		while (*at < end && is_name_byte((unsigned char)**at))
			(*at)++;
	token->size = (uint32_t)(*at - token->at);
	return 1;
}

/* ---- statements ----------------------------------------------------------------------------- */

static void begin_statement(struct summary *summary)
{
	summary->depth = 0;
	summary->name_count = 0;
	summary->privileges = 0;
	memset(&summary->levels[0], 0, sizeof(summary->levels[0]));
	summary->levels[0].start = START_ANY;
}

static unsigned follows_of(struct text word)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (is(word, operations[i].name))
			return operations[i].follows;
	return 0;
}

static void operation(struct summary *summary, struct level *level, struct text word)
{
	unsigned follows = follows_of(word);

	memset(level, 0, sizeof(*level));
	level->start = follows & AGAIN ? START_KNOWN : START_NO;
	level->target = follows & TARGET ? TARGET_OF_OPERATION : TARGET_NO;
	level->list = follows & LIST ? TARGET_OF_OPERATION : TARGET_NO;
	level->from = (follows & FROM) != 0;
	level->using = (follows & USING) != 0;
	level->type = (follows & TYPE) != 0;
	level->second = (follows & SECOND) != 0;
	level->after_as = (follows & AFTER_AS) != 0;
	summary->privileges |= (follows & PRIVILEGES) != 0;
	say(summary, word);
}

static int is_defined_by_with(const struct summary *summary, struct text name)
{
	for (size_t i = 0; i < summary->name_count; i++) {
		const struct text *known = &summary->names[i];
		if (known->size == name.size && strncasecmp(known->at, name.at, name.size) == 0)
			return 1;
	}
	return 0;
}

/* A word that was waited for. 0: it is another one. */
static int expected(struct summary *summary, struct level *level, struct text word)
{
	if (level->second) {
		level->second = 0;
		say(summary, word);
		return 1;
	}
	if (level->type) {
		if (is_one_of(word, before_type))
			return 1;
		level->type = 0;
		level->target = TARGET_OF_OPERATION;
		say(summary, word);
		return 1;
	}
	if (!level->target)
		return 0;
	if (is_one_of(word, before_any_target) ||
	    (level->target == TARGET_OF_OPERATION && is_one_of(word, before_target)))
		return 1;
	level->target = TARGET_NO;
	if (!is(word, "VALUES") && !is_defined_by_with(summary, word))
		say(summary, word);
	return 1;
}

/* WITH name (columns) AS (query), name AS (query) statement. 0: it is that statement's word. */
static int with_word(struct summary *summary, struct level *level, struct text word)
{
	if (level->with == WITH_NAME) {
		if (is(word, "RECURSIVE"))
			return 1;
		if (summary->name_count < NAMES_MAX)
			summary->names[summary->name_count++] = word;
		level->with = WITH_QUERY;
		return 1;
	}
	if (is(word, "AS") || is(word, "NOT") || is(word, "MATERIALIZED"))
		return 1;
	level->with = WITH_NONE;
	level->start = START_ANY;
	return 0;
}

static void clause(struct level *level, struct text word, struct text before)
{
	if (is(word, "FROM") && level->from && !is(before, "DISTINCT")) {
		level->target = level->list = TARGET_OF_CLAUSE;
		level->from = 0;
	} else if (is(word, "USING") && level->using) {
		level->target = level->list = TARGET_OF_CLAUSE;
		level->using = 0;
	} else if (is(word, "INTO")) {
		level->target = TARGET_OF_OPERATION;
	} else if (is_one_of(word, joins)) {
		level->target = TARGET_OF_CLAUSE;
	} else if (is_one_of(word, after_list)) {
		level->list = TARGET_NO;
	} else if (is(word, "AS") && level->after_as) {
		level->start = START_ANY;
	}
}

/* EXPLAIN's own words stand before the statement; ANALYZE is one of them. */
static int starts(const struct level *level, struct text word)
{
	if (level->start == START_KNOWN)
		return follows_of(word) && !is(word, "ANALYZE");
	return level->start;
}

static void word(struct summary *summary, struct level *level, struct text token)
{
	int begins = level->start || (summary->before.at && *summary->before.at == '(');

	if (level->with != WITH_NONE && with_word(summary, level, token))
		return;
	if (begins && is(token, "WITH")) {
		level->with = WITH_NAME;
		level->start = level->target = TARGET_NO;
	} else if (starts(level, token) || (is(token, "SELECT") && !summary->privileges)) {
		operation(summary, level, token);
	} else if (!expected(summary, level, token)) {
		clause(level, token, summary->before);
	}
}

/* A query of WITH is a statement; where a name is due, names may stand in parentheses. */
static void opened(struct summary *summary, const struct level *level)
{
	struct level inner = {0};

	if (level->with == WITH_QUERY)
		inner.start = is(summary->before, "AS") || is(summary->before, "MATERIALIZED");
	else if (level->target)
		inner.target = inner.list = level->target;
	summary->depth++;
	if (summary->depth < DEPTH_MAX)
		summary->levels[summary->depth] = inner;
}

static void symbol(struct summary *summary, struct level *level, char c)
{
	if (c == '(') {
		opened(summary, level);
		level->target = TARGET_NO;
	} else if (c == ')') {
		summary->depth -= summary->depth > 0;
	} else if (c == ',' && level->with == WITH_QUERY) {
		level->with = WITH_NAME;
	} else if (c == ',') {
		level->target = level->list;
	} else if (c == ';') {
		begin_statement(summary);
		summary->statement_ended = 1;
	} else if (c != '{') {
		level->target = TARGET_NO;
	}
}

size_t sql_summary(struct text sql, char *to)
{
	struct summary summary;
	const char *at = sql.at, *end = at + sql.size;
	struct text token;

	memset(&summary, 0, sizeof(summary));
	summary.to = to;
	begin_statement(&summary);
	while (!summary.full) {
		/* What is nested deeper than anybody nests is not looked at. */
		int known = summary.depth < DEPTH_MAX;
		struct level *level = &summary.levels[known ? summary.depth : DEPTH_MAX - 1];
		if (!next_token(&at, end, level->target, &token))
			break;
		if (!is_name(token) || (*token.at == '[' && !level->target))
			symbol(&summary, level, *token.at);
		else if (known)
			word(&summary, level, token);
		summary.before = token;
	}
	to[summary.size] = '\0';
	return summary.size;
}
