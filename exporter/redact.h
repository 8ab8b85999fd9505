/* redact.h - secrets in what is told: the second line of defence, behind the shim's. */
#ifndef TAGALONG_REDACT_H
#define TAGALONG_REDACT_H

/*
 * The shim masks what it can before a text enters the shared memory; here the same is looked for
 * again, and the user's own patterns, before anything is learned, counted, stored or sent. What is
 * found becomes "REDACTED". Counts are kept by rule, the shim's among them; values never. One
 * thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/config.h"
#include "exporter/record.h"
#include "exporter/text.h"
#include "preload/segment.h"

#define REDACT_PATTERNS_MAX 32
#define REDACT_HEADERS_MAX  32

struct redact;

struct redact *redact_new(void);         /* NULL: no memory */
void redact_free(struct redact *redact); /* accepts NULL */

/*
 * Takes the section "redaction" of the settings file: `patterns`, a list of {name, regex} with
 * POSIX extended expressions, of which the first group, or without one all of it, is masked, and
 * `headers`, names whose values are; NULL: none. With `redact` NULL it only complains.
 */
void redact_configure(struct redact *redact, const struct config_node *section);

/* Looks through all texts of a record. `redact` may be NULL. */
void redact_record(struct redact *redact, struct arena *arena, struct record *record);

/*
 * Looks through a text, valid UTF-8 and NUL-terminated, such as the body of a log record. If
 * something is masked, *text becomes a copy in the arena, terminated as well, and the answer is 1.
 */
int redact_text(struct redact *redact, struct arena *arena, struct text *text);

/* Adds what the shim masked. `redact` may be NULL. */
void redact_add(struct redact *redact, enum redaction rule, uint64_t times);

/* How often so far, by enum redaction, and what the rule is called: "email". */
uint64_t redact_count(const struct redact *redact, enum redaction rule);
const char *redact_name(enum redaction rule);

/* Says the counts in one line, if there are any. Accepts NULL. */
void redact_report(const struct redact *redact);

#endif
