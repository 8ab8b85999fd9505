/* statements.h - the masked texts of prepared statements, by name. */
#ifndef TAGALONG_STATEMENTS_H
#define TAGALONG_STATEMENTS_H

/*
 * A cache of fixed size for all connections of the process: what finds no room pushes out an older
 * one, whose executions are then told without their text. An owner is a number that no other
 * connection ever has (statements_owner), so a connection that ends leaves nothing to clean up.
 * Lock-free; any thread; a fork child keeps what was there.
 */

#include <stddef.h>
#include <stdint.h>

#define STATEMENT_TEXT_MAX 1024 /* longer texts are cut */

/* Reserves the address space, once; 0 or -ENOMEM. Before that nothing is kept. */
int statements_init(void);

uint64_t statements_owner(void);

/* Keeps a masked text under a name of any size and content, instead of an older one. */
void statements_keep(uint64_t owner, const char *name, size_t name_size, const char *text,
		     size_t size);

/* Copies the text; its size, at most `room`, 0: unknown. */
size_t statements_find(uint64_t owner, const char *name, size_t name_size, char *text, size_t room);

void statements_forget(uint64_t owner, const char *name, size_t name_size);

#endif
