/* reload.c - when to read the settings file again: SIGHUP, and a change of the file. */
#include "exporter/reload.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/control.h"
#include "exporter/settings_file.h"

struct reload {
	uv_timer_t timer;
	uv_signal_t hangup;
	const struct settings *settings;
	struct segment_control *control;
	int closing;
};

static uint64_t unix_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void reload_tell_settings(const struct settings *settings, struct segment_control *block)
{
	const struct config_node *root = settings_file_root(settings->file);
	struct segment_exporter *exporter = &block->exporter;
	struct control control;

	control_read(root, &control);
	control.disabled |= settings->disabled;
	control_write(block, &control);
	snprintf(exporter->settings_file, sizeof(exporter->settings_file), "%s",
		 root ? settings_file_path(settings->file) : "");
	atomic_store(&exporter->reloaded_unix_ns, unix_now_ns());
}

static void take(void *context, const struct config_node *root)
{
	const struct reload *reload = context;

	(void)root;
	reload_tell_settings(reload->settings, reload->control);
}

static void look(struct reload *reload, int in_any_case)
{
	enum settings_file_result result =
		settings_file_reload(reload->settings->file, in_any_case);

	if (result != SETTINGS_FILE_SAME)
		atomic_store(&reload->control->exporter.refused, result == SETTINGS_FILE_REFUSED);
}

static void on_timer(uv_timer_t *timer)
{
	look(timer->data, 0);
}

static void on_hangup(uv_signal_t *handle, int number)
{
	(void)number;
	look(handle->data, 1);
}

struct reload *reload_start(uv_loop_t *loop, const struct settings *settings,
			    struct segment_control *control)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	sigset_t held;

	if (!reload)
		return NULL;
	reload->settings = settings;
	reload->control = control;
	atomic_store(&control->exporter.started_unix_ns, unix_now_ns());
	atomic_store(&control->exporter.refused, 0);
	uv_timer_init(loop, &reload->timer);
	uv_signal_init(loop, &reload->hangup);
	reload->timer.data = reload->hangup.data = reload;
	settings_file_register(settings->file, NULL, take, reload);
	if (settings->file)
		uv_timer_start(&reload->timer, on_timer, RELOAD_LOOK_MS, RELOAD_LOOK_MS);
	uv_signal_start(&reload->hangup, on_hangup, SIGHUP);
	/* command_export holds it until here. */
	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &held, NULL);
	return reload;
}

static void on_closed(uv_handle_t *handle)
{
	struct reload *reload = handle->data;

	if (--reload->closing == 0)
		free(reload);
}

void reload_stop(struct reload *reload)
{
	if (!reload)
		return;
	settings_file_forget(reload->settings->file, reload);
	reload->closing = 2;
	uv_close((uv_handle_t *)&reload->timer, on_closed);
	uv_close((uv_handle_t *)&reload->hangup, on_closed);
}
