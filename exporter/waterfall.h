/* waterfall.h - one trace as a tree with a bar for each span. */
#ifndef TAGALONG_WATERFALL_H
#define TAGALONG_WATERFALL_H

#include <stdbool.h>
#include <stdio.h>

#include "exporter/store_read.h"
#include "exporter/terminal.h"

/* So many queries of one name below one span are one line. */
#define WATERFALL_FOLD_MIN 5

struct waterfall_node {
	const struct span_row *row;
	int parent;      /* index of a node, -1: at the top */
	int first, last; /* children, by start time; -1: none */
	int next;        /* sibling; -1: none */
	int depth;
	bool orphan; /* has a parent that is not among the spans (or is below itself) */
	/* Set by waterfall_fold. */
	bool folded;         /* an earlier sibling stands for it; no sibling leads to it */
	int repeats;         /* how many spans this one stands for, itself included */
	int64_t total_ns;    /* of their durations */
	int64_t end_unix_ns; /* the latest of their ends */
};

/*
 * Links `count` spans, which come by start time, into trees. The parents that the spans name are
 * not trusted: a circle is cut open. `nodes` has room for `count` nodes, in the order of the spans;
 * nodes at the top are linked by `next` too, beginning with the one returned (-1 if there is none).
 * -ENOMEM.
 */
int waterfall_link(const struct span_row *spans, int count, struct waterfall_node *nodes);

/*
 * Folds linked nodes: of siblings that are queries of one name and did not fail, the first one
 * stands for all if they are WATERFALL_FOLD_MIN or more.
 */
void waterfall_fold(struct waterfall_node *nodes, int count);

/* The node after `at` from top to bottom, children before siblings; -1 at the end. */
int waterfall_next(const struct waterfall_node *nodes, int at);

/*
 * Prints a trace: a line about the whole, then one for each span with service, name and target,
 * offset, duration, bar, status, and its request ID where the spans have several. Queries that are
 * repeated are folded into one line: "SELECT users  x 42  total 84.0ms". Every text of the spans
 * goes through terminal_fit. Returns 0, or -ENOMEM.
 */
int waterfall_print(FILE *to, const struct terminal *terminal, const struct span_row *spans,
		    int count);

/*
 * A line for each of a span's events, each after a line break, `indent` columns in; private to
 * waterfall_*.c.
 */
void waterfall_print_events(FILE *to, const struct terminal *terminal, const struct span_row *row,
			    int indent);

/*
 * The same, a line with the times that the kernel told of the span, if it did: a bar split by kind,
 * and those that are a hundredth of it at least.
 */
void waterfall_print_times(FILE *to, const struct terminal *terminal, const struct span_row *row,
			   int indent);

#endif
