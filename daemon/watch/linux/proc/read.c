/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/err.h"

/* A reader that went away between open and read gets ESRCH from procfs. */
static int err_of(int errnum)
{
	return errnum == ESRCH ? SPG_ERR_NOT_FOUND : spg_err_from_errno(errnum);
}

int spg_proc_open(int32_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId32, pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : err_of(errno);
}

ssize_t spg_proc_slurp(int dir_fd, const char *name, char *buf, size_t size)
{
	size_t len = 0;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_of(errno);
	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = err_of(errno);

			close(fd);
			return err;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	buf[len] = '\0';
	return (ssize_t)len;
}
