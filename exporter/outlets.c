/* outlets.c - one open way out for each destination and signal: a collector, a file, the console.
 */
#include "outlets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/log.h"

#define MS_NS 1000000ull

static void close_outlet(struct outlets *outlets, unsigned index)
{
	struct outlet *outlet = outlets->at[index];

	if (!outlet)
		return;
	ship_close(outlet->ship);
	file_free(outlet->file);
	if (outlet->otlp)
		otlp_settings_fini(outlet->otlp);
	free(outlet->otlp);
	free(outlet->name);
	free(outlet->path);
	free(outlet);
	outlets->at[index] = NULL;
}

/* ---- collectors ----------------------------------------------------------------------------- */

static struct spool *open_spool(const struct outlet *outlet,
				const struct destinations *destinations)
{
	struct spool_limits limits = {destinations->spool_max_bytes,
				      destinations->spool_max_age_ms * MS_NS};
	char path[4096];
	struct spool *spool;
	int error = 0;

	/* Newer metrics tell what older ones told. */
	if (!destinations->spool_directory || destinations->spool_off ||
	    outlet->signal == SIGNAL_METRICS)
		return NULL;
	snprintf(path, sizeof(path), "%s/%s-%s", destinations->spool_directory, outlet->name,
		 otlp_signal_name(outlet->signal));
	spool = spool_open(path, &limits, &error);
	if (!spool)
		log_line(LOG_WARN, "spool", "%s can't be used: %s", path, strerror(-error));
	return spool;
}

static struct ship_options options_of(const struct outlets *outlets, const struct outlet *outlet)
{
	const struct settings *settings = outlets->settings;
	struct ship_options options = {.otlp = outlet->otlp, .name = outlet->name, .items = 1};

	if (outlet->signal == SIGNAL_METRICS)
		options.patience_ms = settings->metric_timeout_ms;
	if (outlet->signal != SIGNAL_TRACES)
		return options;
	options.items = settings->batch_spans;
	options.delay_ms = settings->schedule_delay_ms;
	options.patience_ms = settings->export_timeout_ms;
	options.drops = outlets->drops;
	return options;
}

static struct otlp_settings *copy_of(const struct otlp_settings *otlp)
{
	struct otlp_settings *copy = malloc(sizeof(*copy));

	if (!copy || otlp_settings_copy(copy, otlp) == 0)
		return copy;
	free(copy);
	return NULL;
}

static int open_ship(struct outlets *outlets, struct outlet *outlet,
		     const struct destinations *destinations, const struct otlp_settings *otlp)
{
	struct ship_options options;

	outlet->otlp = copy_of(otlp);
	if (!outlet->otlp)
		return -ENOMEM;
	options = options_of(outlets, outlet);
	options.spool = open_spool(outlet, destinations);
	outlet->ship = ship_new(outlets->loop, &options, outlets->answered, outlet);
	return outlet->ship ? 0 : -ENOMEM;
}

static int change_ship(struct outlets *outlets, struct outlet *outlet,
		       const struct otlp_settings *otlp)
{
	struct otlp_settings *before = outlet->otlp;
	struct ship_options options;
	int result;

	if (otlp_settings_equal(before, otlp))
		return 0;
	outlet->otlp = copy_of(otlp);
	if (!outlet->otlp) {
		outlet->otlp = before;
		return -ENOMEM;
	}
	options = options_of(outlets, outlet);
	result = ship_reconfigure(outlet->ship, &options);
	if (result != 0) {
		struct otlp_settings *fresh = outlet->otlp;

		outlet->otlp = before;
		before = fresh;
	}
	otlp_settings_fini(before);
	free(before);
	return result;
}

/* ---- files and the console ------------------------------------------------------------------ */

