/* python_calls.c - what the script calls in CPython, and the method that switches requests. */
#include <stdatomic.h>
#include <string.h>

#include "preload/conn.h"
#include "preload/context.h"
#include "preload/cpython.h"
#include "preload/exchange.h"
#include "preload/python.h"
#include "preload/runtime.h"
#include "preload/runtime_take.h"
#include "preload/thread.h"

/* A word, as the script knows it: the bytes of a struct runtime_context, or None. */
#define WORD_SIZE ((ssize_t)sizeof(struct runtime_context))

#define PY_SSIZE_MAX ((ssize_t)(SIZE_MAX >> 1))

/* Where this thread's word stands while Python answers for it. */
static __thread struct runtime_context word;

static struct py_object *variable; /* the contextvars.ContextVar that holds a word */
static py_function_named original_run;

static struct py_object *none(void)
{
	cpython.Py_IncRef(cpython.none);
	return cpython.none;
}

static struct py_object *bytes_of(const struct runtime_context *from)
{
	return cpython.PyBytes_FromStringAndSize((const char *)from, WORD_SIZE);
}

/* 1, or 0: it is None, or no word. */
static int word_of(struct py_object *object, struct runtime_context *out)
{
	ssize_t size = 0;
	char *at = NULL;

	if (object == cpython.none)
		return 0;
	if (cpython.PyBytes_AsStringAndSize(object, &at, &size)) {
		cpython.PyErr_Clear();
		return 0;
	}
	if (size != WORD_SIZE)
		return 0;
	memcpy(out, at, sizeof(*out));
	return 1;
}

/* ---- contexts -------------------------------------------------------------------------------- */

/* The word in a contextvars.Context that need not be the current one. 1, or 0: there is none. */
static int word_in(struct py_object *context, struct runtime_context *out)
{
	struct py_object *value;
	int found = cpython.PySequence_Contains(context, variable);

	value = found == 1 ? cpython.PyObject_GetItem(context, variable) : NULL;
	if (value) {
		found = word_of(value, out);
		cpython.Py_DecRef(value);
		return found;
	}
	if (found)
		cpython.PyErr_Clear();
	return 0;
}

/* Forgets what the rules took the thread to work for. */
static void forget_rules(void)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	context_set(self, 0, 0, 0);
	thread_leave(self);
}

/*
 * contextvars.Context.run: every step of a task, every callback of a loop, of the standard one as
 * of uvloop, and what is handed to another thread with its context goes through it.
 */
static struct py_object *run(struct py_object *self, struct py_object *const *arguments,
			     ssize_t count, struct py_object *names)
{
	const struct runtime_context *managed = runtime_current();
	struct runtime_context before;
	struct runtime_context wanted;
	struct py_object *result;
	int has_word = word_in(self, &wanted);

	if (!managed && !has_word)
		return original_run(self, arguments, count, names);
	if (managed)
		before = *managed;
	else
		runtime_manage(&word);
	if (has_word)
		runtime_switch(&wanted);
	result = original_run(self, arguments, count, names);
	/* Also without a word: what ran may have taken a request up. */
	if (managed) {
		runtime_switch(&before);
	} else {
		runtime_manage(NULL);
		forget_rules();
	}
	return result;
}

/*
 * within(function, *arguments): calls it as run() does, in the context that is current already:
 * uvloop enters those of its handles by the C API.
 */
static struct py_object *within(struct py_object *self, struct py_object *arguments)
{
	const struct runtime_context *managed = runtime_current();
	struct py_object *rest = cpython.PyTuple_GetSlice(arguments, 1, PY_SSIZE_MAX);
	struct py_object *value = NULL;
	struct py_object *result;
	struct runtime_context before;
	struct runtime_context wanted;

