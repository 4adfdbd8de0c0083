/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/ext4.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/text.h"

bool spg_ext4_is(const char *type)
{
	return strcmp(type, "ext4") == 0 || strcmp(type, "ext3") == 0 ||
	       strcmp(type, "ext2") == 0;
}

int spg_ext4_open(uint64_t dev, const char *name)
{
	char link[64], target[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/%s", spg_path_base(target), name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

long spg_ext4_read_at(int fd)
{
	char text[32], *end;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long number;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	number = strtol(text, &end, 10);
	return end == text ? -1 : number;
}

long spg_ext4_read(uint64_t dev, const char *name)
{
	int fd = spg_ext4_open(dev, name);
	long number = fd < 0 ? -1 : spg_ext4_read_at(fd);

	if (fd >= 0)
		close(fd);
	return number;
}
