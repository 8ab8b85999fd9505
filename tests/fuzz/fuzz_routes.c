/* fuzz_routes.c - any paths, and any bytes as the learned table: bounded, and the same after a
 * reload.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/routes.h"
#include "exporter/routes_file.h"
#include "tests/fuzz/target.h"

static char file[64], lock[80];

static void at_exit(void)
{
	unlink(file);
	unlink(lock);
}

static void set_up(void)
{
	snprintf(file, sizeof(file), "/tmp/fuzz-routes-%ld", (long)getpid());
	snprintf(lock, sizeof(lock), "%s.lock", file);
	atexit(at_exit);
}

/* Values are parts of the path, in their order; the route begins with a slash. */
static void check(const struct route_match *match, const char *path, size_t size)
{
	const char *at = path;

	CHECK(match->parameters <= ROUTE_PARAMETERS_MAX);
	if (!match->route.at)
		return;
	CHECK(match->route.at[0] == '/' && strlen(match->route.at) == match->route.size);
	for (uint32_t i = 0; i < match->parameters; i++) {
		CHECK(match->value[i].at >= at);
		at = match->value[i].at + match->value[i].size;
		CHECK(at <= path + size && !memchr(match->value[i].at, '/', match->value[i].size));
	}
}

/* Each line is a path; its first byte says how it was answered. */
static void request(struct routes *routes, const char *line, size_t size, struct text *last)
{
	static const unsigned statuses[] = {200, 200, 200, 404, 0};
	struct text service = {"shop", 4};
	struct route_match match;
	struct arena arena;

	if (size < 2)
		return;
	arena_init(&arena);
	routes_find(routes, &arena, service, (struct text){line + 1, (uint32_t)(size - 1)},
		    statuses[(unsigned char)line[0] % 5], &match);
	check(&match, line + 1, size - 1);
	*last = match.route.at ? (struct text){line + 1, (uint32_t)(size - 1)}
			       : (struct text){NULL, 0};
	arena_free(&arena);
}

/* What had a route has the same one when the table was written and read. */
static void reload(struct routes *before, struct text path)
{
	struct text service = {"shop", 4};
	struct route_match one, other;
	struct routes *after;
	struct arena arena;

	arena_init(&arena);
	if (path.at)
		routes_find(before, &arena, service, path, 404, &one);
	routes_free(before);
	after = routes_new(file);
	CHECK(after);
	if (path.at) {
		routes_find(after, &arena, service, path, 404, &other);
		CHECK(one.route.size == other.route.size &&
		      memcmp(one.route.at, other.route.at, one.route.size) == 0);
	}
	routes_free(after);
	arena_free(&arena);
}

static void try_table(const uint8_t *data, size_t size)
{
	struct route_tree tree;

	CHECK(route_tree_init(&tree) == 0);
	routes_file_parse(&tree, data, size);
	CHECK(tree.count <= ROUTE_NODES_MAX && tree.services <= ROUTE_SERVICES_MAX);
	route_tree_age(&tree, 1);
	route_tree_fini(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct text last = {NULL, 0};
	struct routes *routes;

	if (!file[0])
		set_up();
	/* Records hold no NUL. */
	if (size == 0 || data[0] == 'T' || memchr(data, '\0', size)) {
		try_table(data + (size > 0), size - (size > 0));
		return 0;
	}
	unlink(file);
	routes = routes_new(file);
	CHECK(routes);
	while (at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));

		line = line ? line : end;
		request(routes, at, (size_t)(line - at), &last);
		at = line + 1;
	}
	reload(routes, last);
	return 0;
}
