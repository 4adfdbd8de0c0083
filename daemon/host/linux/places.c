/* SPDX-License-Identifier: MIT */
#include "daemon/host/places.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/format.h"
#include "common/lock_file.h"
#include "common/text.h"

/* Of the kernel's list of sockets, proc(5): one that listens. */
#define LISTENS "00010000"

struct look {
	const struct spg_config *config;
	struct spg_buf *problems, *notes;
	bool has_daemon; /* one that runs uses the socket or the database */
	int err;         /* of the first problem */
};

/* A file of the daemon's own, and the key that names it. */
struct place {
	const char *key, *value, *path; /* @value: as it is written */
	mode_t kind;                    /* S_IFSOCK or S_IFREG */
	bool makes_directory; /* the daemon makes the last component by itself */
};

static void put(struct spg_buf *to, const struct look *look, const char *format,
	va_list args) SPG_PRINTF(3, 0);

static void put(
	struct spg_buf *to, const struct look *look, const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		to->failed = true;
		return;
	}
	spg_buf_printf(to, "%s: %s\n", look->config->path, text);
	free(text);
}

static void SPG_PRINTF(3, 4)
problem(struct look *look, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(look->problems, look, format, args);
	va_end(args);
	if (look->err == 0)
		look->err = err;
}

static void SPG_PRINTF(2, 3)
note(struct look *look, const char *format, ...)
{
	va_list args;

	if (!look->notes)
		return;
	va_start(args, format);
	put(look->notes, look, format, args);
	va_end(args);
}

static char *directory_of(const char *path)
{
	size_t n = (size_t)(spg_path_base(path) - path);

	return strndup(path, n > 1 ? n - 1 : n);
}

/* ---- files ---- */

/* Rights, a filesystem that is read-only, an attribute, a quota: only the try knows. */
static void try_to_make(
	struct look *look, const struct place *place, const char *directory)
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
		note(look, "whether the daemon can write to %s: ask as root",
			directory);
	} else {
		problem(look, errnum == EROFS ? SPG_ERR_IO : spg_err_from_errno(errnum),
			"%s = %s: the daemon cannot write to %s: %s", place->key,
			place->value, directory, strerror(errnum));
	}
	free(name);
}

