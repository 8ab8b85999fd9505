/* routes.c - which route is a path: patterns of the user, then what was learned; both cached. */
#include "routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "exporter/env.h"
#include "exporter/log.h"
#include "exporter/routes_file.h"
#include "exporter/routes_pattern.h"
#include "exporter/routes_shape.h"
#include "exporter/routes_tree.h"

#define PATTERNS_MAX  256
#define CACHE_ENTRIES 8192u /* a power of two */
#define CACHED_PATH   160
#define CACHED_VALUES 6
#define CACHED_HITS   64 /* from which on hits of a cached path are not counted, but each hour */
#define ROUTE_MAX     1024
#define SAVE_NS       60000000000ull
#define HOUR_NS       3600000000000ull

/* A path that was judged. It holds for the generations of the tree and of the patterns. */
struct cached {
	uint64_t hash;
	uint32_t generation, service;
	uint32_t leaf; /* of the tree; 0: empty */
	uint32_t hour; /* when it was counted last */
	uint16_t path_size;
	uint8_t values;
	struct {
		uint16_t at, size;
	} value[CACHED_VALUES];
	char path[CACHED_PATH];
};

struct routes {
	struct route_tree tree;
	struct cached *cache;
	struct route_pattern *patterns[PATTERNS_MAX];
	unsigned pattern_count;
	int learns;
	uint32_t generation; /* of the patterns, in the upper bits of the cache's */
	uint32_t service;    /* the last one */
	char *service_name;
	char *path;
	uint64_t saved_ns;
	struct stat file; /* as it was read or written last */
	int is_told_full, is_told_unwritten;
};

static const char *const names[ROUTE_PARAMETERS_MAX] = {
	"id",  "id2",  "id3",  "id4",  "id5",  "id6",  "id7",  "id8",
	"id9", "id10", "id11", "id12", "id13", "id14", "id15", "id16",
};

/* ---- start and end -------------------------------------------------------------------------- */

/* Whether the file is another one than it was. */
static int is_replaced(struct routes *routes)
{
	struct stat now;
	int is_new;

	if (!routes->path || stat(routes->path, &now) != 0)
		return 0;
	/* Times alone are too coarse; a new file never has the number of the one it replaces. */
	is_new = now.st_ino != routes->file.st_ino ||
		 memcmp(&now.st_mtim, &routes->file.st_mtim, sizeof(now.st_mtim)) != 0;
	routes->file = now;
	return is_new;
}

static void read_file(struct routes *routes)
{
	int result = routes_file_read(&routes->tree, routes->path);

	is_replaced(routes);
	if (result == -EINVAL)
		log_line(LOG_WARN, "routes", "%s is damaged or of another version, begun anew",
			 routes->path);
	routes->tree.is_changed = 0;
}

struct routes *routes_new(const char *path)
{
	struct routes *routes = calloc(1, sizeof(*routes));

	if (!routes)
		return NULL;
	routes->learns = 1;
	routes->generation = 1;
	routes->cache = calloc(CACHE_ENTRIES, sizeof(*routes->cache));
	routes->path = path ? strdup(path) : NULL;
	if (!routes->cache || route_tree_init(&routes->tree) != 0 || (path && !routes->path)) {
		routes_free(routes);
		return NULL;
	}
	routes->tree.hour = (uint32_t)(time(NULL) / 3600);
	if (routes->path)
		read_file(routes);
	routes_configure(routes, NULL);
	return routes;
}

/* The directories of the table's path are made as the store makes its own. */
static void make_directory(const char *path)
{
	char directory[4096];
	char *slash;

	if ((size_t)snprintf(directory, sizeof(directory), "%s", path) >= sizeof(directory))
		return;
	slash = strrchr(directory, '/');
	if (!slash || slash == directory)
		return;
	*slash = '\0';
	mkdir(directory, 0700);
}

