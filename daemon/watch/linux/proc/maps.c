/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/err.h"

/* linux/fs.h since 6.11; declared here since older headers lack it. */
struct procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define QUERY_COVERING_OR_NEXT 0x10
#define QUERY_FILE_BACKED      0x20
#define QUERY_IOCTL            _IOWR('f', 17, struct procmap_query)

/* Not worth asking again once the kernel said that it has none. */
static atomic_bool no_query;

void spg_maps_force_text(bool force)
{
	atomic_store(&no_query, force);
}

/* The end of the mappings, or of the process, is no error. */
static int walk_error(int errnum)
{
	return errnum == 0 || errnum == ENOENT || errnum == ESRCH
	               ? 0
	               : spg_err_from_errno(errnum);
}

/* Returns 1 when the kernel does not know the query. */
static int walk_by_query(int fd, bool names,
	int (*visit)(void *user, const struct spg_mapping *mapping), void *user)
{
	char name[PATH_MAX + 16];
	uint64_t address = 0;

	for (;;) {
		struct procmap_query q = {.size = sizeof(q),
			.query_flags = QUERY_COVERING_OR_NEXT | QUERY_FILE_BACKED,
			.query_addr = address};
		struct spg_mapping mapping;

		if (names) {
			q.vma_name_addr = (uint64_t)(uintptr_t)name;
			q.vma_name_size = sizeof(name);
		}
		if (ioctl(fd, QUERY_IOCTL, &q) < 0) {
			if (errno == ENOTTY)
				return 1;
			if (errno == ENAMETOOLONG && names) {
				names = false;
				continue;
			}
			return walk_error(errno);
		}
		mapping = (struct spg_mapping){.start = q.vma_start,
			.end = q.vma_end,
			.dev = makedev(q.dev_major, q.dev_minor),
			.ino = q.inode,
			.name = names && q.vma_name_size > 0 ? name : NULL};
		if (visit(user, &mapping) != 0)
			return 0;
		address = q.vma_end;
	}
}

/* 7f0c-7f0d r--p 00000000 08:01 393225     /usr/lib/x.so */
static bool parse_line(char *line, struct spg_mapping *ret)
{
	unsigned major, minor;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %x:%x %" SCNu64 " %n",
		    &ret->start, &ret->end, &major, &minor, &ret->ino, &at) != 5)
		return false;
	ret->dev = makedev(major, minor);
	line[strcspn(line, "\n")] = '\0';
	ret->name = at > 0 && line[at] ? line + at : NULL;
	return ret->ino != 0;
}

static int walk_by_text(
	int fd, int (*visit)(void *user, const struct spg_mapping *mapping), void *user)
{
	FILE *file = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	int err;

	if (!file) {
		close(fd);
		return SPG_ERR_NOMEM;
	}
	errno = 0;
	while (getline(&line, &size, file) > 0) {
		struct spg_mapping mapping;

		if (parse_line(line, &mapping) && visit(user, &mapping) != 0)
			break;
		errno = 0;
	}
	err = errno;
	free(line);
	fclose(file);
	errno = err;
	return walk_error(err);
}

int spg_maps_walk(int proc_fd, int32_t tid, bool names,
	int (*visit)(void *user, const struct spg_mapping *mapping), void *user)
{
	char path[48];
	int fd, r = 1;

	snprintf(path, sizeof(path), "task/%" PRId32 "/maps", tid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return walk_error(errno);
	if (!atomic_load(&no_query))
		r = walk_by_query(fd, names, visit, user);
	if (r != 1) {
		int err = errno;

		close(fd);
		errno = err;
		return r;
	}
	atomic_store(&no_query, true);
	return walk_by_text(fd, visit, user);
}
