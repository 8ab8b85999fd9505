/* test_config.c - the settings file: its tree, its lines, what it refuses, and its values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/config.h"

static char said[8192]; /* to stderr, by the last quietly() */
static int memory = -1, real_stderr = -1;

static void listen_begin(void)
{
	memory = memfd_create("said", MFD_CLOEXEC);
	assert_true(memory >= 0);
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	dup2(memory, STDERR_FILENO);
}

static void listen_end(void)
{
	ssize_t size;

	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	size = pread(memory, said, sizeof(said) - 1, 0);
	assert_true(size >= 0);
	said[size] = '\0';
	close(memory);
}

static struct config *parse(const char *text)
{
	return config_parse("f", text, strlen(text));
}

/* The file must be refused with these lines. */
static void assert_refused_bytes(const char *text, size_t size, const char *expected)
{
	struct config *config;

	listen_begin();
	config = config_parse("f", text, size);
	listen_end();
	assert_null(config);
	assert_string_equal(said, expected);
}

static void assert_refused(const char *text, const char *expected)
{
	assert_refused_bytes(text, strlen(text), expected);
}

static void keys_lists_and_maps_know_their_lines(void **state)
{
	struct config *config = parse("# first\n"
				      "sampling:\n"
				      "  ratio: 0.5\n"
				      "list:\n"
				      "  - one\n"
				      "  - {name: two,\n"
				      "     size: 3}\n");
	const struct config_node *root, *list;

	(void)state;
	assert_non_null(config);
	root = config_root(config);
	assert_int_equal(config_count(root), 2);
	assert_int_equal(config_line(config_get(root, "sampling")), 2);
	assert_int_equal(config_line(config_get(config_get(root, "sampling"), "ratio")), 3);
	list = config_get(root, "list");
	assert_int_equal(config_type(list), CONFIG_LIST);
	assert_int_equal(config_count(list), 2);
	assert_string_equal(config_text(config_at(list, 0), NULL), "one");
	assert_int_equal(config_line(config_get(config_at(list, 1), "size")), 7);
	assert_string_equal(config_key_at(config_at(list, 1), 0), "name");
	assert_null(config_at(list, 2));
	assert_int_equal(config_finish(config), 0);
	config_free(config);
}

static void an_empty_file_is_a_map_without_keys(void **state)
{
	static const char *const files[] = {"", "# only this\n", "---\n...\n", "~\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct config *config = parse(files[i]);

		assert_non_null(config);
		assert_int_equal(config_type(config_root(config)), CONFIG_MAP);
		assert_int_equal(config_count(config_root(config)), 0);
		assert_int_equal(config_finish(config), 0);
		config_free(config);
	}
}

static void a_key_without_a_value_is_not_there(void **state)
{
	struct config *config = parse("a:\nb: ~\nc: ''\nd:\n#  e: 1\n");
	const struct config_node *root = config_root(config);

	(void)state;
	assert_null(config_get(root, "a"));
	assert_null(config_get(root, "b"));
	assert_non_null(config_get(root, "c"));
	assert_null(config_get(root, "d"));
	assert_int_equal(config_finish(config), 0);
	config_free(config);
}

static void a_file_that_is_no_yaml_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused("a: 1\nb: [1, 2\nc: 3\n",
		       "f:3: did not find expected ',' or ']' while parsing a flow sequence\n");
	assert_refused("a: 1\nb: @c\n",
		       "f:2: found character that cannot start any token while scanning for the "
		       "next token\n");
	assert_refused("- a\n- b\n", "f:1: the file must consist of \"key: value\"\n");
	assert_refused("\n\nwords\n", "f:3: the file must consist of \"key: value\"\n");
	assert_refused("a: 1\n---\nb: 2\n", "f:2: a second document is not allowed\n");
	assert_refused("a: 1\nb: \xff\xfe\n", "f:2: invalid leading UTF-8 octet\n");
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
	static const char expected[] = "f:2: anchors, aliases and tags are not allowed\n";

	(void)state;
	assert_refused("a: 1\nb: &x 2\n", expected);
	assert_refused("a: 1\nb: &x [2]\n", expected);
	assert_refused("a: 1\nb: &x {c: 2}\n", expected);
	assert_refused("a: 1\nb: !!int 2\n", expected);
	assert_refused("a: 1\nb: !mine {}\n", expected);
	assert_refused("a: 1\n*x : 2\n", expected);
}

static void the_same_key_twice_is_refused(void **state)
{
	(void)state;
	assert_refused("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
		       "f:5: the same key stands here a second time\n");
	assert_refused("a: 1\n'a': 2\n", "f:2: the same key stands here a second time\n");
}

static void keys_are_plain_names(void **state)
{
	(void)state;
	assert_refused("a: 1\n? [x]\n: 2\n", "f:2: a key must be a plain name\n");
	assert_refused("'': 1\n", "f:1: a key must not be empty\n");
}

