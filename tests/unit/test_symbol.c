/* test_symbol.c - functions and lines of objects that this test builds, strips, splits and damages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/process.h"
#include "exporter/symbol.h"

/* The labels, which the loader finds, stand in what the lines below name. */
static const char source[] =
	"#define SPOT(name) __asm__ volatile(\".globl \" #name \"\\n\" #name \":\\n\\tnop\")\n"
	"static inline __attribute__((always_inline)) int inner(int x)\n"
	"{\n"
	"	SPOT(in_inner);\n" /* line 4 */
	"	return x * 3;\n"
	"}\n"
	"static __attribute__((noinline)) int hidden(int x)\n"
	"{\n"
	"	SPOT(in_hidden);\n" /* line 9 */
	"	return x + 1;\n"
	"}\n"
	"int visible(int x)\n"
	"{\n"
	"	SPOT(in_visible);\n" /* line 14 */
	"	return hidden(x) + inner(x);\n"
	"}\n";

static const char source_cpp[] =
	"namespace shop {\n"
	"namespace {\n"
	"__attribute__((noinline)) int price(int x)\n"
	"{\n"
	"	__asm__ volatile(\".globl in_price\\nin_price:\\n\\tnop\");\n"
	"	return x;\n"
	"}\n"
	"}\n"
	"struct Cart {\n"
	"	int total(int x);\n"
	"};\n"
	"int Cart::total(int x)\n"
	"{\n"
	"	__asm__ volatile(\".globl in_total\\nin_total:\\n\\tnop\");\n"
	"	return price(x);\n"
	"}\n"
	"}\n";

/* Under LeakSanitizer: libdw loses memory over line tables that it refuses. */
/* NOLINTBEGIN(readability-identifier-naming): the sanitizer's own name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libdw.so";
}
/* NOLINTEND(readability-identifier-naming) */

static char directory[] = "/tmp/tagalong-symbol-XXXXXX";
static struct symbol_process self;
static uint64_t in_inner, in_hidden, in_visible;

