/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"

#define LINKS_MAX 40 /* as the kernel's own limit, path_resolution(7) */

/* Append "/component" to @path, or go up for "..". */
static int append(char path[PATH_MAX], const char *component, size_t len)
{
	size_t used = strlen(path);

	if (len == 2 && memcmp(component, "..", 2) == 0) {
		char *slash = strrchr(path, '/');

		if (slash)
			*slash = '\0';
		return 0;
	}
	if (used + 1 + len >= PATH_MAX)
		return SPG_ERR_INVALID;
	path[used] = '/';
	memcpy(path + used + 1, component, len);
	path[used + 1 + len] = '\0';
	return 0;
}

/* Put the link's @target in front of what is left to resolve. */
static int follow(char path[PATH_MAX], char rest[PATH_MAX], const char *target)
{
	char joined[PATH_MAX];
	char *slash = strrchr(path, '/');
	int n = snprintf(joined, sizeof(joined), "%s/%s", target, rest);

	if (n < 0 || (size_t)n >= sizeof(joined))
		return SPG_ERR_INVALID;
	memcpy(rest, joined, (size_t)n + 1);
	/* A relative target starts where the link is, an absolute one at "/". */
	if (target[0] == '/')
		path[0] = '\0';
	else if (slash)
		*slash = '\0';
	return 0;
}

struct way {
	int root_fd; /* or AT_FDCWD: that of the process */
	int (*on_link)(void *user, const char *path);
	void *user;
};

static int resolve(const struct spg_mounts *mounts, const char *path,
	char ret[PATH_MAX], const struct spg_mount **ret_mount, const struct way *way)
{
	char rest[PATH_MAX], target[PATH_MAX];
	int n_links = 0, r = 0;

	ret[0] = '\0';
	if (snprintf(rest, sizeof(rest), "%s", path) >= (int)sizeof(rest))
		return SPG_ERR_INVALID;
	while (r == 0 && rest[0]) {
		size_t skip = strspn(rest, "/");
		size_t len = strcspn(rest + skip, "/");
		ssize_t n;

		if (len > 0 && !(len == 1 && rest[skip] == '.'))
			r = append(ret, rest + skip, len);
		memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
		if (r < 0 || len == 0 || ret[0] == '\0')
			continue;
		*ret_mount = spg_mounts_find(mounts, ret);
		if (*ret_mount && (*ret_mount)->class == SPG_FS_FOREIGN)
			return SPG_RESOLVE_FOREIGN;
		n = readlinkat(way->root_fd, way->root_fd == AT_FDCWD ? ret : ret + 1,
			target, sizeof(target) - 1);
		if (n < 0) {
			if (errno != EINVAL)
				r = errno == ENAMETOOLONG
				            ? SPG_ERR_NOT_FOUND /* no such name can be */
				            : spg_err_from_errno(errno);
			continue;
		}
		target[n] = '\0';
		/* A magic link leads where its text does not: proc_pid_root(5). */
		if (*ret_mount && strcmp((*ret_mount)->type, "proc") == 0)
			return SPG_ERR_UNSUPPORTED;
		if (++n_links > LINKS_MAX)
			return SPG_RESOLVE_CIRCLE;
		if (way->on_link)
			r = way->on_link(way->user, ret);
		if (r == 0)
			r = follow(ret, rest, target);
	}
	if (r == SPG_ERR_NOT_FOUND && snprintf(target, sizeof(target), "%s%s", ret,
					      rest) < (int)sizeof(target)) {
		spg_path_normalise(target);
		memcpy(ret, target, strlen(target) + 1);
	}
	if (r < 0)
		return r;
	if (ret[0] == '\0')
		memcpy(ret, "/", 2);
	*ret_mount = spg_mounts_find(mounts, ret);
	return 0;
}

int spg_resolve(const struct spg_mounts *mounts, const char *path, char ret[PATH_MAX],
	const struct spg_mount **ret_mount)
{
	return resolve(
		mounts, path, ret, ret_mount, &(struct way){AT_FDCWD, NULL, NULL});
}

int spg_resolve_by_links(const struct spg_mounts *mounts, const char *path,
	char ret[PATH_MAX], const struct spg_mount **ret_mount,
	int (*on_link)(void *user, const char *path), void *user)
{
	return resolve(
		mounts, path, ret, ret_mount, &(struct way){AT_FDCWD, on_link, user});
}

int spg_resolve_below(int root_fd, const struct spg_mounts *mounts, const char *path,
	char ret[PATH_MAX], const struct spg_mount **ret_mount)
{
	return resolve(
		mounts, path, ret, ret_mount, &(struct way){root_fd, NULL, NULL});
}
