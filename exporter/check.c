/* check.c - `tagalong check`: will tracing work on a program or a process, and if not, why not. */
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/attach.h"
#include "exporter/commands.h"
#include "exporter/settings_file.h"
#include "preload/segment.h"

#define OUTPUT_BYTES  65536
#define OUTPUT_MS     5000
#define SHARED_MEMORY "/dev/shm"

struct check {
	char library[PATH_MAX];
	bool has_library;
	char loaded[OUTPUT_BYTES]; /* the loader's list of the program's libraries */
	char text[OUTPUT_BYTES];   /* findings, printed after the verdict */
	size_t text_size;
	int obstacles;
};

static const char usage[] =
	"usage: tagalong check PROGRAM | PID\n"
	"       tagalong check --config FILE\n"
	"       tagalong check --ebpf\n\n"
	"Says whether tracing works on a program (found in PATH, #! lines are followed) or on a\n"
	"running process, and if not, why not. Ends with 0 for yes, 1 for no, 2 for a usage "
	"error.\n"
	"A name that consists of digits is a process; ./123 is a program.\n"
	"With --config a settings file is checked; each problem is one line, FILE:LINE: text.\n"
	"With --ebpf every probe in the kernel is tried on this host.\n";

static void note(struct check *check, const char *kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void note(struct check *check, const char *kind, const char *format, ...)
{
	size_t room = sizeof(check->text) - check->text_size;
	char line[2 * PATH_MAX + 256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	int size = snprintf(check->text + check->text_size, room, "  %-8s %s\n", kind, line);
	if (size > 0 && (size_t)size < room)
		check->text_size += size;
}

#define OBSTACLE(check, ...) ((check)->obstacles++, note(check, "no:", __VA_ARGS__))

/* ---- trying it ---------------------------------------------------------------------------- */

static void exec_quietly(const char *const *arguments, const char *library, int output, int which)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(fd == which ? output : null, fd);
	setenv("LD_PRELOAD", library, 1);
	unsetenv("LD_DEBUG");
	execv(arguments[0], (char *const *)arguments);
	_exit(127);
}

/*
 * Runs a program with the library and collects what it writes to descriptor `which`. Returns its
 * wait status, or -errno.
 */
static int try_program(const char *const *arguments, const char *library, int which, char *out,
		       size_t room)
{
	size_t size = 0;
	int output[2], status;
	ssize_t got = 0;

	out[0] = '\0';
	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		exec_quietly(arguments, library, output[1], which);
	close(output[1]);
	struct pollfd ready = {.fd = output[0], .events = POLLIN};
	while (pid > 0 && size + 1 < room && poll(&ready, 1, OUTPUT_MS) > 0 &&
	       (got = read(output[0], out + size, room - 1 - size)) > 0)
		size += got;
	out[size] = '\0';
	close(output[0]);
	if (pid < 0)
		return -EAGAIN;
	/* Neither the loader nor /bin/true runs on after its output has ended, unless it hangs. */
	if (got != 0)
		kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid ? status : -errno;
}

/* The loader complains in a line on stderr and goes on without the library. */
static void check_canary(struct check *check)
{
	const char *const arguments[] = {"/bin/true", NULL};
	char complaint[1024];
	int status =
		try_program(arguments, check->library, STDERR_FILENO, complaint, sizeof(complaint));

	complaint[strcspn(complaint, "\n")] = '\0';
	if (complaint[0])
		OBSTACLE(check, "the loader says: %s", complaint);
	else if (status != 0)
		OBSTACLE(check, "/bin/true does not end well with the library (wait status %d)",
			 status);
}

/* Asks the program's own loader which libraries it would load; nothing of the program runs. */
static void list_libraries(struct check *check, const struct attach_target *target)
{
	const char *const arguments[] = {target->elf.interpreter, "--list", target->program, NULL};
	int status = try_program(arguments, check->library, STDOUT_FILENO, check->loaded,
				 sizeof(check->loaded));

	if (status == 0 && !strstr(check->loaded, "libtagalong"))
		OBSTACLE(check, "the loader of %s does not load the library", target->program);
}

/* ---- what the machine has ----------------------------------------------------------------- */

static void check_library(struct check *check)
{
	struct stat status;

	check->has_library = attach_library(check->library) == 0;
	if (!check->has_library) {
		OBSTACLE(check, "libtagalong.so is missing or not readable%s",
			 getenv("TAGALONG_LIBRARY") ? " (TAGALONG_LIBRARY)" : "");
		return;
	}
	note(check, "library:", "%s", check->library);
	if (stat(check->library, &status) == 0 && !(status.st_mode & S_IROTH))
		note(check, "caveat:",
		     "%s is not readable for other users: programs that change "
		     "theirs can't load it",
		     check->library);
	check_canary(check);
}

static void check_shared_memory(struct check *check)
{
	struct statvfs space;

	if (statvfs(SHARED_MEMORY, &space) < 0)
		OBSTACLE(check, SHARED_MEMORY " is missing");
	else if (access(SHARED_MEMORY, W_OK) < 0)
		OBSTACLE(check, SHARED_MEMORY " is not writable");
	else if (space.f_bavail * space.f_frsize < segment_slot_offset(2))
		OBSTACLE(check, SHARED_MEMORY " is full (%llu KiB free)",
			 (unsigned long long)(space.f_bavail * space.f_frsize / 1024));
}

static void check_machine(struct check *check)
{
	struct utsname system;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	const char *disabled = getenv("TAGALONG_DISABLE");

	if (pidfd >= 0)
		close(pidfd);
	if (uname(&system) == 0)
		note(check, "system:", "Linux %s %s, glibc %s, pidfd %s", system.release,
		     system.machine, gnu_get_libc_version(), pidfd >= 0 ? "yes" : "no");
	if (disabled && (strcmp(disabled, "1") == 0 || strcmp(disabled, "true") == 0))
		OBSTACLE(check, "TAGALONG_DISABLE is set");
}

/* ---- the program -------------------------------------------------------------------------- */

static bool loads(const struct check *check, const struct elf_facts *elf, const char *library)
{
	return elf_needs(elf, library) || strstr(check->loaded, library);
}

static void note_caveats(struct check *check, const struct attach_target *target)
{
	const struct elf_facts *elf = &target->elf;

	if (loads(check, elf, "libssl.so"))
		note(check, "caveat:", "uses OpenSSL (libssl): HTTPS is not yet visible");
	if (loads(check, elf, "libgnutls.so"))
		note(check, "caveat:", "uses GnuTLS: HTTPS is not yet visible");
	if (elf->io_uring || loads(check, elf, "liburing"))
		note(check, "caveat:", "uses io_uring: what goes through it is not visible");
	if (strstr(check->loaded, "not found"))
		note(check, "caveat:", "some of its libraries are missing: it does not start");
	if (elf->go && elf->interpreter[0])
		note(check, "caveat:", "only what its C code (cgo) does would be visible");
	if (target->privileged_file)
		note(check, "caveat:",
		     "setuid, setgid or file capabilities: works for you, but not "
		     "for every user");
}

static void examine_program(struct check *check, const struct attach_target *target)
{
	char why[PATH_MAX + 256];

	for (unsigned bit = 1; bit < ATTACH_OBSTACLES_END; bit <<= 1)
		if (target->obstacles & bit)
			OBSTACLE(check, "%s", attach_explain(target, bit, why, sizeof(why)));
	if (target->script[0])
		note(check, "script:", "%s is run by %s", target->script, target->program);
	if (check->has_library && !(target->obstacles & ~ATTACH_NEVER))
		list_libraries(check, target);
	note_caveats(check, target);
}

static int finish(const struct check *check, const char *name)
{
	printf("%s: %s\n%s", name, check->obstacles ? "no" : "yes", check->text);
	return check->obstacles ? 1 : 0;
}

static int check_program(struct check *check, const char *name)
{
	struct attach_target target = {0};
	char file[PATH_MAX];
	int result = attach_find(name, NULL, file);

	if (result == 0)
		result = attach_examine(file, &target);
	if (result < 0) {
		OBSTACLE(check, "%s: %s", name,
			 result == -ENOENT ? "there is no such program" : strerror(-result));
		return finish(check, name);
	}
	check_library(check);
	examine_program(check, &target);
	check_shared_memory(check);
	check_machine(check);
	return finish(check, file);
}

/* ---- a process ---------------------------------------------------------------------------- */

/* The number after "NAME:" in /proc/PID/status, -1 if there is none. */
static int status_number(const char *pid, const char *name)
{
	char path[64], line[256];
	int number = -1;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	FILE *status = fopen(path, "re");
	while (status && number < 0 && fgets(line, sizeof(line), status))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			number = atoi(line + strlen(name) + 1);
	if (status)
		fclose(status);
	return number;
}

/* AT_SECURE as the kernel told the process's loader. */
static bool is_secure(const char *pid)
{
	unsigned long pair[2];
	char path[64];
	bool secure = false;

	snprintf(path, sizeof(path), "/proc/%s/auxv", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, pair, sizeof(pair)) == sizeof(pair))
		if (pair[0] == AT_SECURE)
			secure = pair[1] != 0;
	if (fd >= 0)
		close(fd);
	return secure;
}

