/* test_elf.c - the reader of ELF files: real ones, made ones, cut ones, forged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/elf.h"

static unsigned char *load(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*size = ftell(file);
	rewind(file);
	unsigned char *bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

static void this_program_is_dynamic_and_needs_libc(void **state)
{
	struct elf_facts facts;

	(void)state;
	assert_int_equal(elf_read("/proc/self/exe", &facts), 0);
	assert_int_equal(facts.bits, 8 * sizeof(void *));
	assert_true(facts.dynamic);
	assert_non_null(strstr(facts.interpreter, "/ld"));
	assert_int_equal(elf_needs(&facts, "libc.so"), 1);
	assert_int_equal(elf_needs(&facts, "libcmocka"), 1);
	assert_int_equal(elf_needs(&facts, "libgnutls"), 0);
	assert_false(facts.go);
	assert_false(facts.io_uring);
}

static void other_files_are_not_elf(void **state)
{
	struct elf_facts facts;

	(void)state;
	assert_int_equal(elf_read("/etc/passwd", &facts), -ENOEXEC);
	assert_int_equal(elf_read("/dev/null", &facts), -ENOEXEC);
	assert_int_equal(elf_read("/", &facts), -ENOEXEC);
	assert_int_equal(elf_read("/nonexistent", &facts), -ENOENT);
}

/* A 32-bit big-endian program with an interpreter, and one section with a name of Go's. */
struct made {
	Elf32_Ehdr head;
	Elf32_Phdr program;
	Elf32_Shdr sections[2];
	char interpreter[16];
	char names[32];
};

static void name_section(struct made *made, const char *name)
{
	snprintf(made->names + 1, sizeof(made->names) - 1, "%s", name);
}

static void make(struct made *made)
{
	memset(made, 0, sizeof(*made));
	memcpy(made->head.e_ident, ELFMAG, SELFMAG);
	made->head.e_ident[EI_CLASS] = ELFCLASS32;
	made->head.e_ident[EI_DATA] = ELFDATA2MSB;
	made->head.e_machine = htobe16(EM_PPC);
	made->head.e_phoff = htobe32(offsetof(struct made, program));
	made->head.e_phnum = htobe16(1);
	made->head.e_shoff = htobe32(offsetof(struct made, sections));
	made->head.e_shnum = htobe16(2);
	made->head.e_shstrndx = htobe16(1);
	made->program.p_type = htobe32(PT_INTERP);
	made->program.p_offset = htobe32(offsetof(struct made, interpreter));
	made->program.p_filesz = htobe32(sizeof(made->interpreter));
	strcpy(made->interpreter, "/lib/ld.so.1");
	made->sections[0].sh_name = htobe32(1);
	made->sections[0].sh_type = htobe32(SHT_NOTE);
	made->sections[1].sh_type = htobe32(SHT_STRTAB);
	made->sections[1].sh_offset = htobe32(offsetof(struct made, names));
	made->sections[1].sh_size = htobe32(sizeof(made->names));
	name_section(made, ".note.go.buildid");
}

static void class_and_byte_order_are_followed(void **state)
{
	struct elf_facts facts;
	struct made made;

	(void)state;
	make(&made);
	assert_int_equal(elf_inspect(&made, sizeof(made), &facts), 0);
	assert_int_equal(facts.bits, 32);
	assert_true(facts.big_endian);
	assert_int_equal(facts.machine, EM_PPC);
	assert_string_equal(facts.interpreter, "/lib/ld.so.1");
	assert_false(facts.dynamic);
	assert_true(facts.go);

	name_section(&made, ".note.gnu.build");
	assert_int_equal(elf_inspect(&made, sizeof(made), &facts), 0);
	assert_false(facts.go);
}

static void a_text_without_an_end_stops_at_its_part(void **state)
{
	struct elf_facts facts;
	struct made made;

	(void)state;
	make(&made);
	memset(made.interpreter, 'x', sizeof(made.interpreter));
	memset(made.names, 'y', sizeof(made.names));
	assert_int_equal(elf_inspect(&made, sizeof(made), &facts), 0);
	assert_string_equal(facts.interpreter, "xxxxxxxxxxxxxxxx");
}

/* Copies of the exact size, so that a sanitizer sees any byte read beyond. */
static void every_cut_is_read_within_its_bounds(void **state)
{
	struct elf_facts whole, facts;
	size_t size;
	unsigned char *bytes = load("/bin/true", &size);

	(void)state;
	assert_int_equal(elf_inspect(bytes, size, &whole), 0);
	for (size_t cut = 0; cut < size; cut += cut < 4096 ? 1 : 61) {
		unsigned char *part = malloc(cut ? cut : 1);
		assert_non_null(part);
		memcpy(part, bytes, cut);
		int result = elf_inspect(part, cut, &facts);
		assert_int_equal(result, cut < sizeof(Elf64_Ehdr) ? -ENOEXEC : 0);
		/* What a cut file says, the whole one says as well. */
		if (result == 0 && facts.interpreter[0])
			assert_int_equal(strncmp(facts.interpreter, whole.interpreter,
						 strlen(facts.interpreter)),
					 0);
		free(part);
	}
	free(bytes);
}

static void forged_bytes_stay_within_bounds(void **state)
{
	static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct elf_facts facts;
	size_t size;
	unsigned char *bytes = load("/bin/true", &size);

	(void)state;
	for (size_t at = SELFMAG; at < 1024; at++) {
		unsigned char old = bytes[at];
		for (size_t i = 0; i < sizeof(values); i++) {
			bytes[at] = values[i];
			int result = elf_inspect(bytes, size, &facts);
			assert_true(result == 0 || result == -ENOEXEC);
			if (result < 0)
				continue;
			assert_true(facts.needed_count <= ELF_NEEDED_MAX);
			assert_non_null(memchr(facts.interpreter, 0, sizeof(facts.interpreter)));
		}
		bytes[at] = old;
	}
	free(bytes);
}

static void a_static_program_has_no_interpreter(void **state)
{
	struct elf_facts facts;

	(void)state;
	if (access("/bin/busybox", R_OK) < 0) {
		print_message("skipped: busybox-static is not installed\n");
		skip();
	}
	assert_int_equal(elf_read("/bin/busybox", &facts), 0);
	assert_string_equal(facts.interpreter, "");
	assert_int_equal(facts.needed_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_program_is_dynamic_and_needs_libc),
		cmocka_unit_test(other_files_are_not_elf),
		cmocka_unit_test(class_and_byte_order_are_followed),
		cmocka_unit_test(a_text_without_an_end_stops_at_its_part),
		cmocka_unit_test(every_cut_is_read_within_its_bounds),
		cmocka_unit_test(forged_bytes_stay_within_bounds),
		cmocka_unit_test(a_static_program_has_no_interpreter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
