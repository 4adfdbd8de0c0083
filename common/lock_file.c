/* SPDX-License-Identifier: MIT */
#include "common/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/platform.h"

/* The file may go away under us, when a daemon that stops removes it. */
#define TRIES 8

static long read_pid(int fd)
{
	char text[24];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	pid = strtol(text, NULL, 10);
	return pid > 0 ? pid : 0;
}

bool spg_lock_file_is_in_place(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int spg_lock_file_take(const char *path, mode_t mode, int *ret_fd, long *ret_pid)
{
	*ret_pid = 0;
	for (int i = 0; i < TRIES; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
		int r = fd < 0 ? spg_err_from_errno(errno) : spg_platform_lock(fd);

		if (r == 0 && spg_lock_file_is_in_place(fd, path)) {
			/* Without the number the lock holds as well. */
			if (ftruncate(fd, 0) == 0)
				(void)dprintf(fd, "%ld\n", (long)getpid());
			*ret_fd = fd;
			return 0;
		}
		if (r == SPG_ERR_BUSY)
			*ret_pid = read_pid(fd);
		if (fd >= 0) {
			int errnum = errno;

			close(fd);
			errno = errnum;
		}
		if (r < 0)
			return r;
	}
	return SPG_ERR_BUSY;
}

bool spg_lock_file_is_taken(const char *path, long *ret_pid)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool taken = fd >= 0 && spg_platform_lock(fd) == SPG_ERR_BUSY;

	*ret_pid = taken ? read_pid(fd) : 0;
	if (fd >= 0)
		close(fd);
	return taken;
}
