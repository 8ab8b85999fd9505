/* rules.c - `tagalong rules`: Prometheus rules that call somebody when an error budget burns. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/commands.h"
#include "exporter/promql.h"
#include "exporter/slo.h"

/*
 * Several windows, several burn rates (Google's SRE Workbook, chapter 5): somebody is called when
 * the long window has used so much of the period's budget, and the short one, a twelfth of it,
 * still does.
 */
struct burn {
	const char *severity;
	const char *long_window, *short_window;
	double hours;  /* of the long window */
	double budget; /* share of the period's budget that is used up then */
};

static const struct burn burns[] = {
	{"page", "1h", "5m", 1, 0.02},
	{"page", "6h", "30m", 6, 0.05},
	{"ticket", "1d", "2h", 24, 0.1},
	{"ticket", "3d", "6h", 72, 0.1},
};

#define BURNS (sizeof(burns) / sizeof(burns[0]))

static const char *const windows[] = {"5m", "30m", "1h", "2h", "6h", "1d", "3d"};

static const char usage[] =
	"usage: tagalong rules --slo FILE [--output FILE]\n\n"
	"Writes Prometheus recording and alerting rules for the service level objectives of a\n"
	"file: multi-window, multi-burn-rate, severities page and ticket. The file (YAML):\n\n"
	"  slos:\n"
	"    - name: checkout-availability\n"
	"      service: shop               # the job label; left out: every service by itself\n"
	"      route: /checkout            # http.route; left out: all\n"
	"      objective: 99.9             # percent of good requests\n"
	"      period: 30d\n"
	"      availability: 5xx           # or `errors`: aborted requests are bad as well\n"
	"      runbook: https://wiki.example.com/checkout\n"
	"    - name: checkout-latency\n"
	"      service: shop\n"
	"      objective: 99\n"
	"      latency: 250ms              # a bound of the histogram\n"
	"      minimum_rate: 0.1           # requests a second below which nobody is called\n\n"
	"`indicator:` is http.server (the default), http.client or db.client.\n";

/* The share of bad requests from which on this window burns too fast. */
static double threshold(const struct slo *slo, const struct burn *burn)
{
	return burn->budget * slo->period_days * 24 / burn->hours * slo_budget(slo);
}

/* Such a share can be reached: nobody would ever be called otherwise. */
static int can_fire(const struct slo *slo, const struct burn *burn)
{
	return threshold(slo, burn) < 1;
}

/* A string of YAML in single quotes. */
static void put_quoted(FILE *to, const char *text)
{
	fputc('\'', to);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', to);
		fputc(*text == '\n' ? ' ' : *text, to);
	}
	fputc('\'', to);
}

/* ---- recording rules ------------------------------------------------------------------------ */

