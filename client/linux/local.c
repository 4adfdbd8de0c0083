/* SPDX-License-Identifier: MIT */
#include "client/local.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <poll.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"

/* ---- connecting ---- */

void spg_local_hint_path(struct spg_complaint *why)
{
	spg_complaint_hint(why, "Name the socket of spguardd: --socket PATH, or "
				"SPGUARD_SOCKET in the environment.");
}

static void hint_start(struct spg_complaint *why)
{
	spg_complaint_hint(why,
		"Start it: systemctl start spguardd (or: spguardd --config FILE).");
	spg_complaint_hint(why, "If it listens elsewhere: --socket PATH, or "
				"SPGUARD_SOCKET in the environment.");
}

/* Name the group that may use @path, and how to get into it. */
static void hint_group(const char *path, struct spg_complaint *why)
{
	struct passwd *user = getpwuid(getuid());
	const char *name = user ? user->pw_name : "USER";
	struct group *group;
	struct stat st;

	if (stat(path, &st) < 0) {
		spg_complaint_hint(why, "Ask as root, or as a member of the group "
					"that the daemon's configuration names.");
		return;
	}
	group = getgrgid(st.st_gid);
	if (!group || st.st_gid == 0) {
		spg_complaint_hint(why,
			"Only root may use it: ask as root, or set \"group\" in the "
			"daemon's configuration.");
		return;
	}
	for (char **member = group->gr_mem; *member; member++) {
		if (strcmp(*member, name) == 0) {
			spg_complaint_hint(why,
				"You are in the group %s, but this session is older "
				"than that: log in again.",
				group->gr_name);
			return;
		}
	}
	spg_complaint_hint(why,
		"Ask as root, or as a member of the group %s: usermod -aG %s %s, then "
		"log in again.",
		group->gr_name, group->gr_name, name);
}

static void explain_denied(const char *path, struct spg_complaint *why)
{
	char *copy = strdup(path);
	struct stat st;

	if (!copy) {
		spg_complain(why, "out of memory");
		return;
	}
	if (stat(path, &st) == 0) {
		spg_complain(why, "you may not use the socket %s", path);
		hint_group(path, why);
	} else {
		const char *folder = dirname(copy);

		spg_complain(
			why, "you may not look into %s, where the socket is", folder);
		hint_group(folder, why);
	}
	free(copy);
}

static int explain_connect(const char *path, int errnum, struct spg_complaint *why)
{
	struct stat st;

	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		spg_complain_no_daemon(why, "there is no socket", path);
		hint_start(why);
		return SPG_ERR_NOT_FOUND;
	case ECONNREFUSED:
		if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
			spg_complain(why, "%s is not a socket", path);
			spg_local_hint_path(why);
			return SPG_ERR_INVALID;
		}
		spg_complain_no_daemon(why, "nobody listens on", path);
		hint_start(why);
		return SPG_ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		explain_denied(path, why);
		return SPG_ERR_DENIED;
	case EPROTOTYPE:
		spg_complain(why, "%s is a socket of another kind", path);
		spg_local_hint_path(why);
		return SPG_ERR_INVALID;
	case EAGAIN: /* SO_SNDTIMEO ran out: the backlog is full, unix(7) */
		spg_complain(why, "the daemon at %s does not take connections", path);
		spg_complaint_hint(why, SPG_LOCAL_SEE_WHY);
		return SPG_ERR_TIMEOUT;
	default:
		spg_complain(why, "cannot connect to %s: %s", path, strerror(errnum));
		return SPG_ERR_IO;
	}
}

int spg_local_open(struct spg_local *local, const char *path, int64_t timeout_ns,
	struct spg_complaint *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {
		.tv_sec = (time_t)(timeout_ns / SPG_NS_PER_S),
		.tv_usec = (suseconds_t)(timeout_ns % SPG_NS_PER_S / 1000),
	};
	size_t len = strlen(path);
	int flags;

	if (len == 0 || len >= sizeof(address.sun_path)) {
		spg_complain(why,
			len ? "the path of the socket is longer than %zu bytes"
			    : "the path of the socket is empty (at most %zu bytes)",
			sizeof(address.sun_path) - 1);
		spg_complaint_hint(why,
			"Name the socket of spguardd: --socket PATH, or "
			"SPGUARD_SOCKET in the environment.");
		return SPG_ERR_INVALID;
	}
	memcpy(address.sun_path, path, len + 1);
	local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (local->fd < 0) {
		spg_complain(why, "cannot make a socket: %s", strerror(errno));
		return spg_err_from_errno(errno);
	}
	/* Only connect() waits by this; everything after it waits in poll(). */
	if (patience.tv_sec == 0 && patience.tv_usec == 0)
		patience.tv_usec = 1;
	setsockopt(local->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(local->fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1)) < 0)
		return explain_connect(path, errno, why);
	flags = fcntl(local->fd, F_GETFL);
	if (flags < 0 || fcntl(local->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		spg_complain(why, "cannot set up the socket: %s", strerror(errno));
		return SPG_ERR_IO;
	}
	return 0;
}

/* ---- bytes ---- */

int spg_local_wait(struct spg_local *local, bool to_write, int wake, int64_t timeout_ns)
{
	struct pollfd fds[2] = {
		{.fd = local->fd, .events = to_write ? POLLOUT : POLLIN},
		{.fd = wake, .events = POLLIN},
	};
	int64_t end =
		timeout_ns == INT64_MAX ? INT64_MAX : spg_clock_mono_ns() + timeout_ns;

	for (;;) {
		int64_t ns = end == INT64_MAX ? 0 : end - spg_clock_mono_ns();
		struct timespec left = {.tv_sec = (time_t)(ns / SPG_NS_PER_S),
			.tv_nsec = (long)(ns % SPG_NS_PER_S)};
		int n;

		if (ns < 0)
			left = (struct timespec){0};
		n = ppoll(fds, 2, end == INT64_MAX ? NULL : &left, NULL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return SPG_ERR_IO;
		if (n == 0)
			return SPG_ERR_TIMEOUT;
		return fds[1].revents ? SPG_LOCAL_WOKEN : 0;
	}
}

ssize_t spg_local_send(struct spg_local *local, const void *bytes, size_t n)
{
	return send(local->fd, bytes, n, MSG_NOSIGNAL);
}

ssize_t spg_local_receive(struct spg_local *local, void *ret, size_t n)
{
	return recv(local->fd, ret, n, 0);
}

bool spg_local_is_open(const struct spg_local *local)
{
	return local->fd >= 0;
}

void spg_local_close(struct spg_local *local)
{
	if (local->fd >= 0)
		close(local->fd);
	local->fd = -1;
}
