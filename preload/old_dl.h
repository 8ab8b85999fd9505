/* old_dl.h - the dynamic linker's look-ups, as every C library that we run with has them. */
#ifndef TAGALONG_OLD_DL_H
#define TAGALONG_OLD_DL_H

/*
 * Bound to the version that every glibc since 2.2.5 (x86-64) or 2.17 (aarch64) has, in libc or
 * libdl; weak, so that a program without it still starts: they may be NULL.
 */

#include <dlfcn.h>

#if defined(__x86_64__)
__asm__(".symver old_dladdr, dladdr@GLIBC_2.2.5");
__asm__(".symver old_dlsym, dlsym@GLIBC_2.2.5");
#else
__asm__(".symver old_dlsym, dlsym@GLIBC_2.17");
__asm__(".symver old_dladdr, dladdr@GLIBC_2.17");
#endif
extern void *old_dlsym(void *handle, const char *name) __attribute__((weak));
extern int old_dladdr(const void *address, Dl_info *info) __attribute__((weak));

#endif
