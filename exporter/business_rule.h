/* business_rule.h - one metric that a user defines: when a request counts, and its labels. */
#ifndef TAGALONG_BUSINESS_RULE_H
#define TAGALONG_BUSINESS_RULE_H

/* Private to business*.c. */

#include "exporter/config.h"
#include "exporter/record.h"
#include "exporter/resource.h"

#define BUSINESS_LABELS 8
#define BUSINESS_STATUS 8

enum business_source {
	BUSINESS_ROUTE, /* a parameter of the route, by its name */
	BUSINESS_HEADER,
	BUSINESS_STATUS_CODE,
	BUSINESS_METHOD,
	BUSINESS_HOST,
	BUSINESS_SERVICE,
};

struct business_label {
	char *key;
	char *name; /* of the parameter or the header, in lower case; NULL for other sources */
	enum business_source source;
};

struct business_rule {
	char *name, *description;
	char *method, *route, *host, *service; /* NULL: any */
	char *header, *header_value;           /* NULL: any */
	struct {
		uint16_t least, most;
	} status[BUSINESS_STATUS]; /* any of them */
	unsigned status_count;     /* 0: any */
	struct business_label labels[BUSINESS_LABELS];
	unsigned label_count;
};

/* Reads a member of the list `rules`, and complains. 0, or -ENOMEM. */
int business_rule_read(struct business_rule *rule, const struct config_node *node);
void business_rule_fini(struct business_rule *rule);

/* Whether a served request meets all conditions. */
int business_rule_matches(const struct business_rule *rule, const struct resource *service,
			  const struct record *record);

/* The value of a label, absent if the request has none. Lent, not terminated. */
struct text business_rule_value(const struct business_label *label, const struct resource *service,
				const struct record *record);

#endif
