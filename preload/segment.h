/* segment.h - the shared memory between instrumented processes and the exporter: layout, records.
 */
#ifndef TAGALONG_SEGMENT_H
#define TAGALONG_SEGMENT_H

/*
 * The only header that preload/ and exporter/ share. Everything here is fixed width, host byte
 * order, without pointers. Times are CLOCK_MONOTONIC nanoseconds unless the name says otherwise.
 *
 * File: header page | slot 0 | slot 1 | ... ; slot i begins at segment_slot_offset(i).
 * The exporter creates the file, reserves every byte of what it has published with fallocate,
 * and then raises header.slot_count. A process maps the header and its own slot, nothing else.
 *
 * The exporter trusts nothing that it reads here: sizes and offsets come from its own constants.
 */

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC         0x31474e4f4c414754ull /* "TGALONG1", read as little endian */
#define SEGMENT_VERSION       4
#define SEGMENT_HEADER_BYTES  4096
#define SEGMENT_SLOTS_MAX     1024
#define SEGMENT_IDENTITY_TEXT 1024
#define SEGMENT_CAPTURE_TEXT  544  /* a list of header names with its NUL */
#define SEGMENT_MASK_TEXT     1600 /* a list of query keys with its NUL */
#define SEGMENT_PATH_TEXT     256
#define SEGMENT_DESTINATIONS  8
#define RING_BYTES            (1u << 20) /* power of two */
#define RING_ALIGN            64u
#define SPAN_BYTES            2048u /* one span under construction, fields included */
#define INFLIGHT_COUNT        256u
#define THREAD_COUNT          512u  /* of a process, at most, whose context is published */
#define STACK_BYTES           8192u /* of a snapshot, at most */

/* ---- header and control block ------------------------------------------------------------- */

/* Of traces that begin in a process. */
enum segment_sampler { SAMPLE_ON, SAMPLE_OFF, SAMPLE_RATIO };

/* X-Request-ID; the trace context as a comment of statements; stacks of calls that fail. */
enum segment_feature { FEATURE_REQUEST_ID = 1, FEATURE_SQL_COMMENTS = 2, FEATURE_CALL_STACKS = 4 };

/* Which of the settings below are given; the others are left to each process's environment. */
enum segment_given {
	GIVEN_SAMPLER = 1,
	GIVEN_REQUEST_HEADERS = 2,
	GIVEN_RESPONSE_HEADERS = 4,
	GIVEN_MASK = 8
};

struct segment_settings {
	uint32_t given;                    /* enum segment_given */
	uint32_t features_given, features; /* enum segment_feature; those that are on */
	uint8_t sampler;                   /* enum segment_sampler */
	uint8_t sample_by_parent, reserved[2];
	uint64_t sample_threshold; /* keep if the trace's 56 random bits are >= this */
	/* Names with commas between them, NUL-terminated. */
	char request_headers[SEGMENT_CAPTURE_TEXT], response_headers[SEGMENT_CAPTURE_TEXT];
	char mask_query[SEGMENT_MASK_TEXT];
};

struct segment_destination {
	char name[28];                        /* NUL-terminated, may be cut */
	_Atomic uint32_t signal;              /* 0: traces, 1: metrics, 2: logs */
	_Atomic uint64_t sent, lost, waiting; /* spans, data points, log records */
	_Atomic uint64_t spooled_bytes;
};

/* The exporter about itself, for `tagalong status`. */
struct segment_exporter {
	_Atomic uint64_t started_unix_ns, reloaded_unix_ns; /* the latter of the settings */
	_Atomic uint64_t spans_read, spans_unsampled, spans_delivered, spans_dropped;
	_Atomic uint32_t refused; /* 1: the settings file has been changed to what can't be used */
	_Atomic uint32_t destination_count;
	struct segment_destination destinations[SEGMENT_DESTINATIONS];
	char settings_file[SEGMENT_PATH_TEXT]; /* "": none */
};

struct segment_control {               /* written by the exporter, read by shims at any time */
	_Atomic uint32_t disabled;     /* 1: every shim passes everything through */
	_Atomic uint32_t exporter_pid; /* 0: none attached now */
	_Atomic uint32_t generation;   /* of `settings`: odd: being written, 0: never were */
	uint8_t reserved[52];
	struct segment_settings settings;
	struct segment_exporter exporter;
};

