/* seen_process.c - what the hooks on names, threads and processes do. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "preload/context.h"
#include "preload/deepbind.h"
#include "preload/environment.h"
#include "preload/hook.h"
#include "preload/names.h"
#include "preload/pool.h"
#include "preload/python.h"
#include "preload/thread.h"
#include "preload/threads.h"

#define NAMES_OF_ONE 8

static void remember(const char *node, const struct addrinfo *found)
{
	for (int i = 0; found && i < NAMES_OF_ONE; found = found->ai_next, i++) {
		struct span_address address = {0};

		if (found->ai_family == AF_INET) {
			const struct sockaddr_in *v4 = (const void *)found->ai_addr;

			address.family = ADDRESS_IPV4;
			memcpy(address.bytes, &v4->sin_addr, 4);
		} else if (found->ai_family == AF_INET6) {
			const struct sockaddr_in6 *v6 = (const void *)found->ai_addr;

			address.family = ADDRESS_IPV6;
			memcpy(address.bytes, &v6->sin6_addr, 16);
		} else {
			continue;
		}
		names_add(&address, node);
	}
}

static int is_numeric(const char *node)
{
	for (; *node; node++)
		if (!strchr("0123456789.", *node))
			return strchr(node, ':') != NULL;
	return 1;
}

void after_getaddrinfo(int result, const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **found)
{
	struct thread *self;

	(void)service;
	(void)hints;
	if (result || !node || is_numeric(node) || !(self = thread_enter()))
		return;
	remember(node, *found);
	thread_leave(self);
}

int around_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument)
{
	struct thread *self;
	uint32_t birth = 0;
	int result;

	python_thread_made();
	self = thread_enter();
	if (self) {
		birth = threads_birth(self, start, argument);
		thread_leave(self);
	}
	if (!birth)
		return real_pthread_create(thread, attributes, start, argument);
	result = real_pthread_create(thread, attributes, threads_start, threads_argument(birth));
	if (result)
		threads_unborn(birth);
	return result;
}

pid_t around_fork(void)
{
	pid_t pid = real_fork();

	/* The wiped page tells it as well, but not on kernels before 4.14, nor before it exists. */
	if (pid == 0 && !thread_self.busy)
		process_forked();
	return pid;
}

/*
 * The loader looks at its caller's address for the search path, so every other dlopen is a tail
 * call that leaves the program as the caller. A path with a slash is not searched for.
 */
void *around_dlopen(const char *file, int mode)
{
	void *handle = real_dlopen(file, mode);

	if (handle)
		deepbind_rebind(handle);
	return handle;
}

void after_dlclose(int result, void *handle)
{
	(void)handle;
	if (result == 0)
		caller_forget();
}

/*
 * In a vfork child we share the parent's memory and touch nothing but this thread's scratch, which
 * the parent releases. The guard of re-entry holds there as well.
 */
static char *const *child_environment(char *const *given)
{
	struct thread *self = &thread_self;
	char *const *result;

	if (self->busy)
		return given;
	self->busy = 1;
	result = environment_for_child(self, given);
	self->busy = 0;
	return result;
}

/* Only a failed exec returns. */
static int exec_failed(int result)
{
	environment_release(&thread_self);
	return result;
}

int around_execve(const char *path, char *const argv[], char *const envp[])
{
	return exec_failed(real_execve(path, argv, child_environment(envp)));
}

int around_execvpe(const char *file, char *const argv[], char *const envp[])
{
	return exec_failed(real_execvpe(file, argv, child_environment(envp)));
}

int around_fexecve(int fd, char *const argv[], char *const envp[])
{
	return exec_failed(real_fexecve(fd, argv, child_environment(envp)));
}

int around_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return exec_failed(real_execveat(fd, path, argv, child_environment(envp), flags));
}

int around_execv(const char *path, char *const argv[])
{
	return exec_failed(real_execve(path, argv, child_environment(environ)));
}

int around_execvp(const char *file, char *const argv[])
{
	return exec_failed(real_execvpe(file, argv, child_environment(environ)));
}

int around_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char *const *environment = child_environment(envp);
	int result = real_posix_spawn(pid, path, actions, attributes, argv, environment);

	return exec_failed(result);
}

int around_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char *const *environment = child_environment(envp);
	int result = real_posix_spawnp(pid, file, actions, attributes, argv, environment);

	return exec_failed(result);
}