static char *query_text(const struct slo *slo, const char *window,
			void (*write)(FILE *, const struct slo *, const char *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	write(to, slo, window);
	fclose(to);
	return text;
}

static int put_record(FILE *to, const struct slo *slo, const char *name, const char *window)
{
	char *query = query_text(slo, window, promql_bad_ratio);

	if (!query)
		return -ENOMEM;
	fprintf(to, "      - record: slo:%s:rate%s\n        expr: ", name, window);
	put_quoted(to, query);
	fprintf(to, "\n        labels:\n          slo: %s\n", slo->name);
	free(query);
	return 0;
}

static int put_windows(FILE *to, const struct slo *slo)
{
	fprintf(to, "  - name: slo-%s\n    rules:\n", slo->name);
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
		if (put_record(to, slo, "error_ratio", windows[i]) != 0)
			return -ENOMEM;
	return 0;
}

/* The query over the whole period is dear, and nobody waits for it. */
static int put_budget(FILE *to, const struct slo *slo)
{
	char period[16];

	snprintf(period, sizeof(period), "%.0fd", slo->period_days);
	fprintf(to, "  - name: slo-%s-budget\n    interval: 5m\n    rules:\n", slo->name);
	if (put_record(to, slo, "error_ratio", period) != 0)
		return -ENOMEM;
	fprintf(to, "      - record: slo:error_budget:remaining\n        expr: ");
	fprintf(to, "'1 - slo:error_ratio:rate%s{slo=\"%s\"} / %.8g'\n", period, slo->name,
		slo_budget(slo));
	fprintf(to, "        labels:\n          slo: %s\n", slo->name);
	return 0;
}

/* ---- alerts --------------------------------------------------------------------------------- */

static void put_burn(FILE *to, const struct slo *slo, const struct burn *burn)
{
	double least = threshold(slo, burn);

	fprintf(to,
		"(slo:error_ratio:rate%s{slo=\"%s\"} > %.8g and on (job) "
		"slo:error_ratio:rate%s{slo=\"%s\"} > %.8g)",
		burn->long_window, slo->name, least, burn->short_window, slo->name, least);
}

static char *alert_text(const struct slo *slo, const char *severity)
{
	char *text = NULL, *rate;
	size_t size = 0;
	int count = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	fputs(slo->minimum_rate > 0 ? "(" : "", to);
	for (size_t i = 0; i < BURNS; i++) {
		if (strcmp(burns[i].severity, severity) != 0 || !can_fire(slo, &burns[i]))
			continue;
		fputs(count++ ? " or on (job) " : "", to);
		put_burn(to, slo, &burns[i]);
	}
	rate = slo->minimum_rate > 0 ? query_text(slo, "1h", promql_rate) : NULL;
	if (rate)
		fprintf(to, ") and on (job) %s > %.8g", rate, slo->minimum_rate);
	free(rate);
	fclose(to);
	if (count)
		return text;
	free(text);
	return NULL;
}

static void put_annotations(FILE *to, const struct slo *slo)
{
	char summary[512];

	snprintf(summary, sizeof(summary),
		 "{{ $labels.job }}: {{ $value | humanizePercentage }} of the requests miss %s, "
		 "whose objective is %.6g %% over %.0f days",
		 slo->name, slo->objective * 100, slo->period_days);
	fputs("        annotations:\n          summary: ", to);
	put_quoted(to, slo->summary ? slo->summary : summary);
	if (slo->runbook) {
		fputs("\n          runbook_url: ", to);
		put_quoted(to, slo->runbook);
	}
	fputc('\n', to);
}

/* No `for`: the windows are smooth enough, and a minute is dear. */
static void put_alert(FILE *to, const struct slo *slo, const char *severity)
{
	char *query = alert_text(slo, severity);

	if (!query) {
		fprintf(stderr,
			"tagalong rules: %s: the objective is so low that no %s could be sent\n",
			slo->name, severity);
		return;
	}
	fputs("      - alert: ErrorBudgetBurn\n        expr: ", to);
	put_quoted(to, query);
	fprintf(to, "\n        labels:\n          severity: %s\n          slo: %s\n", severity,
		slo->name);
	put_annotations(to, slo);
	free(query);
}

/* ---- the command ---------------------------------------------------------------------------- */

static int put_rules(FILE *to, const struct slo_file *file)
{
	fputs("# Written by `tagalong rules`.\ngroups:\n", to);
	for (size_t i = 0; i < file->count; i++) {
		const struct slo *slo = &file->slos[i];

		/* Alerts come after what they ask for: a group is evaluated in its order. */
		if (put_windows(to, slo) != 0)
			return -ENOMEM;
		put_alert(to, slo, "page");
		put_alert(to, slo, "ticket");
		if (put_budget(to, slo) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int write_rules(const struct slo_file *file, const char *output)
{
	FILE *to = output ? fopen(output, "we") : stdout;
	int failed;

	if (!to) {
		fprintf(stderr, "tagalong rules: %s: %s\n", output, strerror(errno));
		return 1;
	}
	failed = put_rules(to, file) != 0;
	failed |= fflush(to) != 0 || ferror(to);
	if (output)
		failed |= fclose(to) != 0;
	if (failed)
		fprintf(stderr, "tagalong rules: the rules could not be written\n");
	return failed;
}

int command_rules(int argc, char **argv)
{
	static const struct option options[] = {
		{"slo", required_argument, NULL, 's'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *path = NULL, *output = NULL;
	struct slo_file file;
	int option, result;

	optind = 1;
	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) >= 0) {
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (option == '?')
			return 2;
		*(option == 's' ? &path : &output) = optarg;
	}
	if (!path || optind != argc) {
		fputs("tagalong rules: --slo FILE is needed; see `tagalong rules --help`\n",
		      stderr);
		return 2;
	}
	if (slo_read(path, &file) != 0)
		return 1;
	result = write_rules(&file, output);
	slo_free(&file);
	return result;
}
