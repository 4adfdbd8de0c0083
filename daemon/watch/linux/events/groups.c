/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/err.h"

/* Newer than the headers of Debian 12 (linux/fanotify.h). */
#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x00002000
#endif

/* Filesystems that refuse marks which are remembered; the others are asked again. */
#define REFUSED_MAX 64

struct spg_groups {
	int epoll_fd;
	bool may_watch;
	pthread_mutex_t lock;
	struct spg_group groups[SPG_GROUPS_MAX];
	size_t n;
	uint64_t refused[REFUSED_MAX]; /* fsids; the worker thread's */
	size_t n_refused;
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

/* A group takes the setting that is in force when it is made. */
static size_t read_setting(const char *path)
{
	size_t value = 16384;
	FILE *file = fopen(path, "re");

	if (file) {
		if (fscanf(file, "%zu", &value) != 1)
			value = 16384;
		fclose(file);
	}
	return value;
}

static size_t read_queue_max(void)
{
	size_t fanotify = read_setting("/proc/sys/fs/fanotify/max_queued_events");
	size_t inotify = read_setting("/proc/sys/fs/inotify/max_queued_events");

	return fanotify > inotify ? fanotify : inotify;
}

/* Take over @group; a negative spg_err in place of its descriptor is returned. Whoever
 * reads the queues has a copy of the list: what is in it is of use, and stays open.
 * Returns the descriptor, or a negative spg_err. */
static int add_group(struct spg_groups *groups, struct spg_group group)
{
	struct epoll_event event = {.events = EPOLLIN};
	bool fits;

	if (group.fd < 0)
		return group.fd;
	if (epoll_ctl(groups->epoll_fd, EPOLL_CTL_ADD, group.fd, &event) < 0) {
		close(group.fd);
		return SPG_ERR_IO;
	}
	group.queue_max = read_queue_max();
	pthread_mutex_lock(&groups->lock);
	fits = groups->n < SPG_GROUPS_MAX;
	if (fits)
		groups->groups[groups->n++] = group;
	pthread_mutex_unlock(&groups->lock);
	if (fits)
		return group.fd;
	close(group.fd);
	return SPG_ERR_LIMIT;
}

int spg_groups_create(struct spg_groups **ret, bool may_watch)
{
	struct spg_groups *groups = calloc(1, sizeof(*groups));
	int r;

	if (!groups)
		return SPG_ERR_NOMEM;
	pthread_mutex_init(&groups->lock, NULL);
	groups->may_watch = may_watch;
	groups->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = groups->epoll_fd < 0
	            ? spg_err_from_errno(errno)
	            : add_group(groups, (struct spg_group){.fd = init_group()});
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

size_t spg_groups_list(struct spg_groups *groups, struct spg_group ret[SPG_GROUPS_MAX])
{
	size_t n;

	pthread_mutex_lock(&groups->lock);
	n = groups->n;
	for (size_t i = 0; i < n; i++)
		ret[i] = groups->groups[i];
	pthread_mutex_unlock(&groups->lock);
	return n;
}

bool spg_groups_can_mark(const struct spg_groups *groups, uint64_t fsid)
{
	for (size_t i = 0; i < groups->n_refused; i++)
		if (groups->refused[i] == fsid)
			return false;
	return true;
}

static int refuse(struct spg_groups *groups, uint64_t fsid)
{
	if (groups->n_refused < REFUSED_MAX)
		groups->refused[groups->n_refused++] = fsid;
	return SPG_ERR_UNSUPPORTED;
}

static int set_mark(int group_fd, uint64_t mask, int fd, const char *path)
{
	return fanotify_mark(group_fd, FAN_MARK_ADD, mask, path ? AT_FDCWD : fd, path);
}

/* A filesystem that the first group does not take: one of its own takes it, or none. */
static int mark_alone(struct spg_groups *groups, uint64_t fsid, uint64_t mask, int fd,
	const char *path)
{
	int group_fd = init_group();

	if (group_fd < 0)
		return group_fd;
	if (set_mark(group_fd, mask, fd, path) < 0) {
		int errnum = errno;

		close(group_fd);
		if (errnum == EXDEV)
			return refuse(groups, fsid);
		return errnum == ENOSPC ? SPG_ERR_LIMIT : spg_err_from_errno(errnum);
	}
	group_fd = add_group(groups, (struct spg_group){.fd = group_fd, .fsid = fsid});
	if (group_fd == SPG_ERR_LIMIT)
		return refuse(groups, fsid);
	return group_fd < 0 ? group_fd : 0;
}

/* The descriptor of the group that is for @fsid; the first one's when none is. */
static int group_for(struct spg_groups *groups, uint64_t fsid)
{
	int fd = groups->groups[0].fd;

	pthread_mutex_lock(&groups->lock);
	for (size_t i = 1; i < groups->n; i++)
		if (!groups->groups[i].is_inotify && groups->groups[i].fsid == fsid)
			fd = groups->groups[i].fd;
	pthread_mutex_unlock(&groups->lock);
	return fd;
}

int spg_groups_mark(struct spg_groups *groups, uint64_t fsid, uint64_t mask, int fd,
	const char *path)
{
	int group_fd = group_for(groups, fsid);

	if (set_mark(group_fd, mask, fd, path) == 0)
		return 0;
	if (errno == EXDEV && group_fd == groups->groups[0].fd)
		return mark_alone(groups, fsid, mask, fd, path);
	if (errno == ENOSPC)
		return SPG_ERR_LIMIT;
	if (errno == EXDEV || errno == ENODEV || errno == EOPNOTSUPP)
		return SPG_ERR_UNSUPPORTED;
	return spg_err_from_errno(errno);
}

/* NULL: there is none. */
static const struct spg_group *find_inotify(const struct spg_groups *groups)
{
	for (size_t i = 0; i < groups->n; i++)
		if (groups->groups[i].is_inotify)
			return &groups->groups[i];
	return NULL;
}

bool spg_groups_watches(struct spg_groups *groups)
{
	bool watches;

	pthread_mutex_lock(&groups->lock);
	watches = find_inotify(groups) != NULL;
	pthread_mutex_unlock(&groups->lock);
	return watches;
}

/* Its descriptor, or a negative spg_err. */
static int open_inotify(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	return fd >= 0 ? fd : spg_err_from_errno(errno);
}

static uint32_t inotify_mask(uint64_t mask)
{
	uint32_t inotify = (uint32_t)mask & IN_ALL_EVENTS;

	if (mask & FAN_OPEN_EXEC)
		inotify |= IN_OPEN;
	if (mask & FAN_RENAME)
		inotify |= IN_MOVED_FROM | IN_MOVED_TO;
	return inotify | IN_MASK_ADD;
}

int spg_groups_watch(struct spg_groups *groups, uint64_t mask, int fd, int *ret_watch)
{
	const struct spg_group *inotify = find_inotify(groups);
	int inotify_fd = inotify ? inotify->fd : -1;
	char path[32];

	if (!groups->may_watch)
		return SPG_ERR_UNSUPPORTED;
	if (!inotify)
		inotify_fd = add_group(groups,
			(struct spg_group){.fd = open_inotify(), .is_inotify = true});
	if (inotify_fd < 0)
		return inotify_fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret_watch = inotify_add_watch(inotify_fd, path, inotify_mask(mask));
	if (*ret_watch >= 0)
		return 0;
	return errno == ENOSPC ? SPG_ERR_LIMIT : spg_err_from_errno(errno);
}

/* Closing it removes all of its watches. */
static void close_inotify(struct spg_groups *groups)
{
	size_t n = 0;
	int fd = -1;

	pthread_mutex_lock(&groups->lock);
	for (size_t i = 0; i < groups->n; i++) {
		if (groups->groups[i].is_inotify)
			fd = groups->groups[i].fd;
		else
			groups->groups[n++] = groups->groups[i];
	}
	groups->n = n;
	pthread_mutex_unlock(&groups->lock);
	if (fd >= 0)
		close(fd);
}

void spg_groups_flush(struct spg_groups *groups)
{
	struct spg_group left[SPG_GROUPS_MAX];
	size_t n;

	close_inotify(groups);
	n = spg_groups_list(groups, left);
	/* Without a flag: all inode marks of the group. */
	for (size_t i = 0; i < n; i++)
		(void)fanotify_mark(left[i].fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
}
