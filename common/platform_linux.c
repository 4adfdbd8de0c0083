/* SPDX-License-Identifier: MIT */
#include "common/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>

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

int spg_platform_peer(int fd, struct spg_peer *ret)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return SPG_ERR_IO;
	*ret = (struct spg_peer){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
	return 0;
}
