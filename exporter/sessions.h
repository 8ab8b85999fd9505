/* sessions.h - the segments of this machine that we may see. */
#ifndef TAGALONG_SESSIONS_H
#define TAGALONG_SESSIONS_H

/* Calls for those that we may list, and for the machine's own, which its link tells to everybody.
 */
void sessions_visit(const char *run_directory, void (*visit)(void *context, const char *path),
		    void *context);

#endif
