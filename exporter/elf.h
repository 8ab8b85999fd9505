/* elf.h - what an executable file says about itself: loader, libraries, language. */
#ifndef TAGALONG_ELF_H
#define TAGALONG_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_INTERPRETER_MAX 256
#define ELF_NEEDED_MAX      64
#define ELF_NEEDED_NAME     64

struct elf_facts {
	uint8_t bits;     /* 32 or 64 */
	uint16_t machine; /* EM_X86_64, ... */
	bool big_endian;
	bool dynamic;                          /* has a dynamic section that names libraries */
	bool go;                               /* built by the Go compiler */
	bool io_uring;                         /* imports functions of liburing */
	char interpreter[ELF_INTERPRETER_MAX]; /* PT_INTERP; "": none, no loader will run */
	char needed[ELF_NEEDED_MAX]
		   [ELF_NEEDED_NAME]; /* DT_NEEDED, further or longer ones are cut */
	size_t needed_count;
};

/*
 * Reads `size` bytes of an ELF file. They are not trusted: whatever they hold, nothing outside of
 * them is read. Returns 0, or -ENOEXEC if this is not an ELF file or its headers are nonsense.
 */
int elf_inspect(const void *bytes, size_t size, struct elf_facts *facts);

/* The same for a file. Returns 0 or -errno (-ENOEXEC as above). */
int elf_read(const char *path, struct elf_facts *facts);

/* 1 if a library whose name begins with `prefix` is in facts->needed. */
int elf_needs(const struct elf_facts *facts, const char *prefix);

#endif
