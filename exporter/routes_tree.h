/* routes_tree.h - the paths of each service as a tree of words and values, learned by counting. */
#ifndef TAGALONG_ROUTES_TREE_H
#define TAGALONG_ROUTES_TREE_H

/*
 * Each node is a segment in its place. A segment that looks like a value is the node "{}" at once;
 * one that reads like a word has a node of its own, until so many rare ones stand side by side that
 * the place is judged to hold a value: then they are folded into "{}", their subtrees merged, and
 * it stays so. How many are needed depends on what stands before: few behind "users", many behind
 * "api". Words that recur most of the time, and such as "search", stay. One thread.
 */

#include <stdint.h>

#include "exporter/text.h"

#define ROUTE_SEGMENTS_MAX 16
#define ROUTE_NODES_MAX    16384
#define ROUTE_SERVICES_MAX 256
#define ROUTE_RECURS       4 /* hits from which on a word is no accident */

enum route_context {
	CONTEXT_OPEN,       /* no idea what follows */
	CONTEXT_ROOT,       /* behind the service, "api", "v1": names */
	CONTEXT_COLLECTION, /* behind "users", "u": values */
	CONTEXT_VALUE,      /* behind a value */
};

struct route_node {
	char *key;   /* terminated; of a value "{}" with what stands around it */
	char *route; /* of the way to here, or NULL; for route_tree.generation `rendered` */
	uint32_t rendered;
	uint32_t parent, child, sibling, chain;
	uint32_t hash;
	uint32_t seen_hour;  /* Unix time */
	uint16_t hits;       /* saturates */
	uint16_t forgotten;  /* weight of children that came once and went */
	uint8_t size;        /* of the key */
	uint8_t extension;   /* of its end, if it is a file's */
	uint8_t kind;        /* enum route_shape_kind */
	uint8_t context;     /* enum route_context */
	uint8_t holds_value; /* its place below is judged: words there are values */
};

struct route_tree {
	struct route_node *nodes; /* [0] is what services hang below */
	uint32_t *heads;
	uint32_t used, unused; /* nodes ever taken; list of those given back, by `sibling` */
	uint32_t count, services;
	uint32_t generation; /* changes when nodes go or move */
	uint32_t hour;       /* the present one */
	uint64_t refused;    /* nodes that found no room */
	int is_changed;      /* since the caller cleared it */
};

/* The way of one path through the tree. */
struct route_way {
	uint32_t node[ROUTE_SEGMENTS_MAX + 1];
	struct text segment[ROUTE_SEGMENTS_MAX + 1];
	unsigned count;
	int is_unsure; /* some word of it may yet turn out to be a value */
};

int route_tree_init(struct route_tree *tree); /* 0 or -ENOMEM */
void route_tree_fini(struct route_tree *tree);

/* The node of a service, new if need be; 0: no room. */
uint32_t route_tree_service(struct route_tree *tree, struct text name);

/*
 * Finds the way of a path below `service`, and makes what is missing of it if `teaches`. 0, or -1:
 * unknown, or too long, or no room.
 */
int route_tree_walk(struct route_tree *tree, uint32_t service, struct text path, int teaches,
		    struct route_way *way);

/* Counts a request of the route that ends in `leaf`. */
void route_tree_hit(struct route_tree *tree, uint32_t leaf);

/* The child of that key, or 0. */
uint32_t route_tree_child(const struct route_tree *tree, uint32_t parent, struct text key);

/* The same, new if need be; 0: no room. The caller says what it is. */
uint32_t route_tree_make(struct route_tree *tree, uint32_t parent, struct text key, uint8_t kind,
			 uint8_t extension);

/* The same of what another tree has there: a word where this one has values becomes one. */
uint32_t route_tree_put(struct route_tree *tree, uint32_t parent, struct text key, uint8_t kind,
			uint8_t extension);

/* Folds the words below a node into values. */
void route_tree_fold(struct route_tree *tree, uint32_t position);

/* Forgets what was not seen for long, and, if `make_room`, all that came but once. */
void route_tree_age(struct route_tree *tree, int make_room);

#endif
