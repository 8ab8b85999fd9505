/* test_node.c - Node.js is made to load the script, by its options, and keeps those that it has. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/conf.h"
#include "preload/node.h"

static char directory[64];

/* A directory with the script in it. */
static int set_up(void **state)
{
	char path[128];
	int fd;

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test node XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/bridge.cjs", directory);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/bridge.cjs", directory);
	unlink(path);
	return rmdir(directory);
}

/* What NODE_OPTIONS becomes; NULL: it is not there. The others of the environment stay. */
static const char *after(const char *options, const char *argument)
{
	static char *given[4];
	char *argv[] = {(char *)"node", (char *)argument, NULL};
	char **before = environ;
	const char *result;

	given[0] = (char *)"A=1";
	given[1] = options ? (char *)options : (char *)"B=2";
	given[2] = options ? (char *)"B=2" : NULL;
	given[3] = NULL;
	environ = given;
	node_require(argv, given);
	result = conf_environment_get(environ, "NODE_OPTIONS");
	assert_string_equal(conf_environment_get(environ, "A"), "1");
	assert_string_equal(conf_environment_get(environ, "B"), "2");
	environ = before;
	return result;
}

static void library_at(const char *where)
{
	snprintf(conf.library, sizeof(conf.library), "%s/libtagalong.so", where);
}

static void the_script_is_required_behind_what_was_given(void **state)
{
	char ours[128];
	char wanted[256];

	(void)state;
	library_at(directory);
	snprintf(ours, sizeof(ours), "--require \"%s/bridge.cjs\"", directory);
	assert_string_equal(after(NULL, NULL), ours);
	snprintf(wanted, sizeof(wanted), "--no-warnings %s", ours);
	assert_string_equal(after("NODE_OPTIONS=--no-warnings", "-p"), wanted);
	/* An empty one is told from none by the space. */
	snprintf(wanted, sizeof(wanted), " %s", ours);
	assert_string_equal(after("NODE_OPTIONS=", NULL), wanted);
}

static void it_is_required_once(void **state)
{
	char given[256];

	(void)state;
	library_at(directory);
	snprintf(given, sizeof(given), "NODE_OPTIONS=--require \"%s/bridge.cjs\" -x", directory);
	assert_ptr_equal(after(given, NULL), given + sizeof("NODE_OPTIONS"));
}

static void a_script_that_is_not_there_is_not_required(void **state)
{
	(void)state;
	library_at("/nowhere");
	assert_null(after(NULL, NULL));
	assert_string_equal(after("NODE_OPTIONS=-x", NULL), "-x");
	/* Found by the loader, who knows where. */
	snprintf(conf.library, sizeof(conf.library), "libtagalong.so");
	assert_null(after(NULL, NULL));
}

static void a_path_that_cannot_be_quoted_is_left_alone(void **state)
{
	char quoted[96];
	char path[128];

	(void)state;
	snprintf(quoted, sizeof(quoted), "%s/\"q", directory);
	snprintf(path, sizeof(path), "%s/bridge.cjs", quoted);
	assert_int_equal(mkdir(quoted, 0755), 0);
	close(open(path, O_CREAT | O_WRONLY, 0644));
	library_at(quoted);
	assert_int_equal(access(path, R_OK), 0);
	assert_null(after(NULL, NULL));
	unlink(path);
	rmdir(quoted);
}

static void where_it_may_not_be_loaded_it_is_not_required(void **state)
{
	(void)state;
	library_at(directory);
	assert_null(after(NULL, "--permission"));
	assert_null(after(NULL, "--build-snapshot"));
	assert_string_equal(after("NODE_OPTIONS=--experimental-permission", NULL),
			    "--experimental-permission");
	assert_non_null(after(NULL, "--no-warnings"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_script_is_required_behind_what_was_given),
		cmocka_unit_test(it_is_required_once),
		cmocka_unit_test(a_script_that_is_not_there_is_not_required),
		cmocka_unit_test(a_path_that_cannot_be_quoted_is_left_alone),
		cmocka_unit_test(where_it_may_not_be_loaded_it_is_not_required),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
