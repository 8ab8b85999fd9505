/* routes_tables.h - routes of real servers, and requests for them. */
#ifndef TESTS_UNIT_ROUTES_TABLES_H
#define TESTS_UNIT_ROUTES_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* A parameter says in braces what its values are like: see routes_requests.c. */
struct routes_table {
	const char *name;
	const char *const *templates;
	size_t count;
};

extern const struct routes_table routes_tables[];
extern const size_t routes_table_count;

/* The same numbers on every machine. */
struct routes_random {
	uint64_t state;
};

uint32_t routes_random(struct routes_random *random, uint32_t below);

/* Writes a path of the template, at most `room` bytes with its end. */
void routes_request(struct routes_random *random, const char *template, char *path, size_t room);

/* Writes the template with every parameter as "{}", and the same of what was learned. */
void routes_plain(const char *template, char *plain, size_t room);

#endif
