/* test_secret.c - secrets are found by their looks, wherever they stand, and little else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/secret.h"
#include "tests/unit/secrets.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Copies from and to the heap in exact sizes, so that a sanitizer sees any step beyond. */
static char *copied(const char *text, size_t size, enum secret_place place, size_t room,
		    uint8_t counts[REDACTIONS], int *cut)
{
	char *from = malloc(size ? size : 1), *to = malloc(room + 1);
	size_t written;

	assert_non_null(from);
	assert_non_null(to);
	memcpy(from, text, size);
	memset(counts, 0, REDACTIONS);
	*cut = 0;
	written = secret_copy(from, size, place, to, room, cut, counts);
	assert_true(written <= room);
	to[written] = '\0';
	free(from);
	return to;
}

/* 1 if nothing of the secret but its first letters is in the text. */
static int is_clean(const char *text, const char *secret)
{
	char part[8];

	for (size_t i = 0; i + 6 <= strlen(secret); i++) {
		memcpy(part, secret + i, 6);
		part[6] = '\0';
		if (strstr(text, part))
			return 0;
	}
	return 1;
}

static void each_secret_is_masked_wherever_it_stands(void **state)
{
	static const char *const fillers[] = {"/",  " ",   "=",    "&x=", "a/", "order ",
					      "0/", "%3D", "key:", "7 ",  "12-"};
	uint8_t counts[REDACTIONS];
	char text[512];
	int cut;

	(void)state;
	for (size_t i = 0; i < COUNT(secrets); i++) {
		for (size_t f = 0; f < COUNT(fillers); f++) {
			for (unsigned times = 0; times < 40; times++) {
				size_t size = 0;
				char *out;

				for (unsigned n = 0; n < times; n++)
					size += (size_t)sprintf(text + size, "%s", fillers[f]);
				size += (size_t)sprintf(text + size, "%s/x", secrets[i].text);
				out = copied(text, size, SECRET_IN_TEXT, 600, counts, &cut);
				if (!is_clean(out, secrets[i].secret) ||
				    counts[secrets[i].rule] == 0)
					fail_msg("%s became %s", text, out);
				assert_int_equal(cut, 0);
				free(out);
			}
		}
	}
}

static void what_only_looks_like_one_stays(void **state)
{
	uint8_t counts[REDACTIONS], none[REDACTIONS] = {0};
	int cut;

	(void)state;
	for (size_t i = 0; i < COUNT(harmless); i++) {
		char *out =
			copied(harmless[i], strlen(harmless[i]), SECRET_IN_PATH, 200, counts, &cut);

		assert_string_equal(out, harmless[i]);
		assert_memory_equal(counts, none, REDACTIONS);
		assert_int_equal(cut, 0);
		free(out);
	}
}

static void most_texts_need_no_second_look(void **state)
{
	static const char *const plain[] = {
		"/",
		"/orders/17",
		"/api/v1/users/3f2a8b54-7f0e-4e0c-9a86-0f3f4a1b2c3d/orders",
		"/administration/configuration",
		"shop.example:8080",
		"192.168.100.200:8080",
		"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
		"3f2a8b54-7f0e-4e0c-9a86-0f3f4a1b2c3d"};

	(void)state;
	for (size_t i = 0; i < COUNT(plain); i++)
		if (secret_suspected(plain[i], strlen(plain[i]), SECRET_IN_TEXT))
			fail_msg("%s is suspected", plain[i]);
}

static void no_cut_lets_a_part_of_a_secret_through(void **state)
{
	uint8_t counts[REDACTIONS];
	char text[256];
	int cut;

	(void)state;
	for (size_t i = 0; i < COUNT(secrets); i++) {
		size_t size = (size_t)sprintf(text, "/some/path/%s", secrets[i].text);

		for (size_t room = 0; room <= size; room++) {
			char *out = copied(text, size, SECRET_IN_TEXT, room, counts, &cut);

			if (!is_clean(out, secrets[i].secret))
				fail_msg("%zu bytes of %s: %s", room, text, out);
			assert_true(cut || strlen(out) <= room);
			free(out);
		}
	}
}

static void texts_far_longer_than_their_room_are_cut_before_what_was_not_looked_at(void **state)
{
	static char text[4096];
	uint8_t counts[REDACTIONS];
	char *out;
	int cut;

	(void)state;
	for (size_t at = 0; at + 80 < sizeof(text); at += 17) {
		memset(text, '/', sizeof(text));
		memcpy(text + at, secrets[0].text, strlen(secrets[0].text));
		out = copied(text, sizeof(text), SECRET_IN_PATH, 1024, counts, &cut);
		assert_int_equal(cut, 1);
		assert_true(is_clean(out, secrets[0].secret));
		free(out);
	}
}

static void sessions_in_path_parameters_are_masked_in_paths(void **state)
{
	static const char text[] = "/cart;jsessionid=0A1B2C3D;v=1/items;sid=xyz";
	uint8_t counts[REDACTIONS];
	char *out;
	int cut;

	(void)state;
	out = copied(text, sizeof(text) - 1, SECRET_IN_PATH, 200, counts, &cut);
	assert_string_equal(out, "/cart;jsessionid=REDACTED;v=1/items;sid=REDACTED");
	assert_int_equal(counts[REDACTION_SESSION], 2);
	free(out);
}

static void schemes_stay_and_their_credentials_go(void **state)
{
	uint8_t counts[REDACTIONS];
	char *out;
	int cut;

	(void)state;
	out = copied("Basic am9lOnB3", 14, SECRET_IN_VALUE, 200, counts, &cut);
	assert_string_equal(out, "Basic REDACTED");
	free(out);
	out = copied("https://joe:pw@h.example/x", 26, SECRET_IN_TEXT, 200, counts, &cut);
	assert_string_equal(out, "https://REDACTED@h.example/x");
	free(out);
}

static void headers_are_known_by_name_in_any_case(void **state)
{
	(void)state;
	assert_true(secret_header("Authorization", 13));
	assert_true(secret_header("set-cookie", 10));
	assert_true(secret_header("X-API-KEY", 9));
	assert_false(secret_header("x-tenant", 8));
	assert_false(secret_header("cookies", 7));
	assert_false(secret_header("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_secret_is_masked_wherever_it_stands),
		cmocka_unit_test(what_only_looks_like_one_stays),
		cmocka_unit_test(most_texts_need_no_second_look),
		cmocka_unit_test(no_cut_lets_a_part_of_a_secret_through),
		cmocka_unit_test(
			texts_far_longer_than_their_room_are_cut_before_what_was_not_looked_at),
		cmocka_unit_test(sessions_in_path_parameters_are_masked_in_paths),
		cmocka_unit_test(schemes_stay_and_their_credentials_go),
		cmocka_unit_test(headers_are_known_by_name_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