static void nesting_has_a_bound(void **state)
{
	char text[2 * CONFIG_DEPTH_MAX + 8] = "a: ";
	struct config *config;

	(void)state;
	memset(text + 3, '[', CONFIG_DEPTH_MAX - 1);
	memset(text + 3 + CONFIG_DEPTH_MAX - 1, ']', CONFIG_DEPTH_MAX - 1);
	config = parse(text);
	assert_non_null(config);
	config_free(config);
	memset(text + 3, '[', CONFIG_DEPTH_MAX);
	memset(text + 3 + CONFIG_DEPTH_MAX, ']', CONFIG_DEPTH_MAX);
	assert_refused(text, "f:1: nested too deeply\n");
}

static void huge_values_files_and_counts_are_refused(void **state)
{
	size_t size = 2 * CONFIG_NODES_MAX + 64;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memcpy(text, "a: ", 3);
	memset(text + 3, 'x', CONFIG_SCALAR_MAX + 1);
	assert_refused_bytes(text, CONFIG_SCALAR_MAX + 4, "f:1: a value is too long\n");
	memcpy(text, "a: [", 4);
	for (size_t i = 4; i < size; i++)
		text[i] = i % 2 ? ',' : '1';
	assert_refused_bytes(text, size, "f:1: the file has too many entries\n");
	assert_refused("a: \"x\\0y\"\n", "f:1: a value must not contain NUL\n");
	free(text);
}

static void a_file_that_cannot_be_read_is_said(void **state)
{
	(void)state;
	listen_begin();
	assert_null(config_read("/nonexistent/tagalong.yaml"));
	listen_end();
	assert_string_equal(
		said, "/nonexistent/tagalong.yaml:1: can't be read: No such file or directory\n");
}

static void a_file_beyond_the_limit_is_not_read(void **state)
{
	char path[] = "/tmp/tagalong-config-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
	close(fd);
	listen_begin();
	assert_null(config_read(path));
	listen_end();
	unlink(path);
	assert_non_null(strstr(said, ":1: can't be read: File too large\n"));
}

static void unknown_keys_are_complained_of_without_what_is_below(void **state)
{
	struct config *config = parse("a: 1\nb:\n  c: 2\n  d: 3\n\"e\\e[31m\":\n  f: 1\n");
	const struct config_node *root = config_root(config);

	(void)state;
	assert_non_null(config_get(root, "a"));
	assert_non_null(config_get(config_get(root, "b"), "d"));
	listen_begin();
	assert_int_equal(config_finish(config), 2);
	assert_int_equal(config_finish(config), 2);
	listen_end();
	assert_string_equal(said, "f:3: c: unknown key\nf:5: e?[31m: unknown key\n");
	config_free(config);
}

static void a_complaint_is_printed_once(void **state)
{
	struct config *config = parse("a:\n  - x\n");
	const struct config_node *list = config_get(config_root(config), "a");

	(void)state;
	listen_begin();
	assert_null(config_get(list, "one"));
	assert_null(config_get(list, "two"));
	assert_string_equal(config_text(list, "otherwise"), "otherwise");
	listen_end();
	assert_string_equal(said, "f:1: a: must have keys of its own\nf:1: a: must be one value\n");
	assert_int_equal(config_finish(config), 2);
	config_free(config);
}

struct value_case {
	const char *text;
	double expected; /* -1: refused */
};

static void check_values(const struct value_case *cases, size_t count,
			 double (*read)(const struct config_node *node))
{
	for (size_t i = 0; i < count; i++) {
		char file[64];
		struct config *config;
		double value;

		snprintf(file, sizeof(file), "key: %s\n", cases[i].text);
		config = parse(file);
		assert_non_null(config);
		listen_begin();
		value = read(config_get(config_root(config), "key"));
		listen_end();
		if (value != cases[i].expected)
			fail_msg("%s gave %g", cases[i].text, value);
		assert_int_equal(config_finish(config), cases[i].expected == -1);
		assert_true((said[0] != 0) == (cases[i].expected == -1));
		config_free(config);
	}
}

static double duration(const struct config_node *node)
{
	uint64_t value = config_duration_ms(node, UINT64_MAX);

	return value == UINT64_MAX ? -1 : (double)value;
}

static double bytes(const struct config_node *node)
{
	uint64_t value = config_bytes(node, UINT64_MAX);

	return value == UINT64_MAX ? -1 : (double)value;
}

static double integer(const struct config_node *node)
{
	return (double)config_integer(node, 0, 1000, -1);
}

static double number(const struct config_node *node)
{
	return config_number(node, 0, 1, -1);
}

static double boolean(const struct config_node *node)
{
	return config_boolean(node, -1);
}

static void durations_have_units(void **state)
{
	static const struct value_case cases[] = {
		{"250ms", 250},    {"5s", 5000},   {"2m", 120000}, {"1h", 3600000},
		{"7d", 604800000}, {"1.5s", 1500}, {"30", 30},     {"0", 0},
		{"'10 s'", 10000}, {"-1s", -1},    {"5x", -1},     {"s", -1},
		{"1e3", -1},       {"1..5s", -1},  {"''", -1},     {"99999999999999999d", -1},
	};

	(void)state;
	check_values(cases, sizeof(cases) / sizeof(cases[0]), duration);
}

