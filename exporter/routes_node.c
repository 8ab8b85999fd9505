/* routes_node.c - the nodes of the learned tree, and judging them. */
#include "routes_node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/routes_word.h"

#define HEADS     16384u
#define HITS_MAX  1024
#define HITS_RARE 2

/* Weight of a child that may be a value, against what makes a place one of values. */
#define WEIGHT 4

static uint32_t hash_of(uint32_t parent, struct text key)
{
	uint64_t hash = text_hash(key) + parent * 0x9e3779b97f4a7c15u;

	hash ^= hash >> 32;
	return (uint32_t)(hash ^ hash >> 15);
}

int route_tree_init(struct route_tree *tree)
{
	memset(tree, 0, sizeof(*tree));
	tree->nodes = calloc(ROUTE_NODES_MAX, sizeof(*tree->nodes));
	tree->heads = calloc(HEADS, sizeof(*tree->heads));
	tree->used = 1;
	tree->generation = 1;
	if (tree->nodes && tree->heads)
		return 0;
	route_tree_fini(tree);
	return -ENOMEM;
}

void route_tree_fini(struct route_tree *tree)
{
	for (uint32_t i = 0; tree->nodes && i < tree->used; i++) {
		free(tree->nodes[i].key);
		free(tree->nodes[i].route);
	}
	free(tree->nodes);
	free(tree->heads);
	memset(tree, 0, sizeof(*tree));
}

uint32_t route_tree_child(const struct route_tree *tree, uint32_t parent, struct text key)
{
	uint32_t hash = hash_of(parent, key);
	uint32_t found = tree->heads[hash % HEADS];

	while (found) {
		const struct route_node *node = route_node(tree, found);

		if (node->hash == hash && node->parent == parent && node->size == key.size &&
		    memcmp(node->key, key.at, key.size) == 0)
			break;
		found = node->chain;
	}
	return found;
}

void route_node_link(struct route_tree *tree, uint32_t index, uint32_t parent)
{
	struct route_node *node = route_node(tree, index);
	uint32_t *head;

	node->parent = parent;
	node->hash = hash_of(parent, route_node_key(node));
	head = &tree->heads[node->hash % HEADS];
	node->chain = *head;
	*head = index;
	node->sibling = route_node(tree, parent)->child;
	route_node(tree, parent)->child = index;
}

void route_node_unlink(struct route_tree *tree, uint32_t index)
{
	struct route_node *node = route_node(tree, index);
	uint32_t *place = &tree->heads[node->hash % HEADS];

	while (*place != index)
		place = &route_node(tree, *place)->chain;
	*place = node->chain;
	place = &route_node(tree, node->parent)->child;
	while (*place != index)
		place = &route_node(tree, *place)->sibling;
	*place = node->sibling;
	tree->generation++;
}

/* Its children are elsewhere by now. */
void route_node_free(struct route_tree *tree, uint32_t index)
{
	struct route_node *node = route_node(tree, index);

	free(node->key);
	free(node->route);
	memset(node, 0, sizeof(*node));
	node->sibling = tree->unused;
	tree->unused = index;
	tree->count--;
}

/* "users", "gizmos": what follows is one of them. */
static int is_collection(struct text key)
{
	if (key.size < 4 || key.at[key.size - 1] != 's' || key.at[key.size - 2] == 's')
		return 0;
	return 1;
}

static enum route_context context_of(uint32_t parent, struct text key, uint8_t kind)
{
	enum route_word word = route_word(key);

	if (!parent || word == ROUTE_WORD_PREFIX)
		return CONTEXT_ROOT;
	if (kind == SHAPE_VALUE)
		return CONTEXT_VALUE;
	if (word == ROUTE_WORD_ENTITY)
		return CONTEXT_COLLECTION;
	if (kind == SHAPE_STATIC && key.size >= 2 && (key.at[0] | 0x20) == 'v' &&
	    key.at[1] >= '0' && key.at[1] <= '9')
		return CONTEXT_ROOT;
	if (word == ROUTE_WORD_PLACE || word == ROUTE_WORD_KEYWORD || !is_collection(key))
		return CONTEXT_OPEN;
	return CONTEXT_COLLECTION;
}

