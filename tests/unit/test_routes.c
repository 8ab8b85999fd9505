/* test_routes.c - patterns, segments that are values, words that stay, and the table on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/routes.h"
#include "exporter/routes_file.h"
#include "exporter/routes_shape.h"

#define HOUR_NS 3600000000000ull

static struct arena arena;
static struct routes *routes;
static struct route_match match;
static char directory[64], file[128];

static int set_up(void **state)
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

static int tear_down(void **state)
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

static struct text text(const char *string)
{
	return (struct text){string, (uint32_t)strlen(string)};
}

static const char *answered(const char *path, unsigned status)
{
	routes_find(routes, &arena, text("shop"), text(path), status, &match);
	return match.route.at;
}

static const char *route(const char *path)
{
	return answered(path, 200);
}

static void assert_value(unsigned index, const char *name, const char *value)
{
	assert_true(index < match.parameters);
	assert_string_equal(match.name[index].at, name);
	assert_int_equal(match.value[index].size, strlen(value));
	assert_memory_equal(match.value[index].at, value, strlen(value));
}

static void use_patterns(const char *patterns)
{
	setenv("TAGALONG_ROUTES", patterns, 1);
	routes_configure(routes, NULL);
}

/* ---- patterns ------------------------------------------------------------------------------- */

static void patterns_of_the_user_win_in_their_order(void **state)
{
	(void)state;
	use_patterns("/products/{product_id},/products/{other},/files/{name}.json,/s/{path...}");
	assert_string_equal(route("/products/17"), "/products/{product_id}");
	assert_false(match.is_learned);
	assert_value(0, "product_id", "17");
	assert_string_equal(route("/files/a.b.json"), "/files/{name}.json");
	assert_value(0, "name", "a.b");
	assert_string_equal(route("/s/css/main.css"), "/s/{path...}");
	assert_value(0, "path", "css/main.css");
	assert_string_equal(route("/products"), "/products");
	assert_true(match.is_learned);
}

static void patterns_match_whole_paths_only(void **state)
{
	(void)state;
	use_patterns("/a/{id}/b");
	setenv("TAGALONG_ROUTES_LEARN", "false", 1);
	routes_configure(routes, NULL);
	assert_non_null(route("/a/x/b"));
	assert_null(route("/a/x/b/"));
	assert_null(route("/a/x/y/b"));
	assert_null(route("/a//b"));
	assert_null(route("/a/x"));
	assert_null(route("a/x/b"));
	assert_null(route(""));
}

static void stars_are_parameters_without_names(void **state)
{
	(void)state;
	use_patterns("/a/*/c,/rest/**");
	assert_string_equal(route("/a/b/c"), "/a/*/c");
	assert_int_equal(match.parameters, 1);
	assert_null(match.name[0].at);
	assert_string_equal(route("/rest/x/y/z"), "/rest/**");
}

static void what_is_no_pattern_is_complained_of(void **state)
{
	static const char file_text[] = "routes:\n"
					"  patterns:\n"
					"    - /ok/{id}\n"
					"    - no/slash\n"
					"    - /open/{id\n"
					"    - /both/{a}{b}\n"
					"    - /rest/{a...}/more\n"
					"  learn: false\n";
	struct config *config = config_parse("test", file_text, sizeof(file_text) - 1);

	(void)state;
	assert_non_null(config);
	routes_configure(NULL, config_get(config_root(config), "routes"));
	assert_int_equal(config_finish(config), 4);
	config_free(config);
}

static void the_settings_file_names_patterns_and_ends_learning(void **state)
{
	static const char file_text[] = "routes:\n  patterns: [ '/ok/{id}' ]\n  learn: false\n";
	struct config *config = config_parse("test", file_text, sizeof(file_text) - 1);

	(void)state;
	assert_non_null(config);
	routes_configure(routes, config_get(config_root(config), "routes"));
	assert_int_equal(config_finish(config), 0);
	config_free(config);
	assert_string_equal(route("/ok/x"), "/ok/{id}");
	assert_null(route("/orders/17"));
	routes_configure(routes, NULL);
	assert_string_equal(route("/orders/17"), "/orders/{id}");
	assert_string_equal(route("/ok/17"), "/ok/{id}");
	assert_true(match.is_learned);
}

/* ---- segments ------------------------------------------------------------------------------- */