struct segment_header {
	uint64_t magic; /* stored last by the creator */
	uint32_t version;
	uint32_t header_bytes;
	uint64_t slot_bytes;
	_Atomic uint32_t slot_count; /* published: safe to claim and to touch */
	uint32_t ring_bytes;
	uint32_t inflight_count;
	uint32_t span_bytes;
	uint8_t reserved[24];
	struct segment_control control;
};

/* ---- process slot --------------------------------------------------------------------------- */

enum slot_state {
	SLOT_FREE = 0,    /* zeroed; only the exporter makes a slot free */
	SLOT_CLAIMED = 1, /* by compare-and-swap from SLOT_FREE; the identity is being written */
	SLOT_READY = 2,   /* the identity is complete */
};

enum drop_reason {
	DROP_RING_FULL,
	DROP_INFLIGHT_FULL,  /* the span is kept, but is not visible while it is in flight */
	DROP_CONNECTIONS,    /* ceiling on tracked connections */
	DROP_EXCHANGES,      /* ceiling on requests in flight in one process */
	DROP_BUFFERS,        /* ceiling on buffers for split heads */
	DROP_HEAD_TOO_LARGE, /* head over 64 KiB */
	DROP_GAVE_UP,        /* bytes that could not be understood in the middle of a connection */
	DROP_REASONS = 16,
};

/* Why a part of a text was replaced by "REDACTED". */
enum redaction {
	REDACTION_QUERY_KEY, /* of a key that names a secret */
	REDACTION_HEADER,    /* a header that is one */
	REDACTION_EMAIL,
	REDACTION_CARD,
	REDACTION_BEARER,
	REDACTION_JWT,
	REDACTION_AWS_KEY,
	REDACTION_PRIVATE_KEY,
	REDACTION_TOKEN,    /* of a service that marks its tokens by a prefix */
	REDACTION_SESSION,  /* a path parameter */
	REDACTION_USERINFO, /* user and password in a URL */
	REDACTION_PATTERN,  /* of the user; the exporter's alone */
	REDACTIONS,
};

struct slot_identity {
	uint32_t pid; /* in the pid namespace of the process */
	uint32_t parent_pid;
	uint64_t start_ticks; /* /proc/PID/stat field 22: tells a reused pid */
	uint64_t claimed_ns;
	uint32_t uid;
	uint32_t reserved;
	char executable[256];   /* /proc/self/exe, NUL-terminated, may be cut */
	char command[128];      /* argv[0] */
	char service_name[128]; /* OTEL_SERVICE_NAME of the process, "" if unset */
	char resource_attributes[SEGMENT_IDENTITY_TEXT]; /* OTEL_RESOURCE_ATTRIBUTES, as it stands
							  */
};

/*
 * One per thread would be 64 bits of cache line each; the counters are hit by every thread but
 * rarely enough, so they are per process.
 */
struct slot_counters {
	_Atomic uint64_t spans;                 /* finished spans that were put into the ring */
	_Atomic uint64_t dropped[DROP_REASONS]; /* by enum drop_reason */
	_Atomic uint64_t connections;           /* descriptors that were recognised as HTTP */
	_Atomic uint64_t redacted[REDACTIONS];  /* by enum redaction, but for query keys */
	_Atomic uint64_t received_bytes;        /* on those whose protocol is recognised */
	_Atomic uint64_t sent_bytes;            /* what the program sent, without our own */
};

/*
 * Where a thread publishes which request it works for: OpenTelemetry's thread context record, 28
 * bytes: trace ID, span ID, valid (1), trace flags, size of attributes (0). Threads that have ended
 * keep their entry until another one needs it.
 */
struct slot_thread {
	_Atomic uint32_t thread_id; /* in the pid namespace of the process; 0: free */
	uint32_t reserved;
	_Atomic uint64_t context; /* address in the process; 0: not yet */
};

