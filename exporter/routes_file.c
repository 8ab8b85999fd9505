/* routes_file.c - the learned table on disk, shared by all exporters that use one file. */
#include "routes_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/routes_shape.h"

#define MAGIC     0x31657475 /* "ute1" */
#define VERSION   1
#define FILE_MAX  (ROUTE_NODES_MAX * (sizeof(struct entry) + UINT8_MAX))
#define DEPTH_MAX (ROUTE_SEGMENTS_MAX + 2)

/* Of the machine's own byte order: the file stays where it was written. */
struct head {
	uint32_t magic, version;
	uint64_t size; /* of what follows */
	uint64_t checksum;
};

/* One node; its key follows. */
struct entry {
	uint32_t seen_hour;
	uint16_t hits, forgotten;
	uint8_t depth; /* a service has 0 */
	uint8_t kind, extension, holds_value, key_size;
	uint8_t zero[3];
};

_Static_assert(sizeof(struct head) == 24, "head of the file");
_Static_assert(sizeof(struct entry) == 16, "one node in the file");

/* ---- reading -------------------------------------------------------------------------------- */

static int is_entry(const struct entry *entry, const char *key, unsigned depth_before)
{
	if (entry->depth > depth_before + 1 || entry->depth >= DEPTH_MAX)
		return 0;
	if (entry->kind > SHAPE_VALUE || entry->holds_value > 1)
		return 0;
	if (entry->extension > entry->key_size || memchr(key, '\0', entry->key_size))
		return 0;
	if (entry->depth == 0)
		return entry->kind == SHAPE_STATIC;
	if ((entry->kind == SHAPE_VALUE) != (memmem(key, entry->key_size, "{}", 2) != NULL))
		return 0;
	return !memchr(key, '/', entry->key_size) && text_valid(key, entry->key_size);
}

/* Calls `visit` for each node if the whole is well formed; -EINVAL: it is not. */
static int for_each(const char *bytes, size_t size, struct route_tree *tree,
		    void (*visit)(struct route_tree *tree, const struct entry *entry,
				  const char *key, uint32_t way[DEPTH_MAX + 1]))
{
	uint32_t way[DEPTH_MAX + 1] = {0};
	struct entry entry = {0};
	size_t at = 0;
	int first = 1;

	while (at < size) {
		unsigned before = entry.depth;

		if (size - at < sizeof(entry))
			return -EINVAL;
		memcpy(&entry, bytes + at, sizeof(entry));
		at += sizeof(entry);
		if (size - at < entry.key_size || (first && entry.depth) ||
		    !is_entry(&entry, bytes + at, before))
			return -EINVAL;
		if (visit)
			visit(tree, &entry, bytes + at, way);
		at += entry.key_size;
		first = 0;
	}
	return 0;
}

/* Where nothing is known of a node's parent, the node is left out: way[] is 0. */
static void merge_entry(struct route_tree *tree, const struct entry *entry, const char *key,
			uint32_t way[DEPTH_MAX + 1])
{
	struct text text = {key, entry->key_size};
	uint32_t parent = way[entry->depth], index = 0;
	struct route_node *node;

	if (entry->depth == 0)
		index = route_tree_service(tree, text);
	else if (parent)
		index = route_tree_put(tree, parent, text, entry->kind, entry->extension);
	way[entry->depth + 1] = index;
	if (!index)
		return;
	node = &tree->nodes[index];
	if (entry->hits > node->hits)
		node->hits = entry->hits;
	if (entry->forgotten > node->forgotten)
		node->forgotten = entry->forgotten;
	if (entry->seen_hour > node->seen_hour && entry->seen_hour <= tree->hour)
		node->seen_hour = entry->seen_hour;
	if (entry->holds_value && !node->holds_value)
		route_tree_fold(tree, index);
}

