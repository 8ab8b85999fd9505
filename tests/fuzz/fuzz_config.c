/* fuzz_config.c - any bytes as a settings file: a bounded tree whose lines are the file's, or none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "exporter/config.h"
#include "tests/fuzz/target.h"

static unsigned check_node(const struct config_node *node, unsigned lines, unsigned depth)
{
	unsigned nodes = 1;

	CHECK(node && depth <= CONFIG_DEPTH_MAX);
	CHECK(config_line(node) >= 1 && config_line(node) <= lines);
	config_boolean(node, 0);
	config_integer(node, -5, 5, 0);
	config_number(node, 0, 1, 0);
	config_duration_ms(node, 0);
	config_bytes(node, 0);
	CHECK(strlen(config_text(node, "")) <= CONFIG_SCALAR_MAX);
	config_get(node, "a");
	for (size_t i = 0; i < config_count(node); i++) {
		if (config_type(node) == CONFIG_MAP)
			CHECK(config_key_at(node, i)[0]);
		nodes += check_node(config_at(node, i), lines, depth + 1);
	}
	return nodes;
}

/* YAML 1.1 breaks lines at CR, NEL, LS and PS as well: no more lines than bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *silence;
	struct config *config;

	/* Of complaints: what libFuzzer and the sanitizers say goes to the descriptor. */
	if (!silence) {
		silence = fopen("/dev/null", "we");
		CHECK(silence);
		stderr = silence;
	}
	config = config_parse("f", (const char *)data, size);
	if (!config)
		return 0;
	CHECK(config_type(config_root(config)) == CONFIG_MAP);
	CHECK(check_node(config_root(config), (unsigned)size + 1, 0) <= CONFIG_NODES_MAX);
	config_finish(config);
	config_free(config);
	return 0;
}
