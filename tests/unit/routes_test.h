/* routes_test.h - a table of routes, asked path by path. */
#ifndef TESTS_UNIT_ROUTES_TEST_H
#define TESTS_UNIT_ROUTES_TEST_H

#include <string.h>

#include "exporter/routes.h"

#define HOUR_NS 3600000000000ull

extern struct arena arena;
extern struct routes *routes;
extern struct route_match match; /* what was found last */
extern char file[128];           /* for a table on disk; not there yet */

/* Of each test: an empty table without a file, a directory for one. */
int routes_set_up(void **state);
int routes_tear_down(void **state);

static inline struct text text(const char *string)
{
	return (struct text){string, (uint32_t)strlen(string)};
}

/* The route of a request to the service "shop", NULL: none. */
const char *answered(const char *path, unsigned status);
const char *route(const char *path); /* answered with 200 */

/* The parameter of what was found last. */
void assert_value(unsigned index, const char *name, const char *value);

/* Asks for so many people below /u/ that they become a parameter. */
void learn_people(void);

#endif
