/* prometheus_accept.h - the format that a scraper likes best, by its Accept header. */
#ifndef TAGALONG_PROMETHEUS_ACCEPT_H
#define TAGALONG_PROMETHEUS_ACCEPT_H

/* RFC 9110, 12.5.1. */

#include "exporter/prometheus_text.h"

/* `accept` may be NULL. What can't be had is text. */
enum prometheus_format prometheus_accept(const char *accept);

#endif
