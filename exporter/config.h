/* config.h - the settings file: a tree of YAML nodes that know their lines, and what may stand
 * there.
 */
#ifndef TAGALONG_CONFIG_H
#define TAGALONG_CONFIG_H

/*
 * YAML 1.1 by libyaml, block and flow style, one document, without anchors, tags and duplicate
 * keys. Each module reads the section of its name and complains of what it can't use; a complaint
 * is printed to stderr once as "FILE:LINE: text" and counted. It names keys, never values, which
 * may be secrets. A file with complaints is not applied: the settings in force stay. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_MAX   (1u << 20) /* bytes of a file */
#define CONFIG_NODES_MAX  20000u
#define CONFIG_DEPTH_MAX  32u
#define CONFIG_SCALAR_MAX 16384u /* bytes of one value */

struct config;
struct config_node;

enum config_type { CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

/* Reads a file. NULL: can't be read or is no YAML, which was complained of. */
struct config *config_read(const char *path);
/* The same of bytes in memory; `name` stands for the file in complaints. */
struct config *config_parse(const char *name, const char *at, size_t size);
void config_free(struct config *config); /* accepts NULL */

/* The whole file: a map, empty for an empty file. */
const struct config_node *config_root(const struct config *config);

/* Complaints so far; unknown keys, those that nobody asked for, are complained of here. */
unsigned config_finish(struct config *config);

/* All of these accept NULL for a node that is not there, and return NULL, 0 or `otherwise` then. */
enum config_type config_type(const struct config_node *node);
unsigned config_line(const struct config_node *node);
/*
 * Marks the key as known. NULL: not there, or nothing stands behind it. Complains if `map` is no
 * map.
 */
const struct config_node *config_get(const struct config_node *map, const char *key);
/* Members of a list or a map in their order. */
size_t config_count(const struct config_node *node);
const struct config_node *config_at(const struct config_node *node, size_t index);
const char *config_key_at(const struct config_node *map, size_t index); /* marks it as known */
/* 1 if both say the same, wherever they stand. */
int config_same(const struct config_node *one, const struct config_node *other);
/* 1 if it is a list, 0 if it is not there; else complains and returns 0. */
int config_is_list(const struct config_node *node);

/* Values; a wrong one is complained of, and `otherwise` is returned. Texts live as long as config.
 */
const char *config_text(const struct config_node *node, const char *otherwise);
int config_boolean(const struct config_node *node,
		   int otherwise); /* true, false, yes, no, on, off */
int64_t config_integer(const struct config_node *node, int64_t least, int64_t most,
		       int64_t otherwise);
double config_number(const struct config_node *node, double least, double most, double otherwise);
/* The index of the value in a list of words that NULL ends. */
int config_choice(const struct config_node *node, const char *const *words, int otherwise);
/* "250ms", "5s", "2m", "1h", "7d", or a plain number of milliseconds. */
uint64_t config_duration_ms(const struct config_node *node, uint64_t otherwise);
/* "64MiB", "1GB", "512k" (k, M, G: 1024), or a plain number of bytes. */
uint64_t config_bytes(const struct config_node *node, uint64_t otherwise);

/* "FILE:LINE: KEY: text"; without the key of a list's member. */
void config_complain(const struct config_node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
