/* exits.c - exit statuses that the launcher, as the parent, reaped and passes on. */
#include "exits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void exits_init(struct exits *exits, int descriptor)
{
	memset(exits, 0, sizeof(*exits));
	exits->descriptor = descriptor;
	if (descriptor >= 0)
		fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

void exits_fini(struct exits *exits)
{
	if (exits->descriptor >= 0)
		close(exits->descriptor);
	exits->descriptor = -1;
}

static void keep_line(struct exits *exits)
{
	unsigned pid;
	int wait_status;

	exits->line[exits->line_size] = '\0';
	if (sscanf(exits->line, "%u %d", &pid, &wait_status) != 2)
		return;
	exits->kept[exits->next % EXITS_KEPT].pid = pid;
	exits->kept[exits->next % EXITS_KEPT].wait_status = wait_status;
	exits->next++;
}

static void take_bytes(struct exits *exits, const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (at[i] == '\n') {
			keep_line(exits);
			exits->line_size = 0;
		} else if (exits->line_size < sizeof(exits->line) - 1) {
			exits->line[exits->line_size++] = at[i];
		}
	}
}

int exits_read(struct exits *exits)
{
	char bytes[1024];
	ssize_t size;

	if (exits->descriptor < 0)
		return -EPIPE;
	while ((size = read(exits->descriptor, bytes, sizeof(bytes))) > 0)
		take_bytes(exits, bytes, (size_t)size);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	exits_fini(exits);
	return -EPIPE;
}

int exits_take(struct exits *exits, uint32_t pid)
{
	for (unsigned i = 0; i < EXITS_KEPT; i++) {
		if (pid && exits->kept[i].pid == pid) {
			exits->kept[i].pid = 0;
			return exits->kept[i].wait_status;
		}
	}
	return -1;
}
