/* panels.h - what Grafana's dashboards show: a table of panels for each. */
#ifndef TAGALONG_PANELS_H
#define TAGALONG_PANELS_H

#include <stddef.h>

#define PANEL_QUERIES 4

/*
 * One panel. `$job` in a query is the services that were chosen, `$rate` the window. A type of
 * "row" is a heading over the panels that follow.
 */
struct panel {
	const char *title;
	const char *type; /* Grafana's: "timeseries", "stat", "table", "heatmap", "row" */
	const char *unit; /* Grafana's: "s", "reqps", "percentunit", "bytes", "short" */
	const char *description;
	struct {
		const char *expr, *legend;
	} queries[PANEL_QUERIES];
	int width;     /* of 24 columns */
	int exemplars; /* of the queries are shown */
};

struct dashboard {
	const char *name; /* on the command line, and in the file's name */
	const char *title;
	const char *uid; /* Grafana's, at most 40 characters */
	const struct panel *panels;
	size_t count;
};

extern const struct dashboard dashboards[];
extern const size_t dashboard_count;

#endif