static int check_process(struct check *check, const char *pid)
{
	struct attach_target target;
	char why[PATH_MAX + 256];
	int mapped = attach_look(atoi(pid), "libtagalong.so", why, sizeof(why));

	if (mapped < 0) {
		OBSTACLE(check, "process %s: %s", pid,
			 mapped == -ENOENT || mapped == -ESRCH ? "there is no such process"
							       : strerror(-mapped));
		return finish(check, pid);
	}
	if (mapped)
		note(check, "mapped:", "the library is loaded in this process");
	else
		OBSTACLE(check, "%s", why);
	if (!mapped && is_secure(pid))
		OBSTACLE(check, "it was started with other rights than its caller's (AT_SECURE)");
	if (status_number(pid, "Seccomp") == 2)
		note(check, "caveat:", "it filters its system calls (seccomp)");
	if (attach_examine_process(atoi(pid), &target) == 0)
		note_caveats(check, &target);
	if (!mapped)
		note(check,
		     "hint:", "a running process can't be joined: start it with `tagalong run`");
	check_machine(check);
	return finish(check, pid);
}

static int check_settings(const char *path)
{
	unsigned problems = settings_file_check(path);

	if (!problems)
		printf("%s: no problems\n", path);
	return problems ? 1 : 0;
}

int command_check(int argc, char **argv)
{
	static struct check check;
	int at = 1;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--ebpf") == 0)
		return check_ebpf();
	if (argc == 3 && strcmp(argv[1], "--config") == 0)
		return check_settings(argv[2]);
	if (argc > 1 && strcmp(argv[1], "--") == 0)
		at = 2;
	else if (argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "tagalong check: no option \"%s\"\n", argv[1]);
		return 2;
	}
	if (argc - at != 1 || argv[at][0] == '\0') {
		fputs("tagalong check: one PROGRAM or PID; see `tagalong check --help`\n", stderr);
		return 2;
	}
	if (argv[at][strspn(argv[at], "0123456789")] == '\0')
		return check_process(&check, argv[at]);
	return check_program(&check, argv[at]);
}
