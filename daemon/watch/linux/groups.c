/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "common/err.h"

/* Newer than the headers of Debian 12 (linux/fanotify.h). */
#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x00002000
#endif

struct group {
	int fd;
	uint64_t fsid; /* the one filesystem it is for; the first is for all */
};

struct spg_groups {
	int epoll_fd;
	pthread_mutex_t lock;
	struct group groups[SPG_GROUPS_MAX];
	size_t n;
	size_t queue_max;
};

static int init_group(void)
{
	unsigned flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
	                 FAN_REPORT_DFID_NAME_TARGET | FAN_REPORT_PIDFD |
	                 FAN_UNLIMITED_MARKS;
	/* Since 6.13 a pidfd that cannot be had says why; older ones refuse. */
	int fd = fanotify_init(flags | FAN_REPORT_FD_ERROR, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == EINVAL)
		fd = fanotify_init(flags, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EINVAL ? SPG_ERR_UNSUPPORTED
		                       : spg_err_from_errno(errno);
	return fd;
}

/* Returns the new group's descriptor, or a negative spg_err. */
static int add_group(struct spg_groups *groups, uint64_t fsid)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = groups->n < SPG_GROUPS_MAX ? init_group() : SPG_ERR_LIMIT;

	if (fd < 0)
		return fd;
	if (epoll_ctl(groups->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		close(fd);
		return SPG_ERR_IO;
	}
	pthread_mutex_lock(&groups->lock);
	groups->groups[groups->n++] = (struct group){.fd = fd, .fsid = fsid};
	pthread_mutex_unlock(&groups->lock);
	return fd;
}

/* A group takes the setting that is in force when it is made. */
static size_t read_queue_max(void)
{
	size_t value = 16384;
	FILE *file = fopen("/proc/sys/fs/fanotify/max_queued_events", "re");

	if (file) {
		if (fscanf(file, "%zu", &value) != 1)
			value = 16384;
		fclose(file);
	}
	return value;
}

int spg_groups_create(struct spg_groups **ret)
{
	struct spg_groups *groups = calloc(1, sizeof(*groups));
	int r;

	if (!groups)
		return SPG_ERR_NOMEM;
	pthread_mutex_init(&groups->lock, NULL);
	groups->queue_max = read_queue_max();
	groups->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = groups->epoll_fd < 0 ? spg_err_from_errno(errno) : add_group(groups, 0);
	if (r < 0) {
		spg_groups_destroy(groups);
		return r;
	}
	*ret = groups;
	return 0;
}

void spg_groups_destroy(struct spg_groups *groups)
{
	if (!groups)
		return;
	for (size_t i = 0; i < groups->n; i++)
		close(groups->groups[i].fd);
	if (groups->epoll_fd >= 0)
		close(groups->epoll_fd);
	pthread_mutex_destroy(&groups->lock);
	free(groups);
}

int spg_groups_poll_fd(const struct spg_groups *groups)
{
	return groups->epoll_fd;
}

size_t spg_groups_queue_max(const struct spg_groups *groups)
{
	return groups->queue_max;
}

size_t spg_groups_fds(struct spg_groups *groups, int ret[SPG_GROUPS_MAX])
{
	size_t n;

	pthread_mutex_lock(&groups->lock);
	n = groups->n;
	for (size_t i = 0; i < n; i++)
		ret[i] = groups->groups[i].fd;
	pthread_mutex_unlock(&groups->lock);
	return n;
}

static int set_mark(int group_fd, uint64_t mask, int fd, const char *path)
{
	return fanotify_mark(group_fd, FAN_MARK_ADD, mask, path ? AT_FDCWD : fd, path);
}

int spg_groups_mark(struct spg_groups *groups, uint64_t fsid, uint64_t mask, int fd,
	const char *path)
{
	int group_fd = groups->groups[0].fd;

	for (size_t i = 1; i < groups->n; i++)
		if (groups->groups[i].fsid == fsid)
			group_fd = groups->groups[i].fd;
	if (set_mark(group_fd, mask, fd, path) == 0)
		return 0;
	if (errno == EXDEV && group_fd == groups->groups[0].fd) {
		group_fd = add_group(groups, fsid);
		if (group_fd < 0)
			return group_fd;
		if (set_mark(group_fd, mask, fd, path) == 0)
			return 0;
	}
	if (errno == ENOSPC)
		return SPG_ERR_LIMIT;
	if (errno == EXDEV || errno == ENODEV)
		return SPG_ERR_UNSUPPORTED;
	return spg_err_from_errno(errno);
}

void spg_groups_flush(struct spg_groups *groups)
{
	int fds[SPG_GROUPS_MAX];
	size_t n = spg_groups_fds(groups, fds);

	/* Without a flag: all inode marks of the group. */
	for (size_t i = 0; i < n; i++)
		(void)fanotify_mark(fds[i], FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
}