static void sizes_have_units(void **state)
{
	static const struct value_case cases[] = {
		{"64MiB", 67108864}, {"1GB", 1e9},       {"512k", 524288}, {"100", 100},
		{"1.5KiB", 1536},    {"2 MiB", 2097152}, {"0", 0},         {"1Mib", -1},
		{"-5", -1},          {"0x10", -1},       {"many", -1},
	};

	(void)state;
	check_values(cases, sizeof(cases) / sizeof(cases[0]), bytes);
}

static void numbers_are_in_their_range(void **state)
{
	static const struct value_case integers[] = {
		{"0", 0},     {"1000", 1000}, {"1001", -1},
		{"-1", -1},   {"5.0", -1},    {"0x5", -1},
		{"five", -1}, {"' 5'", -1},   {"99999999999999999999", -1},
	};
	static const struct value_case numbers[] = {
		{"0.25", 0.25}, {"1", 1},    {"1e-3", 0.001}, {"1.1", -1},
		{"nan", -1},    {"inf", -1}, {"0x1", -1},     {"-0.1", -1},
	};
	static const struct value_case booleans[] = {
		{"true", 1}, {"Yes", 1}, {"on", 1}, {"false", 0},
		{"no", 0},   {"OFF", 0}, {"1", -1}, {"maybe", -1},
	};

	(void)state;
	check_values(integers, sizeof(integers) / sizeof(integers[0]), integer);
	check_values(numbers, sizeof(numbers) / sizeof(numbers[0]), number);
	check_values(booleans, sizeof(booleans) / sizeof(booleans[0]), boolean);
}

static void a_choice_is_one_of_its_words(void **state)
{
	static const char *const words[] = {"red", "green", NULL};
	struct config *config = parse("a: green\nb: blue\n");
	const struct config_node *root = config_root(config);

	(void)state;
	listen_begin();
	assert_int_equal(config_choice(config_get(root, "a"), words, 0), 1);
	assert_int_equal(config_choice(config_get(root, "b"), words, 0), 0);
	assert_int_equal(config_choice(config_get(root, "c"), words, 1), 1);
	listen_end();
	assert_string_equal(said, "f:2: b: must be one of red, green\n");
	config_free(config);
}

static void nodes_that_say_the_same_are_the_same(void **state)
{
	static const struct {
		const char *other;
		int same;
	} cases[] = {
		{"a: {b: [1, 2], c: x}\n", 1},
		{"\n# moved\na:\n  b:\n  - 1\n  - 2\n  c: 'x'\n", 1},
		{"a: {b: [1, 2], c: y}\n", 0},
		{"a: {b: [1], c: x}\n", 0},
		{"a: {b: [1, [2]], c: x}\n", 0},
		{"a: {b: [1, 2], d: x}\n", 0},
		{"a: {b: [1, 2], c: x, d: 1}\n", 0},
		{"a:\n", 0},
	};
	struct config *one = parse("a: {b: [1, 2], c: x}\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *other = parse(cases[i].other);

		assert_int_equal(config_same(config_get(config_root(one), "a"),
					     config_get(config_root(other), "a")),
				 cases[i].same);
		config_free(other);
	}
	assert_int_equal(config_same(NULL, NULL), 1);
	config_free(one);
}

static void what_is_not_there_gives_the_default_in_silence(void **state)
{
	(void)state;
	assert_string_equal(config_text(NULL, "x"), "x");
	assert_int_equal(config_boolean(NULL, 1), 1);
	assert_int_equal(config_integer(NULL, 0, 1, 7), 7);
	assert_int_equal(config_duration_ms(NULL, 9), 9);
	assert_int_equal(config_bytes(NULL, 8), 8);
	assert_null(config_get(NULL, "a"));
	assert_int_equal(config_count(NULL), 0);
	assert_null(config_at(NULL, 0));
	assert_null(config_key_at(NULL, 0));
	assert_int_equal(config_is_list(NULL), 0);
	config_complain(NULL, "nothing");
	config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_lists_and_maps_know_their_lines),
		cmocka_unit_test(an_empty_file_is_a_map_without_keys),
		cmocka_unit_test(a_key_without_a_value_is_not_there),
		cmocka_unit_test(a_file_that_is_no_yaml_is_refused_with_its_line),
		cmocka_unit_test(anchors_aliases_and_tags_are_refused),
		cmocka_unit_test(the_same_key_twice_is_refused),
		cmocka_unit_test(keys_are_plain_names),
		cmocka_unit_test(nesting_has_a_bound),
		cmocka_unit_test(huge_values_files_and_counts_are_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_is_said),
		cmocka_unit_test(a_file_beyond_the_limit_is_not_read),
		cmocka_unit_test(unknown_keys_are_complained_of_without_what_is_below),
		cmocka_unit_test(a_complaint_is_printed_once),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(numbers_are_in_their_range),
		cmocka_unit_test(a_choice_is_one_of_its_words),
		cmocka_unit_test(nodes_that_say_the_same_are_the_same),
		cmocka_unit_test(what_is_not_there_gives_the_default_in_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