static void segments_are_told_by_their_looks(void **state)
{
	static const struct {
		const char *segment;
		enum route_shape_kind kind;
		const char *value; /* of SHAPE_VALUE */
	} cases[] = {
		{"42", SHAPE_VALUE, "42"},
		{"deadbee1", SHAPE_VALUE, "deadbee1"},
		{"3f2b8a54-7f0e-4e0c-9a86-0f3f4a1b2c3d", SHAPE_VALUE, NULL},
		{"01ARZ3NDEKTSV4RRFFQ69G5FAV", SHAPE_VALUE, NULL},
		{"jane.doe@example.com", SHAPE_VALUE, NULL},
		{"2024-05-17", SHAPE_VALUE, NULL},
		{"2024-05-17T12:00:00", SHAPE_VALUE, NULL},
		{"52.52,13.405", SHAPE_VALUE, NULL},
		{"cus_NffrFeUfNV2Hib", SHAPE_VALUE, NULL},
		{"dQw4w9WgXcQ", SHAPE_VALUE, NULL},
		{"web-66b6c48dd5-x2zkv", SHAPE_VALUE, NULL},
		{"caf%C3%A9", SHAPE_VALUE, NULL},
		{"main.3f2a8b1c.js", SHAPE_VALUE, "3f2a8b1c"},
		{"index-Dk3f9aB2.css", SHAPE_VALUE, "Dk3f9aB2"},
		{"IMG_20240517_123456.jpg", SHAPE_VALUE, "20240517_123456"},
		{"42.json", SHAPE_VALUE, "42"},
		{"@johnsmith", SHAPE_VALUE, "johnsmith"},
		{"Users(42)", SHAPE_VALUE, "42"},
		{"token", SHAPE_STATIC, NULL},
		{"oauth2", SHAPE_STATIC, NULL},
		{"v1", SHAPE_STATIC, NULL},
		{"v1beta1", SHAPE_STATIC, NULL},
		{"access-tokens", SHAPE_STATIC, NULL},
		{"getUserProfile", SHAPE_STATIC, NULL},
		{".well-known", SHAPE_STATIC, NULL},
		{"404.html", SHAPE_STATIC, NULL},
		{"search", SHAPE_KEYWORD, NULL},
		{"johnsmith", SHAPE_WORD, NULL},
		{"feedface", SHAPE_WORD, NULL},
		{"jquery.min.js", SHAPE_WORD, NULL},
		{"gizmos", SHAPE_PLURAL, NULL},
		{"john42", SHAPE_SUSPECT, NULL},
		{"my-first-post", SHAPE_SUSPECT, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = strlen(cases[i].segment);
		struct route_shape shape = route_shape(text(cases[i].segment));

		if (shape.kind != cases[i].kind)
			fail_msg("%s is told as %d", cases[i].segment, shape.kind);
		if (!cases[i].value)
			continue;
		assert_int_equal(size - shape.prefix - shape.suffix, strlen(cases[i].value));
		assert_memory_equal(cases[i].segment + shape.prefix, cases[i].value,
				    strlen(cases[i].value));
	}
}

static void values_are_parameters_at_once(void **state)
{
	(void)state;
	assert_string_equal(route("/orders/17"), "/orders/{id}");
	assert_value(0, "id", "17");
	assert_string_equal(route("/orders/17/lines/3"), "/orders/{id}/lines/{id2}");
	assert_value(0, "id", "17");
	assert_value(1, "id2", "3");
	assert_string_equal(route("/assets/app.3f2a8b1c.js"), "/assets/app.{id}.js");
	assert_value(0, "id", "3f2a8b1c");
	assert_string_equal(route("/api/2/orders/5.json"), "/api/2/orders/{id}.json");
	assert_value(0, "id", "5");
}

static void a_path_met_again_has_the_same_route_and_its_own_values(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_string_equal(route("/orders/17/lines/3"), "/orders/{id}/lines/{id2}");
		assert_int_equal(match.parameters, 2);
		assert_value(1, "id2", "3");
	}
}

static void slashes_and_path_parameters_are_kept_apart(void **state)
{
	(void)state;
	assert_string_equal(route("/"), "/");
	assert_string_equal(route("/orders/17/"), "/orders/{id}/");
	assert_string_equal(route("/orders//17"), "/orders/{id}");
	assert_string_equal(route("/cart;jsessionid=0123456789ABCDEF"), "/cart");
	assert_null(route("*"));
	assert_null(route("http://x/"));
}

static void paths_that_are_too_deep_have_no_route(void **state)
{
	char path[81] = "";

	(void)state;
	for (size_t i = 0; i < 80; i += 2)
		memcpy(path + i, "/a", 2);
	assert_null(route(path));
}

/* ---- learning ------------------------------------------------------------------------------- */