	(void)self;
	if (!rest)
		return NULL;
	if (managed)
		before = *managed;
	if (variable && cpython.PyContextVar_Get(variable, NULL, &value) == 0 && value) {
		if (word_of(value, &wanted))
			runtime_switch(&wanted);
		cpython.Py_DecRef(value);
	}
	result = cpython.PyObject_CallObject(cpython.PyTuple_GetItem(arguments, 0), rest);
	cpython.Py_DecRef(rest);
	if (managed)
		runtime_switch(&before);
	return result;
}

static struct py_method run_method = {
	.name = "run",
	.flags = PY_FASTCALL | PY_KEYWORDS,
};

/* bind(Context, run of a context, ContextVar): the method that replaces it, or None. */
static struct py_object *bind(struct py_object *self, struct py_object *const *arguments,
			      ssize_t count)
{
	void *found;

	(void)self;
	if (count != 3 || cpython.PyCFunction_GetFlags(arguments[1]) != run_method.flags)
		return none();
	found = cpython.PyCFunction_GetFunction(arguments[1]);
	memcpy(&original_run, &found, sizeof(found));
	run_method.function = (void (*)(void))run;
	cpython.Py_IncRef(arguments[2]);
	variable = arguments[2];
	return cpython.PyDescr_NewMethod(arguments[0], &run_method);
}

/* modified(type): its dictionary was changed. */
static struct py_object *modified(struct py_object *self, struct py_object *const *arguments,
				  ssize_t count)
{
	(void)self;
	if (count == 1)
		cpython.PyType_Modified(arguments[0]);
	return none();
}

/* ---- the thread's word ----------------------------------------------------------------------- */

/* What the rules say of a thread that no runtime answers for, if that is no guess. 1 or 0. */
static int word_by_rules(struct runtime_context *out)
{
	struct thread *self = thread_enter();
	const struct exchange *exchange = NULL;

	if (!self)
		return 0;
	if (context_link(self) < SPAN_LINK_GUESSES)
		exchange = exchange_of(context_get(self));
	if (exchange) {
		memset(out, 0, sizeof(*out));
		out->reference = exchange_reference(exchange);
		out->own = exchange->own;
	}
	thread_leave(self);
	return exchange != NULL;
}

/* current(): the word of this thread. */
static struct py_object *current(struct py_object *self, struct py_object *const *arguments,
				 ssize_t count)
{
	const struct runtime_context *managed = runtime_current();
	struct runtime_context found;

	(void)self;
	(void)arguments;
	(void)count;
	if (managed)
		return managed->reference ? bytes_of(managed) : none();
	return word_by_rules(&found) ? bytes_of(&found) : none();
}

/* switch(word): what the thread does from now on, if Python answers for it. */
static struct py_object *switch_to(struct py_object *self, struct py_object *const *arguments,
				   ssize_t count)
{
	struct runtime_context wanted;

	(void)self;
	if (count == 1)
		runtime_switch(word_of(arguments[0], &wanted) ? &wanted : NULL);
	return none();
}

/* begin(word): Python answers for this thread. What it did before: None, or a word. */
static struct py_object *begin(struct py_object *self, struct py_object *const *arguments,
			       ssize_t count)
{
	const struct runtime_context *managed = runtime_current();
	struct py_object *before = managed ? bytes_of(managed) : none();
	struct runtime_context wanted;

	(void)self;
	if (!managed)
		runtime_manage(&word);
	runtime_switch(count == 1 && word_of(arguments[0], &wanted) ? &wanted : NULL);
	return before;
}

/* end(before, is_idle): as it was before begin(); idle: the rules know of nothing either. */
static struct py_object *end(struct py_object *self, struct py_object *const *arguments,
			     ssize_t count)
{
	struct runtime_context before;

	(void)self;
	if (count == 2 && word_of(arguments[0], &before)) {
		runtime_switch(&before);
		return none();
	}
	runtime_manage(NULL);
	if (count == 2 && cpython.PyLong_AsLong(arguments[1]))
		forget_rules();
	return none();
}

