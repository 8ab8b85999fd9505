/* session.c - the node's exporter: one at a time, found by everybody under one name. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/log.h"

static int take_lock(struct session *session, const char *run_directory)
{
	char path[4096];

	if (mkdir(run_directory, 0755) != 0 && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/lock", run_directory);
	session->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (session->lock < 0)
		return -errno;
	if (flock(session->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(session->lock);
	session->lock = -1;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

static int adopt(struct session *session, struct segment_file *file)
{
	ssize_t size = readlink(session->link, session->segment, sizeof(session->segment) - 1);

	if (size <= 0)
		return -ENOENT;
	session->segment[size] = '\0';
	return segment_file_adopt(file, session->segment);
}

/* The link changes in one step: whoever looks sees the old segment or the new one. */
static int publish(const struct session *session)
{
	char fresh[4096 + 8];

	snprintf(fresh, sizeof(fresh), "%s.new", session->link);
	unlink(fresh);
	if (symlink(session->segment, fresh) != 0)
		return -errno;
	return rename(fresh, session->link) == 0 ? 0 : -errno;
}

static int create(struct session *session, uint32_t slots, struct segment_file *file)
{
	int result = segment_file_name(NULL, session->segment, sizeof(session->segment));

	if (result == 0)
		result = segment_file_create(file, session->segment, slots);
	if (result != 0)
		return result;
	result = publish(session);
	if (result != 0) {
		unlink(session->segment);
		segment_file_close(file);
	}
	return result;
}

int session_begin(struct session *session, const char *run_directory, uint32_t slots,
		  struct segment_file *file)
{
	int result;

	session->lock = -1;
	result = snprintf(session->link, sizeof(session->link), "%s/session", run_directory);
	if (result < 0 || (size_t)result >= sizeof(session->link) - 16)
		return -ENAMETOOLONG;
	result = take_lock(session, run_directory);
	if (result == -EBUSY) {
		log_line(LOG_ERROR, "export", "another exporter serves %s already", run_directory);
		return result;
	}
	if (result == 0) {
		result = adopt(session, file);
		if (result == 0)
			log_line(LOG_INFO, "export", "took over %s", session->segment);
		else
			result = create(session, slots, file);
	}
	if (result != 0)
		log_line(LOG_ERROR, "export", "can't open a session in %s: %s", run_directory,
			 strerror(-result));
	return result;
}

void session_end(struct session *session, struct segment_file *file)
{
	if (segment_file_claimed(file) == 0) {
		unlink(session->link);
		unlink(session->segment);
	}
	if (session->lock >= 0)
		close(session->lock);
	session->lock = -1;
}
