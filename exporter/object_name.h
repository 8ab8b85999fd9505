/* object_name.h - the name of the function at an address, as the source has it. */
#ifndef TAGALONG_OBJECT_NAME_H
#define TAGALONG_OBJECT_NAME_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes the name of the innermost function of a unit at an address, inlined ones included, with
 * the namespaces and classes around it ("shop::Cart::total"). "" if it is not known or too long.
 */
void object_name_find(Dwarf_Die *unit, uint64_t address, char *name, size_t room);

#endif
