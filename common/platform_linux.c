/* SPDX-License-Identifier: MIT */
#include "common/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"

int spg_platform_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return SPG_ERR_EXISTS;
	return errno == EINVAL || errno == ENOSYS ? SPG_ERR_UNSUPPORTED
	                                          : spg_err_from_errno(errno);
}

int spg_platform_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? SPG_ERR_BUSY : spg_err_from_errno(errno);
}

/* The other way round, reading and writing go on to fail: a report that nobody can get
 * is not to look as if it had been delivered. */
int spg_platform_fill_descriptors(void)
{
	static const int flags[] = {[STDIN_FILENO] = O_WRONLY,
		[STDOUT_FILENO] = O_RDONLY,
		[STDERR_FILENO] = O_RDONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number, open(2): those below are taken. */
		if (open("/dev/null", flags[fd]) != fd)
			return SPG_ERR_IO;
	}
	return 0;
}

int spg_platform_peer(int fd, struct spg_peer *ret)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return SPG_ERR_IO;
	*ret = (struct spg_peer){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
	return 0;
}

/* The fourth word of "stat", proc_pid_stat(5). The second, the name, may have any
 * characters: its last parenthesis counts. */
static int32_t parent_of(int32_t pid)
{
	char path[32], text[512];
	const char *end;
	int32_t parent = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

size_t spg_platform_lineage(int32_t pid, int32_t *ret, size_t max)
{
	size_t n = 0;

	for (; pid > 1 && n < max; pid = parent_of(pid))
		ret[n++] = pid;
	return n;
}

void spg_platform_release_memory(void)
{
	(void)malloc_trim(0);
}
