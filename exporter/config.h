/* config.h - the settings file: a tree of YAML nodes that know their lines, and what may stand
 * there.
 */
#ifndef TAGALONG_CONFIG_H
#define TAGALONG_CONFIG_H

/*
 * YAML 1.1 by libyaml, block and flow style, without anchors, tags and duplicate keys. Each module
 * reads the section of its name and complains of what it can't use; a complaint is printed once as
 * "FILE:LINE: text" and counted. A file with complaints is not applied: the settings in force stay.
 * One thread.
 */

#include <stddef.h>
#include <stdint.h>

struct config;
struct config_node;

enum config_type { CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

/* Reads a file. NULL: can't be read or is no YAML, which was complained of. */
struct config *config_read(const char *path);
void config_free(struct config *config); /* accepts NULL */

/* The whole file: a map, empty for an empty file. */
const struct config_node *config_root(const struct config *config);

/* Complaints so far; unknown keys, those that nobody asked for, are complained of here. */
unsigned config_finish(struct config *config);

/* All of these accept NULL for a node that is not there, and return NULL, 0 or `otherwise` then. */
enum config_type config_type(const struct config_node *node);
unsigned config_line(const struct config_node *node);
/* Marks the key as known. NULL: not there. Complains if `map` is no map. */
const struct config_node *config_get(const struct config_node *map, const char *key);
/* Members of a list or a map in their order. */
size_t config_count(const struct config_node *node);
const struct config_node *config_at(const struct config_node *node, size_t index);
const char *config_key_at(const struct config_node *map, size_t index); /* marks it as known */

/* Values; a wrong one is complained of, and `otherwise` is returned. Texts live as long as config.
 */
const char *config_text(const struct config_node *node, const char *otherwise);
int config_boolean(const struct config_node *node,
		   int otherwise); /* true, false, yes, no, on, off */
int64_t config_integer(const struct config_node *node, int64_t least, int64_t most,
		       int64_t otherwise);
double config_number(const struct config_node *node, double least, double most, double otherwise);
/* "250ms", "5s", "2m", "1h", "7d", or a plain number of milliseconds. */
uint64_t config_duration_ms(const struct config_node *node, uint64_t otherwise);
/* "64MiB", "1GB", "512k", or a plain number of bytes. */
uint64_t config_bytes(const struct config_node *node, uint64_t otherwise);

void config_complain(const struct config_node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