/*
 * The ring holds records, each aligned to RING_ALIGN, never wrapped: a record that would cross
 * the end is preceded by a filler. Positions are absolute, ever growing, taken modulo RING_BYTES.
 * A writer advances `head` by compare-and-swap (only if head + size - tail <= RING_BYTES), fills,
 * and commits by storing record_head.commit = position + 1 (release). So bytes of an earlier lap
 * are never taken for a record. The reader owns `tail`; a reader that meets a record which is not
 * committed and whose writer is gone looks for the next commit word in steps of RING_ALIGN.
 */
struct ring {
	_Alignas(64) _Atomic uint64_t head; /* writers */
	_Alignas(64) _Atomic uint64_t tail; /* reader: bytes before it may be overwritten */
	_Alignas(64) uint8_t data[RING_BYTES];
};

enum record_type {
	RECORD_FILLER = 1, /* skip record_head.size bytes */
	RECORD_SPAN = 2,   /* a struct span follows the head */
	RECORD_STACK = 3,  /* a struct stack_record follows the head */
};

struct record_head {
	_Atomic uint64_t commit; /* absolute position of this record + 1 */
	uint32_t size;           /* of the whole record with this head, multiple of RING_ALIGN */
	uint16_t type;           /* enum record_type */
	uint16_t reserved;
};

/*
 * The stack of a call at its end, on request only (TAGALONG_CALL_STACKS): pushed right before the
 * span of that call. The bytes follow the struct. They may hold secrets of the program, so the
 * reader overwrites the record before it releases it, whatever it made of it.
 */
struct stack_record {
	uint8_t span_id[8];
	uint32_t thread_id;
	uint32_t size;         /* of the bytes, a multiple of 8, up to STACK_BYTES */
	uint64_t base;         /* the address of the first of them: rsp, a multiple of 8 */
	uint64_t registers[8]; /* as in struct inflight_wait */
};

/* ---- spans ---------------------------------------------------------------------------------- */

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3 }; /* OTLP's numbers */

enum span_protocol {
	SPAN_HTTP = 1,
	SPAN_CONNECT = 2, /* a connect() that failed */
	SPAN_TLS = 3,     /* a handshake that failed */
	SPAN_POSTGRESQL = 4,
	SPAN_MYSQL = 5,
	SPAN_MARIADB = 6, /* MySQL's protocol, spoken by a server that says so */
	SPAN_REDIS = 7,
	SPAN_MEMCACHED = 8,
};

/* What a connection was made of; durations in struct span.phase_us, 0: did not take place. */
enum span_phase {
	PHASE_CONNECT, /* name and transport */
	PHASE_TLS,     /* handshake */
	PHASE_LOGIN,   /* start-up packet to the end of authentication */
	PHASE_SETTLE,  /* until it is ready for the first statement */
	SPAN_PHASES,
};

/* How the parent was found. Those from SPAN_LINK_GUESSES on could be wrong and say so. */
enum span_link {
	SPAN_LINK_ROOT,   /* no parent: a trace begins here */
	SPAN_LINK_REMOTE, /* server: the caller's traceparent or B3 header */
	SPAN_LINK_PASSED, /* client: the program passed the traceparent of a request in flight on */
	SPAN_LINK_CONTEXT,     /* client: the thread's current context */
	SPAN_LINK_CONNECT,     /* client: the context in which connect() was called */
	SPAN_LINK_ENVIRONMENT, /* client: TRACEPARENT in the environment */
	SPAN_LINK_OWN,         /* client: a traceparent that the program wrote itself */
	SPAN_LINK_GUESSES = 16,
	SPAN_LINK_GUESS_REUSED = 16,    /* sent on the very connection whose reply was just read */
	SPAN_LINK_GUESS_THREAD = 17,    /* a thread that was started in this context */
	SPAN_LINK_GUESS_TARGET = 18,    /* a request in flight has the same method and target */
	SPAN_LINK_GUESS_INHERITED = 19, /* through a context that was itself a guess, or a fork */
	SPAN_LINK_GUESS_READ = 20,      /* what this thread, or this turn of its loop, read last */
	SPAN_LINK_GUESS_CONNECT = 21,   /* made the connection, which may serve another one first */
};

