/* napi.h - the functions of Node-API (version 1 of it, stable since Node.js 8, if not said
 * otherwise) that we call. */
#ifndef TAGALONG_NAPI_H
#define TAGALONG_NAPI_H

/*
 * Weak: a program that is not Node.js has none of them. tests/symbols.sh has the same list. All of
 * them return 0 or a status, throw nothing, and may be called in the thread of `env` alone, outside
 * the guard of re-entry: they may run the program's code.
 */

#include <stddef.h>
#include <stdint.h>

struct napi_env;
struct napi_value;
struct napi_info;

typedef struct napi_value *(*napi_function)(struct napi_env *env, struct napi_info *info);
typedef void (*napi_finalizer)(struct napi_env *env, void *data, void *hint);

#define NAPI(name, ...) int napi_##name(struct napi_env *env, __VA_ARGS__) __attribute__((weak))

NAPI(get_cb_info, struct napi_info *info, size_t *count, struct napi_value **arguments,
     struct napi_value **self, void **data);
NAPI(create_function, const char *name, size_t name_size, napi_function function, void *data,
     struct napi_value **result);
NAPI(set_named_property, struct napi_value *object, const char *name, struct napi_value *value);
NAPI(create_external, void *data, napi_finalizer finalizer, void *hint, struct napi_value **result);
NAPI(get_value_external, struct napi_value *value, void **result);
NAPI(get_value_int32, struct napi_value *value, int32_t *result);
NAPI(get_value_bool, struct napi_value *value, _Bool *result);
NAPI(get_value_string_utf8, struct napi_value *value, char *out, size_t room, size_t *size);
NAPI(get_typedarray_info, struct napi_value *value, int *type, size_t *length, void **data,
     struct napi_value **buffer, size_t *offset);
NAPI(create_buffer, size_t size, void **data, struct napi_value **result);
NAPI(create_arraybuffer, size_t size, void **data, struct napi_value **result);
NAPI(get_boolean, _Bool value, struct napi_value **result);
/* Version 3 of it, Node.js 10. */
NAPI(add_env_cleanup_hook, void (*function)(void *data), void *data);

#undef NAPI

/* Called by Node.js for each environment that loads the library as an addon. */
struct napi_value *napi_register_module_v1(struct napi_env *env, struct napi_value *exports);

#endif
