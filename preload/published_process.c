/* published_process.c - a mapping by which readers learn who this process is (OTEP 4719). */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/published.h"
#include "preload/sys.h"

#define NAME          "OTEL_CTX"
#define MAPPING_BYTES 4096
#define NOEXEC_SEAL   0x0008u /* of memfd_create, from Linux 6.3 on */
#define NAME_VMA      0x53564d41

struct process_header {
	char signature[8];
	uint32_t version;
	uint32_t payload_size;
	_Atomic uint64_t published_at_ns; /* CLOCK_BOOTTIME; stored last */
	uint64_t payload;                 /* address */
};

_Static_assert(sizeof(struct process_header) == 32, "the proposal's header");

/* Fields of the messages that are written here. */
enum {
	CONTEXT_RESOURCE = 1,
	CONTEXT_ATTRIBUTES = 2,
	RESOURCE_ATTRIBUTES = 1,
	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
	ANY_STRING = 1,
	ANY_ARRAY = 5,
};

/* Protobuf: a field of bytes; none here is over 127 but those whose size is patched in later. */
static char *put_bytes(char *to, unsigned field, const char *at, size_t size)
{
	*to++ = (char)(field << 3 | 2);
	if (size > 127)
		*to++ = (char)(size | 0x80);
	*to++ = (char)(size > 127 ? size >> 7 : size);
	return mempcpy(to, at, size);
}

static char *put_attribute(char *to, unsigned field, const char *key, const char *value)
{
	static char any[264], pair[400];
	char *end = put_bytes(any, ANY_STRING, value, strlen(value));
	char *at = put_bytes(pair, KEY_VALUE_KEY, key, strlen(key));

	at = put_bytes(at, KEY_VALUE_VALUE, any, (size_t)(end - any));
	return put_bytes(to, field, pair, (size_t)(at - pair));
}

/* An array with nothing in it: threads tell no attributes. */
static char *put_empty_array(char *to, unsigned field, const char *key)
{
	static const char any[] = {ANY_ARRAY << 3 | 2, 0};
	static char pair[64];
	char *at = put_bytes(pair, KEY_VALUE_KEY, key, strlen(key));

	at = put_bytes(at, KEY_VALUE_VALUE, any, sizeof(any));
	return put_bytes(to, field, pair, (size_t)(at - pair));
}

/* As the exporter names a process that has no name of its own. */
static const char *service_name(char out[256])
{
	static const char unknown[] = "unknown_service:";
	const char *name = strrchr(conf.command, '/');
	size_t size;

	if (conf.service_name[0])
		return conf.service_name;
	name = name ? name + 1 : conf.command;
	size = strlen(name);
	memcpy(out, unknown, sizeof(unknown));
	memcpy(out + sizeof(unknown) - 1, name, size + 1);
	return out;
}

static size_t write_payload(char *out)
{
	/* Only one thread attaches at a time, on the host's stack. */
	static char resource[1024], name[256];
	char *at = resource;

	at = put_attribute(at, RESOURCE_ATTRIBUTES, "service.name", service_name(name));
	at = put_attribute(at, RESOURCE_ATTRIBUTES, "telemetry.sdk.name", "tagalong");
	at = put_attribute(at, RESOURCE_ATTRIBUTES, "telemetry.sdk.version", TAGALONG_VERSION);
	at = put_attribute(at, RESOURCE_ATTRIBUTES, "telemetry.sdk.language", "c");
	at = put_bytes(out, CONTEXT_RESOURCE, resource, (size_t)(at - resource));
	at = put_attribute(at, CONTEXT_ATTRIBUTES, "threadlocal.schema_version", "tlsdesc_v1_dev");
	at = put_empty_array(at, CONTEXT_ATTRIBUTES, "threadlocal.attribute_key_map");
	return (size_t)(at - out);
}

/* Whether this thread's system calls are filtered: what follows is more than sandboxes may allow.
 */
static int is_filtered(void)
{
	static const char path[] = "/proc/thread-self/status";
	/* Only one thread attaches at a time, on the host's stack. */
	static char text[4096];
	long fd = sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long size = 0;

	if (fd >= 0) {
		size = sys_call3(SYS_read, fd, (long)text, sizeof(text) - 1);
		sys_call3(SYS_close, fd, 0, 0);
	}
	text[size > 0 ? size : 0] = 0;
	return !strstr(text, "\nSeccomp:\t0\n");
}

static void *map_named(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	long at, fd = sys_call3(SYS_memfd_create, (long)NAME, flags | NOEXEC_SEAL, 0);

	if (fd < 0)
		fd = sys_call3(SYS_memfd_create, (long)NAME, flags, 0);
	if (fd >= 0 && sys_call3(SYS_ftruncate, fd, MAPPING_BYTES, 0)) {
		sys_call3(SYS_close, fd, 0, 0);
		fd = -1;
	}
	at = sys_call6(SYS_mmap, 0, MAPPING_BYTES, PROT_READ | PROT_WRITE,
		       fd >= 0 ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (fd >= 0)
		sys_call3(SYS_close, fd, 0, 0);
	return at < 0 && at > -4096 ? NULL : (void *)at;
}

void published_process(void)
{
	struct process_header *header;
	struct timespec now = {0};
	size_t size;

	/* A fork child has no mapping of its parent's: it makes one of its own. */
	header = conf.publish && !is_filtered() ? map_named() : NULL;
	if (!header)
		return;
	if (sys_call3(SYS_madvise, (long)header, MAPPING_BYTES, MADV_DONTFORK)) {
		sys_unmap(header, MAPPING_BYTES);
		return;
	}
	size = write_payload((char *)(header + 1));
	memcpy(header->signature, NAME, sizeof(header->signature));
	header->version = 2;
	header->payload_size = (uint32_t)size;
	header->payload = (uintptr_t)(header + 1);
	sys_call3(SYS_clock_gettime, CLOCK_BOOTTIME, (long)&now, 0);
	atomic_store(&header->published_at_ns,
		     (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	/* Readers watch for this call, whether it succeeds or not. */
	sys_call6(SYS_prctl, NAME_VMA, 0, (long)header, MAPPING_BYTES, (long)NAME, 0);
}
