/* SPDX-License-Identifier: MIT */
#include "daemon/host/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/format.h"
#include "common/lock_file.h"
#include "common/text.h"
#include "daemon/host/look.h"

static void put(struct spg_buf *to, const struct spg_look *look, const char *format,
	va_list args) SPG_PRINTF(3, 0);

static void put(struct spg_buf *to, const struct spg_look *look, const char *format,
	va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		to->failed = true;
		return;
	}
	spg_buf_printf(to, "%s: %s\n", look->config->path, text);
	free(text);
}

void spg_look_problem(struct spg_look *look, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(look->problems, look, format, args);
	va_end(args);
	if (look->err == 0)
		look->err = err;
}

void spg_look_note(struct spg_look *look, const char *format, ...)
{
	va_list args;

	if (!look->notes)
		return;
	va_start(args, format);
	put(look->notes, look, format, args);
	va_end(args);
}

char *spg_look_directory_of(const char *path)
{
	size_t n = (size_t)(spg_path_base(path) - path);

	return strndup(path, n > 1 ? n - 1 : n);
}

/* ---- files ---- */

/* Rights, a filesystem that is read-only, an attribute, a quota: only the try knows. */
static void try_to_make(
	struct spg_look *look, const struct spg_place *place, const char *directory)
{
	char *name = NULL;
	int fd = -1, errnum = ENOMEM;

	if (asprintf(&name, "%s/.spguard.XXXXXX", directory) < 0)
		name = NULL;
	if (name) {
		fd = mkostemp(name, O_CLOEXEC);
		errnum = errno;
	}
	if (fd >= 0) {
		close(fd);
		unlink(name);
	} else if (look->notes && geteuid() != 0) {
		spg_look_note(look, "whether the daemon can write to %s: ask as root",
			directory);
	} else {
		spg_look_problem(look,
			errnum == EROFS ? SPG_ERR_IO : spg_err_from_errno(errnum),
			"%s = %s: the daemon cannot write to %s: %s", place->key,
			place->value, directory, strerror(errnum));
	}
	free(name);
}

static void check_directory(struct spg_look *look, const struct spg_place *place)
{
	char *directory = spg_look_directory_of(place->path), *above;
	struct stat st;

	if (!directory) {
		spg_look_problem(
			look, SPG_ERR_NOMEM, "%s", spg_err_text(SPG_ERR_NOMEM));
		return;
	}
	if (stat(directory, &st) < 0 && errno == ENOENT && place->makes_directory) {
		above = directory;
		directory = spg_look_directory_of(above);
		free(above);
	}
	if (!directory || stat(directory, &st) < 0)
		spg_look_problem(look,
			errno == EACCES || errno == ENOMEM ? spg_err_from_errno(errno)
							   : SPG_ERR_INVALID,
			"%s = %s: its directory: %s: make it, or name another",
			place->key, place->value, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		spg_look_problem(look, SPG_ERR_INVALID, "%s = %s: %s is no directory",
			place->key, place->value, directory);
	else
		try_to_make(look, place, directory);
	free(directory);
}

static void check_kind(struct spg_look *look, const struct spg_place *place)
{
	bool is_socket = place->kind == S_IFSOCK;
	struct stat st;

	if ((is_socket ? lstat(place->path, &st) : stat(place->path, &st)) == 0 &&
		(st.st_mode & S_IFMT) != place->kind)
		spg_look_problem(look, SPG_ERR_INVALID,
			"%s = %s: what is there is no %s: move it away, or name "
			"another",
			place->key, place->value, is_socket ? "socket" : "file");
}

/* Who has it now says little of the moment of a start, which finds out by itself. */
static void check_lock(struct spg_look *look, const struct spg_place *place)
{
	char *name = NULL;
	long pid;

	if (asprintf(&name, "%s.lock", place->path) < 0)
		return;
	if (spg_lock_file_is_taken(name, &pid)) {
		look->has_daemon = true;
		spg_look_note(look, "%s = %s: a daemon that runs (pid %ld) has it",
			place->key, place->value, pid);
	}
	free(name);
}

void spg_look_at_place(struct spg_look *look, const struct spg_place *place)
{
	int before = look->err;

	check_kind(look, place);
	check_directory(look, place);
	if (look->err == before)
		check_lock(look, place);
}

int spg_places_check(const struct spg_config *config,
	const struct spg_places_given *given, struct spg_access *ret,
	struct spg_buf *problems, struct spg_buf *notes)
{
	struct spg_look look = {.config = config, .problems = problems, .notes = notes};
	const struct spg_place database = {.key = "database",
		.value = config->database,
		.path = config->database,
		.kind = S_IFREG};
	int r = spg_access_resolve(config, ret, problems);

	if (r < 0)
		look.err = r;
	spg_look_at_place(&look, &database);
	if (!given->local)
		spg_look_at_socket(&look, "socket", config->socket, ret->gid);
	for (size_t i = 0; !given->http && i < config->n_http; i++) {
		const struct spg_listen_address *address = &config->http[i];

		if (address->path)
			spg_look_at_socket(
				&look, "listen", address->text, ret->http_gid);
		else
			spg_look_at_address(&look, address);
	}
	if (look.err < 0 && r == 0)
		spg_access_finish(ret);
	return look.err;
}