static void save(struct routes *routes)
{
	int result;

	if (!routes->path || !routes->tree.is_changed)
		return;
	make_directory(routes->path);
	result = routes_file_write(&routes->tree, routes->path);
	is_replaced(routes);
	routes->tree.is_changed = 0;
	if (result != 0 && !routes->is_told_unwritten)
		log_line(LOG_WARN, "routes",
			 "can't write %s (%s), learned routes are lost at the end", routes->path,
			 strerror(-result));
	routes->is_told_unwritten = result != 0;
}

static void free_patterns(struct route_pattern **patterns, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		route_pattern_free(patterns[i]);
}

void routes_free(struct routes *routes)
{
	if (!routes)
		return;
	if (routes->tree.nodes)
		save(routes);
	route_tree_fini(&routes->tree);
	free_patterns(routes->patterns, routes->pattern_count);
	free(routes->cache);
	free(routes->service_name);
	free(routes->path);
	free(routes);
}

/* ---- settings ------------------------------------------------------------------------------- */

struct reading {
	struct route_pattern *patterns[PATTERNS_MAX];
	unsigned count;
	int learns;
};

static void add_listed(struct reading *reading, const struct config_node *node)
{
	const char *text = config_text(node, NULL), *why = NULL;
	struct route_pattern *pattern;

	if (!text)
		return;
	if (reading->count == PATTERNS_MAX) {
		config_complain(node, "is more than the %d patterns that there may be",
				PATTERNS_MAX);
		return;
	}
	pattern = route_pattern_new((struct text){text, (uint32_t)strlen(text)}, &why);
	if (pattern)
		reading->patterns[reading->count++] = pattern;
	else
		config_complain(node, "%s", why);
}

/* TAGALONG_ROUTES, a list with commas, comes before what the file has. */
static void read_environment(struct reading *reading)
{
	const char *at = env_get("TAGALONG_ROUTES"), *why;

	while (at && *at && reading->count < PATTERNS_MAX) {
		struct text text = {at, (uint32_t)strcspn(at, ", ")};
		struct route_pattern *pattern;

		at += text.size + (at[text.size] != '\0');
		if (text.size == 0)
			continue;
		pattern = route_pattern_new(text, &why);
		if (pattern)
			reading->patterns[reading->count++] = pattern;
		else
			log_line(LOG_WARN, "settings", "a pattern of TAGALONG_ROUTES %s, ignored",
				 why);
	}
	if (env_get("TAGALONG_ROUTES_LEARN"))
		reading->learns = env_boolean("TAGALONG_ROUTES_LEARN");
}

void routes_configure(struct routes *routes, const struct config_node *section)
{
	const struct config_node *patterns = config_get(section, "patterns");
	struct reading reading = {.learns = config_boolean(config_get(section, "learn"), 1)};

	read_environment(&reading);
	if (config_is_list(patterns))
		for (size_t i = 0; i < config_count(patterns); i++)
			add_listed(&reading, config_at(patterns, i));
	if (!routes) {
		free_patterns(reading.patterns, reading.count);
		return;
	}
	free_patterns(routes->patterns, routes->pattern_count);
	memcpy(routes->patterns, reading.patterns, sizeof(reading.patterns));
	routes->pattern_count = reading.count;
	routes->learns = reading.learns;
	routes->generation++;
}

/* ---- what was judged before ----------------------------------------------------------------- */

static uint32_t generation_of(const struct routes *routes)
{
	return routes->generation << 24 ^ routes->tree.generation;
}

static struct cached *slot_of(const struct routes *routes, uint64_t hash)
{
	return &routes->cache[hash & (CACHE_ENTRIES - 1)];
}

static uint64_t hash_of(const struct routes *routes, struct text path)
{
	return text_hash(path) + routes->service * 0x9e3779b97f4a7c15u;
}

static int is_cached(const struct routes *routes, const struct cached *entry, uint64_t hash,
		     struct text path)
{
	return entry->hash == hash && entry->path_size == path.size &&
	       entry->service == routes->service && entry->generation == generation_of(routes) &&
	       memcmp(entry->path, path.at, path.size) == 0;
}

