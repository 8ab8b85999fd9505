/* routes_node.h - the nodes of the learned tree, and judging them; private to the routes_* files.
 */
#ifndef TAGALONG_ROUTES_NODE_H
#define TAGALONG_ROUTES_NODE_H

#include "exporter/routes_shape.h"
#include "exporter/routes_tree.h"

/* Room for any key with "{}" in it. */
#define ROUTE_KEY_ROOM (UINT8_MAX + 3)

static inline struct route_node *route_node(const struct route_tree *tree, uint32_t index)
{
	return &tree->nodes[index];
}

/* What could be a value, but has a node of its own. */
static inline int route_node_is_word(const struct route_node *node)
{
	return node->kind <= SHAPE_SUSPECT;
}

static inline struct text route_node_key(const struct route_node *node)
{
	return (struct text){node->key, node->size};
}

/* Hangs a node, which hangs nowhere, below `parent`; takes it from where it hangs. */
void route_node_link(struct route_tree *tree, uint32_t index, uint32_t parent);
void route_node_unlink(struct route_tree *tree, uint32_t index);

/* Of a node that hangs nowhere and that nothing hangs below. */
void route_node_free(struct route_tree *tree, uint32_t index);

/* A sum of hits, which saturates. */
uint16_t route_node_hits(uint32_t one, uint32_t other);

/* What a child says for its place to be one of values. */
unsigned route_node_weight(const struct route_node *position, const struct route_node *child);

/* Whether so many words stand side by side below a node that they are values. */
int route_node_holds_values(const struct route_tree *tree, uint32_t index);

#endif
