/* SPDX-License-Identifier: MIT */
#include "daemon/host/look.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/identity.h"
#include "common/text.h"

/* Of the kernel's list of sockets, proc(5): one that listens. */
#define LISTENS "00010000"

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
static void check_reach(struct spg_look *look, const struct spg_place *place, gid_t gid)
{
	char *directory = spg_look_directory_of(place->path), *below;
	struct stat st;

	while (directory && gid != SPG_GID_NONE && gid != 0) {
		mode_t bit = S_IXOTH;

		if (stat(directory, &st) == 0 && st.st_gid == gid)
			bit = S_IXGRP;
		if (stat(directory, &st) == 0 && !(st.st_mode & bit)) {
			spg_look_note(look,
				"%s = %s: members of the group cannot get through %s",
				place->key, place->value, directory);
			break;
		}
		if (strcmp(directory, "/") == 0)
			break;
		below = directory;
		directory = spg_look_directory_of(below);
		free(below);
	}
	free(directory);
}

void spg_look_at_socket(
	struct spg_look *look, const char *key, const char *value, gid_t gid)
{
	const char *path = strchr(value, '/');
	const struct spg_place place = {.key = key,
		.value = value,
		.path = path,
		.kind = S_IFSOCK,
		.makes_directory = spg_path_is_runtime(path)};
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (strlen(path) > max) {
		spg_look_problem(look, SPG_ERR_INVALID,
			"%s = %s: it has %zu bytes, %zu are possible: choose a shorter "
			"one",
			key, value, strlen(path), max);
		return;
	}
	spg_look_at_place(look, &place);
	check_reach(look, &place, gid);
	if (!look->has_daemon && is_listened_at(path))
		spg_look_note(look,
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

void spg_look_at_address(
	struct spg_look *look, const struct spg_listen_address *address)
{
	int errnum = bind_for_a_moment(address);

	if (errnum == EADDRINUSE && look->has_daemon)
		spg_look_note(look,
			"listen = %s: in use: by the daemon that runs, if it has it",
			address->text);
	else if (errnum == EADDRINUSE)
		spg_look_problem(look, SPG_ERR_BUSY,
			"listen = %s: another program listens there", address->text);
	else if (errnum == EADDRNOTAVAIL) /* the network may come later */
		spg_look_problem(look, SPG_ERR_IO,
			"listen = %s: no interface has this address", address->text);
	else if (errnum == EACCES && look->notes && geteuid() != 0)
		spg_look_note(look, "whether the daemon may listen at %s: ask as root",
			address->text);
	else if (errnum != 0)
		spg_look_problem(look, spg_err_from_errno(errnum), "listen = %s: %s",
			address->text, strerror(errnum));
}
