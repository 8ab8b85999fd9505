/* deepbind.h - objects that were loaded with RTLD_DEEPBIND call libc past us; their calls are led
 * back. */
#ifndef TAGALONG_DEEPBIND_H
#define TAGALONG_DEEPBIND_H

/*
 * PHP loads its extensions so, and with them libcurl. Of the object behind `handle`, and of those
 * that were loaded after it, the slots that are bound to libc's functions, or not bound yet, are
 * set to our wrappers. A slot bound to anything else is somebody's intention and stays. Not for use
 * in a signal handler.
 */
void deepbind_rebind(void *handle);

#endif
