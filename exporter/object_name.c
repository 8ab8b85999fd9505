/* object_name.c - the name of the function at an address, as the source has it. */
#include "object_name.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_MAX 4

/* What an instance refers to: the one description inside its namespace or class. */
static Dwarf_Die described(Dwarf_Die die)
{
	static const unsigned references[] = {DW_AT_abstract_origin, DW_AT_specification};

	for (int hop = 0; hop < HOPS_MAX; hop++) {
		Dwarf_Attribute attribute;
		Dwarf_Die target;
		int moved = 0;

		for (int i = 0; i < 2 && !moved; i++)
			moved = dwarf_attr(&die, references[i], &attribute) &&
				dwarf_formref_die(&attribute, &target);
		if (!moved)
			break;
		die = target;
	}
	return die;
}

static int is_qualifier(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* 0: no room. */
static int append(char *name, size_t room, const char *text)
{
	size_t used = strlen(name), size = strlen(text);

	if (used + size >= room)
		return 0;
	memcpy(name + used, text, size + 1);
	return 1;
}

static int append_qualifiers(char *name, size_t room, Dwarf_Die *die)
{
	Dwarf_Die *scopes = NULL;
	int count = dwarf_getscopes_die(die, &scopes), fits = 1;

	for (int i = count - 1; i > 0 && fits; i--) {
		const char *part;

		if (!is_qualifier(&scopes[i]))
			continue;
		part = dwarf_diename(&scopes[i]);
		fits = append(name, room, part ? part : "(anonymous)") && append(name, room, "::");
	}
	free(scopes);
	return fits;
}

static void write_name(Dwarf_Die *die, char *name, size_t room)
{
	Dwarf_Die description = described(*die);
	const char *plain = dwarf_diename(&description);

	if (!plain || !append_qualifiers(name, room, &description) || !append(name, room, plain))
		name[0] = '\0';
}

void object_name_find(Dwarf_Die *unit, uint64_t address, char *name, size_t room)
{
	Dwarf_Die *scopes = NULL;
	int count = dwarf_getscopes(unit, address, &scopes);

	name[0] = '\0';
	for (int i = 0; i < count; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		write_name(&scopes[i], name, room);
		break;
	}
	free(scopes);
}
