/* object_debug.h - the separate file that holds the debugging information of an ELF file. */
#ifndef TAGALONG_OBJECT_DEBUG_H
#define TAGALONG_OBJECT_DEBUG_H

#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdint.h>

/*
 * Opens it, found by build ID or debug link (GDB's manual, "Debugging Information in Separate
 * Files") and checked against the build ID or the link's CRC. `root` and `path` as for object_open.
 * Returns NULL if there is none; else *fd is its descriptor. The caller ends the one and closes the
 * other.
 */
Elf *object_debug_open(Elf *elf, int root, const char *path, int *fd);

/* Whether a part of the information stands in another file (dwz's .gnu_debugaltlink), ... */
int object_debug_has_alternate(Dwarf *dwarf);

/* ... and that file, checked against its build ID, as above. It must stand below /usr/lib/debug. */
Elf *object_debug_alternate(Dwarf *dwarf, int root, int *fd);

#endif
