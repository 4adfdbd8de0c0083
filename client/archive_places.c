/* SPDX-License-Identifier: MIT */
#include "client/archive_places.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/archive_magic.h"
#include "common/err.h"
#include "common/text.h"

#define LINKS_MAX 40 /* as the kernel follows, MAXSYMLINKS */

/* The folder that was asked for last: those of one folder mostly stand together. */
struct folder {
	struct spg_buf asked, real;
};

/* realpath(3) of as much of @path as exists; *@ret_n: how many bytes that is. NULL: not
 * even "/", or no memory. */
static char *resolve_start(const char *path, size_t *ret_n)
{
	char *part = strdup(path), *real = NULL;
	size_t len = strlen(path);

	while (part && len > 0 && !(real = realpath(part, NULL))) {
		while (len > 0 && part[len - 1] != '/')
			len--;
		len -= len > 0;
		part[len] = '\0';
	}
	*ret_n = len;
	if (part && !real)
		real = strdup("/");
	free(part);
	return real;
}

/* Where the link at the end of @real and the next part of @rest leads to, and what is behind
 * it; NULL: there is no link. */
static char *follow_dangling(const char *real, const char *rest)
{
	size_t skip = strspn(rest, "/"), n = strcspn(rest + skip, "/");
	struct spg_buf at = SPG_BUF_NULL, to = SPG_BUF_NULL;
	char target[PATH_MAX];
	ssize_t length;

	spg_buf_printf(&at, "%s/%.*s", real, (int)n, rest + skip);
	length = n == 0 || at.failed
	                 ? -1
	                 : readlink(spg_buf_text(&at), target, sizeof(target) - 1);
	spg_buf_finish(&at);
	if (length < 0)
		return NULL;
	target[length] = '\0';
	if (target[0] != '/')
		spg_buf_printf(&to, "%s/", real);
	spg_buf_printf(&to, "%s%s", target, rest + skip + n);
	return spg_buf_take(&to);
}

/* @folder as it really is, to the last part that exists, and behind that as links say that
 * lead to nothing: they may again lead to something tomorrow. */
static void resolve(struct folder *known, const char *folder, size_t n)
{
	char *path = strndup(folder, n), *real = NULL, *next = path;
	size_t len = 0;

	spg_buf_clear(&known->asked);
	spg_buf_clear(&known->real);
	spg_buf_add(&known->asked, folder, n);
	for (int i = 0; next && i < LINKS_MAX; i++) {
		free(real);
		real = resolve_start(path, &len);
		next = real ? follow_dangling(real, path + len) : NULL;
		if (next) {
			free(path);
			path = next;
		}
	}
	if (!path || !real)
		known->real.failed = true;
	/* "/" is the empty one, behind which a slash comes. */
	if (real && real[1] != '\0')
		spg_buf_puts(&known->real, real);
	if (path && real)
		spg_buf_puts(&known->real, path + len);
	if (!known->real.failed && known->real.data) {
		spg_path_normalise(known->real.data);
		known->real.len = strlen(known->real.data);
	}
	free(real);
	free(path);
}

static int resolve_file(struct folder *known, struct spg_payload_file *file)
{
	size_t n = (size_t)(spg_path_base(file->path) - file->path) - 1;
	struct spg_buf path = SPG_BUF_NULL;

	if (n == 0)
		return 0;
	if (known->asked.len != n || memcmp(known->asked.data, file->path, n) != 0)
		resolve(known, file->path, n);
	spg_buf_puts(&path, spg_buf_text(&known->real));
	spg_buf_printf(&path, "/%s", file->name);
	if (path.failed || known->real.failed || known->asked.failed) {
		spg_buf_finish(&path);
		return SPG_ERR_NOMEM;
	}
	free(file->path);
	file->path = spg_buf_take(&path);
	file->name = spg_path_base(file->path);
	return 0;
}

/* A program may have been one before, and be a script now. */
static bool is_program(const char *path)
{
	char bytes[4];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes));

	if (fd >= 0)
		close(fd);
	return n > 0 && spg_archive_is_program(bytes, (size_t)n);
}

/* What it takes the place of. A link is none of the pack's files itself, but leads to one. */
static void look(struct spg_payload_file *file)
{
	struct stat st;

	if (lstat(file->path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	file->there = (struct spg_file_id){st.st_dev, st.st_ino};
	file->is_program = file->is_program ||
	                   spg_archive_is_program_name(file->name) ||
	                   ((st.st_mode & 0111) && is_program(file->path));
}

int spg_archive_resolve_places(struct spg_payload *payload)
{
	struct folder known = {SPG_BUF_NULL, SPG_BUF_NULL};
	int err = 0;

	for (size_t i = 0; err == 0 && i < payload->n_files; i++) {
		if (payload->files[i].path[0] != '/')
			continue;
		err = resolve_file(&known, &payload->files[i]);
		if (err == 0)
			look(&payload->files[i]);
	}
	spg_buf_finish(&known.asked);
	spg_buf_finish(&known.real);
	return err;
}
