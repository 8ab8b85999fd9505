/* outlets.h - one open way out for each destination and signal: a collector, a file, the console.
 */
#ifndef TAGALONG_OUTLETS_H
#define TAGALONG_OUTLETS_H

#include <uv.h>

#include "exporter/destinations.h"
#include "exporter/drops.h"
#include "exporter/file.h"
#include "exporter/outbox.h"
#include "exporter/settings.h"
#include "exporter/ship.h"

#define OUTLETS_MAX 24

struct outlet {
	enum destination_kind kind;
	enum signal signal;
	char *name;
	struct otlp_settings *otlp; /* of a collector */
	struct ship *ship;          /* of a collector */
	char *path;                 /* of a file */
	struct file *file;          /* of a file, stdout, and of what the console shows but spans */
	unsigned bit;               /* of a batch's waiting_for */
	int retired;                /* nothing new goes there; it ends when it is done */
	void *owner;
};

struct outlets {
	uv_loop_t *loop;
	const struct settings *settings;
	struct drops *drops;
	outbox_answered answered; /* its context is a struct outlet */
	void *owner;
	struct outlet *at[OUTLETS_MAX]; /* with holes */
	int spool_failed;
};

/*
 * Opens what the destinations say. What is open already and has the same name and signal goes on,
 * with what waits there, in the new way; what is not named any more is retired. `first_bit` is of
 * the first outlet, the next ones have the next bits. 0, or -ENOMEM: some are not open.
 */
int outlets_configure(struct outlets *outlets, const struct destinations *destinations,
		      unsigned first_bit);

/* Closes those that are retired and done. */
void outlets_reap(struct outlets *outlets);

/* Closes all, as ship_close says. */
void outlets_close(struct outlets *outlets);

#endif
