/* console.h - spans on stdout, one JSON object a line (OTEL_TRACES_EXPORTER=console). */
#ifndef TAGALONG_CONSOLE_H
#define TAGALONG_CONSOLE_H

#include "exporter/batch.h"

/* For people and quick looks; the form is not a contract. */
void console_write(const struct batch *batch);

#endif
