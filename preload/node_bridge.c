/* node_bridge.c - what the script calls in Node.js: its arguments are taken out and put in. */
#include <stdatomic.h>
#include <string.h>

#include "preload/napi.h"
#include "preload/node_tls.h"
#include "preload/runtime.h"
#include "preload/thread.h"

#define ARGUMENTS 5

/* The arguments of a call; those that are missing are undefined. 0 or -1. */
static int arguments_of(struct napi_env *env, struct napi_info *info,
			struct napi_value *arguments[ARGUMENTS])
{
	size_t count = ARGUMENTS;

	return napi_get_cb_info(env, info, &count, arguments, NULL, NULL) ? -1 : 0;
}

static int number(struct napi_env *env, struct napi_value *value, int otherwise)
{
	int32_t result = otherwise;

	return napi_get_value_int32(env, value, &result) ? otherwise : result;
}

static int truth(struct napi_env *env, struct napi_value *value)
{
	_Bool result = 0;

	return !napi_get_value_bool(env, value, &result) && result;
}

/* "" for what is no text. */
static void text(struct napi_env *env, struct napi_value *value, char *out, size_t room)
{
	size_t size = 0;

	if (napi_get_value_string_utf8(env, value, out, room, &size))
		size = 0;
	out[size] = 0;
}

static struct napi_value *boolean(struct napi_env *env, int value)
{
	struct napi_value *result = NULL;

	napi_get_boolean(env, value != 0, &result);
	return result;
}

/* The bytes of a Uint8Array; NULL: it is none. */
static const void *bytes(struct napi_env *env, struct napi_value *value, size_t *size)
{
	void *at = NULL;
	int type;

	if (napi_get_typedarray_info(env, value, &type, size, &at, NULL, NULL))
		return NULL;
	/* An empty one may have no memory at all, which is no end of file. */
	return at ? at : "";
}

/* The script has lost the socket without closing it, or its thread ends. */
static void forget(struct napi_env *env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	node_tls_close(data, 0, NULL);
}

/* open(fd, isServer, isComplete): a session, or undefined. */
static struct napi_value *open_session(struct napi_env *env, struct napi_info *info)
{
	struct napi_value *arguments[ARGUMENTS];
	struct napi_value *result = NULL;
	void *handle;

	if (arguments_of(env, info, arguments))
		return NULL;
	handle = node_tls_open(number(env, arguments[0], -1), truth(env, arguments[1]),
			       truth(env, arguments[2]));
	if (handle && napi_create_external(env, handle, forget, NULL, &result))
		node_tls_close(handle, 0, NULL);
	return result;
}

/* secured(session, version, protocol, serverName, isResumed) */
static struct napi_value *secured(struct napi_env *env, struct napi_info *info)
{
	struct napi_value *arguments[ARGUMENTS];
	struct node_tls_facts facts;
	void *handle;

	if (arguments_of(env, info, arguments) || napi_get_value_external(env, *arguments, &handle))
		return NULL;
	text(env, arguments[1], facts.version, sizeof(facts.version));
	text(env, arguments[2], facts.protocol, sizeof(facts.protocol));
	text(env, arguments[3], facts.server_name, sizeof(facts.server_name));
	facts.resumed = (uint8_t)truth(env, arguments[4]);
	node_tls_secured(handle, &facts);
	return NULL;
}

/* read(session, Uint8Array or null): false when nothing more needs to be told. */
static struct napi_value *read_bytes(struct napi_env *env, struct napi_info *info)
{
	struct napi_value *arguments[ARGUMENTS];
	const void *at;
	void *handle;
	size_t size = 0;

	if (arguments_of(env, info, arguments) || napi_get_value_external(env, *arguments, &handle))
		return boolean(env, 0);
	at = bytes(env, arguments[1], &size);
	return boolean(env, node_tls_read(handle, at, size));
}

