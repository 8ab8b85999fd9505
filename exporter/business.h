/* business.h - metrics that users define over their traffic: counters with a condition and labels.
 */
#ifndef TAGALONG_BUSINESS_H
#define TAGALONG_BUSINESS_H

/*
 * The section `metrics` of the settings file:
 *
 *   limits: {default: 2000, http.server.request.duration: 5000}   # series of a metric and service
 *   rules:
 *     - name: catalog_product_views
 *       when: {method: GET, route: "/products/{product_id}", status: 2xx}
 *       labels: {product_id: route.product_id}
 *
 * Each served request that meets all conditions of a rule counts one. One thread.
 */

#include "exporter/config.h"
#include "exporter/measure.h"
#include "exporter/metrics.h"

struct business;

/* Both are borrowed; every span that is measured is looked at. NULL: no memory. */
struct business *business_new(struct metrics *metrics, struct measure *measure);
void business_free(struct business *business); /* after the metrics; accepts NULL */

/*
 * Takes the section, NULL: none; replaces what it took before, series go on. With `business` NULL
 * it only complains of what is wrong with the section.
 */
void business_configure(struct business *business, const struct config_node *section);

#endif
