/* python.c - CPython is recognised, and runs our script: the bridge. */
#include "preload/python.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/conf.h"
#include "preload/cpython.h"
#include "preload/old_dl.h"
#include "preload/sys.h"
#include "preload/thread.h"

#define SCRIPT      "bridge.py"
#define SCRIPT_ROOM (64u << 10)
#define LOOKS       64

enum stage {
	STAGE_NONE,
	STAGE_BUSY, /* the script runs, or it has failed, or all is over */
	STAGE_DONE,
};

struct cpython cpython;
static _Atomic int is_ready; /* the above is filled in */
static _Atomic int stage;
static struct py_object *globals; /* of the script, once it has run */

static const struct {
	const char *name;
	size_t at;
} functions[] = {
#define FUNCTION(result, name, parameters) {#name, offsetof(struct cpython, name)},
	CPYTHON_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static void *find(const char *name)
{
	return old_dlsym(RTLD_DEFAULT, name);
}

static void *find_either(const char *newer, const char *older)
{
	void *found = find(newer);

	return found ? found : find(older);
}

/* 1: this is CPython, and all that is needed of it was found. */
static int look_up(void)
{
	struct cpython found;

	if (!find("Py_IsInitialized"))
		return 0;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *one = find(functions[i].name);

		if (!one)
			return 0;
		memcpy((char *)&found + functions[i].at, &one, sizeof(one));
	}
	found.none = find("_Py_NoneStruct");
	*(void **)&found.is_finalizing = find_either("Py_IsFinalizing", "_Py_IsFinalizing");
	*(void **)&found.current_thread =
		find_either("PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet");
	if (!found.none || !found.is_finalizing || !found.current_thread)
		return 0;
	/* By two threads at once the same values. */
	cpython = found;
	atomic_store(&is_ready, 1);
	return 1;
}

/* The call comes from CPython's own code, which has let go of the lock for it. */
static int is_cpython(const void *caller)
{
	Dl_info theirs;
	Dl_info ours;
	const char *name;

	if (!caller || !old_dladdr(caller, &theirs) || !theirs.dli_fname ||
	    !old_dladdr(*(void **)&cpython.Py_IsInitialized, &ours))
		return 0;
	name = strrchr(theirs.dli_fname, '/');
	name = name ? name + 1 : theirs.dli_fname;
	return theirs.dli_fbase == ours.dli_fbase || strncmp(name, "select.", 7) == 0;
}

/*
 * Whether Python code may run in this call. Its lock is waited for only where CPython would do that
 * itself right after the call: elsewhere the caller may hold a lock that Python code waits for.
 * Subinterpreters are left alone, for what we keep belongs to one interpreter.
 */
static int may_run(const void *caller, int *held)
{
	void *thread = cpython.PyGILState_GetThisThreadState();

	if (!thread || cpython.PyInterpreterState_Next(cpython.PyInterpreterState_Head()))
		return 0;
	*held = cpython.current_thread() == thread;
	return *held || is_cpython(caller);
}

/* The text of the script with a zero behind it, SCRIPT_ROOM bytes; NULL: it can't be read. */
static char *read_script(void)
{
	const char *slash = strrchr(conf.library, '/');
	size_t directory = slash ? (size_t)(slash + 1 - conf.library) : 0;
	char path[sizeof(conf.library) + sizeof(SCRIPT)];
	char *text;
	long size;
	long fd;

	memcpy(path, conf.library, directory);
	memcpy(path + directory, SCRIPT, sizeof(SCRIPT));
	fd = directory ? sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0)
		       : -1;
	if (fd < 0)
		return NULL;
	text = sys_map(SCRIPT_ROOM);
	size = text ? sys_call3(SYS_read, fd, (long)text, SCRIPT_ROOM - 1) : -1;
	sys_call3(SYS_close, fd, 0, 0);
	if (size > 0 && size < (long)SCRIPT_ROOM - 1)
		return text;
	if (text)
		sys_unmap(text, SCRIPT_ROOM);
	return NULL;
}