enum span_flag {
	SPAN_RESPONSE_SEEN = 1, /* status_code is valid */
	SPAN_PARENT_REMOTE = 2,
	SPAN_TEXT_CUT = 4,    /* a field was shortened or left out for want of room */
	SPAN_ENCRYPTED = 8,   /* over TLS */
	SPAN_ROWS_KNOWN = 16, /* rows is valid */
	SPAN_RESUMED = 32,    /* the TLS session was resumed */
	SPAN_CPU_KNOWN = 64,  /* cpu_ns is valid */
};

/* Why a request failed below HTTP; 0: it did not. The exporter turns it into error.type. */
enum span_failure {
	FAILURE_NONE,
	FAILURE_CONNECTION_RESET, /* ECONNRESET */
	FAILURE_BROKEN_PIPE,      /* EPIPE */
	FAILURE_TIMED_OUT,        /* ETIMEDOUT */
	FAILURE_PEER_CLOSED,      /* end of file before the message was complete */
	FAILURE_CLOSED, /* the program closed the connection before the message was complete */
	FAILURE_CONNECTION_REFUSED,
	FAILURE_UNREACHABLE, /* host or network */
	FAILURE_PROTOCOL,    /* an answer that is not HTTP */
	FAILURE_OTHER,       /* another errno, see error_number */
	FAILURE_LOGIN,       /* a database's server did not let the client in */
};

enum address_family { ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_UNIX };

struct span_address {
	uint8_t family; /* enum address_family */
	uint8_t reserved;
	uint16_t port;     /* host byte order */
	uint8_t bytes[16]; /* IPv4 in the first four; Unix: none, see FIELD_UNIX_PATH */
};

/*
 * Text fields follow the span back to back, unaligned:
 *   uint8_t id, uint8_t reserved, uint16_t size, then size bytes without a NUL.
 * Each id appears at most once but FIELD_REQUEST_HEADER and FIELD_RESPONSE_HEADER, which hold
 * "name\0value" of a header on the allow-list, the name in lower case.
 * All text is as the peer sent it (any byte), but masked where that is promised.
 */
enum span_field {
	FIELD_METHOD = 1, /* as sent; the exporter decides on _OTHER */
	FIELD_PATH = 2,   /* of the target, without the query */
	FIELD_QUERY = 3,  /* without '?', sensitive values masked */
	FIELD_HOST = 4, /* Host header, or the authority of an absolute or authority-form target */
	FIELD_SCHEME = 5, /* of an absolute-form target, X-Forwarded-Proto or Forwarded */
	FIELD_USER_AGENT = 6,
	FIELD_REQUEST_ID = 7, /* X-Request-ID: accepted, found or made */
	FIELD_TRACE_STATE = 8,
	FIELD_FORWARDED_FOR = 9, /* first address of Forwarded for= or X-Forwarded-For */
	FIELD_FORWARDED_HOST = 10,
	FIELD_PEER_NAME = 11, /* the name that getaddrinfo resolved to the peer's address */
	FIELD_UNIX_PATH = 12, /* '@' for the NUL of an abstract name */
	FIELD_REQUEST_HEADER = 13,
	FIELD_RESPONSE_HEADER = 14,
	FIELD_QUERY_TEXT = 15, /* statement or command, every literal and value masked */
	FIELD_NAMESPACE = 16,  /* database; Redis: its index */
	/*
	 * Set where the summary of the text does not name it: Redis' and memcached's command as it
	 * was sent ("GET", "PIPELINE SET", "PIPELINE"), and for SQL "CONNECT", "PREPARE", "COPY",
	 * "CANCEL", "BATCH", ... when the call was no plain execution.
	 */
	FIELD_OPERATION = 17,
	FIELD_STATUS = 18,          /* SQLSTATE, MySQL's number, the first word of a Redis error */
	FIELD_USER = 19,            /* of a database */
	FIELD_TLS_VERSION = 20,     /* "1.3", "1.2" */
	FIELD_TLS_PROTOCOL = 21,    /* ALPN */
	FIELD_TLS_SERVER_NAME = 22, /* SNI */
	FIELD_CALLER = 23,          /* path of the object that made the call; "": the program */
};

