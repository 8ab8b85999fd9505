/* dashboard.c - `tagalong dashboard`: Grafana dashboards for the names that metrics have in
 * Prometheus. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "exporter/commands.h"
#include "exporter/panels.h"

#define PANEL_HEIGHT 8
#define COLUMNS      24

static const char usage[] =
	"usage: tagalong dashboard [--output DIRECTORY] [NAME]\n\n"
	"Writes Grafana dashboards, as JSON to import or to provision: one to standard output by\n"
	"its name, or all (or one) into a directory. Names:\n";

/* ---- JSON ----------------------------------------------------------------------------------- */

/* A string; "$rate" in it becomes Grafana's own window. */
static void put_string(FILE *to, const char *text)
{
	static const char rate[] = "$rate";

	fputc('"', to);
	while (*text) {
		if (strncmp(text, rate, sizeof(rate) - 1) == 0) {
			fputs("$__rate_interval", to);
			text += sizeof(rate) - 1;
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text++, to);
	}
	fputc('"', to);
}

static void put_field(FILE *to, const char *name, const char *text)
{
	fprintf(to, ",\"%s\":", name);
	put_string(to, text);
}

/* ---- panels --------------------------------------------------------------------------------- */

struct place {
	int x, y, next_y, id;
};

static void place_panel(struct place *place, int width, int height)
{
	if (place->x + width > COLUMNS) {
		place->x = 0;
		place->y = place->next_y;
	}
	place->next_y = place->y + height;
	place->id++;
}

static void put_targets(FILE *to, const struct panel *panel)
{
	const char *format = strcmp(panel->type, "table") == 0     ? "table"
			     : strcmp(panel->type, "heatmap") == 0 ? "heatmap"
								   : "time_series";

	fputs(",\"targets\":[", to);
	for (int i = 0; i < PANEL_QUERIES && panel->queries[i].expr; i++) {
		fprintf(to, "%s{\"refId\":\"%c\",\"exemplar\":%s", i ? "," : "", 'A' + i,
			panel->exemplars ? "true" : "false");
		if (strcmp(format, "table") == 0)
			fputs(",\"instant\":true,\"range\":false", to);
		put_field(to, "format", format);
		put_field(to, "expr", panel->queries[i].expr);
		put_field(to, "legendFormat", panel->queries[i].legend);
		fputc('}', to);
	}
	fputc(']', to);
}

static void put_panel(FILE *to, const struct panel *panel, struct place *place)
{
	int is_row = strcmp(panel->type, "row") == 0;
	int height = is_row ? 1 : PANEL_HEIGHT;

	place_panel(place, panel->width, height);
	fprintf(to, "%s{\"id\":%d", place->id > 1 ? "," : "", place->id);
	put_field(to, "type", panel->type);
	put_field(to, "title", panel->title);
	fprintf(to, ",\"gridPos\":{\"h\":%d,\"w\":%d,\"x\":%d,\"y\":%d}", height, panel->width,
		place->x, place->y);
	place->x += panel->width;
	if (is_row) {
		fputs(",\"collapsed\":false,\"panels\":[]}", to);
		return;
	}
	fputs(",\"datasource\":{\"type\":\"prometheus\",\"uid\":\"${DS_PROM}\"}", to);
	if (panel->description)
		put_field(to, "description", panel->description);
	fputs(",\"fieldConfig\":{\"defaults\":{\"min\":0", to);
	put_field(to, "unit", panel->unit);
	fputs("},\"overrides\":[]},\"options\":{\"legend\":{\"displayMode\":\"list\"}}", to);
	put_targets(to, panel);
	fputc('}', to);
}

static void put_variables(FILE *to)
{
	fputs(",\"templating\":{\"list\":["
	      "{\"name\":\"DS_PROM\",\"label\":\"Data source\",\"type\":\"datasource\","
	      "\"query\":\"prometheus\"},"
	      "{\"name\":\"job\",\"label\":\"Service\",\"type\":\"query\",\"datasource\":"
	      "{\"type\":\"prometheus\",\"uid\":\"${DS_PROM}\"},"
	      "\"query\":\"label_values(target_info, job)\",\"refresh\":2,\"multi\":true,"
	      "\"includeAll\":true,\"allValue\":\".*\"}]}",
	      to);
}

static void put_dashboard(FILE *to, const struct dashboard *dashboard)
{
	struct place place = {0};

	fputs("{\"id\":null,\"schemaVersion\":39,\"editable\":true,\"timezone\":\"\","
	      "\"refresh\":\"30s\",\"tags\":[\"tagalong\"],"
	      "\"time\":{\"from\":\"now-1h\",\"to\":\"now\"},\"annotations\":{\"list\":[]}",
	      to);
	put_field(to, "title", dashboard->title);
	put_field(to, "uid", dashboard->uid);
	put_variables(to);
	fputs(",\"panels\":[", to);
	for (size_t i = 0; i < dashboard->count; i++)
		put_panel(to, &dashboard->panels[i], &place);
	fputs("]}\n", to);
}

/* ---- the command ---------------------------------------------------------------------------- */

static int complain(const char *what)
{
	fprintf(stderr, "tagalong dashboard: %s: %s\n", what, strerror(errno));
	return 1;
}

static int write_file(const char *directory, const struct dashboard *dashboard)
{
	char path[PATH_MAX];
	FILE *to;
	int failed;

	if (snprintf(path, sizeof(path), "%s/%s.json", directory, dashboard->name) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return complain(directory);
	}
	to = fopen(path, "we");
	if (!to)
		return complain(path);
	put_dashboard(to, dashboard);
	failed = ferror(to);
	failed |= fclose(to) != 0;
	return failed ? complain(path) : 0;
}

static const struct dashboard *find(const char *name)
{
	for (size_t i = 0; i < dashboard_count; i++)
		if (strcmp(dashboards[i].name, name) == 0)
			return &dashboards[i];
	return NULL;
}

static void print_usage(FILE *to)
{
	fputs(usage, to);
	for (size_t i = 0; i < dashboard_count; i++)
		fprintf(to, "  %-14s %s\n", dashboards[i].name, dashboards[i].title);
}

static int write_all(const char *directory, const struct dashboard *one)
{
	int result = 0;

	if (mkdir(directory, 0755) != 0 && errno != EEXIST)
		return complain(directory);
	for (size_t i = 0; i < dashboard_count && result == 0; i++)
		if (!one || one == &dashboards[i])
			result = write_file(directory, &dashboards[i]);
	return result;
}

int command_dashboard(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const struct dashboard *one = NULL;
	const char *directory = NULL;
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) >= 0) {
		if (option == 'h') {
			print_usage(stdout);
			return 0;
		}
		if (option == '?')
			return 2;
		directory = optarg;
	}
	if (optind < argc)
		one = find(argv[optind]);
	if (argc - optind > 1 || (optind < argc && !one) || (!one && !directory)) {
		print_usage(stderr);
		return 2;
	}
	if (directory)
		return write_all(directory, one);
	put_dashboard(stdout, one);
	return fflush(stdout) != 0 || ferror(stdout);
}
