/* environment.c - the environment of a program that the host executes: ours goes with it. */
#include "preload/environment.h"

#include <string.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/context.h"
#include "preload/exchange.h"
#include "preload/runtime.h"
#include "preload/sys.h"

#define VARIABLES 4

/* What one variable is to be; `value` NULL: leave it as it is. */
struct wish {
	const char *name;
	const char *value;
	size_t size;
	const char *kept; /* LD_PRELOAD: what was there, goes first */
};

static int contains_library(const char *list)
{
	size_t size = strlen(conf.library);
	const char *at = list;

	while ((at = strstr(at, conf.library))) {
		int begins = at == list || at[-1] == ':' || at[-1] == ' ';

		if (begins && (!at[size] || at[size] == ':' || at[size] == ' '))
			return 1;
		at++;
	}
	return 0;
}

static void wish_preload(struct wish *wish, char *const *given)
{
	const char *list = conf_environment_get(given, "LD_PRELOAD");

	wish->name = "LD_PRELOAD";
	if (!conf.library[0] || (list && contains_library(list)))
		return;
	wish->value = conf.library;
	wish->size = strlen(conf.library);
	wish->kept = list && *list ? list : NULL;
}

static void wish_session(struct wish *wish, char *const *given)
{
	const char *session = attach_session();

	wish->name = "TAGALONG_SESSION";
	if (!*session)
		session = conf.session;
	if (!*session || conf_environment_get(given, "TAGALONG_SESSION"))
		return;
	wish->value = session;
	wish->size = strlen(session);
}

/* A parent that the program has set for its child itself, and not merely inherited. */
static int is_programs_own(char *const *given)
{
	const char *text = conf_environment_get(given, "TRACEPARENT");
	struct trace_parent parent;

	if (!text || traceparent_parse(text, strlen(text), &parent))
		return 0;
	return !conf.has_parent ||
	       memcmp(parent.trace_id, conf.parent.trace_id, sizeof(parent.trace_id)) != 0 ||
	       memcmp(parent.span_id, conf.parent.span_id, sizeof(parent.span_id)) != 0;
}

/* Of the request that the thread works for, NULL: none. A runtime's may be over. */
static const struct trace_parent *parent_of_child(const struct thread *self,
						  const struct exchange *exchange)
{
	if (exchange)
		return &exchange->own;
	return runtime_lasts(self->runtime) ? &self->runtime->own : NULL;
}

/* Inside a request the child's calls belong to it. */
static void wish_context(struct wish wishes[2], struct thread *self, char *const *given,
			 char text[TRACEPARENT_SIZE])
{
	struct exchange *exchange = exchange_of(context_get(self));
	const struct trace_parent *parent = parent_of_child(self, exchange);

	wishes[0].name = "TRACEPARENT";
	wishes[1].name = "TRACESTATE";
	if (!parent || !(conf.propagators & PROPAGATE_TRACECONTEXT) || is_programs_own(given))
		return;
	traceparent_format(parent, text);
	wishes[0].value = text;
	wishes[0].size = TRACEPARENT_SIZE;
	/* An inherited one belongs to another trace: it is emptied. */
	if (!(exchange && exchange->tracestate_size) && !conf_environment_get(given, "TRACESTATE"))
		return;
	wishes[1].value = exchange ? exchange->tracestate : "";
	wishes[1].size = exchange ? exchange->tracestate_size : 0;
}

static int is_wished(const struct wish *wishes, const char *variable)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		size_t size = strlen(wishes[i].name);

		if (wishes[i].value && strncmp(variable, wishes[i].name, size) == 0 &&
		    variable[size] == '=')
			return 1;
	}
	return 0;
}

static char *put(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
	return to + size;
}

/* Array and new strings in one mapping. */
static char *const *build(struct thread *self, char *const *given, const struct wish *wishes)
{
	size_t count = 0;
	size_t text = 0;
	size_t used = 0;
	char **array;
	char *to;

	while (given && given[count])
		count++;
	for (size_t i = 0; i < VARIABLES; i++)
		text += strlen(wishes[i].name) + wishes[i].size + 3 +
			(wishes[i].kept ? strlen(wishes[i].kept) : 0);
	environment_release(self);
	self->environment_size = (count + VARIABLES + 1) * sizeof(char *) + text;
	self->environment = array = sys_map(self->environment_size);
	if (!array)
		return given;
	to = (char *)(array + count + VARIABLES + 1);
	for (size_t i = 0; i < count; i++)
		if (!is_wished(wishes, given[i]))
			array[used++] = given[i];
	for (size_t i = 0; i < VARIABLES; i++) {
		if (!wishes[i].value)
			continue;
		array[used++] = to;
		to = put(to, wishes[i].name, strlen(wishes[i].name));
		*to++ = '=';
		if (wishes[i].kept) {
			to = put(to, wishes[i].kept, strlen(wishes[i].kept));
			*to++ = ':';
		}
		to = put(to, wishes[i].value, wishes[i].size);
		*to++ = 0;
	}
	return array;
}

char *const *environment_for_child(struct thread *self, char *const *given)
{
	struct wish wishes[VARIABLES] = {{0}};
	const char *disabled = conf_environment_get(given, "TAGALONG_DISABLE");
	char parent[TRACEPARENT_SIZE];
	int any = 0;

	if (disabled && *disabled && strcmp(disabled, "0") != 0 && strcmp(disabled, "false") != 0)
		return given;
	wish_preload(&wishes[0], given);
	wish_session(&wishes[1], given);
	wish_context(&wishes[2], self, given, parent);
	for (size_t i = 0; i < VARIABLES; i++)
		any |= wishes[i].value != NULL;
	return any ? build(self, given, wishes) : given;
}

void environment_release(struct thread *self)
{
	sys_unmap(self->environment, self->environment_size);
	self->environment = NULL;
}