static uint32_t take_node(struct route_tree *tree)
{
	uint32_t index = tree->unused;

	if (index)
		tree->unused = route_node(tree, index)->sibling;
	else if (tree->used < ROUTE_NODES_MAX)
		index = tree->used++;
	else
		tree->refused++;
	return index;
}

uint32_t route_tree_make(struct route_tree *tree, uint32_t parent, struct text key, uint8_t kind,
			 uint8_t extension)
{
	uint32_t index = route_tree_child(tree, parent, key);
	struct route_node *node;

	if (index || key.size > UINT8_MAX)
		return index;
	index = take_node(tree);
	if (!index)
		return 0;
	node = route_node(tree, index);
	memset(node, 0, sizeof(*node));
	node->key = strndup(key.at, key.size);
	if (!node->key) {
		node->sibling = tree->unused;
		tree->unused = index;
		return 0;
	}
	node->size = (uint8_t)strlen(node->key);
	node->kind = kind;
	node->extension = extension;
	node->context = (uint8_t)context_of(parent, key, kind);
	node->seen_hour = tree->hour;
	route_node_link(tree, index, parent);
	tree->count++;
	tree->is_changed = 1;
	return index;
}

uint32_t route_tree_service(struct route_tree *tree, struct text name)
{
	uint32_t found;

	if (name.size > UINT8_MAX)
		name.size = UINT8_MAX;
	found = route_tree_child(tree, 0, name);
	if (found || tree->services >= ROUTE_SERVICES_MAX)
		return found;
	found = route_tree_make(tree, 0, name, SHAPE_STATIC, 0);
	tree->services += found != 0;
	return found;
}

uint16_t route_node_hits(uint32_t one, uint32_t other)
{
	return (uint16_t)(one + other < HITS_MAX ? one + other : HITS_MAX);
}

unsigned route_node_weight(const struct route_node *position, const struct route_node *child)
{
	switch (child->kind) {
	case SHAPE_WORD:
		return WEIGHT;
	case SHAPE_PLURAL:
		return position->context == CONTEXT_COLLECTION ? WEIGHT : WEIGHT / 4;
	case SHAPE_SUSPECT:
		return 2 * WEIGHT;
	default:
		return 0;
	}
}

/* Words, in weights, that it takes if most of them are rare, and if they are not. */
struct limits {
	unsigned rare, any;
};

static struct limits limits_of(enum route_context context)
{
	static const struct limits limits[] = {
		[CONTEXT_OPEN] = {16 * WEIGHT, 64 * WEIGHT},
		[CONTEXT_ROOT] = {48 * WEIGHT, 256 * WEIGHT},
		[CONTEXT_COLLECTION] = {5 * WEIGHT, 20 * WEIGHT},
		[CONTEXT_VALUE] = {12 * WEIGHT, 64 * WEIGHT},
	};

	return limits[context];
}

static int is_whole_value(const struct route_node *node)
{
	return node->kind == SHAPE_VALUE && node->size == 2;
}

int route_node_holds_values(const struct route_tree *tree, uint32_t index)
{
	const struct route_node *position = route_node(tree, index);
	struct limits limits = limits_of((enum route_context)position->context);
	unsigned weight = position->forgotten, rare = weight;

	for (uint32_t i = position->child; i; i = route_node(tree, i)->sibling) {
		const struct route_node *child = route_node(tree, i);
		unsigned one = route_node_weight(position, child);

		weight += one;
		if (child->hits <= HITS_RARE)
			rare += one;
		/* Values of other looks stand here already. */
		if (is_whole_value(child) && child->hits >= ROUTE_RECURS)
			limits = limits_of(CONTEXT_COLLECTION);
	}
	return weight >= limits.any || (weight >= limits.rare && 2 * rare >= weight);
}
