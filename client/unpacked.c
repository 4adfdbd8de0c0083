/* SPDX-License-Identifier: MIT */
#include "client/unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/archive_payload.h"
#include "client/output.h"
#include "client/progress.h"
#include "common/err.h"
#include "common/text.h"

#define PATH_BYTES_MAX 3900 /* of a file below the root: nobody opens a longer one */
#define OPEN_MAX       16   /* descriptors while it is removed */

struct spg_unpacked {
	/* /var/tmp/spguard-XXXXXX, with contents/DIGEST and files/PATH */
	char directory[64], root[80];
	int alive_fd; /* closed when this program ends */
	pid_t remover;
};

/* ---- the end of it ---- */

static int remove_one(
	const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

/* The child: waits until the parent lets go of the pipe, however that comes. */
static void wait_and_remove(const char *directory, int alive_fd)
{
	char byte;

	/* Ctrl-C is for the parent, and nobody waits for the ends of its pipes. */
	setsid();
	close_range(0, (unsigned)alive_fd - 1, 0);
	close_range((unsigned)alive_fd + 1, ~0U, 0);
	while (read(alive_fd, &byte, 1) < 0 && errno == EINTR) {
	}
	(void)nftw(directory, remove_one, OPEN_MAX, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

static bool start_remover(struct spg_unpacked *unpacked)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	unpacked->remover = fork();
	if (unpacked->remover == 0) {
		close(ends[1]);
		wait_and_remove(unpacked->directory, ends[0]);
	}
	close(ends[0]);
	unpacked->alive_fd = ends[1];
	return unpacked->remover > 0;
}

void spg_unpacked_destroy(struct spg_unpacked *unpacked)
{
	if (!unpacked)
		return;
	if (unpacked->alive_fd >= 0)
		close(unpacked->alive_fd);
	if (unpacked->remover > 0)
		while (waitpid(unpacked->remover, NULL, 0) < 0 && errno == EINTR) {
		}
	free(unpacked);
}

/* ---- files by their paths ---- */

static bool is_part(const char *part, size_t n)
{
	return n > 0 && !(n == 1 && part[0] == '.') &&
	       !(n == 2 && memcmp(part, "..", 2) == 0);
}

/* The folder of @path below @root_fd, made where it is not there, and the file's name in
 * it. -1: it cannot be. */
static int make_folder(int root_fd, const char *path, const char **ret_name)
{
	int at = dup(root_fd);

	path += strspn(path, "/");
	for (;;) {
		size_t n = strcspn(path, "/");
		char part[256];
		int below;

		if (at < 0 || n >= sizeof(part) || !is_part(path, n))
			break;
		if (path[n] == '\0') {
			*ret_name = path;
			return at;
		}
		memcpy(part, path, n);
		part[n] = '\0';
		if (mkdirat(at, part, 0700) < 0 && errno != EEXIST)
			break;
		below = openat(
			at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = below;
		path += n + 1;
	}
	if (at >= 0)
		close(at);
	return -1;
}

static void place(int directory_fd, int root_fd, const json_t *file)
{
	const char *path = spg_json_text(file, "path"), *name;
	const char *digest = spg_json_text(file, "sha256");
	char content[sizeof("contents/") + SPG_SHA256_TEXT_BYTES];
	int folder_fd;

	if (!path || strlen(path) > PATH_BYTES_MAX || !digest ||
		strlen(digest) >= SPG_SHA256_TEXT_BYTES || strchr(digest, '/'))
		return;
	folder_fd = make_folder(root_fd, path, &name);
	if (folder_fd < 0)
		return;
	snprintf(content, sizeof(content), "contents/%s", digest);
	(void)linkat(directory_fd, content, folder_fd, name, 0);
	close(folder_fd);
}

static bool place_all(int directory_fd, const json_t *payload)
{
	int root_fd = openat(directory_fd, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const json_t *file;
	size_t i;

	if (root_fd < 0)
		return false;
	json_array_foreach (payload, i, file)
		place(directory_fd, root_fd, file);
	close(root_fd);
	return true;
}

/* ---- contents ---- */

static void on_progress(void *user, size_t n_files, uint64_t n_bytes)
{
	char text[SPG_PROGRESS_BYTES];

	snprintf(text, sizeof(text), "unpacking the service pack: %zu files, %llu MB",
		n_files, (unsigned long long)n_bytes / 1000000);
	spg_progress_tell(user, text);
}

static bool unpack(int directory_fd, const char *path, struct spg_complaint *why)
{
	struct spg_archive_unpack to = {
		openat(directory_fd, "contents", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		SPG_UNPACKED_BYTES_MAX};
	const struct spg_archive_limits limits = {.unpack = &to};
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_progress progress;
	const struct spg_payload_progress on = {on_progress, &progress};
	int err = SPG_ERR_IO;

	spg_progress_begin(&progress, false);
	if (to.directory_fd >= 0)
		err = spg_archive_read(&payload, path, &limits, &on, &error);
	spg_progress_end(&progress);
	if (err != 0) {
		if (error.len)
			error.data[strcspn(error.data, "\n")] = '\0';
		spg_complain(why, "%s",
			error.len ? error.data : "it is no archive any more");
	}
	spg_buf_finish(&error);
	spg_payload_finish(&payload);
	if (to.directory_fd >= 0)
		close(to.directory_fd);
	return err == 0;
}

/* ---- all of it ---- */

static bool make_directory(struct spg_unpacked *unpacked)
{
	static const char *const places[] = {"/var/tmp", "/tmp"};

	/* /tmp may be memory. */
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(unpacked->directory, sizeof(unpacked->directory),
			"%s/spguard-XXXXXX", places[i]);
		if (mkdtemp(unpacked->directory))
			return true;
	}
	return false;
}

static int prepare(struct spg_unpacked *unpacked)
{
	int fd;

	if (!make_directory(unpacked))
		return -1;
	snprintf(unpacked->root, sizeof(unpacked->root), "%s/files",
		unpacked->directory);
	if (!start_remover(unpacked)) {
		rmdir(unpacked->directory);
		return -1;
	}
	fd = open(unpacked->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && mkdirat(fd, "contents", 0700) == 0 &&
		mkdirat(fd, "files", 0700) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

struct spg_unpacked *spg_unpacked_create(
	const char *path, const json_t *payload, struct spg_complaint *why)
{
	struct spg_unpacked *unpacked = calloc(1, sizeof(*unpacked));
	int directory_fd = -1;
	bool good;

	if (unpacked) {
		unpacked->alive_fd = -1;
		directory_fd = prepare(unpacked);
	}
	good = directory_fd >= 0;
	if (!good)
		spg_complain(
			why, "no room to unpack it in /var/tmp: %s", strerror(errno));
	good = good && unpack(directory_fd, path, why);
	if (good && !place_all(directory_fd, payload)) {
		spg_complain(why, "%s", strerror(errno));
		good = false;
	}
	if (directory_fd >= 0)
		close(directory_fd);
	if (good)
		return unpacked;
	spg_unpacked_destroy(unpacked);
	return NULL;
}

const char *spg_unpacked_root(const struct spg_unpacked *unpacked)
{
	return unpacked->root;
}
