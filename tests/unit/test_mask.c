/* test_mask.c - sensitive query values and credentials never come out, whatever the room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/mask.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct query_case {
	const char *query;
	const char *expected;
};

static void assert_masked(const struct mask_keys *keys, const struct query_case *c)
{
	size_t size = strlen(c->query), expected = strlen(c->expected);
	/* Of the exact size, so that a sanitizer sees each byte too many. */
	char *copy = malloc(size ? size : 1), *out = malloc(expected ? expected : 1);
	int cut = 0;

	memcpy(copy, c->query, size);
	assert_int_equal(mask_query(keys, copy, size, out, expected, &cut), expected);
	assert_memory_equal(out, c->expected, expected);
	assert_int_equal(cut, 0);
	free(copy);
	free(out);
}

static const struct query_case by_default[] = {
	{"", ""},
	{"a=1&b=2;c=3", "a=1&b=2;c=3"},
	{"&", "&"},
	{"&&a=1;&", "&&a=1;&"},
	{"flag", "flag"},
	{"password", "password"},
	{"password=", "password=REDACTED"},
	{"password=x", "password=REDACTED"},
	{"a=1&password=x&b=2", "a=1&password=REDACTED&b=2"},
	{"a=1;token=x&b=2", "a=1;token=REDACTED&b=2"},
	{"token=a=b==&b=2", "token=REDACTED&b=2"},
	/* A value with a semicolon in it must not show its second half. */
	{"password=se;cr=et;&b=2", "password=REDACTED&b=2"},
	/* Any case, any spelling. */
	{"PassWord=x&ACCESS_TOKEN=y&access-token=z&accessToken=w",
	 "PassWord=REDACTED&ACCESS_TOKEN=REDACTED&access-token=REDACTED&accessToken=REDACTED"},
	{"%70assword=x&pass%77OR%44=y", "%70assword=REDACTED&pass%77OR%44=REDACTED"},
	{"%7password=x&pass%=y&%zzkey=z", "%7password=x&pass%=y&%zzkey=z"},
	{"api%5Fkey=x&api%2dkey=y", "api%5Fkey=REDACTED&api%2dkey=REDACTED"},
	{"user[password]=x&user%5Btoken%5D=y&password[]=z&a[b]=1",
	 "user[password]=REDACTED&user%5Btoken%5D=REDACTED&password[]=REDACTED&a[b]=1"},
	/* Names that contain a sensitive one are others. */
	{"keyboard=a&monkey=b&passwords=c&tokens=d&codec=e&[]=f",
	 "keyboard=a&monkey=b&passwords=c&tokens=d&codec=e&[]=f"},
	{"=x&==y", "=x&==y"},
	{"a=1\nkey\n=2", "a=1\nkey\n=2"},
	/* OpenTelemetry's list. */
	{"X-Amz-Signature=a&X-Amz-Credential=b&X-Amz-Security-Token=c&X-Amz-Date=d",
	 "X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED"
	 "&X-Amz-Date=d"},
	{"AWSAccessKeyId=a&Signature=b&sig=c&X-Goog-Signature=d",
	 "AWSAccessKeyId=REDACTED&Signature=REDACTED&sig=REDACTED&X-Goog-Signature=REDACTED"},
	/* One of every size, and those that the ends of two names would make. */
	{"pin=a&hmac=b&token=c&ticket=d&session=e&apitoken=f&phpsessid=g&credential=h",
	 "pin=REDACTED&hmac=REDACTED&token=REDACTED&ticket=REDACTED&session=REDACTED"
	 "&apitoken=REDACTED&phpsessid=REDACTED&credential=REDACTED"},
	{"samlrequest=a&samlresponse=b&authorization=c&xgoogsignature=d&subscription-key=e",
	 "samlrequest=REDACTED&samlresponse=REDACTED&authorization=REDACTED"
	 "&xgoogsignature=REDACTED&subscription-key=REDACTED"},
	{"Ocp-Apim-Subscription-Key=a", "Ocp-Apim-Subscription-Key=REDACTED"},
	{"sigpwd=a&igp=b&mac=c&sspass=d&passauth=e", "sigpwd=a&igp=b&mac=c&sspass=d&passauth=e"},
};

static void sensitive_values_are_replaced_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(by_default); i++)
		assert_masked(NULL, &by_default[i]);
}

static void every_documented_key_is_in_the_default_list(void **state)
{
	static const char *const keys[] = {
		"password",     "passwd",        "pwd",           "secret",        "token",
		"access_token", "refresh_token", "id_token",      "api_key",       "apikey",
		"key",          "auth",          "authorization", "client_secret", "code",
		"session",      "sessionid",     "jwt",           "private_key",   "credential",
	};
	char query[64], expected[64];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		size_t size = strlen(keys[i]);
		memcpy(query, keys[i], size);
		memcpy(query + size, "=hidden", 8);
		memcpy(expected, keys[i], size);
		memcpy(expected + size, "=" MASK_TEXT, sizeof(MASK_TEXT) + 1);
		assert_masked(NULL, &(struct query_case){query, expected});
	}
}

