/* config_yaml.c - the settings file's bytes into nodes, by libyaml's events. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "exporter/config_node.h"

#define MEMBERS_START 8

/* One file being read. */
struct reading {
	struct config *config;
	const char *bytes;
	yaml_parser_t parser;
	struct config_node *open[CONFIG_DEPTH_MAX]; /* lists and maps that have not ended */
	unsigned depth;
	const char *key; /* of the map at the top: its value comes next */
	unsigned key_line;
};

static int fail(struct reading *reading, unsigned line, const char *text)
{
	config_complain_of_line(reading->config, line, text);
	return -EINVAL;
}

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

static struct config_node *new_node(struct reading *reading, enum config_type type, unsigned line)
{
	struct config *config = reading->config;
	struct config_node *node = NULL;

	if (config->nodes < CONFIG_NODES_MAX)
		node = arena_take(&config->arena, sizeof(*node));
	if (!node)
		return NULL;
	config->nodes++;
	memset(node, 0, sizeof(*node));
	node->config = config;
	node->type = type;
	node->line = line;
	return node;
}

static int add_member(struct reading *reading, struct config_node *to, struct config_node *node)
{
	if (to->count == to->room) {
		size_t room = to->room ? to->room * 2 : MEMBERS_START;
		struct config_node **members =
			arena_take(&reading->config->arena, room * sizeof(*members));

		if (!members)
			return -ENOMEM;
		if (to->count)
			memcpy(members, to->members, to->count * sizeof(*members));
		to->members = members;
		to->room = room;
	}
	to->members[to->count++] = node;
	return 0;
}

/* Puts a node where it stands: the root, or the top's next member. */
static int place(struct reading *reading, struct config_node *node)
{
	struct config_node *top;

	if (!reading->depth) {
		reading->config->root = node;
		return 0;
	}
	top = reading->open[reading->depth - 1];
	if (top->type == CONFIG_MAP) {
		node->key = reading->key;
		/* A section is complained of where its name stands. */
		if (node->type != CONFIG_SCALAR)
			node->line = reading->key_line;
		reading->key = NULL;
	}
	return add_member(reading, top, node);
}

static int key_expected(const struct reading *reading)
{
	return reading->depth && reading->open[reading->depth - 1]->type == CONFIG_MAP &&
	       !reading->key;
}

static int begin(struct reading *reading, enum config_type type, const yaml_event_t *event)
{
	struct config_node *node;

	if (key_expected(reading))
		return fail(reading, line_of(event), "a key must be a plain name");
	if (reading->depth == CONFIG_DEPTH_MAX)
		return fail(reading, line_of(event), "nested too deeply");
	node = new_node(reading, type, line_of(event));
	if (!node || place(reading, node) != 0)
		return fail(reading, line_of(event), "the file has too many entries");
	reading->open[reading->depth++] = node;
	return 0;
}

