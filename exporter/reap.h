/* reap.h - collects ended children, ours and orphans, and tells the exporter how they ended. */
#ifndef TAGALONG_REAP_H
#define TAGALONG_REAP_H

#include <stdbool.h>
#include <sys/types.h>

struct reaper {
	pid_t command;  /* the child whose end is the launcher's own; 0: not started */
	pid_t exporter; /* 0: none runs */
	int exits_fd;   /* "PID WAITSTATUS\n" of each ended child is written here; -1: nowhere */
	bool command_ended;
	int command_status; /* wait status, once command_ended */
	int stop_signal;    /* the command was stopped by this signal; 0: it was not */
	bool exporter_ended;
	int exporter_status;
};

/*
 * Collects all children that have ended, without waiting, and notes if the command has stopped.
 * The exporter's own end is noted and not told to anyone. Never blocks: if the pipe is full, the
 * line is lost.
 */
void reap_children(struct reaper *reaper);

/*
 * Fills `pids` with at most `room` living children other than the exporter. Returns how many there
 * are, or -errno if the kernel doesn't tell (CONFIG_PROC_CHILDREN).
 */
int reap_list_children(const struct reaper *reaper, pid_t parent, pid_t *pids, int room);

/* The exit code that a shell gives for a wait status: the program's own, or 128 + signal. */
int reap_exit_code(int status);

#endif
