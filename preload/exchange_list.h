/* exchange_list.h - the live server exchanges, found by what their callers sent. */
#ifndef TAGALONG_EXCHANGE_LIST_H
#define TAGALONG_EXCHANGE_LIST_H

#include <stdint.h>

#include "preload/exchange.h"

/* Makes room for those of index 1 to `most`; 0 or -ENOMEM. exchanges_init calls it. */
int exchange_list_init(uint32_t most);

/* Makes a server exchange findable; under the lock of its connection. Its end unlists it. */
void exchange_list(struct exchange *exchange);
void exchange_unlist(const struct exchange *exchange);

/*
 * The one live server exchange of this process whose caller sent that traceparent, or whose method
 * and target hash so. `preferred` wins if it is among several; otherwise several are none.
 */
struct exchange *exchange_find_incoming(const struct trace_parent *parent, uint64_t preferred);
struct exchange *exchange_find_target(uint64_t target_hash, uint64_t preferred);

/* 1 once this process has served a request. */
int exchange_served(void);

#endif
