/* SPDX-License-Identifier: MIT */
#include "daemon/host/activation.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

/* We know two names; more than this is somebody's mistake. */
#define MAX_FDS   16
#define NAME_SIZE 64

struct handed {
	int fd; /* -1: taken */
	char name[NAME_SIZE];
};

static struct {
	struct handed sockets[MAX_FDS];
	int n;
} activation;

static int number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long number = text ? strtol(text, &end, 10) : 0;

	return text && *text && !*end && number > 0 && number <= INT_MAX ? (int)number
	                                                                 : 0;
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* systemd names a socket after its unit when the unit does not name it. */
static bool is_named(const char *name)
{
	const char *dot = strrchr(name, '.');

	return *name && strcmp(name, "unknown") != 0 &&
	       (!dot || strcmp(dot, ".socket") != 0);
}

/* Copy the part of @names for one socket; returns the rest. */
static const char *next_name(const char *names, char *ret, size_t size)
{
	size_t len = strcspn(names, ":");

	snprintf(ret, size, "%.*s", (int)len, names);
	return names + len + (names[len] == ':');
}

static int take_over(int fd, const char *name)
{
	struct handed *own = &activation.sockets[activation.n];

	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	*own = (struct handed){.fd = fd};
	snprintf(own->name, sizeof(own->name), "%s", name);
	activation.n++;
	if (option_of(fd, SO_TYPE) != SOCK_STREAM ||
		option_of(fd, SO_ACCEPTCONN) != 1) {
		spg_error(
			"descriptor %d of the service manager (%s) is no stream socket "
			"that listens: ListenStream= and Accept=no are needed",
			fd, name);
		return SPG_ERR_INVALID;
	}
	if (!is_named(name))
		snprintf(own->name, sizeof(own->name), "%s",
			option_of(fd, SO_DOMAIN) == AF_UNIX ? SPG_ACTIVATION_LOCAL
							    : SPG_ACTIVATION_HTTP);
	for (int i = 0; i < activation.n - 1; i++) {
		if (strcmp(activation.sockets[i].name, own->name) != 0)
			continue;
		spg_error(
			"the service manager hands over two sockets \"%s\": name them "
			"with FileDescriptorName=, or take one away",
			own->name);
		return SPG_ERR_INVALID;
	}
	return 0;
}

int spg_activation_begin(int first)
{
	int n = number_of("LISTEN_FDS"), r = 0;
	const char *names = getenv("LISTEN_FDNAMES");
	char name[NAME_SIZE];

	if (number_of("LISTEN_PID") != getpid())
		n = 0;
	if (n > MAX_FDS) {
		spg_error("the service manager hands over %d sockets, %d are possible",
			n, MAX_FDS);
		r = SPG_ERR_INVALID;
	}
	for (int i = 0; i < n && r == 0; i++) {
		names = next_name(names ? names : "", name, sizeof(name));
		r = take_over(first + i, name);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return r;
}

bool spg_activation_has(const char *name)
{
	for (int i = 0; i < activation.n; i++)
		if (activation.sockets[i].fd >= 0 &&
			strcmp(activation.sockets[i].name, name) == 0)
			return true;
	return false;
}

int spg_activation_take(const char *name)
{
	for (int i = 0; i < activation.n; i++) {
		struct handed *own = &activation.sockets[i];
		int fd = own->fd;

		if (fd < 0 || strcmp(own->name, name) != 0)
			continue;
		own->fd = -1;
		return fd;
	}
	return -1;
}

void spg_activation_expect(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNSPEC};
	/* One byte less, so that the path always ends. */
	socklen_t size = sizeof(address) - 1;

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
		address.sun_family != AF_UNIX || strcmp(address.sun_path, path) == 0)
		return;
	spg_warning("the service manager's socket is %s, and clients look for %s: let "
		    "ListenStream= and \"socket\" be the same, or ask with --socket",
		address.sun_path[0] ? address.sun_path : "without a path", path);
}

void spg_activation_end(void)
{
	for (int i = 0; i < activation.n; i++) {
		if (activation.sockets[i].fd < 0)
			continue;
		spg_warning("the service manager's socket \"%s\" is not used",
			activation.sockets[i].name);
		close(activation.sockets[i].fd);
	}
	activation.n = 0;
}