struct span {
	uint64_t start_ns;
	uint64_t end_ns; /* 0 while in flight */
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8];        /* zeros: none */
	uint64_t request_body_bytes; /* as on the wire, without chunk framing */
	uint64_t response_body_bytes;
	uint32_t thread_id;
	uint32_t pid;         /* of the writer */
	int32_t error_number; /* errno for FAILURE_OTHER */
	uint16_t status_code; /* HTTP; 0: none */
	uint16_t fields_size; /* bytes of fields after this struct */
	uint16_t resend_count;
	uint8_t kind;        /* enum span_kind */
	uint8_t protocol;    /* enum span_protocol */
	uint8_t version;     /* HTTP 10 or 11 */
	uint8_t flags;       /* enum span_flag */
	uint8_t trace_flags; /* W3C */
	uint8_t link;        /* enum span_link */
	uint8_t failure;     /* enum span_failure */
	uint8_t reserved[3];
	struct span_address peer;
	struct span_address local;
	uint32_t operations; /* commands in one batch; 0 and 1: no batch */
	uint32_t phase_us[SPAN_PHASES];
	uint64_t rows;        /* returned or affected; see SPAN_ROWS_KNOWN */
	uint64_t call_offset; /* return address within FIELD_CALLER's object (its link-time
				 address), 0: none */
	/* Server: that its thread was on a CPU, from its head to its end; see SPAN_CPU_KNOWN. */
	uint64_t cpu_ns;
	uint64_t calls_ns; /* and of that time, in calls that are spans; they may overlap */
};

/*
 * The call that a request in flight waits in, for an unwinder outside: the registers are those that
 * the hook's own frame, which stays on the stack until the call returns, was entered with or has
 * kept. x86-64: rip, rsp, rbp, rbx, r12, r13, r14, r15, in this order.
 */
struct inflight_wait {
	_Atomic uint64_t since_ns; /* 0: it waits in no call; stored last and cleared first */
	uint64_t registers[8];
	uint32_t thread_id;
	char call[20]; /* "PQexec", NUL-terminated */
};

#define SPAN_FIELDS_MAX (SPAN_BYTES - sizeof(struct span) - sizeof(struct inflight_wait) - 16)

/*
 * A request in flight: written by its owner while it lives, and left as it stands if the process
 * dies; then the exporter tells it as a span. `live` is stored last (release) and cleared first.
 */
struct inflight {
	_Atomic uint32_t live; /* 0: free */
	uint32_t reserved;
	uint64_t reserved2;
	struct inflight_wait wait;
	struct span span;
	uint8_t fields[SPAN_FIELDS_MAX];
};

struct slot {
	_Alignas(64) _Atomic uint32_t state;  /* enum slot_state */
	_Atomic uint32_t settings_generation; /* the control block's that is in force here */
	struct slot_identity identity;
	_Alignas(64) struct slot_counters counters;
	_Alignas(64) struct slot_thread threads[THREAD_COUNT];
	_Alignas(64) struct ring ring;
	_Alignas(64) struct inflight inflight[INFLIGHT_COUNT];
	_Alignas(4096) uint8_t end[];
};

static inline uint64_t segment_slot_offset(uint32_t index)
{
	return SEGMENT_HEADER_BYTES + (uint64_t)index * sizeof(struct slot);
}

_Static_assert(sizeof(struct segment_header) <= SEGMENT_HEADER_BYTES, "header fits its page");
_Static_assert(offsetof(struct segment_header, control) == 64, "control block on its own line");
_Static_assert(sizeof(struct slot_thread) == 16, "thread");
_Static_assert(sizeof(struct record_head) == 16, "record head");
_Static_assert(sizeof(struct stack_record) == 88, "stack");
_Static_assert(sizeof(struct span_address) == 20, "address");
_Static_assert(sizeof(struct span) == 184, "span");
_Static_assert(sizeof(struct inflight_wait) == 96, "wait");
_Static_assert(sizeof(struct inflight) == SPAN_BYTES, "one span under construction");
_Static_assert(sizeof(struct slot) % 4096 == 0, "slots start on pages");
_Static_assert(RING_BYTES % RING_ALIGN == 0, "records are aligned");

#endif