static int is_null(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static int take_key(struct reading *reading, const char *key, unsigned line)
{
	const struct config_node *top = reading->open[reading->depth - 1];

	if (!*key)
		return fail(reading, line, "a key must not be empty");
	for (size_t i = 0; i < top->count; i++)
		if (strcmp(top->members[i]->key, key) == 0)
			return fail(reading, line, "the same key stands here a second time");
	reading->key = key;
	reading->key_line = line;
	return 0;
}

static int take_scalar(struct reading *reading, const yaml_event_t *event)
{
	const char *at = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	struct config_node *node;
	const char *text;

	if (size > CONFIG_SCALAR_MAX)
		return fail(reading, line_of(event), "a value is too long");
	if (memchr(at, 0, size))
		return fail(reading, line_of(event), "a value must not contain NUL");
	text = arena_text(&reading->config->arena, at, size);
	if (!text)
		return fail(reading, line_of(event), "no memory");
	if (key_expected(reading))
		return take_key(reading, text, line_of(event));
	node = new_node(reading, CONFIG_SCALAR, line_of(event));
	if (!node)
		return fail(reading, line_of(event), "the file has too many entries");
	node->text = text;
	node->is_null = (uint8_t)is_null(event);
	if (place(reading, node) != 0)
		return fail(reading, line_of(event), "no memory");
	return 0;
}

/* "!" alone asks for nothing but text. */
static int has_mark(const yaml_char_t *anchor, const yaml_char_t *tag)
{
	return anchor || (tag && strcmp((const char *)tag, "!") != 0);
}

static int refuses(struct reading *reading, const yaml_event_t *event)
{
	int marked = 0;

	if (event->type == YAML_ALIAS_EVENT)
		marked = 1;
	else if (event->type == YAML_SCALAR_EVENT)
		marked = has_mark(event->data.scalar.anchor, event->data.scalar.tag);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		marked =
			has_mark(event->data.sequence_start.anchor, event->data.sequence_start.tag);
	else if (event->type == YAML_MAPPING_START_EVENT)
		marked = has_mark(event->data.mapping_start.anchor, event->data.mapping_start.tag);
	if (marked)
		fail(reading, line_of(event), "anchors, aliases and tags are not allowed");
	else if (event->type == YAML_DOCUMENT_START_EVENT && reading->config->root)
		marked = fail(reading, line_of(event), "a second document is not allowed") != 0;
	return marked;
}

/* 1: the end of the file. */
static int take_event(struct reading *reading, const yaml_event_t *event)
{
	if (refuses(reading, event))
		return -EINVAL;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(reading, event);
	case YAML_SEQUENCE_START_EVENT:
		return begin(reading, CONFIG_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return begin(reading, CONFIG_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		reading->depth--;
		return 0;
	default:
		return event->type == YAML_STREAM_END_EVENT;
	}
}

/* What is no UTF-8 stops libyaml's reader, which knows no lines. */
static unsigned line_at(const char *bytes, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset; i++)
		line += bytes[i] == '\n';
	return line;
}

/* libyaml names what it found and where; its problem texts hold no bytes of the file. */
static void complain_of_syntax(struct reading *reading)
{
	const yaml_parser_t *parser = &reading->parser;
	unsigned line = (unsigned)parser->problem_mark.line + 1;
	char text[256];

	if (parser->error == YAML_READER_ERROR)
		line = line_at(reading->bytes, parser->problem_offset);
	snprintf(text, sizeof(text), "%s%s%s", parser->problem ? parser->problem : "no memory",
		 parser->context ? " " : "", parser->context ? parser->context : "");
	fail(reading, line, text);
}

static int read_events(struct reading *reading)
{
	int result = 0;

	while (result == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&reading->parser, &event)) {
			complain_of_syntax(reading);
			return -EINVAL;
		}
		result = take_event(reading, &event);
		yaml_event_delete(&event);
	}
	return result < 0 ? result : 0;
}

/* An empty file, or one of comments alone, is a map without keys. */
static int settle_root(struct reading *reading)
{
	struct config_node *root = reading->config->root;

	if (root && root->type == CONFIG_MAP)
		return 0;
	if (root && !root->is_null)
		return fail(reading, root->line, "the file must consist of \"key: value\"");
	reading->config->root = new_node(reading, CONFIG_MAP, 1);
	return reading->config->root ? 0 : -ENOMEM;
}

static struct config *config_new(const char *name)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	arena_init(&config->arena);
	config->name = arena_text(&config->arena, name, strlen(name));
	if (!config->name) {
		config_free(config);
		return NULL;
	}
	return config;
}

struct config *config_parse(const char *name, const char *at, size_t size)
{
	struct reading reading = {.config = config_new(name), .bytes = at};
	int result;

	if (!reading.config || !yaml_parser_initialize(&reading.parser)) {
		config_free(reading.config);
		return NULL;
	}
	yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reading.parser, (const unsigned char *)at, size);
	result = read_events(&reading);
	yaml_parser_delete(&reading.parser);
	if (result == 0)
		result = settle_root(&reading);
	if (result == 0)
		return reading.config;
	config_free(reading.config);
	return NULL;
}

/* Returns bytes, or -errno; more than `room` is -EFBIG. */
static ssize_t read_whole(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t size = 0;
	ssize_t got = 1;

	if (fd < 0)
		return -errno;
	while (got > 0 && size < room) {
		got = read(fd, to + size, room - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		got = -errno;
	close(fd);
	if (got < 0)
		return got;
	return size == room ? -EFBIG : (ssize_t)size;
}

struct config *config_read(const char *path)
{
	char *bytes = malloc(CONFIG_FILE_MAX + 1);
	struct config *config = NULL;
	ssize_t size = -ENOMEM;

	if (bytes)
		size = read_whole(path, bytes, CONFIG_FILE_MAX + 1);
	if (size >= 0)
		config = config_parse(path, bytes, (size_t)size);
	else
		fprintf(stderr, "%s:1: can't be read: %s\n", path, strerror((int)-size));
	free(bytes);
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	arena_free(&config->arena);
	free(config);
}
