/* reap.c - collects ended children, ours and orphans, and tells the exporter how they ended. */
#include "exporter/reap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell_exit(int fd, pid_t pid, int status)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "%d %d\n", (int)pid, status);

	/* Short enough to be atomic (PIPE_BUF); nothing to be done if it doesn't fit. */
	if (fd >= 0 && write(fd, line, length) < 0)
		return;
}

static void note_ended(struct reaper *reaper, pid_t pid, int status)
{
	if (pid == reaper->exporter) {
		reaper->exporter = 0;
		reaper->exporter_ended = true;
		reaper->exporter_status = status;
		return;
	}
	if (pid == reaper->command && !reaper->command_ended) {
		reaper->command_ended = true;
		reaper->command_status = status;
	}
	tell_exit(reaper->exits_fd, pid, status);
}

void reap_children(struct reaper *reaper)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (!WIFSTOPPED(status))
			note_ended(reaper, pid, status);
		else if (pid == reaper->command)
			reaper->stop_signal = WSTOPSIG(status);
	}
}

int reap_list_children(const struct reaper *reaper, pid_t parent, pid_t *pids, int room)
{
	char path[64];
	int count = 0, pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *children = fopen(path, "re");
	if (!children)
		return -errno;
	while (fscanf(children, "%d", &pid) == 1) {
		if (pid == reaper->exporter)
			continue;
		if (count < room)
			pids[count] = pid;
		count++;
	}
	fclose(children);
	return count;
}

int reap_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
