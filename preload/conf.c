/* conf.c - settings of the shim, read once from the environment. */
#include "preload/conf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "preload/list.h"
#include "preload/live.h"
#include "preload/sample.h"
#include "preload/sys.h"

struct conf conf;

/*
 * Package managers and loaders run with root's rights on everything, tools that trace or debug are
 * thrown by another interposer, and our own exporter must not watch itself.
 */
static const char *const never_touched[] = {
	"tagalong", "apt",        "apt-get",
	"aptitude", "dpkg",       "dpkg-deb",
	"rpm",      "dnf",        "yum",
	"apk",      "pacman",     "ldconfig",
	"ldd",      "ld.so",      "gdb",
	"lldb",     "strace",     "ltrace",
	"valgrind", "systemd",    "init",
	"udevd",    "sudo",       "su",
	"mount",    "umount",     "runc",
	"crun",     "dockerd",    "sshd",
	"login",    "containerd", "containerd-shim",
};

const char *conf_environment_get(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (; environment && *environment; environment++)
		if (memcmp(*environment, name, 1) == 0 && strncmp(*environment, name, size) == 0 &&
		    (*environment)[size] == '=')
			return *environment + size + 1;
	return NULL;
}

static int same_word(const char *at, size_t size, const char *word)
{
	for (size_t i = 0; i < size; i++) {
		char c = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 32) : at[i];

		if (c != word[i])
			return 0;
	}
	return !word[size];
}

/* OpenTelemetry's booleans: only "true", in any case; ours take 1 as well. */
static int is_true(const char *value)
{
	return value && (same_word(value, strlen(value), "true") || strcmp(value, "1") == 0);
}

static void copy(char *to, size_t room, const char *from)
{
	size_t size = from ? strlen(from) : 0;

	if (size >= room)
		size = room - 1;
	memcpy(to, from ? from : "", size);
	to[size] = 0;
}

