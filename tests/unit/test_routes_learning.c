/* test_routes_learning.c - how well routes are learned from requests for those of real servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "exporter/routes.h"
#include "tests/unit/routes_tables.h"

#define REQUESTS_A_ROUTE 60

struct score {
	unsigned right, wrong, none;
};

static double precision(const struct score *score)
{
	return score->right + score->wrong
		       ? (double)score->right / (double)(score->right + score->wrong)
		       : 0;
}

static double recall(const struct score *score)
{
	unsigned all = score->right + score->wrong + score->none;

	return all ? (double)score->right / (double)all : 0;
}

static void count(struct score *score, const char *template, const struct route_match *match,
		  const char *path, int tells)
{
	char wanted[512], found[512];

	routes_plain(template, wanted, sizeof(wanted));
	routes_plain(match->route.at ? match->route.at : "", found, sizeof(found));
	if (!match->route.at)
		score->none++;
	else if (strcmp(wanted, found) == 0)
		score->right++;
	else
		score->wrong++;
	if (tells && strcmp(wanted, found) != 0)
		printf("    %s: %s, not %s\n", path, match->route.at ? match->route.at : "none",
		       template);
}

/* Requests in mixed order; the later half is scored apart. */
static void learn(const struct routes_table *table, struct score *early, struct score *late,
		  int tells)
{
	struct routes *routes = routes_new(NULL);
	size_t requests = table->count * REQUESTS_A_ROUTE;
	struct routes_random random = {42};
	struct text service = TEXT_OF("shop");
	struct arena arena;

	arena_init(&arena);
	memset(early, 0, sizeof(*early));
	memset(late, 0, sizeof(*late));
	for (size_t i = 0; i < requests; i++) {
		const char *template =
			table->templates[routes_random(&random, (uint32_t)table->count)];
		struct route_match match;
		char path[512];

		routes_request(&random, template, path, sizeof(path));
		routes_find(routes, &arena, service, (struct text){path, (uint32_t)strlen(path)},
			    200, &match);
		count(i < requests / 2 ? early : late, template, &match, path,
		      tells && i >= requests / 2);
		arena_reset(&arena);
	}
	arena_free(&arena);
	routes_free(routes);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define PATHS 4096

/* The cost of one look-up: of paths that were met before, and of ones with a new number in each. */
static void measure_speed(void)
{
	static char paths[PATHS][64];
	struct routes *routes = routes_new(NULL);
	struct text service = TEXT_OF("shop");
	struct route_match match;
	struct arena arena;
	uint64_t start, spent[2] = {0};

	arena_init(&arena);
	for (unsigned round = 0; round < 400; round++) {
		int is_new = round >= 200;

		for (unsigned i = 0; i < PATHS; i++)
			snprintf(paths[i], sizeof(paths[i]), "/api/v1/orders/%u/lines/%u",
				 is_new ? round * PATHS + i : i % 1000, i % 7);
		start = cpu_ns();
		for (unsigned i = 0; i < PATHS; i++)
			routes_find(routes, &arena, service,
				    (struct text){paths[i], (uint32_t)strlen(paths[i])}, 200,
				    &match);
		spent[is_new] += cpu_ns() - start;
		arena_reset(&arena);
	}
	printf("a look-up of a path met before: %.0f ns; of a new one: %.0f ns\n",
	       (double)spent[0] / (200.0 * PATHS), (double)spent[1] / (200.0 * PATHS));
	arena_free(&arena);
	routes_free(routes);
}

static int measure(int tells)
{
	printf("%-12s %7s %21s %21s\n", "", "routes", "first half", "second half");
	printf("%-12s %7s %10s %10s %10s %10s\n", "", "", "precision", "recall", "precision",
	       "recall");
	for (size_t i = 0; i < routes_table_count; i++) {
		struct score early, late;

		learn(&routes_tables[i], &early, &late, tells);
		printf("%-12s %7zu %10.4f %10.4f %10.4f %10.4f\n", routes_tables[i].name,
		       routes_tables[i].count, precision(&early), recall(&early), precision(&late),
		       recall(&late));
	}
	measure_speed();
	return 0;
}

/* What is reached, less one in a hundred. */
static void routes_of_real_servers_are_learned(void **state)
{
	(void)state;
	for (size_t i = 0; i < routes_table_count; i++) {
		struct score early, late;

		learn(&routes_tables[i], &early, &late, 0);
		if (precision(&early) < 0.97 || recall(&early) < 0.90 || precision(&late) < 0.99 ||
		    recall(&late) < 0.98)
			fail_msg("%s: %.4f %.4f, then %.4f %.4f", routes_tables[i].name,
				 precision(&early), recall(&early), precision(&late),
				 recall(&late));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(routes_of_real_servers_are_learned)};

	if (argc > 1 && strncmp(argv[1], "--measure", 9) == 0)
		return measure(strcmp(argv[1], "--measure-all") == 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
