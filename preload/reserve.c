/* reserve.c - address space for all that is tracked, on a process's first connection. */
#include "preload/reserve.h"

#include <errno.h>

#include "preload/conn.h"
#include "preload/database.h"
#include "preload/exchange.h"
#include "preload/pgconn.h"
#include "preload/scratch.h"
#include "preload/sql_context.h"
#include "preload/statements.h"
#include "preload/threads.h"
#include "preload/tls.h"

int reserve_pools(void)
{
	if (exchanges_init() || conns_init() || threads_init() || scratch_init() || tls_init() ||
	    statements_init() || databases_init() || pgconns_init() || sql_contexts_init())
		return -ENOMEM;
	return 0;
}