static int open_file(struct outlet *outlet, const struct destination *from)
{
	if (from->kind == DESTINATION_FILE) {
		outlet->path = file_path_of(from->path, outlet->signal);
		if (outlet->path)
			outlet->file = file_new(outlet->path, from->max_bytes, from->max_files);
	} else if (from->kind == DESTINATION_STDOUT || outlet->signal != SIGNAL_TRACES) {
		outlet->file = file_of_descriptor(STDOUT_FILENO);
	} else {
		return 0;
	}
	return outlet->file ? 0 : -ENOMEM;
}

/* A file is opened anew: it is only a name until the next line. */
static int change_file(struct outlet *outlet, const struct destination *from)
{
	struct outlet fresh = {.signal = outlet->signal};

	if (open_file(&fresh, from) != 0) {
		free(fresh.path);
		return -ENOMEM;
	}
	file_free(outlet->file);
	free(outlet->path);
	outlet->file = fresh.file;
	outlet->path = fresh.path;
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static struct outlet *find(const struct outlets *outlets, const struct destination *like,
			   enum signal signal)
{
	for (unsigned i = 0; i < OUTLETS_MAX; i++) {
		struct outlet *outlet = outlets->at[i];

		if (outlet && outlet->kind == like->kind && outlet->signal == signal &&
		    strcmp(outlet->name, like->name) == 0)
			return outlet;
	}
	return NULL;
}

static int open_outlet(struct outlets *outlets, const struct destinations *destinations,
		       const struct destination *from, enum signal signal, unsigned first_bit)
{
	struct outlet *outlet;
	unsigned index = 0;
	int result;

	while (index < OUTLETS_MAX && outlets->at[index])
		index++;
	if (index == OUTLETS_MAX)
		return -ENOMEM;
	outlet = calloc(1, sizeof(*outlet));
	if (!outlet)
		return -ENOMEM;
	outlets->at[index] = outlet;
	outlet->kind = from->kind;
	outlet->signal = signal;
	outlet->bit = first_bit << index;
	outlet->owner = outlets->owner;
	outlet->name = strdup(from->name);
	result = outlet->name ? 0 : -ENOMEM;
	if (result == 0)
		result = from->kind == DESTINATION_OTLP
				 ? open_ship(outlets, outlet, destinations, &from->otlp[signal])
				 : open_file(outlet, from);
	if (result != 0) {
		close_outlet(outlets, index);
		log_line(LOG_ERROR, "deliver", "%s: can't be opened, nothing is sent there",
			 from->name);
	}
	return result;
}

static int configure_one(struct outlets *outlets, const struct destinations *destinations,
			 const struct destination *from, enum signal signal, unsigned first_bit)
{
	struct outlet *outlet = find(outlets, from, signal);

	if (!outlet)
		return open_outlet(outlets, destinations, from, signal, first_bit);
	outlet->retired = 0;
	return outlet->ship ? change_ship(outlets, outlet, &from->otlp[signal])
			    : change_file(outlet, from);
}

int outlets_configure(struct outlets *outlets, const struct destinations *destinations,
		      unsigned first_bit)
{
	int result = 0;

	for (unsigned i = 0; i < OUTLETS_MAX; i++)
		if (outlets->at[i])
			outlets->at[i]->retired = 1;
	for (unsigned i = 0; i < destinations->count; i++) {
		const struct destination *from = &destinations->at[i];

		for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
			if (from->signals & 1u << signal &&
			    configure_one(outlets, destinations, from, signal, first_bit) != 0)
				result = -ENOMEM;
	}
	for (unsigned i = 0; i < OUTLETS_MAX; i++)
		if (outlets->at[i] && outlets->at[i]->retired && outlets->at[i]->ship)
			ship_flush(outlets->at[i]->ship);
	return result;
}

void outlets_reap(struct outlets *outlets)
{
	for (unsigned i = 0; i < OUTLETS_MAX; i++) {
		struct outlet *outlet = outlets->at[i];

		if (outlet && outlet->retired && (!outlet->ship || ship_waiting(outlet->ship) == 0))
			close_outlet(outlets, i);
	}
}

void outlets_close(struct outlets *outlets)
{
	for (unsigned i = 0; i < OUTLETS_MAX; i++)
		close_outlet(outlets, i);
}
