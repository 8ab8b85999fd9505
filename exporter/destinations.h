/* destinations.h - where everything goes: collectors, files, the console; and the spool's bounds.
 */
#ifndef TAGALONG_DESTINATIONS_H
#define TAGALONG_DESTINATIONS_H

#include <stdint.h>

#include "exporter/config.h"
#include "exporter/settings_otlp.h"

#define DESTINATIONS_MAX 8

enum destination_kind {
	DESTINATION_OTLP,
	DESTINATION_FILE,    /* OTLP JSON lines */
	DESTINATION_STDOUT,  /* the same on stdout */
	DESTINATION_CONSOLE, /* for people, on stdout */
};

struct destination {
	enum destination_kind kind;
	char *name;       /* of logs, metrics and its spool; no other has the same */
	unsigned signals; /* bits 1 << enum signal */
	struct otlp_settings otlp[SIGNAL_COUNT]; /* those of `signals`, of a DESTINATION_OTLP */
	/* of a DESTINATION_FILE */
	char *path;
	uint64_t max_bytes; /* of one file */
	uint32_t max_files; /* the one that is written included */
};

struct destinations {
	struct destination at[DESTINATIONS_MAX];
	unsigned count;
	unsigned signals_off;  /* those that were told to go nowhere, as bits */
	char *spool_directory; /* NULL: no spool, or the usual one */
	int spool_off;
	uint64_t spool_max_bytes, spool_max_age_ms;
};

/* What the environment says. 0, or -ENOMEM. */
int destinations_of_environment(struct destinations *destinations);

/*
 * What the environment says, and besides that what the sections "destinations" and "spool" of the
 * settings file say; replaces what was there. Of the spool the environment goes first. Complains of
 * what it can't use. 0, or -ENOMEM.
 */
int destinations_of_config(struct destinations *destinations, const struct config_node *root);

/* If nothing is said of the spool: where it usually is. 0, or -ENOMEM. */
int destinations_default_spool(struct destinations *destinations);

/* Harmless on a zeroed struct. */
void destinations_fini(struct destinations *destinations);

/* 1 if some destination takes this signal. */
int destinations_take(const struct destinations *destinations, enum signal signal);

/* Forgets all destinations, keeps what is said of the spool. */
void destinations_clear(struct destinations *destinations);

/* The next free one, NULL: there are too many. */
struct destination *destinations_add(struct destinations *destinations, enum destination_kind kind,
				     const char *name);

#endif
