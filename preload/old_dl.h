/* old_dl.h - the dynamic linker's look-ups, as every C library that we run with has them. */
#ifndef TAGALONG_OLD_DL_H
#define TAGALONG_OLD_DL_H

/* As in dlfcn.h, but they fail where the program has no libdl (before glibc 2.34). */

#include <dlfcn.h>

void *old_dlsym(void *handle, const char *name);
int old_dladdr(const void *address, Dl_info *info);
int old_dladdr1(const void *address, Dl_info *info, void **extra, int flags);

#endif