static int name_in_list(const char *name, const char *list)
{
	const char *item;
	size_t size;

	while ((item = list_next(&list, &size)))
		if (strlen(name) == size && memcmp(name, item, size) == 0)
			return 1;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int conf_never_touched(const char *program)
{
	const char *name = base_name(program);

	for (size_t i = 0; i < sizeof(never_touched) / sizeof(never_touched[0]); i++)
		if (strcmp(name, never_touched[i]) == 0)
			return 1;
	return 0;
}

static uint8_t propagator(const char *name, size_t size)
{
	if (same_word(name, size, "tracecontext"))
		return PROPAGATE_TRACECONTEXT;
	if (same_word(name, size, "b3"))
		return PROPAGATE_B3;
	return same_word(name, size, "b3multi") ? PROPAGATE_B3MULTI : 0;
}

static void read_propagators(const char *list)
{
	size_t count = 0;
	const char *item;
	size_t size;

	if (!list || !*list)
		list = "tracecontext";
	while ((item = list_next(&list, &size))) {
		uint8_t one = propagator(item, size);

		if (!one || conf.propagators & one)
			continue;
		conf.propagators |= one;
		conf.extract[count++] = one;
	}
}

/* What makes no sense is the default, everything. */
static uint64_t threshold(const char *ratio)
{
	char *end;
	double value;

	if (!ratio || !*ratio)
		return 0;
	value = strtod(ratio, &end);
	if (*end || !(value >= 0 && value <= 1))
		return 0;
	return sample_threshold(value);
}

static void read_sampler(struct live *live, const char *name, const char *argument)
{
	size_t size = name ? strlen(name) : 0;
	const char *prefix = "parentbased_";
	const size_t prefix_size = strlen(prefix);

	live->sample_by_parent = 1;
	if (!size)
		return;
	if (size > prefix_size && strncmp(name, prefix, prefix_size) == 0) {
		name += prefix_size;
		size -= prefix_size;
	} else {
		live->sample_by_parent = 0;
	}
	if (same_word(name, size, "always_off")) {
		live->sampler = SAMPLE_OFF;
	} else if (same_word(name, size, "traceidratio")) {
		live->sampler = SAMPLE_RATIO;
		live->sample_threshold = threshold(argument);
	} else if (!same_word(name, size, "always_on")) {
		live->sample_by_parent = 1; /* unknown: the default */
	}
}

static void read_parent(const char *parent, const char *state)
{
	int size;

	if (!parent || traceparent_parse(parent, strlen(parent), &conf.parent))
		return;
	conf.has_parent = 1;
	size = state ? tracestate_parse(state, strlen(state), conf.parent_state) : 0;
	conf.parent_state_size = (uint16_t)(size > 0 ? size : 0);
}

static int stays_away(char **environment)
{
	const char *program = (const char *)getauxval(AT_EXECFN);
	const char *more = conf_environment_get(environment, "TAGALONG_NEVER");

	if (getauxval(AT_SECURE) || is_true(conf_environment_get(environment, "TAGALONG_DISABLE")))
		return 1;
	return program &&
	       (conf_never_touched(program) || (more && name_in_list(base_name(program), more)));
}

/* Empty is the same as unset. */
static const char *setting(char **environment, const char *name)
{
	const char *value = conf_environment_get(environment, name);

	return value && *value ? value : NULL;
}

#define GET(name) setting(environment, name)

static void read_live(char **environment)
{
	struct live *live = live_environment();

	live->sql_comments = (uint8_t)is_true(GET("TAGALONG_SQLCOMMENTER"));
	live->call_stacks = (uint8_t)is_true(GET("TAGALONG_CALL_STACKS"));
	live->request_ids =
		GET("TAGALONG_REQUEST_ID") ? (uint8_t)is_true(GET("TAGALONG_REQUEST_ID")) : 1;
	read_sampler(live, GET("OTEL_TRACES_SAMPLER"), GET("OTEL_TRACES_SAMPLER_ARG"));
	live_set_list(live, LIVE_MASK, GET("TAGALONG_MASK_QUERY"));
	live_set_list(live, LIVE_REQUEST_HEADERS, GET("TAGALONG_CAPTURE_REQUEST_HEADERS"));
	live_set_list(live, LIVE_RESPONSE_HEADERS, GET("TAGALONG_CAPTURE_RESPONSE_HEADERS"));
	live_start();
}

int conf_init(char **environment, const char *command)
{
	const char *directory = GET("TAGALONG_RUN_DIR");

	if (stays_away(environment))
		return -1;
	conf.no_telemetry = (uint8_t)is_true(GET("OTEL_SDK_DISABLED"));
	conf.log = GET("TAGALONG_LOG") != NULL;
	conf.node_bridge =
		GET("TAGALONG_NODE_BRIDGE") ? (uint8_t)is_true(GET("TAGALONG_NODE_BRIDGE")) : 1;
	conf.publish = GET("TAGALONG_PUBLISH_CONTEXT")
			       ? (uint8_t)is_true(GET("TAGALONG_PUBLISH_CONTEXT"))
			       : 1;
	conf.cpu_time = GET("TAGALONG_CPU_TIME") ? (uint8_t)is_true(GET("TAGALONG_CPU_TIME")) : 1;
	conf.python_bridge =
		GET("TAGALONG_PYTHON_BRIDGE") ? (uint8_t)is_true(GET("TAGALONG_PYTHON_BRIDGE")) : 1;
	read_propagators(GET("OTEL_PROPAGATORS"));
	read_live(environment);
	read_parent(GET("TRACEPARENT"), GET("TRACESTATE"));
	copy(conf.session, sizeof(conf.session), GET("TAGALONG_SESSION"));
	copy(conf.run_directory, sizeof(conf.run_directory),
	     directory ? directory : "/run/tagalong");
	copy(conf.service_name, sizeof(conf.service_name), GET("OTEL_SERVICE_NAME"));
	copy(conf.resource_attributes, sizeof(conf.resource_attributes),
	     GET("OTEL_RESOURCE_ATTRIBUTES"));
	copy(conf.command, sizeof(conf.command), command);
	return 0;
}

#undef GET

void conf_log(const char *text)
{
	char line[160] = "tagalong: ";
	size_t size = strlen(text);

	if (!conf.log)
		return;
	if (size > sizeof(line) - 12)
		size = sizeof(line) - 12;
	memcpy(line + 10, text, size);
	line[10 + size] = '\n';
	sys_call3(SYS_write, 2, (long)line, (long)(size + 11));
}
