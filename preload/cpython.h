/* cpython.h - the functions of CPython (3.9 and later) that we call. */
#ifndef TAGALONG_CPYTHON_H
#define TAGALONG_CPYTHON_H

/*
 * Looked up once, by python.c, when a process first does what an event loop does: a program that is
 * not CPython pays nothing. All of them are exported by every version since 3.9; none depends on
 * the layout of an object. They may be called by a thread that holds the interpreter's lock alone,
 * outside the guard of re-entry: they may run the program's code.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct py_object;

typedef struct py_object *(*py_function_tuple)(struct py_object *self, struct py_object *arguments);
typedef struct py_object *(*py_function)(struct py_object *self, struct py_object *const *arguments,
					 ssize_t count);
typedef struct py_object *(*py_function_named)(struct py_object *self,
					       struct py_object *const *arguments, ssize_t count,
					       struct py_object *names);

/* PyMethodDef. */
struct py_method {
	const char *name;
	void (*function)(void); /* py_function, or as the flags say */
	int flags;
	const char *text;
};

#define PY_VARARGS    0x01
#define PY_FASTCALL   0x80
#define PY_KEYWORDS   0x02
#define PY_FILE_INPUT 257

/* F(result, name, parameters), for all of them */
/* clang-format off */
#define CPYTHON_FUNCTIONS(F) \
	F(int, Py_IsInitialized, (void)) \
	F(void *, PyGILState_GetThisThreadState, (void)) \
	F(int, PyGILState_Ensure, (void)) \
	F(void, PyGILState_Release, (int state)) \
	F(void *, PyInterpreterState_Head, (void)) \
	F(void *, PyInterpreterState_Next, (void *interpreter)) \
	F(void, Py_IncRef, (struct py_object *object)) \
	F(void, Py_DecRef, (struct py_object *object)) \
	F(struct py_object *, PyErr_Occurred, (void)) \
	F(void, PyErr_Clear, (void)) \
	F(struct py_object *, PyImport_GetModuleDict, (void)) \
	F(struct py_object *, PyEval_GetBuiltins, (void)) \
	F(struct py_object *, Py_CompileString, (const char *text, const char *file, int start)) \
	F(struct py_object *, PyEval_EvalCode, (struct py_object *code, struct py_object *globals, struct py_object *locals)) \
	F(struct py_object *, PyDict_New, (void)) \
	F(struct py_object *, PyDict_GetItemString, (struct py_object *dict, const char *key)) \
	F(int, PyDict_SetItemString, (struct py_object *dict, const char *key, struct py_object *value)) \
	F(struct py_object *, PyObject_GetAttrString, (struct py_object *object, const char *name)) \
	F(struct py_object *, PyObject_GetItem, (struct py_object *object, struct py_object *key)) \
	F(struct py_object *, PyObject_CallObject, (struct py_object *function, struct py_object *arguments)) \
	F(ssize_t, PyTuple_Size, (struct py_object *tuple)) \
	F(struct py_object *, PyTuple_GetItem, (struct py_object *tuple, ssize_t index)) \
	F(struct py_object *, PyTuple_GetSlice, (struct py_object *tuple, ssize_t from, ssize_t to)) \
	F(int, PyContextVar_Get, (struct py_object *variable, struct py_object *otherwise, struct py_object **value)) \
	F(int, PySequence_Contains, (struct py_object *object, struct py_object *key)) \
	F(struct py_object *, PyCFunction_NewEx, (struct py_method *method, struct py_object *self, struct py_object *module)) \
	F(void *, PyCFunction_GetFunction, (struct py_object *function)) \
	F(int, PyCFunction_GetFlags, (struct py_object *function)) \
	F(struct py_object *, PyDescr_NewMethod, (struct py_object *type, struct py_method *method)) \
	F(void, PyType_Modified, (struct py_object *type)) \
	F(struct py_object *, PyBytes_FromStringAndSize, (const char *at, ssize_t size)) \
	F(int, PyBytes_AsStringAndSize, (struct py_object *object, char **at, ssize_t *size)) \
	F(long, PyLong_AsLong, (struct py_object *object)) \
	F(unsigned long long, PyLong_AsUnsignedLongLong, (struct py_object *object)) \
	F(struct py_object *, PyLong_FromUnsignedLongLong, (unsigned long long value)) \
	F(struct py_object *, PyBool_FromLong, (long value))
/* clang-format on */

struct cpython {
#define CPYTHON_MEMBER(result, name, parameters) result(*name) parameters;
	CPYTHON_FUNCTIONS(CPYTHON_MEMBER)
#undef CPYTHON_MEMBER
	void *(*current_thread)(void);
	int (*is_finalizing)(void);
	struct py_object *none;
};

extern struct cpython cpython __attribute__((visibility("hidden")));

#endif
