/* old_dl.c - the dynamic linker's look-ups, as every C library that we run with has them. */
#include "preload/old_dl.h"

#include <stddef.h>

/*
 * Bound to the versions that every glibc has since 2.3.3 (x86-64) or 2.17 (aarch64), in libc or
 * libdl; weak, so that a program without them still starts. The linker's optimiser loses such
 * bindings, so this file is kept from it (see the Makefile).
 */
#if defined(__x86_64__)
__asm__(".symver bound_dladdr, dladdr@GLIBC_2.2.5");
__asm__(".symver bound_dladdr1, dladdr1@GLIBC_2.3.3");
__asm__(".symver bound_dlsym, dlsym@GLIBC_2.2.5");
#else
__asm__(".symver bound_dladdr, dladdr@GLIBC_2.17");
__asm__(".symver bound_dladdr1, dladdr1@GLIBC_2.17");
__asm__(".symver bound_dlsym, dlsym@GLIBC_2.17");
#endif
extern void *bound_dlsym(void *handle, const char *name) __attribute__((weak));
extern int bound_dladdr(const void *address, Dl_info *info) __attribute__((weak));
extern int bound_dladdr1(const void *address, Dl_info *info, void **extra, int flags)
	__attribute__((weak));

/* dlsym looks at its return address, which lies in this library either way. */
void *old_dlsym(void *handle, const char *name)
{
	return bound_dlsym ? bound_dlsym(handle, name) : NULL;
}

int old_dladdr(const void *address, Dl_info *info)
{
	return bound_dladdr ? bound_dladdr(address, info) : 0;
}

int old_dladdr1(const void *address, Dl_info *info, void **extra, int flags)
{
	return bound_dladdr1 ? bound_dladdr1(address, info, extra, flags) : 0;
}
