/* routes_pattern.c - templates of paths that the user gives. */
#include "routes_pattern.h"

#include <stdlib.h>
#include <string.h>

#define PIECES_MAX (2 * ROUTE_PARAMETERS_MAX + 1)

enum piece_kind { PIECE_TEXT, PIECE_PART, PIECE_REST };

struct piece {
	struct text text; /* to be found as it is, or the parameter's name, which may be absent */
	enum piece_kind kind;
};

struct route_pattern {
	struct piece pieces[PIECES_MAX];
	unsigned count, parameters;
	uint32_t size;
	char text[];
};

static int add(struct route_pattern *pattern, enum piece_kind kind, const char *at, size_t size)
{
	if (kind == PIECE_TEXT && size == 0)
		return 0;
	if (pattern->count == PIECES_MAX ||
	    (kind != PIECE_TEXT && pattern->parameters == ROUTE_PARAMETERS_MAX))
		return -1;
	pattern->parameters += kind != PIECE_TEXT;
	pattern->pieces[pattern->count++] =
		(struct piece){{size ? at : NULL, (uint32_t)size}, kind};
	return 0;
}

/* "{name}" or "{name...}"; returns what follows it, or NULL. */
static const char *add_named(struct route_pattern *pattern, const char *at)
{
	size_t size = strcspn(at + 1, "{}/");
	const char *end = at + 1 + size;
	int rest = size > 3 && memcmp(end - 3, "...", 3) == 0;

	if (size == 0 || *end != '}' || (rest && end[1]))
		return NULL;
	if (add(pattern, rest ? PIECE_REST : PIECE_PART, at + 1, rest ? size - 3 : size) != 0)
		return NULL;
	return end + 1;
}

static const char *add_star(struct route_pattern *pattern, const char *at)
{
	int rest = at[1] == '*';

	if (rest && at[2])
		return NULL;
	if (add(pattern, rest ? PIECE_REST : PIECE_PART, at, 0) != 0)
		return NULL;
	return at + 1 + rest;
}

static const char *parse(struct route_pattern *pattern)
{
	const char *at = pattern->text;

	if (*at != '/')
		return "must begin with /";
	while (*at) {
		size_t plain = strcspn(at, "{}*");

		if (add(pattern, PIECE_TEXT, at, plain) != 0)
			return "has too many parameters";
		at += plain;
		if (!*at)
			break;
		if (pattern->count && pattern->pieces[pattern->count - 1].kind != PIECE_TEXT)
			return "has two parameters side by side";
		at = *at == '{'   ? add_named(pattern, at)
		     : *at == '*' ? add_star(pattern, at)
				  : NULL;
		if (!at)
			return "has a parameter that is none, or too many of them";
	}
	return NULL;
}

struct route_pattern *route_pattern_new(struct text text, const char **why)
{
	struct route_pattern *pattern = calloc(1, sizeof(*pattern) + text.size + 1);
	const char *wrong = "finds no memory";

	if (pattern) {
		memcpy(pattern->text, text.at, text.size);
		pattern->size = text.size;
		wrong = parse(pattern);
	}
	if (!wrong)
		return pattern;
	if (why)
		*why = wrong;
	free(pattern);
	return NULL;
}

void route_pattern_free(struct route_pattern *pattern)
{
	free(pattern);
}

/* Where the value that begins at `at` ends: before the next text of the pattern. NULL: nowhere. */
static const char *value_end(const struct piece *piece, const struct piece *next, const char *at,
			     const char *end)
{
	const char *stop = memchr(at, '/', (size_t)(end - at));
	const char *found;

	if (piece->kind == PIECE_REST)
		return end;
	stop = stop ? stop : end;
	if (!next || next->text.at[0] == '/')
		return stop > at ? stop : NULL;
	found = stop > at ? memmem(at + 1, (size_t)(end - at - 1), next->text.at, next->text.size)
			  : NULL;
	return found && found <= stop ? found : NULL;
}

int route_pattern_match(const struct route_pattern *pattern, struct text path,
			struct route_match *match)
{
	const char *at = path.at, *end = path.at + path.size;
	unsigned parameters = 0;

	for (unsigned i = 0; i < pattern->count; i++) {
		const struct piece *piece = &pattern->pieces[i];
		const char *stop = at + piece->text.size;

		if (piece->kind == PIECE_TEXT) {
			if ((size_t)(end - at) < piece->text.size ||
			    memcmp(at, piece->text.at, piece->text.size) != 0)
				return 0;
			at = stop;
			continue;
		}
		stop = value_end(piece, i + 1 < pattern->count ? piece + 1 : NULL, at, end);
		if (!stop)
			return 0;
		match->name[parameters] = piece->text;
		match->value[parameters++] = (struct text){at, (uint32_t)(stop - at)};
		at = stop;
	}
	if (at != end)
		return 0;
	match->parameters = parameters;
	match->route = (struct text){pattern->text, pattern->size};
	match->is_learned = 0;
	return 1;
}