/* Runs a command in the directory; it must succeed. */
static void run(const char *format, ...)
{
	char command[2048];
	va_list arguments;
	int used = snprintf(command, sizeof(command), "cd %s && ", directory);

	va_start(arguments, format);
	vsnprintf(command + used, sizeof(command) - (size_t)used, format, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(path_of(name), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static char *read_file(const char *name, size_t *size)
{
	FILE *file = fopen(path_of(name), "rb");
	struct stat status;
	char *bytes;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	*size = (size_t)status.st_size;
	bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

/* As it was linked. */
static uint64_t address_of(void *library, const char *label)
{
	void *at = dlsym(library, label);
	struct link_map *map;

	assert_non_null(at);
	assert_int_equal(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
	return (uint64_t)at - map->l_addr;
}

static int set_up(void **state)
{
	void *library;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	self.pid = (uint32_t)getpid();
	self.start_ticks = process_start_ticks(self.pid);
	write_file("shop.c", source, sizeof(source) - 1);
	run("gcc -O2 -g -fPIC -shared -Wl,--build-id -o full.so shop.c");
	library = dlopen(path_of("full.so"), RTLD_NOW | RTLD_LOCAL);
	assert_non_null(library);
	in_inner = address_of(library, "in_inner");
	in_hidden = address_of(library, "in_hidden");
	in_visible = address_of(library, "in_visible");
	dlclose(library);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	symbol_forget();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command); /* NOLINT(cert-env33-c) */
}

static void expect(const char *name, uint64_t address, const char *function, const char *file,
		   uint32_t line)
{
	struct object_place place;
	const char *base;

	assert_int_equal(symbol_find(&self, path_of(name), address, &place),
			 function[0] || file[0]);
	base = strrchr(place.file, '/');
	assert_string_equal(place.function, function);
	assert_string_equal(base ? base + 1 : place.file, file);
	assert_int_equal(place.line, line);
}

static void debugging_information_gives_function_file_and_line(void **state)
{
	(void)state;
	expect("full.so", in_visible, "visible", "shop.c", 14);
	expect("full.so", in_hidden, "hidden", "shop.c", 9);
	expect("full.so", in_inner, "inner", "shop.c", 4);
	expect("full.so", 0x7fffffff, "", "", 0);
	expect("full.so", 0, "", "", 0);
}

static void the_file_is_a_whole_path(void **state)
{
	struct object_place place;

	(void)state;
	symbol_find(&self, path_of("full.so"), in_visible, &place);
	assert_string_equal(place.file, path_of("shop.c"));
}

static void compressed_and_older_debugging_information_serves_as_well(void **state)
{
	(void)state;
	run("gcc -O2 -g -gz -fPIC -shared -o zlib.so shop.c");
	expect("zlib.so", in_visible, "visible", "shop.c", 14);
	run("gcc -O2 -gdwarf-4 -fPIC -shared -o dwarf4.so shop.c");
	expect("dwarf4.so", in_inner, "inner", "shop.c", 4);
	run("objcopy --remove-section .debug_aranges full.so unindexed.so");
	expect("unindexed.so", in_hidden, "hidden", "shop.c", 9);
}

static void stripped_objects_give_what_is_left(void **state)
{
	(void)state;
	run("strip --strip-debug -o symbols.so full.so");
	expect("symbols.so", in_hidden, "hidden", "", 0);
	expect("symbols.so", in_visible, "visible", "", 0);
	run("strip -o bare.so full.so");
	expect("bare.so", in_visible, "visible", "", 0);
	expect("bare.so", in_hidden, "", "", 0);
}

static void a_debug_link_is_followed_if_it_fits(void **state)
{
	(void)state;
	run("objcopy --only-keep-debug full.so linked.debug");
	run("strip -o linked.so full.so && objcopy --add-gnu-debuglink=linked.debug linked.so");
	expect("linked.so", in_hidden, "hidden", "shop.c", 9);
	run("mkdir .debug && mv linked.debug .debug/ && cp linked.so moved.so");
	expect("moved.so", in_hidden, "hidden", "shop.c", 9);

	/* Another build of it: another build ID. */
	run("gcc -O2 -g -DOTHER -fPIC -shared -Wl,--build-id=0x0102030405 -o other.so shop.c");
	run("objcopy --only-keep-debug other.so .debug/linked.debug && cp linked.so again.so");
	expect("again.so", in_hidden, "", "", 0);
}

static void without_build_ids_the_checksum_decides(void **state)
{
	(void)state;
	run("gcc -O2 -g -fPIC -shared -Wl,--build-id=none -o none.so shop.c");
	run("objcopy --only-keep-debug none.so none.debug");
	run("strip none.so && objcopy --add-gnu-debuglink=none.debug none.so");
	expect("none.so", in_hidden, "hidden", "shop.c", 9);
	run("printf x >>none.debug && cp none.so none2.so");
	expect("none2.so", in_hidden, "", "", 0);
}

/* A process with a root of its own, which holds the object and what belongs to its build ID. */
static pid_t start_contained(const char *root)
{
	int ready[2];
	char byte = 0;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (chroot(root) == 0 && chdir("/") == 0)
			byte = 1;
		(void)!write(ready[1], &byte, 1);
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	if (byte)
		return child;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

static void the_root_of_the_process_is_searched_by_build_id(void **state)
{
	struct symbol_process process = {0};
	struct object_place place;
	pid_t child;

	(void)state;
	run("mkdir -p root/lib root/usr/lib/debug && strip -o root/lib/contained-7f3.so full.so");
	run("ln -s /lib/contained-7f3.so root/link.so");
	run("id=$(readelf -n full.so | sed -n 's/.*Build ID: //p'); "
	    "dir=root/usr/lib/debug/.build-id/$(echo $id | cut -c1-2); mkdir -p $dir; "
	    "objcopy --only-keep-debug full.so $dir/$(echo $id | cut -c3-).debug");
	child = start_contained(path_of("root"));
	if (child == 0) {
		print_message("only root may give a process another root\n");
		skip();
	}
	process.pid = (uint32_t)child;
	process.start_ticks = process_start_ticks(process.pid);
	assert_int_equal(symbol_find(&process, "/lib/contained-7f3.so", in_hidden, &place), 1);
	assert_string_equal(place.function, "hidden");
	assert_int_equal(place.line, 9);
	/* An absolute link is one of that root. */
	assert_int_equal(symbol_find(&process, "/link.so", in_inner, &place), 1);
	assert_string_equal(place.function, "inner");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* It is gone, but what was found for it stays; what was not is not to be had any more. */
	assert_int_equal(symbol_find(&process, "/link.so", in_inner, &place), 1);
	assert_int_equal(symbol_find(&process, "/lib/contained-7f3.so", in_visible, &place), 0);
}

static void names_of_cpp_have_their_namespaces(void **state)
{
	struct object_place place;
	void *library;

	(void)state;
	if (system("g++ --version >/dev/null 2>&1") != 0) { /* NOLINT(cert-env33-c) */
		print_message("g++ is not installed\n");
		skip();
	}
	write_file("cart.cc", source_cpp, sizeof(source_cpp) - 1);
	run("g++ -O2 -g -fPIC -shared -o cart.so cart.cc");
	library = dlopen(path_of("cart.so"), RTLD_NOW | RTLD_LOCAL);
	assert_non_null(library);
	symbol_find(&self, path_of("cart.so"), address_of(library, "in_total"), &place);
	assert_string_equal(place.function, "shop::Cart::total");
	symbol_find(&self, path_of("cart.so"), address_of(library, "in_price"), &place);
	assert_string_equal(place.function, "shop::(anonymous)::price");
	dlclose(library);
}

static void a_file_that_changed_is_read_anew(void **state)
{
	struct symbol_process later = {.pid = self.pid, .start_ticks = 1};
	struct object_place place;

	(void)state;
	run("cp full.so changing.so");
	expect("changing.so", in_hidden, "hidden", "shop.c", 9);
	run("strip -o changing.so full.so");
	/* The same process has the same object mapped as before, another may have the new one. */
	expect("changing.so", in_hidden, "hidden", "shop.c", 9);
	assert_int_equal(symbol_find(&later, path_of("changing.so"), in_hidden, &place), 0);
}

static void what_is_no_object_gives_nothing_and_does_not_block(void **state)
{
	struct object_place place;

	(void)state;
	write_file("text.so", "no ELF file", 11);
	write_file("empty.so", "", 0);
	write_file("magic.so", "\177ELF", 4);
	assert_int_equal(mkfifo(path_of("fifo.so"), 0600), 0);
	expect("text.so", in_hidden, "", "", 0);
	expect("empty.so", in_hidden, "", "", 0);
	expect("magic.so", in_hidden, "", "", 0);
	expect("fifo.so", in_hidden, "", "", 0);
	expect("nonexistent.so", in_hidden, "", "", 0);
	expect(".", in_hidden, "", "", 0);
	assert_int_equal(symbol_find(&self, "", in_hidden, &place), 0);
	assert_int_equal(symbol_find(&self, "full.so", in_hidden, &place), 0);
	assert_int_equal(symbol_find(&self, "/dev/zero", in_hidden, &place), 0);
}

/* Opens the bytes as an object of their own, past the cache. */
static int find_in(const char *bytes, size_t size, uint64_t address)
{
	struct object_place place;
	struct object *object;
	int fd, found = 0;

	write_file("damaged.so", bytes, size);
	fd = open(path_of("damaged.so"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	object = object_open(fd, -1, path_of("damaged.so"));
	if (object)
		found = object_find(object, address, &place);
	if (object)
		assert_true(memchr(place.function, 0, sizeof(place.function)));
	object_close(object);
	return found;
}

static void texts_without_an_end_are_not_read(void **state)
{
	(void)state;
	run("printf x >one && objcopy --update-section .debug_line_str=one full.so endless.so");
	expect("endless.so", in_hidden, "hidden", "", 0);
	run("objcopy --update-section .debug_str=one --compress-debug-sections full.so "
	    "endless2.so");
	expect("endless2.so", in_hidden, "hidden", "", 0);
}

static void cut_and_damaged_files_do_no_harm(void **state)
{
	size_t size;
	char *bytes = read_file("full.so", &size);
	uint32_t random = 12345;
	int found = 0, lost = 0;

	(void)state;
	assert_int_equal(find_in(bytes, size, in_inner), 1);
	for (size_t cut = 0; cut < size; cut += size / 100 + 1)
		find_in(bytes, cut, in_inner);
	for (int round = 0; round < 1000; round++) {
		char *damaged = malloc(size);

		assert_non_null(damaged);
		memcpy(damaged, bytes, size);
		for (int i = 0; i < 40; i++) {
			random = random * 1664525 + 1013904223;
			damaged[(random >> 8) % size] = (char)(random >> 3);
		}
		if (find_in(damaged, size, in_inner))
			found++;
		else
			lost++;
		free(damaged);
	}
	/* The damage is neither too small nor too great to say anything. */
	assert_true(found > 0);
	assert_true(lost > 0);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debugging_information_gives_function_file_and_line),
		cmocka_unit_test(the_file_is_a_whole_path),
		cmocka_unit_test(compressed_and_older_debugging_information_serves_as_well),
		cmocka_unit_test(stripped_objects_give_what_is_left),
		cmocka_unit_test(a_debug_link_is_followed_if_it_fits),
		cmocka_unit_test(without_build_ids_the_checksum_decides),
		cmocka_unit_test(the_root_of_the_process_is_searched_by_build_id),
		cmocka_unit_test(names_of_cpp_have_their_namespaces),
		cmocka_unit_test(a_file_that_changed_is_read_anew),
		cmocka_unit_test(what_is_no_object_gives_nothing_and_does_not_block),
		cmocka_unit_test(texts_without_an_end_are_not_read),
		cmocka_unit_test(cut_and_damaged_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
