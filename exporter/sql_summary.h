/* sql_summary.h - what a statement does to what, in a few words: db.query.summary. */
#ifndef TAGALONG_SQL_SUMMARY_H
#define TAGALONG_SQL_SUMMARY_H

/*
 * The operations of a statement and what each of them works on, in the order and the case of the
 * text: "SELECT orders customers", "INSERT audit SELECT orders", "CREATE TABLE t". The names that
 * WITH defines are left out; several statements in one text are joined by "; ". Names that programs
 * make up as they run (savepoints, cursors, prepared statements) are left out too.
 * Convention: OpenTelemetry's for db.query.summary.
 */

#include <stddef.h>

#include "exporter/text.h"

#define SQL_SUMMARY_MAX 255 /* bytes, and so at most as many characters; without the NUL */

/*
 * Writes the summary of a masked text, cut after a whole token if it is too long, and a NUL into
 * `to`, which has room for SQL_SUMMARY_MAX + 1 bytes. Its size; 0: there is nothing to say.
 */
size_t sql_summary(struct text sql, char *to);

#endif
