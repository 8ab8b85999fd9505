/* destinations_config.c - where everything goes, as the settings file says. */
#include "destinations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/env.h"

#define NAME_MAX_BYTES 64

/*
 * An otlp map, and the map of one signal within it, which wins. Both mark what they are asked for
 * as known.
 */
struct otlp_nodes {
	const struct config_node *all, *own;
};

static const struct config_node *find(const struct otlp_nodes *nodes, const char *key)
{
	const struct config_node *own = config_get(nodes->own, key);
	const struct config_node *all = config_get(nodes->all, key);

	return own ? own : all;
}

static char *copy(const struct otlp_nodes *nodes, const char *key)
{
	const char *value = config_text(find(nodes, key), NULL);

	return value ? strdup(value) : NULL;
}

static void read_headers(struct otlp_settings *otlp, const struct config_node *headers)
{
	for (size_t i = 0; i < config_count(headers); i++) {
		const char *name = config_key_at(headers, i);
		const char *value = config_text(config_at(headers, i), "");
		int result = -EINVAL;

		if (name && value)
			result = otlp_add_header(otlp, (struct text){name, (uint32_t)strlen(name)},
						 (struct text){value, (uint32_t)strlen(value)});
		if (result == -EINVAL)
			config_complain(config_at(headers, i), "this is no header");
		else if (result == -E2BIG)
			config_complain(config_at(headers, i), "more than %d headers",
					OTLP_HEADERS_MAX);
	}
}

static int read_endpoint(struct otlp_settings *otlp, const struct otlp_nodes *nodes)
{
	const struct config_node *own = config_get(nodes->own, "endpoint");
	const struct config_node *node = find(nodes, "endpoint");
	int insecure = config_boolean(find(nodes, "insecure"), 0);
	const char *given = config_text(node, NULL);
	int result;

	if (!given) {
		config_complain(nodes->all, "an otlp destination needs an endpoint");
		return -EINVAL;
	}
	result = otlp_set_endpoint(otlp, given, own == NULL, insecure);
	if (result == -EINVAL)
		config_complain(node, "endpoint is no http:// or https:// URL");
	return result;
}

static int read_signal(struct otlp_settings *otlp, enum signal signal,
		       const struct otlp_nodes *nodes)
{
	const struct config_node *protocol = find(nodes, "protocol");
	const struct config_node *compression = find(nodes, "compression");
	int result;

	otlp_settings_init(otlp, signal);
	if (otlp_parse_protocol(config_text(protocol, "http/protobuf"), &otlp->protocol) != 0)
		config_complain(protocol, "protocol is none of http/protobuf, http/json, grpc");
	if (otlp_parse_compression(config_text(compression, "none"), &otlp->compression) != 0)
		config_complain(compression, "compression is none of gzip, zstd, none");
	result = read_endpoint(otlp, nodes);
	read_headers(otlp, find(nodes, "headers"));
	otlp->timeout_ms = (uint32_t)config_duration_ms(find(nodes, "timeout"), otlp->timeout_ms);
	otlp->certificate = copy(nodes, "certificate");
	otlp->client_key = copy(nodes, "client_key");
	otlp->client_certificate = copy(nodes, "client_certificate");
	return result;
}

static enum signal signal_of(const char *name)
{
	unsigned signal = 0;

	while (signal < SIGNAL_COUNT && (!name || strcmp(otlp_signal_name(signal), name) != 0))
		signal++;
	return signal;
}

/* Without a list it is all of them. */
static unsigned read_signals(const struct config_node *map)
{
	const struct config_node *list = config_get(map, "signals");
	unsigned signals = 0;

	if (!list)
		return (1u << SIGNAL_COUNT) - 1;
	for (size_t i = 0; i < config_count(list); i++) {
		enum signal signal = signal_of(config_text(config_at(list, i), NULL));

		if (signal == SIGNAL_COUNT)
			config_complain(config_at(list, i),
					"a signal is one of traces, metrics, logs");
		else
			signals |= 1u << signal;
	}
	return signals;
}

