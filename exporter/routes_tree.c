/* routes_tree.c - the way of a path through the learned tree, and what is forgotten of it. */
#include "routes_tree.h"

#include <string.h>

#include "exporter/routes_node.h"
#include "exporter/routes_shape.h"

#define HITS_TOLD 64 /* up to which they are worth a new file */

/* Hours. */
#define RARE_AGE 48
#define AGE      (30 * 24)

static struct route_shape shape_in(const struct route_tree *tree, uint32_t parent,
				   struct text segment)
{
	const struct route_node *position = route_node(tree, parent);

	if (position->context <= CONTEXT_ROOT &&
	    route_shape_is_version(segment, position->context == CONTEXT_ROOT))
		return (struct route_shape){.kind = SHAPE_STATIC};
	return route_shape(segment);
}

/* The key of a segment that looks like a value, or stands where values stand. */
static struct text value_key(struct text segment, const struct route_shape *shape,
			     char key[ROUTE_KEY_ROOM])
{
	size_t prefix = shape->kind == SHAPE_VALUE ? shape->prefix : 0;
	size_t suffix = shape->kind == SHAPE_VALUE ? shape->suffix : shape->extension;

	if (prefix + suffix > ROUTE_SEGMENT_MAX)
		prefix = suffix = 0;
	memcpy(key, segment.at, prefix);
	memcpy(key + prefix, "{}", 2);
	memcpy(key + prefix + 2, segment.at + segment.size - suffix, suffix);
	return (struct text){key, (uint32_t)(prefix + 2 + suffix)};
}

/* Names that we know stay where an API begins, and are values in other places of values. */
static int folds(const struct route_tree *tree, uint32_t parent, enum route_shape_kind kind)
{
	return kind < SHAPE_STATIC ||
	       (kind == SHAPE_STATIC && route_node(tree, parent)->context != CONTEXT_ROOT);
}

/* The child for a segment that is met for the first time in its place; 0: none. */
static uint32_t meet(struct route_tree *tree, uint32_t parent, struct text segment, int teaches)
{
	struct route_shape shape = shape_in(tree, parent, segment);
	char buffer[ROUTE_KEY_ROOM];
	struct text key = segment;
	uint32_t child;

	if (shape.kind == SHAPE_VALUE ||
	    (route_node(tree, parent)->holds_value && folds(tree, parent, shape.kind))) {
		key = value_key(segment, &shape, buffer);
		shape.kind = SHAPE_VALUE;
	}
	if (!teaches)
		return route_tree_child(tree, parent, key);
	child = route_tree_make(tree, parent, key, (uint8_t)shape.kind, (uint8_t)shape.extension);
	if (!child || !route_node_is_word(route_node(tree, child)) ||
	    !route_node_holds_values(tree, parent))
		return child;
	route_tree_fold(tree, parent);
	return route_tree_child(tree, parent, value_key(segment, &shape, buffer));
}

/* A word that has not come back yet, where a value is as likely. */
static int is_unsure(const struct route_tree *tree, uint32_t parent, uint32_t child)
{
	const struct route_node *node = route_node(tree, child);

	return route_node_is_word(node) && node->hits < ROUTE_RECURS &&
	       (node->kind == SHAPE_SUSPECT ||
		route_node(tree, parent)->context == CONTEXT_COLLECTION);
}

/* The next segment without its parameters (";jsessionid=..."), and what follows its '/'. */
static const char *next_segment(const char *from, const char *end, struct text *segment)
{
	const char *slash = memchr(from, '/', (size_t)(end - from));
	const char *stop = slash ? slash : end;
	const char *semicolon = memchr(from, ';', (size_t)(stop - from));

	*segment = (struct text){from, (uint32_t)((semicolon ? semicolon : stop) - from)};
	return slash ? slash + 1 : NULL;
}

int route_tree_walk(struct route_tree *tree, uint32_t service, struct text path, int teaches,
		    struct route_way *way)
{
	const char *end = path.at + path.size, *from = path.at + 1;
	uint32_t parent = service, child;

	way->count = 0;
	way->is_unsure = 0;
	while (from) {
		struct text segment;

		from = next_segment(from, end, &segment);
		/* An empty one counts at the end: "/users/" is not "/users". */
		if (segment.size == 0 && from)
			continue;
		if (way->count > ROUTE_SEGMENTS_MAX)
			return -1;
		child = route_tree_child(tree, parent, segment);
		if (!child && segment.size == 0 && teaches)
			child = route_tree_make(tree, parent, segment, SHAPE_STATIC, 0);
		else if (!child && segment.size)
			child = meet(tree, parent, segment, teaches);
		if (!child)
			return -1;
		way->is_unsure |= is_unsure(tree, parent, child);
		way->node[way->count] = child;
		way->segment[way->count++] = segment;
		parent = child;
	}
	return 0;
}

void route_tree_hit(struct route_tree *tree, uint32_t leaf)
{
	for (uint32_t i = leaf; i; i = route_node(tree, i)->parent) {
		struct route_node *node = route_node(tree, i);

		tree->is_changed |= node->hits < HITS_TOLD;
		node->hits = route_node_hits(node->hits, 1);
		node->seen_hour = tree->hour;
	}
}

static int is_forgotten(const struct route_tree *tree, const struct route_node *node, int make_room)
{
	uint32_t age = tree->hour - node->seen_hour;

	if (!node->key || node->child || node->holds_value || node->seen_hour > tree->hour)
		return 0;
	if (route_node_is_word(node) && node->hits < ROUTE_RECURS && (make_room || age >= RARE_AGE))
		return 1;
	return age >= AGE;
}

void route_tree_age(struct route_tree *tree, int make_room)
{
	for (uint32_t i = 1; i < tree->used; i++) {
		struct route_node *node = route_node(tree, i),
				  *parent = route_node(tree, node->parent);

		if (!is_forgotten(tree, node, make_room))
			continue;
		parent->forgotten =
			route_node_hits(parent->forgotten, route_node_weight(parent, node));
		tree->services -= node->parent == 0;
		route_node_unlink(tree, i);
		route_node_free(tree, i);
		tree->is_changed = 1;
	}
}
