/* prometheus_accept.c - the format that a scraper likes best, by its Accept header. */
#include "prometheus_accept.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* One part of a list, between its separators, without the space around it. */
struct part {
	const char *at;
	size_t size;
};

/* Takes the next part off the list. Returns 0 at its end. */
static int next_part(const char **list, char separator, const char *end, struct part *part)
{
	const char *at = *list, *stop;

	if (at >= end)
		return 0;
	stop = memchr(at, separator, (size_t)(end - at));
	if (!stop)
		stop = end;
	*list = stop + 1;
	while (at < stop && isspace((unsigned char)*at))
		at++;
	while (stop > at && isspace((unsigned char)stop[-1]))
		stop--;
	*part = (struct part){at, (size_t)(stop - at)};
	return 1;
}

static int is(struct part part, const char *word)
{
	return part.size == strlen(word) && strncasecmp(part.at, word, part.size) == 0;
}

static int begins(struct part part, const char *word)
{
	return part.size >= strlen(word) && strncasecmp(part.at, word, strlen(word)) == 0;
}

/* Thousandths: "0.5" is 500, "1" is 1000. */
static int quality_of(struct part part)
{
	int quality = 0, weight = 1000;

	for (size_t i = 2; i < part.size && weight; i++) {
		if (part.at[i] == '.')
			continue;
		if (!isdigit((unsigned char)part.at[i]))
			return 0;
		quality += (part.at[i] - '0') * weight;
		weight /= 10;
	}
	return quality > 1000 ? 1000 : quality;
}

/* What one member of the header says. */
struct offer {
	int of_openmetrics, of_text, quality;
};

static struct offer parse_offer(struct part member)
{
	struct offer offer = {.quality = 1000};
	const char *at = member.at, *end = member.at + member.size;
	struct part part;

	if (!next_part(&at, ';', end, &part))
		return offer;
	offer.of_openmetrics = is(part, "application/openmetrics-text");
	offer.of_text = is(part, "text/plain") || is(part, "text/*") || is(part, "*/*");
	while (next_part(&at, ';', end, &part)) {
		if (begins(part, "q="))
			offer.quality = quality_of(part);
		else if (is(part, "version=1.0.0") && offer.of_text)
			offer.of_text = 0;
		else if (begins(part, "version=") && offer.of_openmetrics)
			offer.of_openmetrics = is(part, "version=1.0.0");
	}
	return offer;
}

enum prometheus_format prometheus_accept(const char *accept)
{
	int text = 0, openmetrics = 0;
	const char *end = accept ? accept + strlen(accept) : NULL;
	struct part member;

	while (accept && next_part(&accept, ',', end, &member)) {
		struct offer offer = parse_offer(member);

		if (offer.of_text && offer.quality > text)
			text = offer.quality;
		if (offer.of_openmetrics && offer.quality > openmetrics)
			openmetrics = offer.quality;
	}
	return openmetrics && openmetrics >= text ? PROMETHEUS_OPENMETRICS : PROMETHEUS_TEXT;
}
