/* promql.c - the queries of a service level objective. */
#include "exporter/promql.h"

#include <math.h>

/* In double quotes. */
static void put_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", to);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

static void put_matcher(FILE *to, const char *label, const char *value, const char **separator)
{
	if (!value)
		return;
	fprintf(to, "%s%s=", *separator, label);
	put_string(to, value);
	*separator = ",";
}

/* sum by (job) (rate(metric{...}[window])); `more` is a further matcher or NULL. */
static void put_rate(FILE *to, const struct slo *slo, const char *suffix, const char *more,
		     const char *window)
{
	const char *separator = "";

	fprintf(to, "sum by (job) (rate(%s%s{", slo_metric(slo), suffix);
	put_matcher(to, "job", slo->service, &separator);
	put_matcher(to, slo->indicator == SLO_CLIENT ? "url_template" : "http_route", slo->route,
		    &separator);
	if (more)
		fprintf(to, "%s%s", separator, more);
	fprintf(to, "}[%s]))", window);
}

/* Bounds are written differently by different versions: 1 and 1.0. */
static void format_bound(double seconds, char out[64])
{
	if (seconds == floor(seconds))
		snprintf(out, 64, "le=~\"%.0f([.]0)?\"", seconds);
	else
		snprintf(out, 64, "le=\"%g\"", seconds);
}

static void put_latency(FILE *to, const struct slo *slo, const char *window)
{
	/* What failed is the availability's business, however long it took. */
	const char *good = slo->indicator == SLO_SERVER ? "http_response_status_code!~\"5..\""
							: "error_type=\"\"";
	char bound[64], both[160];

	format_bound(slo->latency_s, bound);
	snprintf(both, sizeof(both), "%s,%s", good, bound);
	fputs("1 - ", to);
	put_rate(to, slo, "_bucket", both, window);
	fputs(" / ", to);
	put_rate(to, slo, "_count", good, window);
}

void promql_bad_ratio(FILE *to, const struct slo *slo, const char *window)
{
	const char *bad = slo->failures ? "error_type!=\"\"" : "http_response_status_code=~\"5..\"";

	if (slo->latency_s > 0) {
		put_latency(to, slo, window);
		return;
	}
	/* Without a single bad request there is no series of them: that is 0, not nothing. */
	fputc('(', to);
	put_rate(to, slo, "_count", bad, window);
	fputs(" or 0 * ", to);
	put_rate(to, slo, "_count", NULL, window);
	fputs(") / ", to);
	put_rate(to, slo, "_count", NULL, window);
}

void promql_rate(FILE *to, const struct slo *slo, const char *window)
{
	put_rate(to, slo, "_count", NULL, window);
}
