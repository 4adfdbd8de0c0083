/* SPDX-License-Identifier: MIT */
#include "daemon/install/sidestep/rename.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/platform.h"
#include "common/text.h"

#define NAMES_MAX 1000

char *spg_aside_choose_name(const char *path, bool whole, int *ret_err)
{
	const char *base = spg_path_base(path), *dot = strrchr(base, '.');
	int len = (int)(!whole && dot && dot != base ? dot - path : (long)strlen(path));

	for (int i = 1; i < NAMES_MAX; i++) {
		char *name = NULL, number[16] = "";
		struct stat st;

		if (i > 1)
			snprintf(number, sizeof(number), "%d", i);
		if (asprintf(&name, "%.*s.old%s", len, path, number) < 0) {
			*ret_err = SPG_ERR_NOMEM;
			return NULL;
		}
		if (lstat(name, &st) < 0 && errno == ENOENT)
			return name;
		free(name);
		if (errno == ENAMETOOLONG) {
			*ret_err = SPG_ERR_INVALID;
			return NULL;
		}
	}
	*ret_err = SPG_ERR_EXISTS;
	return NULL;
}

static bool is_file(const struct stat *st, struct spg_file_id id)
{
	return spg_file_id_equal((struct spg_file_id){st->st_dev, st->st_ino}, id);
}

/* Returns 0 when @path is the file @id. */
static int check(const char *path, struct spg_file_id id)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return spg_err_from_errno(errno);
	if (S_ISLNK(st.st_mode))
		return SPG_ERR_UNSUPPORTED;
	return is_file(&st, id) ? 0 : SPG_ERR_BUSY;
}

/* Where rename(2) cannot be told not to replace. */
static int link_and_unlink(const char *from, const char *to, struct spg_file_id id)
{
	int errnum;

	if (link(from, to) < 0)
		return errno == EEXIST ? SPG_ERR_EXISTS : SPG_ERR_UNSUPPORTED;
	/* Setup may have put its file there already: that one stays. */
	if (check(from, id) < 0 || unlink(from) == 0)
		return 0;
	errnum = errno;
	unlink(to);
	return spg_err_from_errno(errnum);
}

static int rename_anew(const char *from, const char *to, struct spg_file_id id)
{
	int r = spg_platform_rename_new(from, to);

	return r == SPG_ERR_UNSUPPORTED ? link_and_unlink(from, to, id) : r;
}

/* So that the name survives a power cut, as the journal does. */
static void sync_directory(const char *path)
{
	char *directory = strdup(path),
	     *slash = directory ? strrchr(directory, '/') : NULL;
	int fd = -1;

	if (slash) {
		slash[slash == directory] = '\0';
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(directory);
}

int spg_aside_rename(const char *from, const char *to, struct spg_file_id id)
{
	int r = check(from, id);

	if (r == 0)
		r = rename_anew(from, to, id);
	if (r < 0)
		return r;
	/* Somebody put another file there in between: give it its name back. */
	if (check(to, id) < 0) {
		(void)rename_anew(to, from, id);
		return SPG_ERR_BUSY;
	}
	sync_directory(to);
	return 0;
}

int spg_aside_remove(const char *path, struct spg_file_id id)
{
	int r = check(path, id);

	if (r == 0 && unlink(path) < 0)
		r = spg_err_from_errno(errno);
	return r;
}

enum spg_aside_place spg_aside_find(
	const char *path, const char *old_path, struct spg_file_id id)
{
	bool at_path = check(path, id) == 0, at_old = check(old_path, id) == 0;

	if (at_path && at_old)
		return SPG_ASIDE_AT_BOTH;
	return at_path  ? SPG_ASIDE_AT_PATH
	       : at_old ? SPG_ASIDE_AT_OLD
	                : SPG_ASIDE_NOWHERE;
}

const char *spg_aside_why(int err)
{
	switch (err) {
	case SPG_ERR_EXISTS:
		return "there is a file of the new name already";
	case SPG_ERR_BUSY:
		return "another file has taken its place meanwhile";
	case SPG_ERR_NOT_FOUND:
		return "the file is not there any more";
	case SPG_ERR_UNSUPPORTED:
		return "it is a symbolic link, or its filesystem cannot rename without "
		       "risk of replacing a file";
	default:
		return spg_err_text(err);
	}
}