static int read_otlp(struct destination *to, const struct config_node *map)
{
	for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
		struct otlp_nodes nodes = {map, config_get(map, otlp_signal_name(signal))};
		int result;

		if (!(to->signals & 1u << signal))
			continue;
		result = read_signal(&to->otlp[signal], signal, &nodes);
		if (result == -ENOMEM)
			return result;
		/* Said once, not once a signal. */
		if (result == -EINVAL)
			to->signals = 0;
	}
	return 0;
}

static int read_file(struct destination *to, const struct config_node *map)
{
	const char *path = config_text(config_get(map, "path"), NULL);

	to->max_bytes = config_bytes(config_get(map, "max_size"), to->max_bytes);
	to->max_files = (uint32_t)config_integer(config_get(map, "files"), 1, 1000, to->max_files);
	if (!path) {
		config_complain(map, "a file destination needs a path");
		to->signals = 0;
		return 0;
	}
	to->path = strdup(path);
	return to->path ? 0 : -ENOMEM;
}

/* It becomes part of file names. */
static const char *read_name(const struct config_node *map, const char *otherwise)
{
	const struct config_node *node = config_get(map, "name");
	const char *name = config_text(node, otherwise);

	if (*name && *name != '.' && !strchr(name, '/') && strlen(name) <= NAME_MAX_BYTES)
		return name;
	config_complain(node, "must be a short word without '/'");
	return otherwise;
}

static int read_destination(struct destinations *destinations, const struct config_node *item)
{
	static const struct {
		const char *key;
		enum destination_kind kind;
	} kinds[] = {{"otlp", DESTINATION_OTLP},
		     {"file", DESTINATION_FILE},
		     {"stdout", DESTINATION_STDOUT},
		     {"console", DESTINATION_CONSOLE}};
	const char *word = config_type(item) == CONFIG_SCALAR ? config_text(item, "") : NULL;
	const struct config_node *map = NULL;
	struct destination *to;
	size_t kind;

	/* "- console" is enough where nothing else is to be said. */
	for (kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		map = word ? NULL : config_get(item, kinds[kind].key);
		if (map || (word && strcmp(word, kinds[kind].key) == 0))
			break;
	}
	if (kind == sizeof(kinds) / sizeof(kinds[0])) {
		config_complain(item, "a destination is one of otlp, file, stdout, console");
		return 0;
	}
	to = destinations_add(destinations, kinds[kind].kind, read_name(map, kinds[kind].key));
	if (!to) {
		config_complain(item, "more than %d destinations", DESTINATIONS_MAX);
		return 0;
	}
	to->signals = read_signals(map);
	if (to->kind == DESTINATION_OTLP)
		return read_otlp(to, map);
	return to->kind == DESTINATION_FILE ? read_file(to, map) : 0;
}

static int read_spool(struct destinations *destinations, const struct config_node *map)
{
	const char *directory = config_text(config_get(map, "directory"), NULL);
	int enabled = config_boolean(config_get(map, "enabled"), 1);
	uint64_t bytes = config_bytes(config_get(map, "max_size"), destinations->spool_max_bytes);
	uint64_t age =
		config_duration_ms(config_get(map, "max_age"), destinations->spool_max_age_ms);

	if (!env_get("TAGALONG_SPOOL_MAX_MB"))
		destinations->spool_max_bytes = bytes;
	if (!env_get("TAGALONG_SPOOL_MAX_AGE"))
		destinations->spool_max_age_ms = age;
	if (env_get("TAGALONG_SPOOL"))
		return 0;
	destinations->spool_off = !enabled;
	if (!directory)
		return 0;
	destinations->spool_directory = strdup(directory);
	return destinations->spool_directory ? 0 : -ENOMEM;
}

int destinations_of_config(struct destinations *destinations, const struct config_node *root)
{
	const struct config_node *list = config_get(root, "destinations");
	int result;

	destinations_fini(destinations);
	result = destinations_of_environment(destinations);
	for (size_t i = 0; config_is_list(list) && i < config_count(list) && result == 0; i++)
		result = read_destination(destinations, config_at(list, i));
	return result == 0 ? read_spool(destinations, config_get(root, "spool")) : result;
}
