/* node.c - Node.js is recognised, and loads our script: the bridge. */
#include "preload/node.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "preload/conf.h"
#include "preload/old_dl.h"
#include "preload/sys.h"

#define SCRIPT "bridge.cjs"
#define NAME   "NODE_OPTIONS"

/* With these the script may not be read, or what it leaves behind can't be stored. */
static const char *const forbidding[] = {
	"--permission",     "--experimental-permission", "--experimental-policy",
	"--build-snapshot", "--snapshot-blob",
};

/*
 * By what the program and the libraries that it was linked with export: node::Start, for other
 * runtimes speak N-API as well.
 */
static int is_node(void)
{
	return old_dlsym(RTLD_DEFAULT, "napi_create_function") &&
	       old_dlsym(RTLD_DEFAULT, "_ZN4node5StartEiPPc");
}

static int forbids(const char *text)
{
	for (size_t i = 0; i < sizeof(forbidding) / sizeof(forbidding[0]); i++)
		if (strstr(text, forbidding[i]))
			return 1;
	return 0;
}

/* The option in `out`, and its size; 0: there is no script, or its path can't be quoted. */
static size_t option(char *out, size_t room)
{
	static const char begin[] = "--require \"";
	const char *slash = strrchr(conf.library, '/');
	size_t directory = slash ? (size_t)(slash + 1 - conf.library) : 0;
	char *path = out + sizeof(begin) - 1;

	/* A name without a directory was looked up by the loader, who does not say where. */
	if (!directory || directory + sizeof(begin) + sizeof(SCRIPT) + 1 > room)
		return 0;
	memcpy(out, begin, sizeof(begin) - 1);
	memcpy(path, conf.library, directory);
	memcpy(path + directory, SCRIPT, sizeof(SCRIPT));
	if (strpbrk(path, "\"\\") || sys_call6(SYS_faccessat, AT_FDCWD, (long)path, R_OK, 0, 0, 0))
		return 0;
	memcpy(path + directory + sizeof(SCRIPT) - 1, "\"", 2);
	return strlen(out);
}

/* The environment with `text` for the variable at `place`, or at its end. */
static void replace(char **envp, size_t count, size_t place, char *text)
{
	char **array;

	if (place < count) {
		envp[place] = text;
		return;
	}
	array = sys_map((count + 2) * sizeof(char *));
	if (!array)
		return;
	memcpy(array, envp, count * sizeof(char *));
	array[count] = text;
	environ = array;
}

void node_require(char **argv, char **envp)
{
	const char *given = conf_environment_get(envp, NAME);
	size_t kept = given ? strlen(given) : 0;
	char ours[sizeof(conf.library) + 64];
	size_t size = option(ours, sizeof(ours));
	size_t count = 0;
	size_t place = 0;
	char *text;

	for (; *argv; argv++)
		if (forbids(*argv))
			return;
	if (!size || (given && (forbids(given) || strstr(given, ours))))
		return;
	while (envp[count] && envp[count] + sizeof(NAME) != given)
		count++;
	place = count;
	while (envp[count])
		count++;
	text = sys_map(sizeof(NAME) + kept + 1 + size + 1);
	if (!text)
		return;
	memcpy(text, NAME "=", sizeof(NAME));
	/* The space tells the script that there was one, if only an empty one. */
	if (given) {
		memcpy(text + sizeof(NAME), given, kept);
		text[sizeof(NAME) + kept++] = ' ';
	}
	memcpy(text + sizeof(NAME) + kept, ours, size + 1);
	replace(envp, count, place, text);
}

void node_begin(char **argv, char **envp)
{
	conf.is_node = (uint8_t)is_node();
	if (conf.node_bridge && conf.is_node)
		node_require(argv, envp);
}
