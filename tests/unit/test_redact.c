/* test_redact.c - the exporter's own look for secrets: built-in rules, the user's, and counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/redact.h"
#include "tests/unit/secrets.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct arena arena;
static struct redact *redact;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	redact = redact_new();
	return redact ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	redact_free(redact);
	arena_free(&arena);
	return 0;
}

static struct text text_of(const char *string)
{
	return (struct text){arena_text(&arena, string, strlen(string)), (uint32_t)strlen(string)};
}

static const char *masked(const char *string)
{
	struct text text = text_of(string);

	redact_text(redact, &arena, &text);
	assert_int_equal(strlen(text.at), text.size);
	return text.at;
}

static unsigned configure(const char *yaml)
{
	struct config *config = config_parse("test", yaml, strlen(yaml));
	unsigned complaints;

	assert_non_null(config);
	redact_configure(redact, config_get(config_root(config), "redaction"));
	complaints = config_finish(config);
	config_free(config);
	return complaints;
}

static void each_secret_is_masked_and_counted(void **state)
{
	static const char *const fillers[] = {
		"",   "/",  "a=b&x=", "order 66: ", "/some/long/path/%3D", "0123456789abcdef/",
		"7 ", "12-"};
	char string[512];

	(void)state;
	for (size_t i = 0; i < COUNT(secrets); i++) {
		for (size_t f = 0; f < COUNT(fillers); f++) {
			uint64_t before = redact_count(redact, secrets[i].rule);
			const char *out;

			snprintf(string, sizeof(string), "%s%s/x", fillers[f], secrets[i].text);
			out = masked(string);
			if (strstr(out, secrets[i].secret) ||
			    redact_count(redact, secrets[i].rule) == before)
				fail_msg("%s became %s", string, out);
		}
	}
}

static void what_only_looks_like_one_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(harmless); i++)
		assert_string_equal(masked(harmless[i]), harmless[i]);
	for (unsigned rule = 0; rule < REDACTIONS; rule++)
		assert_int_equal(redact_count(redact, (enum redaction)rule), 0);
}

static void what_is_masked_already_is_not_counted_again(void **state)
{
	static const char *const done[] = {"Bearer REDACTED", "/x;jsessionid=REDACTED",
					   "https://REDACTED@host/", "REDACTED"};

	(void)state;
	for (size_t i = 0; i < COUNT(done); i++)
		assert_string_equal(masked(done[i]), done[i]);
	assert_int_equal(redact_count(redact, REDACTION_BEARER), 0);
	assert_int_equal(redact_count(redact, REDACTION_SESSION), 0);
	assert_int_equal(redact_count(redact, REDACTION_USERINFO), 0);
}

static void several_secrets_of_a_text_all_go(void **state)
{
	(void)state;
	assert_string_equal(masked("a@b.co,c@d.org and 4111111111111111; 378282246310005"),
			    "REDACTED,REDACTED and REDACTED; REDACTED");
	assert_int_equal(redact_count(redact, REDACTION_EMAIL), 2);
	assert_int_equal(redact_count(redact, REDACTION_CARD), 2);
}

static void the_users_patterns_mask_their_group_or_all(void **state)
{
	(void)state;
	assert_int_equal(configure("redaction:\n"
				   "  patterns:\n"
				   "    - {name: customer, regex: 'CU-[0-9]+'}\n"
				   "    - {name: pin, regex: 'pin=([0-9]{4})'}\n"),
			 0);
	assert_string_equal(masked("/c/CU-123/x?pin=9876"), "/c/REDACTED/x?pin=REDACTED");
	assert_int_equal(redact_count(redact, REDACTION_PATTERN), 2);
	assert_int_equal(configure("redaction: {}\n"), 0);
	assert_string_equal(masked("CU-123"), "CU-123");
}

static void patterns_that_match_nothing_end(void **state)
{
	(void)state;
	assert_int_equal(configure("redaction: {patterns: [{name: none, regex: 'x*'}]}\n"), 0);
	assert_string_equal(masked("axxb"), "aREDACTEDb");
}

static void what_is_no_expression_is_complained_of(void **state)
{
	(void)state;
	assert_int_equal(configure("redaction:\n"
				   "  patterns:\n"
				   "    - {name: open, regex: '(['}\n"
				   "    - {name: none}\n"),
			 2);
}

static void records_are_looked_through_in_all_fields(void **state)
{
	struct record_header headers[3] = {
		{.name = text_of("x-tenant"), .value = text_of("jane@example.com")},
		{.name = text_of("authorization"), .value = text_of("Digest user")},
		{.name = text_of("x-inner"), .value = text_of("value")},
	};
	struct record record = {.headers = headers, .header_count = 3};

	(void)state;
	assert_int_equal(configure("redaction: {headers: [X-Inner]}\n"), 0);
	record.field[FIELD_PATH] = text_of("/u/jane@example.com;sid=1");
	record.field[FIELD_QUERY] = text_of("a=1&Access-Token=abc&password=REDACTED&b=2");
	record.field[FIELD_QUERY_TEXT] = text_of("GET card:4111111111111111");
	record.field[FIELD_USER_AGENT] = text_of("me/1 Bearer abc123");
	redact_record(redact, &arena, &record);
	assert_string_equal(record.field[FIELD_PATH].at, "/u/REDACTED;sid=REDACTED");
	assert_string_equal(record.field[FIELD_QUERY].at,
			    "a=1&Access-Token=REDACTED&password=REDACTED&b=2");
	assert_string_equal(record.field[FIELD_QUERY_TEXT].at, "GET card:REDACTED");
	assert_string_equal(record.field[FIELD_USER_AGENT].at, "me/1 Bearer REDACTED");
	assert_string_equal(headers[0].value.at, "REDACTED");
	assert_string_equal(headers[1].value.at, "REDACTED");
	assert_string_equal(headers[2].value.at, "REDACTED");
	assert_int_equal(redact_count(redact, REDACTION_QUERY_KEY), 2);
	assert_int_equal(redact_count(redact, REDACTION_HEADER), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_secret_is_masked_and_counted),
		TEST(what_only_looks_like_one_stays),
		TEST(what_is_masked_already_is_not_counted_again),
		TEST(several_secrets_of_a_text_all_go),
		TEST(the_users_patterns_mask_their_group_or_all),
		TEST(patterns_that_match_nothing_end),
		TEST(what_is_no_expression_is_complained_of),
		TEST(records_are_looked_through_in_all_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
