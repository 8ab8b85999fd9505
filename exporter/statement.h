/* statement.h - what the text of a statement tells, remembered for texts that come again. */
#ifndef TAGALONG_STATEMENT_H
#define TAGALONG_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "exporter/sql_summary.h"
#include "exporter/text.h"

#define STATEMENTS_REMEMBERED 256
#define STATEMENT_BYTES       1280 /* longer texts are looked at anew each time */

struct statement {
	uint16_t summary_size;             /* 0: there is nothing to say */
	uint16_t word_size;                /* of the summary's first word */
	uint8_t changes;                   /* its rows are those that it changed */
	char summary[SQL_SUMMARY_MAX + 1]; /* as sql_summary() has it */
};

/*
 * Of a terminated text. Never NULL; lent until the next call. Texts are compared, byte by byte,
 * with those that are remembered; of two that fall into one place, the one not seen for longer is
 * forgotten for a third. One thread.
 */
const struct statement *statement_of(struct text sql);

#endif