static void a_list_of_the_user_replaces_the_default(void **state)
{
	static const char *const names[] = {"Color", "my-key"};
	const struct mask_keys keys = {names, COUNT(names)}, none = {names, 0};
	const struct mask_keys unset = {NULL, 0};
	static const struct query_case cases[] = {
		{"color=red&password=x", "color=REDACTED&password=x"},
		{"COLOR=red&colors=x&colo=y", "COLOR=REDACTED&colors=x&colo=y"},
		{"c%6flor=red&a[color]=b", "c%6flor=REDACTED&a[color]=REDACTED"},
		{"My-Key=1&my_key=2&mykey=3", "My-Key=REDACTED&my_key=2&mykey=3"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_masked(&keys, &cases[i]);
	assert_masked(&none, &(struct query_case){"password=x", "password=x"});
	assert_masked(&unset, &(struct query_case){"password=x", "password=REDACTED"});
}

static void a_cut_query_ends_between_parameters(void **state)
{
	static const struct {
		size_t room;
		const char *expected;
		int cut;
	} cases[] = {
		{27, "abc=1&token=REDACTED&def=23", 0},
		{26, "abc=1&token=REDACTED", 1},
		{20, "abc=1&token=REDACTED", 1},
		{19, "abc=1", 1},
		{5, "abc=1", 1},
		{4, "abc=", 1},
		{0, "", 1},
	};
	static const char query[] = "abc=1&token=hidden&def=23";
	char out[32];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int cut = 0;
		size_t size = mask_query(NULL, query, sizeof(query) - 1, out, cases[i].room, &cut);
		assert_int_equal(size, strlen(cases[i].expected));
		assert_memory_equal(out, cases[i].expected, size);
		assert_int_equal(cut, cases[i].cut);
	}
}

static void a_cut_first_parameter_keeps_percent_codes_whole(void **state)
{
	static const char query[] = "a=%41%42";
	static const size_t sizes[] = {0, 1, 2, 2, 2, 5, 5, 5, 8};
	char out[8];

	(void)state;
	for (size_t room = 0; room < COUNT(sizes); room++) {
		int cut = 0;
		assert_int_equal(mask_query(NULL, query, 8, out, room, &cut), sizes[room]);
		assert_memory_equal(out, query, sizes[room]);
		assert_int_equal(cut, room < 8);
	}
}

static void no_secret_shows_at_any_room_nor_half_of_the_mask(void **state)
{
	static const char query[] = "a=1&token=SSSSSSSS&password=SSS;SS&b=%20&user[key]=SSSSSS&x";
	static const char first[] = "token=SSSSSSSSSSSSSSSS";
	char out[128];

	(void)state;
	for (size_t room = 0; room < sizeof(out); room++) {
		int cut = 0;
		size_t size = mask_query(NULL, query, sizeof(query) - 1, out, room, &cut);
		assert_true(size <= room);
		assert_null(memchr(out, 'S', size));
		size = mask_query(NULL, first, sizeof(first) - 1, out, room, &cut);
		assert_null(memchr(out, 'S', size));
		assert_true(size <= 6 || size == 14);
	}
}

static void a_mark_that_something_was_cut_is_left_alone(void **state)
{
	char out[8];
	int cut = 1;

	(void)state;
	assert_int_equal(mask_query(NULL, "a=1", 3, out, sizeof(out), &cut), 3);
	assert_int_equal(cut, 1);
}

static void credentials_are_dropped_from_an_authority(void **state)
{
	static const struct {
		const char *authority, *expected;
	} cases[] = {
		{"example.com", "example.com"},
		{"example.com:8080", "example.com:8080"},
		{"user:password@example.com:8080", "example.com:8080"},
		{"user@[::1]:80", "[::1]:80"},
		{"user:p@ss@host", "host"},
		{"user:password@", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *begin = NULL;
		size_t size =
			mask_authority(cases[i].authority, strlen(cases[i].authority), &begin);
		assert_int_equal(size, strlen(cases[i].expected));
		assert_memory_equal(begin, cases[i].expected, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sensitive_values_are_replaced_and_nothing_else),
		cmocka_unit_test(every_documented_key_is_in_the_default_list),
		cmocka_unit_test(a_list_of_the_user_replaces_the_default),
		cmocka_unit_test(a_cut_query_ends_between_parameters),
		cmocka_unit_test(a_cut_first_parameter_keeps_percent_codes_whole),
		cmocka_unit_test(no_secret_shows_at_any_room_nor_half_of_the_mask),
		cmocka_unit_test(a_mark_that_something_was_cut_is_left_alone),
		cmocka_unit_test(credentials_are_dropped_from_an_authority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
