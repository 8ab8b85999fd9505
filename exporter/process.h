/* process.h - whether instrumented processes are alive, and how they ended. */
#ifndef TAGALONG_PROCESS_H
#define TAGALONG_PROCESS_H

/* pidfd_open(2), Linux 5.3; without it /proc is asked. One thread. */

#include <stdint.h>

struct process {
	uint32_t pid;
	uint64_t start_ticks; /* tells a reused pid; 0: unknown */
	int descriptor;       /* pidfd, or -1 */
	int ended;
	int wait_status; /* as wait(2) has it, -1: unknown */
};

/* Many processes behind one descriptor that becomes readable when one of them ends. */
struct process_set {
	int descriptor;
};

int process_set_init(struct process_set *set); /* 0, or -errno */
void process_set_fini(struct process_set *set);

/* Begins to watch; process->ended is set if it is gone already. The struct must stay in its place.
 */
void process_watch(struct process_set *set, struct process *process, uint32_t pid,
		   uint64_t start_ticks);

/* Looks for ended processes and sets their `ended`. Returns how many. */
int process_set_collect(struct process_set *set);

/* Sets process->ended by /proc for one that has no descriptor. */
void process_ask(struct process *process);

/* Tries to learn wait_status from the kernel (Linux 6.15, once the process was reaped). */
void process_ask_status(struct process *process);

/* Stops watching; harmless on one that is not watched. */
void process_forget(struct process_set *set, struct process *process);

/* Start time of a process in clock ticks since boot (proc(5), stat field 22); 0: no such process.
 */
uint64_t process_start_ticks(uint32_t pid);

#endif