static void people_become_a_parameter_and_nothing_is_told_before(void **state)
{
	static const char *const people[] = {"johnsmith", "maria",  "weichen", "olu",
					     "greta",     "dubois", "haddad",  "tomas"};
	char path[64];
	const char *told = NULL;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/u/%s", people[i]);
		told = route(path);
		assert_true(!told || strcmp(told, "/u/{id}") == 0);
	}
	assert_string_equal(told, "/u/{id}");
	assert_value(0, "id", "tomas");
	assert_string_equal(route("/u/johnsmith"), "/u/{id}");
	assert_string_equal(route("/u/johnsmith/posts"), "/u/{id}/posts");
}

static void names_of_an_api_stay_however_many_there_are(void **state)
{
	static const char *const words[] = {"ledger",    "tariff", "voucher",  "freight",
					    "parcel",    "kiosk",  "turnover", "journal",
					    "courier",   "docket", "premium",  "rebate",
					    "stocktake", "lease",  "payroll"};
	char path[64];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			snprintf(path, sizeof(path), "/api/%s", words[i]);
			assert_string_equal(route(path), path);
		}
	}
	assert_string_equal(route("/oauth2/token"), "/oauth2/token");
}

static void search_and_me_stay_among_people(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/users/%c%cjones", 'a' + i, 'b' + i);
		route(path);
		assert_string_equal(route("/users/search"), "/users/search");
		assert_string_equal(route("/users/me"), "/users/me");
	}
	assert_string_equal(route("/users/somebody"), "/users/{id}");
	assert_string_equal(route("/users/new"), "/users/new");
}

static void subtrees_of_people_become_one(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/users/%c%cjones/inbox/%d", 'a' + i, 'b' + i, i);
		route(path);
	}
	assert_string_equal(route("/users/nobody/inbox/99"), "/users/{id}/inbox/{id2}");
	assert_string_equal(route("/users/abjones/inbox/1"), "/users/{id}/inbox/{id2}");
}

static void what_was_not_found_teaches_nothing(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/users/%c%cjones", 'a' + i % 20, 'b' + i % 19);
		assert_null(answered(path, 404));
		assert_null(answered(path, 0));
	}
	assert_null(answered("/.env", 404));
	assert_null(answered("/orders/17", 404));
	assert_string_equal(answered("/orders/17", 500), "/orders/{id}");
	assert_string_equal(answered("/orders/18", 404), "/orders/{id}");
}

static void services_do_not_learn_from_each_other(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/u/%c%cjones", 'a' + i, 'b' + i);
		route(path);
	}
	assert_string_equal(route("/u/somebody"), "/u/{id}");
	routes_find(routes, &arena, text("other"), text("/u/somebody"), 200, &match);
	assert_null(match.route.at);
}

static void the_table_is_bounded_and_people_still_become_a_parameter(void **state)
{
	char path[64];
	uint64_t now = (uint64_t)time(NULL) * 1000000000u;

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(path, sizeof(path), "/%c%c%c/%c%cs/x%c%c", 'a' + i % 20, 'a' + i / 20 % 20,
			 'a' + i / 400 % 20, 'a' + i % 17, 'b' + i % 13, 'c' + i % 11, 'd' + i % 7);
		route(path);
		now += HOUR_NS / 100;
		if (i % 100 == 0)
			routes_housekeep(routes, now);
	}
	assert_string_equal(route("/orders/17"), "/orders/{id}");
}

/* ---- the table on disk ---------------------------------------------------------------------- */

static void start_with_file(void)
{
	routes_free(routes);
	routes = routes_new(file);
	assert_non_null(routes);
}

static void learn_people(void)
{
	char path[64];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/u/%c%cjones", 'a' + i, 'b' + i);
		route(path);
	}
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(patterns_of_the_user_win_in_their_order),
		TEST(patterns_match_whole_paths_only),
		TEST(stars_are_parameters_without_names),
		TEST(what_is_no_pattern_is_complained_of),
		TEST(the_settings_file_names_patterns_and_ends_learning),
		TEST(segments_are_told_by_their_looks),
		TEST(values_are_parameters_at_once),
		TEST(a_path_met_again_has_the_same_route_and_its_own_values),
		TEST(slashes_and_path_parameters_are_kept_apart),
		TEST(paths_that_are_too_deep_have_no_route),
		TEST(people_become_a_parameter_and_nothing_is_told_before),
		TEST(names_of_an_api_stay_however_many_there_are),
		TEST(search_and_me_stay_among_people),
		TEST(subtrees_of_people_become_one),
		TEST(what_was_not_found_teaches_nothing),
		TEST(services_do_not_learn_from_each_other),
		TEST(the_table_is_bounded_and_people_still_become_a_parameter),
		TEST(what_was_learned_survives_a_restart),
		TEST(exporters_with_one_file_learn_from_each_other),
		TEST(a_file_cut_or_changed_anywhere_is_refused_whole),
		TEST(a_damaged_file_is_replaced),
		TEST(a_table_that_can_not_be_written_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