/* rest(): the thread works for nobody, whoever has had it made. */
static struct py_object *rest(struct py_object *self, struct py_object *const *arguments,
			      ssize_t count)
{
	(void)self;
	(void)arguments;
	(void)count;
	if (runtime_current())
		runtime_switch(NULL);
	else
		forget_rules();
	return none();
}

/* manage_reading(): Python answers for this thread for good, and what it reads is its word. */
static struct py_object *manage_reading(struct py_object *self, struct py_object *const *arguments,
					ssize_t count)
{
	(void)self;
	(void)arguments;
	(void)count;
	if (!runtime_current())
		runtime_manage(&word);
	runtime_reading_switches(1);
	return none();
}

/* ---- requests -------------------------------------------------------------------------------- */

/* alive(word): whether the response has not gone out yet. */
static struct py_object *alive(struct py_object *self, struct py_object *const *arguments,
			       ssize_t count)
{
	struct runtime_context asked;

	(void)self;
	return cpython.PyBool_FromLong(count == 1 && word_of(arguments[0], &asked) &&
				       runtime_alive(&asked));
}

/* read_from(): the server connection that was read last, once; 0: none, or another one since. */
static struct py_object *read_from(struct py_object *self, struct py_object *const *arguments,
				   ssize_t count)
{
	uint64_t reference = thread_self.read_from;

	(void)self;
	(void)arguments;
	(void)count;
	thread_self.read_from = 0;
	return cpython.PyLong_FromUnsignedLongLong(reference);
}

/* take(connection): the word of its next request that was not taken yet, or None. */
static struct py_object *take(struct py_object *self, struct py_object *const *arguments,
			      ssize_t count)
{
	uint64_t reference = count == 1 ? cpython.PyLong_AsUnsignedLongLong(arguments[0]) : 0;
	struct thread *thread = thread_enter();
	struct runtime_context taken;
	struct conn *conn;
	int found = 0;

	(void)self;
	conn = thread && (uint32_t)reference ? conn_at((uint32_t)reference) : NULL;
	if (conn && conn_lock(conn)) {
		if (atomic_load(&conn->generation) == (uint32_t)(reference >> 32))
			found = runtime_take_from(conn, &taken);
		conn_unlock(conn);
	}
	if (thread)
		thread_leave(thread);
	return found ? bytes_of(&taken) : none();
}

/* sends(descriptor, is_pending): see runtime_sends. */
static struct py_object *sends(struct py_object *self, struct py_object *const *arguments,
			       ssize_t count)
{
	(void)self;
	if (count == 2)
		runtime_sends((int)cpython.PyLong_AsLong(arguments[0]),
			      (int)cpython.PyLong_AsLong(arguments[1]));
	return none();
}

/* over(): the interpreter ends. */
static struct py_object *over(struct py_object *self, struct py_object *const *arguments,
			      ssize_t count)
{
	(void)self;
	(void)arguments;
	(void)count;
	python_over();
	return none();
}

int python_calls_put(struct py_object *globals)
{
#define CALL(name, function)                                                                       \
	{                                                                                          \
		name, (void (*)(void))(function), PY_FASTCALL, NULL                                \
	}
	static struct py_method calls[] = {
		{"within", (void (*)(void))within, PY_VARARGS, NULL},
		CALL("bind", bind),
		CALL("modified", modified),
		CALL("current", current),
		CALL("switch", switch_to),
		CALL("begin", begin),
		CALL("end", end),
		CALL("rest", rest),
		CALL("manage_reading", manage_reading),
		CALL("alive", alive),
		CALL("read_from", read_from),
		CALL("take", take),
		CALL("sends", sends),
		CALL("over", over),
	};
#undef CALL

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct py_object *function = cpython.PyCFunction_NewEx(&calls[i], NULL, NULL);
		int failed =
			!function || cpython.PyDict_SetItemString(globals, calls[i].name, function);

		if (function)
			cpython.Py_DecRef(function);
		if (failed)
			return -1;
	}
	return 0;
}
