/* SPDX-License-Identifier: MIT */
#include "client/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *spg_rights_fault(const char *directory)
{
	if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0)
		return NULL;
	return errno == EACCES || errno == EROFS ? strerror(errno) : NULL;
}

static bool is_set_user_id(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_ISUID);
}

bool spg_rights_changes(const char *program)
{
	const char *path = getenv("PATH");
	char full[4096];

	if (strchr(program, '/'))
		return is_set_user_id(program);
	while (path && *path) {
		size_t len = strcspn(path, ":");

		if (len > 0 &&
			snprintf(full, sizeof(full), "%.*s/%s", (int)len, path,
				program) < (int)sizeof(full) &&
			access(full, X_OK) == 0)
			return is_set_user_id(full);
		path += len + (path[len] == ':');
	}
	return false;
}
