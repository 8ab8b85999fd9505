/* config_node.h - what a node of the settings file is made of; private to the config*.c files. */
#ifndef TAGALONG_CONFIG_NODE_H
#define TAGALONG_CONFIG_NODE_H

#include "exporter/arena.h"
#include "exporter/config.h"

struct config_node {
	struct config *config;
	const char *key; /* of a member of a map, else NULL */
	const char *text;
	struct config_node **members;
	size_t count, room;
	unsigned line;
	enum config_type type;
	uint8_t is_null;  /* nothing, `~` or `null`, without quotes */
	uint8_t is_known; /* somebody asked for this key */
};

struct config_complaint {
	struct config_complaint *next;
	unsigned line;
	const char *text;
};

struct config {
	struct arena arena;
	const char *name; /* of the file, for complaints */
	struct config_node *root;
	struct config_complaint *said;
	unsigned complaints;
	size_t nodes;
};

/* Says it of a line, unless it was said before. */
void config_complain_of_line(struct config *config, unsigned line, const char *text);

#endif
