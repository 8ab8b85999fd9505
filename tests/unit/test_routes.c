/* test_routes.c - patterns, segments that are values, words that stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "exporter/routes_shape.h"
#include "tests/unit/routes_test.h"

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

int main(void)
{
#define ROUTES_TEST(name) cmocka_unit_test_setup_teardown(name, routes_set_up, routes_tear_down)
	const struct CMUnitTest tests[] = {
		ROUTES_TEST(patterns_of_the_user_win_in_their_order),
		ROUTES_TEST(patterns_match_whole_paths_only),
		ROUTES_TEST(stars_are_parameters_without_names),
		ROUTES_TEST(what_is_no_pattern_is_complained_of),
		ROUTES_TEST(the_settings_file_names_patterns_and_ends_learning),
		ROUTES_TEST(segments_are_told_by_their_looks),
		ROUTES_TEST(values_are_parameters_at_once),
		ROUTES_TEST(a_path_met_again_has_the_same_route_and_its_own_values),
		ROUTES_TEST(slashes_and_path_parameters_are_kept_apart),
		ROUTES_TEST(paths_that_are_too_deep_have_no_route),
		ROUTES_TEST(people_become_a_parameter_and_nothing_is_told_before),
		ROUTES_TEST(names_of_an_api_stay_however_many_there_are),
		ROUTES_TEST(search_and_me_stay_among_people),
		ROUTES_TEST(subtrees_of_people_become_one),
		ROUTES_TEST(what_was_not_found_teaches_nothing),
		ROUTES_TEST(services_do_not_learn_from_each_other),
		ROUTES_TEST(the_table_is_bounded_and_people_still_become_a_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
