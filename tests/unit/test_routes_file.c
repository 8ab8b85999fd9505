/* test_routes_file.c - the table of routes on disk: restarts, several exporters, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "exporter/routes_file.h"
#include "tests/unit/routes_test.h"

static void start_with_file(void)
{
	routes_free(routes);
	routes = routes_new(file);
	assert_non_null(routes);
}

static void what_was_learned_survives_a_restart(void **state)
{
	(void)state;
	start_with_file();
	learn_people();
	start_with_file();
	assert_string_equal(route("/u/somebody"), "/u/{id}");
}

static void exporters_with_one_file_learn_from_each_other(void **state)
{
	uint64_t now = (uint64_t)time(NULL) * 1000000000u;
	struct routes *other;

	(void)state;
	start_with_file();
	other = routes_new(file);
	assert_non_null(other);
	routes_find(other, &arena, text("shop"), text("/orders/17"), 200, &match);
	learn_people();
	routes_housekeep(routes, now);
	routes_housekeep(other, now);
	routes_find(other, &arena, text("shop"), text("/u/somebody"), 200, &match);
	assert_string_equal(match.route.at, "/u/{id}");
	routes_housekeep(routes, now + HOUR_NS);
	assert_string_equal(answered("/orders/99", 404), "/orders/{id}");
	routes_free(other);
}

static size_t read_whole(char **bytes)
{
	FILE *from = fopen(file, "r");
	struct stat stat_of;
	size_t size;

	assert_non_null(from);
	assert_int_equal(fstat(fileno(from), &stat_of), 0);
	*bytes = malloc((size_t)stat_of.st_size);
	size = fread(*bytes, 1, (size_t)stat_of.st_size, from);
	fclose(from);
	return size;
}

static void a_file_cut_or_changed_anywhere_is_refused_whole(void **state)
{
	struct route_tree tree;
	char *bytes;
	size_t size;

	(void)state;
	start_with_file();
	route("/orders/17");
	route("/login");
	routes_free(routes);
	routes = NULL;
	size = read_whole(&bytes);
	assert_int_equal(route_tree_init(&tree), 0);
	for (size_t cut = 0; cut < size; cut++)
		assert_true(routes_file_parse(&tree, bytes, cut) < 0);
	for (size_t at = 0; at < size; at++) {
		bytes[at] ^= 0x10;
		assert_true(routes_file_parse(&tree, bytes, size) < 0);
		bytes[at] ^= 0x10;
	}
	assert_int_equal(tree.count, 0);
	assert_int_equal(routes_file_parse(&tree, bytes, size), 0);
	assert_int_equal(tree.count, 4);
	route_tree_fini(&tree);
	free(bytes);
}

static void a_damaged_file_is_replaced(void **state)
{
	FILE *to = fopen(file, "w");

	(void)state;
	assert_non_null(to);
	fputs("no table", to);
	fclose(to);
	start_with_file();
	learn_people();
	start_with_file();
	assert_string_equal(route("/u/somebody"), "/u/{id}");
}

static void a_table_that_can_not_be_written_does_no_harm(void **state)
{
	(void)state;
	routes_free(routes);
	routes = routes_new("/proc/nowhere/routes");
	assert_non_null(routes);
	learn_people();
	routes_housekeep(routes, 500000 * HOUR_NS);
	assert_string_equal(route("/u/somebody"), "/u/{id}");
}

int main(void)
{
#define ROUTES_TEST(name) cmocka_unit_test_setup_teardown(name, routes_set_up, routes_tear_down)
	const struct CMUnitTest tests[] = {
		ROUTES_TEST(what_was_learned_survives_a_restart),
		ROUTES_TEST(exporters_with_one_file_learn_from_each_other),
		ROUTES_TEST(a_file_cut_or_changed_anywhere_is_refused_whole),
		ROUTES_TEST(a_damaged_file_is_replaced),
		ROUTES_TEST(a_table_that_can_not_be_written_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