static struct py_object *make_globals(void)
{
	struct py_object *made = cpython.PyDict_New();

	if (made &&
	    (cpython.PyDict_SetItemString(made, "__builtins__", cpython.PyEval_GetBuiltins()) ||
	     python_calls_put(made))) {
		cpython.Py_DecRef(made);
		return NULL;
	}
	return made;
}

/* 0, or -1 with an exception set. */
static int run_script(const char *text)
{
	struct py_object *made = make_globals();
	struct py_object *code =
		made ? cpython.Py_CompileString(text, "<tagalong>/" SCRIPT, PY_FILE_INPUT) : NULL;
	struct py_object *result = code ? cpython.PyEval_EvalCode(code, made, made) : NULL;

	if (code)
		cpython.Py_DecRef(code);
	if (result) {
		cpython.Py_DecRef(result);
		globals = made;
		return 0;
	}
	if (made)
		cpython.Py_DecRef(made);
	return -1;
}

static struct py_object *module_of(const char *name)
{
	return cpython.PyDict_GetItemString(cpython.PyImport_GetModuleDict(), name);
}

/* asyncio is imported, all of it: that itself tries what an event loop will do. */
static int has_asyncio(void)
{
	struct py_object *module = module_of("asyncio");
	struct py_object *last =
		module ? cpython.PyObject_GetAttrString(module, "SelectorEventLoop") : NULL;

	if (last)
		cpython.Py_DecRef(last);
	else
		cpython.PyErr_Clear();
	return last != NULL;
}

/* With the lock held, and no exception set. */
static void begin(void)
{
	char *text;

	if (!module_of("concurrent.futures.thread") && !module_of("greenlet") && !has_asyncio())
		return;
	if (atomic_exchange(&stage, STAGE_BUSY) != STAGE_NONE)
		return;
	text = read_script();
	if (text && run_script(text) == 0) {
		conf_log("CPython is followed");
		atomic_store(&stage, STAGE_DONE);
	} else {
		conf_log(text ? "the script for CPython failed, it is not followed"
			      : "bridge.py is not there, CPython is not followed");
		cpython.PyErr_Clear();
	}
	if (text)
		sys_unmap(text, SCRIPT_ROOM);
}

/* The script has run: what was imported since may need something done to it. */
static void again(void)
{
	struct py_object *function = cpython.PyDict_GetItemString(globals, "adapt");
	struct py_object *result = function ? cpython.PyObject_CallObject(function, NULL) : NULL;

	if (result)
		cpython.Py_DecRef(result);
	else
		cpython.PyErr_Clear();
}

void python_over(void)
{
	atomic_store(&stage, STAGE_BUSY);
}

/* With the lock held. */
static void look_around(void)
{
	if (cpython.PyErr_Occurred())
		return;
	if (atomic_load(&stage) == STAGE_DONE)
		again();
	else
		begin();
}

void python_thread_made(void)
{
	static _Atomic uint32_t looked;
	int held;

	if (!conf.python_bridge || atomic_load(&stage) == STAGE_BUSY || thread_self.busy ||
	    thread_self.in_vfork)
		return;
	/* What makes so many threads before CPython comes to it won't become one. */
	if (!atomic_load(&is_ready) && (atomic_fetch_add(&looked, 1) > LOOKS || !look_up()))
		return;
	if (cpython.Py_IsInitialized() && !cpython.is_finalizing() && may_run(NULL, &held))
		look_around();
}

void python_loop_made(const void *caller)
{
	int held = 0;
	int state = 0;

	if (!conf.python_bridge || thread_self.busy || thread_self.in_vfork)
		return;
	if (!atomic_load(&is_ready) && !look_up())
		return;
	if (!cpython.Py_IsInitialized() || cpython.is_finalizing() || !may_run(caller, &held))
		return;
	if (!held)
		state = cpython.PyGILState_Ensure();
	look_around();
	if (!held)
		cpython.PyGILState_Release(state);
}
