/* flame.c - folded stacks as a flame graph: one SVG file that needs nothing else. */
#include "exporter/flame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/terminal.h"

#define WIDTH        1200
#define MARGIN       10
#define ROW          17
#define HEAD         36
#define LETTER       7.0 /* of the font, about */
#define NARROWEST    0.2
#define FRAME_LETTER 12

/* A frame beneath the frames that called it; its children are a list, in the order of the lines. */
struct node {
	const char *name; /* within a line */
	size_t size;
	uint64_t value;
	struct node *first, *last, *next;
};

static void free_nodes(struct node *node)
{
	struct node *next;

	for (struct node *child = node->first; child; child = next) {
		next = child->next;
		free_nodes(child);
		free(child);
	}
}

/* The lines are sorted, so a frame that was there before is the last child. */
static struct node *child_of(struct node *node, const char *name, size_t size)
{
	if (node->last && node->last->size == size && memcmp(node->last->name, name, size) == 0)
		return node->last;
	struct node *child = calloc(1, sizeof(*child));
	if (!child)
		return NULL;
	child->name = name;
	child->size = size;
	if (node->last)
		node->last->next = child;
	else
		node->first = child;
	node->last = child;
	return child;
}

static int add_line(struct node *root, const struct profile_fold *fold, int *depth)
{
	struct node *node = root;
	int deep = 1;

	root->value += fold->microseconds;
	for (const char *at = fold->line; *at; deep++) {
		size_t size = strcspn(at, ";");
		node = child_of(node, at, size);
		if (!node)
			return -ENOMEM;
		node->value += fold->microseconds;
		at += size + (at[size] == ';');
	}
	if (deep > *depth)
		*depth = deep;
	return 0;
}

/* ---- drawing ------------------------------------------------------------------------------ */

struct drawing {
	FILE *to;
	double scale; /* columns a microsecond */
	int height;
	uint64_t all;
};

/* Escaped for XML; what is no printable ASCII or UTF-8 byte becomes a question mark. */
static void print_escaped(const char *text, size_t size, FILE *to)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];
		if (byte == '<')
			fputs("&lt;", to);
		else if (byte == '>')
			fputs("&gt;", to);
		else if (byte == '&')
			fputs("&amp;", to);
		else
			fputc(byte < 0x20 || byte >= 0x7f ? '?' : byte, to);
	}
}

/* The same name has the same colour everywhere: blues for frames, reds for what was waited for. */
static void print_color(const struct node *node, FILE *to)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < node->size; i++)
		hash = hash * 33 + (unsigned char)node->name[i];
	if (node->size && node->name[0] == '[')
		fprintf(to, "rgb(%u,%u,%u)", 215 + hash % 35, 130 + hash / 7 % 50, 95u);
	else
		fprintf(to, "rgb(%u,%u,%u)", 120 + hash % 60, 170 + hash / 7 % 50, 225 + hash % 30);
}

static void draw_label(const struct drawing *drawing, const struct node *node, double x, int y)
{
	size_t room = (size_t)((double)node->value * drawing->scale / LETTER);

	if (room < 3)
		return;
	fprintf(drawing->to, "<text x=\"%.1f\" y=\"%d\">", x + 3, y + FRAME_LETTER);
	if (node->size <= room) {
		print_escaped(node->name, node->size, drawing->to);
	} else {
		print_escaped(node->name, room - 2, drawing->to);
		fputs("..", drawing->to);
	}
	fputs("</text>", drawing->to);
}

static void draw_node(const struct drawing *drawing, const struct node *node, double x, int level)
{
	double width = (double)node->value * drawing->scale;
	int y = drawing->height - MARGIN - (level + 1) * ROW;
	char time[32];

	if (width < NARROWEST)
		return;
	fputs("<g><title>", drawing->to);
	print_escaped(node->name, node->size, drawing->to);
	terminal_duration((int64_t)(node->value * 1000), time, sizeof(time));
	fprintf(drawing->to,
		" (%s, %.2f%%)</title><rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
		"height=\"%d\" fill=\"",
		time, 100 * (double)node->value / (double)drawing->all, x, y, width, ROW - 1);
	print_color(node, drawing->to);
	fputs("\"/>", drawing->to);
	draw_label(drawing, node, x, y);
	fputs("</g>\n", drawing->to);
}

/* Deep stacks are bounded by the number of frames that are ever walked. */
static void draw_children(const struct drawing *drawing, const struct node *node, double x,
			  int level)
{
	for (const struct node *child = node->first; child; child = child->next) {
		draw_node(drawing, child, x, level);
		draw_children(drawing, child, x, level + 1);
		x += (double)child->value * drawing->scale;
	}
}

static void draw(const struct node *root, int depth, const char *title, FILE *to)
{
	struct drawing drawing = {
		.to = to,
		.scale = root->value ? (WIDTH - 2 * MARGIN) / (double)root->value : 0,
		.height = HEAD + (depth + 1) * ROW + MARGIN,
		.all = root->value ? root->value : 1,
	};

	fprintf(to,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" font-family=\"monospace\" font-size=\"%d\">\n"
		"<style>g:hover rect{stroke:#000}text{pointer-events:none}</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text x=\"%d\" y=\"22\" font-size=\"15\">",
		WIDTH, drawing.height, WIDTH, drawing.height, FRAME_LETTER - 1, MARGIN);
	print_escaped(title, strlen(title), to);
	fputs("</text>\n", to);
	draw_node(&drawing, root, MARGIN, 0);
	draw_children(&drawing, root, MARGIN, 1);
	fputs("</svg>\n", to);
}

int flame_print(const struct profile_fold *folds, size_t count, const char *title, FILE *to)
{
	struct node root = {.name = "all", .size = 3};
	int depth = 1, result = 0;

	for (size_t i = 0; i < count && result == 0; i++)
		result = add_line(&root, &folds[i], &depth);
	if (result == 0)
		draw(&root, depth, title, to);
	free_nodes(&root);
	return result;
}