static void remember(struct routes *routes, uint64_t hash, struct text path,
		     const struct route_match *match, uint32_t leaf)
{
	struct cached *entry = slot_of(routes, hash);

	if (path.size > CACHED_PATH || match->parameters > CACHED_VALUES)
		return;
	entry->hash = hash;
	entry->generation = generation_of(routes);
	entry->service = routes->service;
	entry->leaf = leaf;
	entry->hour = routes->tree.hour;
	entry->path_size = (uint16_t)path.size;
	entry->values = (uint8_t)match->parameters;
	for (uint32_t i = 0; i < match->parameters; i++) {
		entry->value[i].at = (uint16_t)(match->value[i].at - path.at);
		entry->value[i].size = (uint16_t)match->value[i].size;
	}
	memcpy(entry->path, path.at, path.size);
}

/* ---- the text of a learned route ------------------------------------------------------------ */

/* The key of one node, its parameter named; 0: too long. */
static size_t render_key(const struct route_node *node, char *to, size_t room, unsigned *parameters)
{
	const char *brace = node->kind == SHAPE_VALUE ? strstr(node->key, "{}") : NULL;
	int size;

	if (brace && *parameters == ROUTE_PARAMETERS_MAX)
		return 0;
	if (brace)
		size = snprintf(to, room, "/%.*s{%s}%s", (int)(brace - node->key), node->key,
				names[(*parameters)++], brace + 2);
	else
		size = snprintf(to, room, "/%s", node->key);
	return (size_t)size < room ? (size_t)size : 0;
}

/* The route of a way as text, kept at its last node. NULL: too long, or no memory. */
static const char *render(struct routes *routes, const struct route_way *way)
{
	struct route_node *leaf = &routes->tree.nodes[way->node[way->count - 1]];
	char text[ROUTE_MAX];
	unsigned parameters = 0;
	size_t size = 0;

	if (leaf->route && leaf->rendered == routes->tree.generation)
		return leaf->route;
	for (unsigned i = 0; i < way->count; i++) {
		size_t one = render_key(&routes->tree.nodes[way->node[i]], text + size,
					sizeof(text) - size, &parameters);

		if (one == 0)
			return NULL;
		size += one;
	}
	free(leaf->route);
	leaf->route = strdup(text);
	leaf->rendered = routes->tree.generation;
	return leaf->route;
}

static void take_values(const struct routes *routes, const struct route_way *way,
			struct route_match *match)
{
	for (unsigned i = 0; i < way->count; i++) {
		const struct route_node *node = &routes->tree.nodes[way->node[i]];
		struct text segment = way->segment[i];
		size_t prefix, suffix;

		if (node->kind != SHAPE_VALUE || match->parameters == ROUTE_PARAMETERS_MAX)
			continue;
		prefix = (size_t)(strstr(node->key, "{}") - node->key);
		suffix = node->size - prefix - 2;
		if (prefix + suffix > segment.size)
			prefix = suffix = 0;
		match->name[match->parameters] = (struct text){
			names[match->parameters], (uint32_t)strlen(names[match->parameters])};
		match->value[match->parameters++] = (struct text){
			segment.at + prefix, (uint32_t)(segment.size - prefix - suffix)};
	}
}

/* ---- finding -------------------------------------------------------------------------------- */

/* Routes and names that are the table's are copied: it may change while the batch waits. */
static void give(struct arena *arena, const char *route, size_t size, int is_learned,
		 struct route_match *match)
{
	match->route.at = arena_text(arena, route, size);
	match->route.size = match->route.at ? (uint32_t)size : 0;
	match->is_learned = is_learned;
}

static int find_pattern(struct routes *routes, struct arena *arena, struct text path,
			struct route_match *match)
{
	for (unsigned i = 0; i < routes->pattern_count; i++) {
		if (!route_pattern_match(routes->patterns[i], path, match))
			continue;
		give(arena, match->route.at, match->route.size, 0, match);
		for (uint32_t n = 0; n < match->parameters; n++)
			if (match->name[n].at)
				match->name[n].at =
					arena_text(arena, match->name[n].at, match->name[n].size);
		return 1;
	}
	return 0;
}

