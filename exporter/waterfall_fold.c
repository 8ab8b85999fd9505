/* waterfall_fold.c - queries that are repeated below one span become one line of the tree. */
#include <string.h>

#include "exporter/waterfall.h"

#define KIND_CLIENT  3 /* OTLP's numbers */
#define STATUS_ERROR 2
#define SHAPES_MAX   64 /* looked for below one span: the time that it takes has a bound */

static bool can_fold(const struct waterfall_node *node)
{
	const struct span_row *row = node->row;

	return node->first < 0 && !node->orphan && row->kind == KIND_CLIENT &&
	       row->status != STATUS_ERROR && strstr(row->attributes, "\"db.system.name\"");
}

static bool same_shape(const struct span_row *a, const struct span_row *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->service, b->service) == 0 &&
	       strcmp(a->guess, b->guess) == 0;
}

/* How many siblings from `at` on are like it. */
static int count_alike(const struct waterfall_node *nodes, int at)
{
	int alike = 0;

	for (int other = at; other >= 0; other = nodes[other].next)
		alike += can_fold(&nodes[other]) && same_shape(nodes[at].row, nodes[other].row);
	return alike;
}

/* The later ones leave the list of siblings; the first one stands for all. */
static void fold_into(struct waterfall_node *nodes, int head)
{
	struct waterfall_node *into = &nodes[head];
	int before = head;

	for (int at = into->next; at >= 0; at = nodes[at].next) {
		const struct span_row *row = nodes[at].row;
		if (!can_fold(&nodes[at]) || !same_shape(into->row, row)) {
			before = at;
			continue;
		}
		nodes[before].next = nodes[at].next;
		nodes[at].folded = true;
		into->repeats++;
		into->total_ns += row->duration_ns;
		if (row->start_unix_ns + row->duration_ns > into->end_unix_ns)
			into->end_unix_ns = row->start_unix_ns + row->duration_ns;
	}
	if (into->parent >= 0)
		nodes[into->parent].last = before;
}

static void fold_siblings(struct waterfall_node *nodes, int first)
{
	int shapes = 0;

	for (int at = first; at >= 0 && shapes < SHAPES_MAX; at = nodes[at].next) {
		if (!can_fold(&nodes[at]))
			continue;
		shapes++;
		if (count_alike(nodes, at) >= WATERFALL_FOLD_MIN)
			fold_into(nodes, at);
	}
}

void waterfall_fold(struct waterfall_node *nodes, int count)
{
	for (int i = 0; i < count; i++) {
		const struct span_row *row = nodes[i].row;
		nodes[i].repeats = 1;
		nodes[i].total_ns = row->duration_ns;
		nodes[i].end_unix_ns = row->start_unix_ns + row->duration_ns;
	}
	for (int i = 0; i < count; i++)
		if (nodes[i].first >= 0)
			fold_siblings(nodes, nodes[i].first);
}
