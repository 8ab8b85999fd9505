/* slow_disk.c - a file system with one file, each read of which takes some time: a slow disk. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse3/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_BYTES (64 << 20)

static long delay_ms;

static int get_attributes(const char *path, struct stat *status, struct fuse_file_info *info)
{
	(void)info;
	memset(status, 0, sizeof(*status));
	if (strcmp(path, "/") == 0) {
		status->st_mode = S_IFDIR | 0755;
		status->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, "/data") != 0)
		return -ENOENT;
	status->st_mode = S_IFREG | 0444;
	status->st_nlink = 1;
	status->st_size = FILE_BYTES;
	return 0;
}

static int read_data(const char *path, char *to, size_t size, off_t offset,
		     struct fuse_file_info *info)
{
	struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};

	(void)path;
	(void)info;
	if (offset >= FILE_BYTES)
		return 0;
	if (size > (size_t)(FILE_BYTES - offset))
		size = (size_t)(FILE_BYTES - offset);
	nanosleep(&delay, NULL);
	memset(to, 'x', size);
	return (int)size;
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)config;
	connection->max_readahead = 0;
	return NULL;
}

/* MS, then what fuse takes. Nothing is read ahead, so a read of the program is one of ours. */
int main(int argc, char **argv)
{
	static const struct fuse_operations operations = {
		.init = begin, .getattr = get_attributes, .read = read_data};

	if (argc < 3)
		return 2;
	delay_ms = atol(argv[1]);
	argv[1] = argv[0];
	return fuse_main(argc - 1, argv + 1, &operations, NULL);
}