/* The node that the route ends in; 0: not known, or not sure yet. */
static uint32_t find_learned(struct routes *routes, struct arena *arena, struct text path,
			     int teaches, struct route_match *match)
{
	struct route_way way;
	const char *route;
	uint32_t leaf;

	if (route_tree_walk(&routes->tree, routes->service, path, teaches, &way) != 0 ||
	    way.count == 0)
		return 0;
	leaf = way.node[way.count - 1];
	if (teaches)
		route_tree_hit(&routes->tree, leaf);
	route = way.is_unsure ? NULL : render(routes, &way);
	if (!route)
		return 0;
	give(arena, route, strlen(route), 1, match);
	take_values(routes, &way, match);
	return leaf;
}

static void give_cached(struct routes *routes, struct arena *arena, struct text path, int teaches,
			struct cached *entry, struct route_match *match)
{
	struct route_node *leaf = &routes->tree.nodes[entry->leaf];

	give(arena, leaf->route, strlen(leaf->route), 1, match);
	match->parameters = entry->values;
	for (uint32_t i = 0; i < entry->values; i++) {
		match->name[i] = (struct text){names[i], (uint32_t)strlen(names[i])};
		match->value[i] = (struct text){path.at + entry->value[i].at, entry->value[i].size};
	}
	if (!teaches || (leaf->hits >= CACHED_HITS && entry->hour == routes->tree.hour))
		return;
	entry->hour = routes->tree.hour;
	route_tree_hit(&routes->tree, entry->leaf);
}

static int same_service(const struct routes *routes, struct text service)
{
	return routes->service && strncmp(routes->service_name, service.at, service.size) == 0 &&
	       routes->service_name[service.size] == '\0';
}

static int enter_service(struct routes *routes, struct text service)
{
	if (same_service(routes, service))
		return 0;
	free(routes->service_name);
	routes->service_name = strndup(service.at ? service.at : "", service.size);
	routes->service = routes->service_name ? route_tree_service(&routes->tree, service) : 0;
	return routes->service ? 0 : -1;
}

/* What the server does not know, or would not look at. */
static int teaches(unsigned status)
{
	return status && status != 404 && status != 405 && status != 410 && status != 414;
}

void routes_find(struct routes *routes, struct arena *arena, struct text service, struct text path,
		 unsigned status, struct route_match *match)
{
	struct cached *entry;
	uint32_t leaf = 0;
	uint64_t hash;

	match->route = (struct text){NULL, 0};
	match->parameters = 0;
	match->is_learned = 0;
	if (!path.at || path.size == 0 || path.at[0] != '/')
		return;
	if (enter_service(routes, service) != 0)
		return;
	hash = hash_of(routes, path);
	entry = slot_of(routes, hash);
	if (entry->leaf && is_cached(routes, entry, hash, path)) {
		give_cached(routes, arena, path, teaches(status), entry, match);
		return;
	}
	if (!find_pattern(routes, arena, path, match) && routes->learns)
		leaf = find_learned(routes, arena, path, teaches(status), match);
	if (leaf)
		remember(routes, hash, path, match, leaf);
}

void routes_housekeep(struct routes *routes, uint64_t now_unix_ns)
{
	uint32_t hour = (uint32_t)(now_unix_ns / HOUR_NS);
	int is_full;

	if (!routes || now_unix_ns - routes->saved_ns < SAVE_NS)
		return;
	is_full = routes->tree.refused > 0;
	routes->saved_ns = now_unix_ns;
	if (hour != routes->tree.hour || is_full) {
		routes->tree.hour = hour;
		route_tree_age(&routes->tree, is_full);
		routes->service = 0; /* it may have gone */
	}
	if (is_full && !routes->is_told_full)
		log_line(LOG_WARN, "routes", "the learned table is full, rare paths are forgotten");
	routes->is_told_full |= is_full;
	routes->tree.refused = 0;
	if (is_replaced(routes)) {
		int changed = routes->tree.is_changed;

		read_file(routes);
		routes->tree.is_changed = changed;
	}
	save(routes);
}