/* write(session, Uint8Array): a Buffer to write instead; else as read(). */
static struct napi_value *write_bytes(struct napi_env *env, struct napi_info *info)
{
	struct napi_value *arguments[ARGUMENTS];
	struct napi_value *result = NULL;
	struct node_tls_text instead;
	size_t size = 0;
	const void *at;
	void *handle;
	void *to;
	int looked_at;

	if (arguments_of(env, info, arguments) || napi_get_value_external(env, *arguments, &handle))
		return boolean(env, 0);
	at = bytes(env, arguments[1], &size);
	looked_at = node_tls_write(handle, at, size, &instead);
	if (!instead.count || napi_create_buffer(env, instead.size, &to, &result))
		return boolean(env, looked_at);
	for (size_t i = 0; i < instead.count; i++)
		to = (char *)memcpy(to, instead.pieces[i].iov_base, instead.pieces[i].iov_len) +
		     instead.pieces[i].iov_len;
	return result;
}

/* close(session, errno, why) */
static struct napi_value *close_session(struct napi_env *env, struct napi_info *info)
{
	struct napi_value *arguments[ARGUMENTS];
	char why[128];
	void *handle;

	if (arguments_of(env, info, arguments) || napi_get_value_external(env, *arguments, &handle))
		return NULL;
	text(env, arguments[2], why, sizeof(why));
	node_tls_close(handle, number(env, arguments[1], 0), *why ? why : NULL);
	return NULL;
}

/* ---- contexts: see runtime.h ----------------------------------------------------------------- */

/* What the script and we share: its word, and the context that it was given last. */
enum { CURRENT, TAKEN, SHARED };

/* The memory goes with the thread's environment; its last connections are closed after that. */
static void unmanage(void *data)
{
	(void)data;
	runtime_manage(NULL);
}

/* manage(): an ArrayBuffer. */
static struct napi_value *manage(struct napi_env *env, struct napi_info *info)
{
	struct napi_value *result = NULL;
	void *shared;

	(void)info;
	if (napi_create_arraybuffer(env, SHARED * sizeof(struct runtime_context), &shared,
				    &result) ||
	    napi_add_env_cleanup_hook(env, unmanage, NULL))
		return NULL;
	memset(shared, 0, SHARED * sizeof(struct runtime_context));
	runtime_manage(shared);
	return result;
}

/* take(fd or session): whether there was a request to take. */
static struct napi_value *take(struct napi_env *env, struct napi_info *info)
{
	struct runtime_context *shared = runtime_current();
	struct napi_value *arguments[ARGUMENTS];
	void *handle;
	int32_t fd;

	if (!shared || arguments_of(env, info, arguments))
		return boolean(env, 0);
	if (napi_get_value_int32(env, *arguments, &fd) == 0)
		return boolean(env, runtime_take(fd, &shared[TAKEN]));
	if (napi_get_value_external(env, *arguments, &handle))
		return boolean(env, 0);
	return boolean(env, node_tls_take(handle, &shared[TAKEN]));
}

/* last(): as above, the request that was read last. */
static struct napi_value *last(struct napi_env *env, struct napi_info *info)
{
	struct runtime_context *shared = runtime_current();

	(void)info;
	return boolean(env, shared && runtime_last_read(1, &shared[TAKEN]));
}

__attribute__((visibility("default"))) struct napi_value *napi_register_module_v1(
	struct napi_env *env, struct napi_value *exports)
{
	static const struct {
		const char *name;
		napi_function function;
	} functions[] = {
		{"open", open_session}, {"secured", secured},     {"read", read_bytes},
		{"write", write_bytes}, {"close", close_session}, {"manage", manage},
		{"take", take},         {"last", last},
	};

	/* Another copy of the library than the one that acts, or one that has stepped aside. */
	if (atomic_load(&process_mode) != MODE_ON)
		return exports;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		struct napi_value *function = NULL;

		if (napi_create_function(env, functions[i].name, strlen(functions[i].name),
					 functions[i].function, NULL, &function) ||
		    napi_set_named_property(env, exports, functions[i].name, function))
			break;
	}
	return exports;
}
