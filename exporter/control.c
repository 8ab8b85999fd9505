/* control.c - the part of the settings file that is for running processes, in the control block. */
#include "exporter/control.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/env.h"
#include "exporter/sampling.h"

#define HEADERS_MAX    8 /* of a kind, in a shim */
#define MASK_KEYS_MAX  32
#define MASK_KEY_BYTES 64

#define PARENT_BASED 3 /* the first of sampling_names that is */

static void read_sampling(const struct config_node *section, struct segment_settings *to)
{
	const struct config_node *name = config_get(section, "sampler");
	const struct config_node *share = config_get(section, "ratio");
	int sampler = config_choice(name, sampling_names, PARENT_BASED);
	double ratio = config_number(share, 0, 1, 1);

	if (share && !name)
		sampler = PARENT_BASED + SAMPLE_RATIO;
	if (share && sampler % PARENT_BASED != SAMPLE_RATIO)
		config_complain(share, "is only for traceidratio and parentbased_traceidratio");
	if ((!name && !share) || env_get("OTEL_TRACES_SAMPLER"))
		return;
	to->given |= GIVEN_SAMPLER;
	to->sampler = (uint8_t)(sampler % PARENT_BASED);
	to->sample_by_parent = sampler >= PARENT_BASED;
	to->sample_threshold = sampling_threshold(ratio);
}

static int is_header_name(const char *name)
{
	return *name && name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
					  "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* Joined by commas, which no name may contain. */
static void append(const struct config_node *node, const char *name, char *to, size_t room)
{
	size_t used = strlen(to), size = strlen(name);

	if (used + size + 2 > room) {
		config_complain(node, "the list is too long, %zu bytes is the most", room - 1);
		return;
	}
	if (used)
		to[used++] = ',';
	memcpy(to + used, name, size + 1);
}

/* 1 if the list is there, an empty one too. */
static int read_headers(const struct config_node *list, char *to)
{
	if (!config_is_list(list))
		return 0;
	if (config_count(list) > HEADERS_MAX)
		config_complain(list, "%d headers is the most", HEADERS_MAX);
	for (size_t i = 0; i < config_count(list) && i < HEADERS_MAX; i++) {
		const struct config_node *item = config_at(list, i);
		const char *name = config_text(item, NULL);

		if (name && !is_header_name(name))
			config_complain(item, "is no name of a header");
		else if (name)
			append(item, name, to, SEGMENT_CAPTURE_TEXT);
	}
	return 1;
}

static void read_capture(const struct config_node *section, struct segment_settings *to)
{
	int requests = read_headers(config_get(section, "request_headers"), to->request_headers);
	int responses = read_headers(config_get(section, "response_headers"), to->response_headers);

	if (requests && !env_get("TAGALONG_CAPTURE_REQUEST_HEADERS"))
		to->given |= GIVEN_REQUEST_HEADERS;
	if (responses && !env_get("TAGALONG_CAPTURE_RESPONSE_HEADERS"))
		to->given |= GIVEN_RESPONSE_HEADERS;
}

static void read_mask(const struct config_node *list, struct segment_settings *to)
{
	if (!config_is_list(list))
		return;
	if (config_count(list) > MASK_KEYS_MAX)
		config_complain(list, "%d keys is the most", MASK_KEYS_MAX);
	for (size_t i = 0; i < config_count(list) && i < MASK_KEYS_MAX; i++) {
		const struct config_node *item = config_at(list, i);
		const char *name = config_text(item, NULL);
		size_t size = name ? strlen(name) : 0;

		if (!name)
			continue;
		if (!size || size > MASK_KEY_BYTES || strpbrk(name, ", \t"))
			config_complain(item, "must be a key of 1 to %d bytes without commas",
					MASK_KEY_BYTES);
		else
			append(item, name, to->mask_query, SEGMENT_MASK_TEXT);
	}
	if (!env_get("TAGALONG_MASK_QUERY"))
		to->given |= GIVEN_MASK;
}

static void read_features(const struct config_node *section, struct segment_settings *to)
{
	static const struct {
		const char *key, *variable;
		uint32_t bit;
	} known[] = {
		{"request_id", "TAGALONG_REQUEST_ID", FEATURE_REQUEST_ID},
		{"sqlcommenter", "TAGALONG_SQLCOMMENTER", FEATURE_SQL_COMMENTS},
		{"call_stacks", "TAGALONG_CALL_STACKS", FEATURE_CALL_STACKS},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct config_node *node = config_get(section, known[i].key);

		if (config_boolean(node, 0))
			to->features |= known[i].bit;
		if (node && !env_get(known[i].variable))
			to->features_given |= known[i].bit;
	}
	to->features &= to->features_given;
}

void control_read(const struct config_node *root, struct control *control)
{
	memset(control, 0, sizeof(*control));
	control->disabled = config_boolean(config_get(root, "disabled"), 0);
	read_sampling(config_get(root, "sampling"), &control->settings);
	read_capture(config_get(root, "capture"), &control->settings);
	read_mask(config_get(config_get(root, "redaction"), "query_keys"), &control->settings);
	read_features(config_get(root, "features"), &control->settings);
}

void control_write(struct segment_control *block, const struct control *control)
{
	uint32_t generation = atomic_load(&block->generation);
	uint32_t disabled = control->disabled != 0;

	/* Odd: an earlier exporter was killed while it wrote. */
	if (generation && !(generation & 1) && atomic_load(&block->disabled) == disabled &&
	    memcmp(&block->settings, &control->settings, sizeof(control->settings)) == 0)
		return;
	generation |= 1;
	atomic_store(&block->generation, generation);
	atomic_thread_fence(memory_order_release);
	memcpy(&block->settings, &control->settings, sizeof(control->settings));
	atomic_store(&block->disabled, disabled);
	generation = generation + 1 ? generation + 1 : 2;
	atomic_store_explicit(&block->generation, generation, memory_order_release);
}