int routes_file_parse(struct route_tree *tree, const void *bytes, size_t size)
{
	const char *at = bytes;
	struct head head;

	if (size < sizeof(head))
		return -EINVAL;
	memcpy(&head, bytes, sizeof(head));
	at += sizeof(head);
	size -= sizeof(head);
	if (head.magic != MAGIC || head.version != VERSION || head.size != size ||
	    head.checksum != text_hash((struct text){at, (uint32_t)size}))
		return -EINVAL;
	if (for_each(at, size, NULL, NULL) != 0)
		return -EINVAL;
	return for_each(at, size, tree, merge_entry);
}

int routes_file_read(struct route_tree *tree, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int result = -EINVAL;
	struct stat stat;
	char *bytes = NULL;
	ssize_t size;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size > (off_t)FILE_MAX)
		goto out;
	bytes = malloc((size_t)stat.st_size + 1);
	size = bytes ? read(fd, bytes, (size_t)stat.st_size) : -1;
	if (size >= 0)
		result = routes_file_parse(tree, bytes, (size_t)size);
out:
	free(bytes);
	close(fd);
	return result;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct output {
	char *at;
	size_t size, room;
	int failed;
};

static void put(struct output *output, const void *bytes, size_t size)
{
	if (output->failed)
		return;
	if (!output->at || output->size + size > output->room) {
		size_t room = 2 * output->room + size + 4096;
		char *larger = realloc(output->at, room);

		if (!larger) {
			output->failed = 1;
			return;
		}
		output->at = larger;
		output->room = room;
	}
	memcpy(output->at + output->size, bytes, size);
	output->size += size;
}

static void put_node(struct output *output, const struct route_node *node, unsigned depth)
{
	struct entry entry = {
		.seen_hour = node->seen_hour,
		.hits = node->hits,
		.forgotten = node->forgotten,
		.depth = (uint8_t)depth,
		.kind = node->kind,
		.extension = node->extension,
		.holds_value = node->holds_value,
		.key_size = node->size,
	};

	put(output, &entry, sizeof(entry));
	put(output, node->key, node->size);
}

/* The tree from its first service on, parents before their children. */
static void put_tree(struct output *output, const struct route_tree *tree)
{
	uint32_t index = tree->nodes[0].child;
	unsigned depth = 0;

	while (index) {
		const struct route_node *node = &tree->nodes[index];

		put_node(output, node, depth);
		if (node->child) {
			index = node->child;
			depth++;
			continue;
		}
		while (index && !tree->nodes[index].sibling) {
			index = tree->nodes[index].parent;
			depth--;
		}
		index = tree->nodes[index].sibling;
	}
}

static int write_all(const char *path, const struct output *output)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t done = 0;
	int result = 0;

	if (fd < 0)
		return -errno;
	while (done < output->size && result == 0) {
		ssize_t now = write(fd, output->at + done, output->size - done);

		if (now < 0 && errno != EINTR)
			result = -errno;
		done += now > 0 ? (size_t)now : 0;
	}
	/* No fsync: what a power cut leaves is told by its checksum, and can be learned again. */
	close(fd);
	return result;
}

static int replace(const struct route_tree *tree, const char *path)
{
	struct head head = {.magic = MAGIC, .version = VERSION};
	struct output output = {0};
	char fresh[4096];
	int result = -ENOMEM;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	put(&output, &head, sizeof(head));
	put_tree(&output, tree);
	if (output.failed)
		goto out;
	head.size = output.size - sizeof(head);
	head.checksum = text_hash((struct text){output.at + sizeof(head), (uint32_t)head.size});
	memcpy(output.at, &head, sizeof(head));
	result = write_all(fresh, &output);
	if (result == 0 && rename(fresh, path) != 0)
		result = -errno;
	if (result != 0)
		unlink(fresh);
out:
	free(output.at);
	return result;
}

int routes_file_write(struct route_tree *tree, const char *path)
{
	char lock_path[4096];
	int lock, result;

	if ((size_t)snprintf(lock_path, sizeof(lock_path), "%s.lock", path) >= sizeof(lock_path))
		return -ENAMETOOLONG;
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return -errno;
	if (flock(lock, LOCK_EX) != 0) {
		result = -errno;
		close(lock);
		return result;
	}
	routes_file_read(tree, path);
	result = replace(tree, path);
	close(lock);
	return result;
}
