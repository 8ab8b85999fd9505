/* routes_test.c - a table of routes, asked path by path. */
#include "tests/unit/routes_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct arena arena;
struct routes *routes;
struct route_match match;
static char directory[64];
char file[128];

int routes_set_up(void **state)
{
	(void)state;
	unsetenv("TAGALONG_ROUTES");
	unsetenv("TAGALONG_ROUTES_LEARN");
	strcpy(directory, "/tmp/tagalong-routes-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(file, sizeof(file), "%s/routes", directory);
	arena_init(&arena);
	routes = routes_new(NULL);
	return routes ? 0 : -1;
}

int routes_tear_down(void **state)
{
	static const char *const ends[] = {"", ".new", ".lock"};
	char name[160];

	(void)state;
	routes_free(routes);
	arena_free(&arena);
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", file, ends[i]);
		unlink(name);
	}
	return rmdir(directory);
}

const char *answered(const char *path, unsigned status)
{
	routes_find(routes, &arena, text("shop"), text(path), status, &match);
	return match.route.at;
}

const char *route(const char *path)
{
	return answered(path, 200);
}

void assert_value(unsigned index, const char *name, const char *value)
{
	assert_true(index < match.parameters);
	assert_string_equal(match.name[index].at, name);
	assert_int_equal(match.value[index].size, strlen(value));
	assert_memory_equal(match.value[index].at, value, strlen(value));
}

void learn_people(void)
{
	char path[64];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/u/%c%cjones", 'a' + i, 'b' + i);
		route(path);
	}
}
