/* routes_fold.c - words of a place that are values become one node, and their subtrees one. */
#include <string.h>

#include "exporter/routes_node.h"

/* Whether what hangs below a word hangs below others in its place as well: then it is one of them.
 */
static int is_one_of_many(const struct route_tree *tree, uint32_t index)
{
	const struct route_node *node = route_node(tree, index);
	uint32_t other = route_node(tree, node->parent)->child;

	for (; other; other = route_node(tree, other)->sibling) {
		if (other == index || route_node(tree, other)->kind == SHAPE_KEYWORD)
			continue;
		for (uint32_t i = node->child; i; i = route_node(tree, i)->sibling)
			if (route_tree_child(tree, other, route_node_key(route_node(tree, i))))
				return 1;
	}
	return 0;
}

/* Words that most requests of the place are for stay, and names that were seen before. */
static int stays(const struct route_tree *tree, uint32_t index, uint32_t hits_of_all)
{
	const struct route_node *node = route_node(tree, index);

	if (node->kind == SHAPE_STATIC)
		return node->hits >= ROUTE_RECURS ||
		       route_node(tree, node->parent)->context == CONTEXT_ROOT;
	if (!route_node_is_word(node))
		return 1;
	return node->hits >= 16 && node->hits * 4u >= hits_of_all && !is_one_of_many(tree, index);
}

/* The node for values with the ending of `like`; 0: no room. */
static uint32_t value_node(struct route_tree *tree, uint32_t position, struct text like,
			   uint8_t extension)
{
	char key[ROUTE_KEY_ROOM] = "{}";
	uint32_t size = extension < like.size ? extension : 0;

	memcpy(key + 2, like.at + like.size - size, size);
	return route_tree_make(tree, position, (struct text){key, size + 2}, SHAPE_VALUE, 0);
}

uint32_t route_tree_put(struct route_tree *tree, uint32_t parent, struct text key, uint8_t kind,
			uint8_t extension)
{
	uint32_t there = route_tree_child(tree, parent, key);

	if (!there && route_node(tree, parent)->holds_value && kind <= SHAPE_SUSPECT)
		return value_node(tree, parent, key, extension);
	return there ? there : route_tree_make(tree, parent, key, kind, extension);
}

static void merge(struct route_tree *tree, uint32_t from, uint32_t to);

/* Puts a node, which hangs nowhere, below `parent`, into one of its key if there is one. */
static void place(struct route_tree *tree, uint32_t index, uint32_t parent)
{
	struct route_node *node = route_node(tree, index);
	uint32_t there;

	if (route_node(tree, parent)->holds_value && route_node_is_word(node))
		there = value_node(tree, parent, route_node_key(node), node->extension);
	else
		there = route_tree_child(tree, parent, route_node_key(node));
	if (there)
		merge(tree, index, there);
	else
		route_node_link(tree, index, parent);
}

/*
 * All that hangs below `from`, which hangs nowhere, comes below `to`; `from` goes. As deep as the
 * tree is: ROUTE_SEGMENTS_MAX.
 */
static void merge(struct route_tree *tree, uint32_t from, uint32_t to)
{
	struct route_node *node = route_node(tree, from), *target = route_node(tree, to);

	target->hits = route_node_hits(target->hits, node->hits);
	target->forgotten = route_node_hits(target->forgotten, node->forgotten);
	target->holds_value |= node->holds_value;
	if (node->seen_hour > target->seen_hour)
		target->seen_hour = node->seen_hour;
	while (node->child) {
		uint32_t child = node->child;

		route_node_unlink(tree, child);
		place(tree, child, to);
	}
	route_node_free(tree, from);
	if (target->holds_value || route_node_holds_values(tree, to))
		route_tree_fold(tree, to);
}

static uint32_t hits_below(const struct route_tree *tree, uint32_t position)
{
	uint32_t hits = 0;

	for (uint32_t i = route_node(tree, position)->child; i; i = route_node(tree, i)->sibling)
		hits += route_node(tree, i)->hits;
	return hits;
}

/* The next child to be folded, or 0. */
static uint32_t next_word(const struct route_tree *tree, uint32_t position, uint32_t hits)
{
	uint32_t i = route_node(tree, position)->child;

	while (i && stays(tree, i, hits))
		i = route_node(tree, i)->sibling;
	return i;
}

void route_tree_fold(struct route_tree *tree, uint32_t position)
{
	uint32_t hits = hits_below(tree, position);
	uint32_t word, to;

	route_node(tree, position)->holds_value = 1;
	tree->is_changed = 1;
	while ((word = next_word(tree, position, hits)) != 0) {
		struct route_node *node = route_node(tree, word);

		to = value_node(tree, position, route_node_key(node), node->extension);
		if (!to)
			return;
		route_node_unlink(tree, word);
		merge(tree, word, to);
	}
}