static void check_directory(struct look *look, const struct place *place)
{
	char *directory = directory_of(place->path), *above;
	struct stat st;

	if (!directory) {
		problem(look, SPG_ERR_NOMEM, "%s", spg_err_text(SPG_ERR_NOMEM));
		return;
	}
	if (stat(directory, &st) < 0 && errno == ENOENT && place->makes_directory) {
		above = directory;
		directory = directory_of(above);
		free(above);
	}
	if (!directory || stat(directory, &st) < 0)
		problem(look,
			errno == EACCES || errno == ENOMEM ? spg_err_from_errno(errno)
							   : SPG_ERR_INVALID,
			"%s = %s: its directory: %s: make it, or name another",
			place->key, place->value, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		problem(look, SPG_ERR_INVALID, "%s = %s: %s is no directory",
			place->key, place->value, directory);
	else
		try_to_make(look, place, directory);
	free(directory);
}

static void check_kind(struct look *look, const struct place *place)
{
	bool is_socket = place->kind == S_IFSOCK;
	struct stat st;

	if ((is_socket ? lstat(place->path, &st) : stat(place->path, &st)) == 0 &&
		(st.st_mode & S_IFMT) != place->kind)
		problem(look, SPG_ERR_INVALID,
			"%s = %s: what is there is no %s: move it away, or name "
			"another",
			place->key, place->value, is_socket ? "socket" : "file");
}

/* Who has it now says little of the moment of a start, which finds out by itself. */
static void check_lock(struct look *look, const struct place *place)
{
	char *name = NULL;
	long pid;

	if (asprintf(&name, "%s.lock", place->path) < 0)
		return;
	if (spg_lock_file_is_taken(name, &pid)) {
		look->has_daemon = true;
		note(look, "%s = %s: a daemon that runs (pid %ld) has it", place->key,
			place->value, pid);
	}
	free(name);
}

static void check_place(struct look *look, const struct place *place)
{
	int before = look->err;

	check_kind(look, place);
	check_directory(look, place);
	if (look->err == before)
		check_lock(look, place);
}

/* ---- sockets ---- */

/* Somebody listens at @path, who has no lock beside it: another program, or the service
 * manager. To connect would start its service. */
static bool is_listened_at(const char *path)
{
	FILE *list = fopen("/proc/net/unix", "re");
	char line[512], flags[16];
	bool found = false;
	int at;

	while (list && !found && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		found = sscanf(line, "%*s %*s %*s %15s %*s %*s %*s %n", flags, &at) ==
		                1 &&
		        strcmp(flags, LISTENS) == 0 && strcmp(line + at, path) == 0;
	}
	if (list)
		fclose(list);
	return found;
}

/* The group has to get through every directory above. */
static void check_reach(struct look *look, const struct place *place, gid_t gid)
{
	char *directory = directory_of(place->path), *below;
	struct stat st;

	while (directory && gid != SPG_GID_NONE && gid != 0) {
		mode_t bit = S_IXOTH;

		if (stat(directory, &st) == 0 && st.st_gid == gid)
			bit = S_IXGRP;
		if (stat(directory, &st) == 0 && !(st.st_mode & bit)) {
			note(look,
				"%s = %s: members of the group cannot get through %s",
				place->key, place->value, directory);
			break;
		}
		if (strcmp(directory, "/") == 0)
			break;
		below = directory;
		directory = directory_of(below);
		free(below);
	}
	free(directory);
}

/* @value: with what may stand before the path in it. */
static void check_socket(
	struct look *look, const char *key, const char *value, gid_t gid)
{
	const char *path = strchr(value, '/');
	const struct place place = {.key = key,
		.value = value,
		.path = path,
		.kind = S_IFSOCK,
		.makes_directory = spg_path_is_runtime(path)};
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (strlen(path) > max) {
		problem(look, SPG_ERR_INVALID,
			"%s = %s: it has %zu bytes, %zu are possible: choose a shorter "
			"one",
			key, value, strlen(path), max);
		return;
	}
	check_place(look, &place);
	check_reach(look, &place, gid);
	if (!look->has_daemon && is_listened_at(path))
		note(look,
			"%s = %s: somebody listens there: a start is refused unless "
			"it is the service manager",
			key, value);
}

/* As daemon/serve/http/http.c binds it. */
static int bind_for_a_moment(const struct spg_listen_address *address)
{
	int family = address->address.ss_family, on = 1, errnum = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address->address, address->address_len) <
			0 ||
		listen(fd, 1) < 0)
		errnum = errno;
	close(fd);
	return errnum;
}

static void check_address(struct look *look, const struct spg_listen_address *address)
{
	int errnum = bind_for_a_moment(address);

	if (errnum == EADDRINUSE && look->has_daemon)
		note(look, "listen = %s: in use: by the daemon that runs, if it has it",
			address->text);
	else if (errnum == EADDRINUSE)
		problem(look, SPG_ERR_BUSY,
			"listen = %s: another program listens there", address->text);
	else if (errnum == EADDRNOTAVAIL) /* the network may come later */
		problem(look, SPG_ERR_IO, "listen = %s: no interface has this address",
			address->text);
	else if (errnum == EACCES && look->notes && geteuid() != 0)
		note(look, "whether the daemon may listen at %s: ask as root",
			address->text);
	else if (errnum != 0)
		problem(look, spg_err_from_errno(errnum), "listen = %s: %s",
			address->text, strerror(errnum));
}

int spg_places_check(const struct spg_config *config,
	const struct spg_places_given *given, struct spg_access *ret,
	struct spg_buf *problems, struct spg_buf *notes)
{
	struct look look = {.config = config, .problems = problems, .notes = notes};
	const struct place database = {.key = "database",
		.value = config->database,
		.path = config->database,
		.kind = S_IFREG};
	int r = spg_access_resolve(config, ret, problems);

	if (r < 0)
		look.err = r;
	check_place(&look, &database);
	if (!given->local)
		check_socket(&look, "socket", config->socket, ret->gid);
	for (size_t i = 0; !given->http && i < config->n_http; i++) {
		const struct spg_listen_address *address = &config->http[i];

		if (address->path)
			check_socket(&look, "listen", address->text, ret->http_gid);
		else
			check_address(&look, address);
	}
	if (look.err < 0 && r == 0)
		spg_access_finish(ret);
	return look.err;
}
