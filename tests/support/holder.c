/* SPDX-License-Identifier: MIT */
/*
 * See holder.h. Here: the protocol, and the states that are about open files and
 * mappings.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/holder.h"

void holder_die(const char *what)
{
	fprintf(stderr, "holder: %s: %s\n", what, strerror(errno));
	exit(1);
}

void holder_lack(const char *what)
{
	fprintf(stderr, "holder: %s: %s\n", what, strerror(errno));
	exit(77);
}

/* The very open file that descriptor @fd of process @pid is, not one of our own. */
static int take(const char *pid, const char *fd)
{
	int pidfd = pid && fd ? pidfd_open(atoi(pid), 0) : -1, taken = -1;

	if (pidfd >= 0) {
		taken = pidfd_getfd(pidfd, atoi(fd), 0);
		close(pidfd);
	}
	return taken;
}

int holder_open(const struct holder *h, int flags)
{
	bool shared = h->args[0] && strcmp(h->args[0], "share") == 0;
	int fd = shared ? take(h->args[1], h->args[2])
	                : open(h->path, flags | O_CLOEXEC);

	if (fd < 0)
		holder_die(h->path);
	return fd;
}

void holder_close(struct holder *h)
{
	close(h->fd);
	h->fd = -1;
}

void holder_await_end(pid_t pid)
{
	struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};

	if (ended.fd < 0 && errno == ESRCH)
		return;
	while (poll(&ended, 1, -1) < 0) {
		if (errno != EINTR)
			holder_die("poll");
	}
	close(ended.fd);
}

static void enter_read(struct holder *h)
{
	h->fd = holder_open(h, O_RDONLY);
}

static void enter_write(struct holder *h)
{
	h->fd = holder_open(h, O_WRONLY);
}

static void enter_read_write(struct holder *h)
{
	h->fd = holder_open(h, O_RDWR);
}

static void enter_o_path(struct holder *h)
{
	h->fd = holder_open(h, O_PATH);
}

static void enter_dup(struct holder *h)
{
	int first = holder_open(h, O_RDONLY);

	h->fd = dup(first);
	close(first);
}

static void enter_mapping(struct holder *h, int flags, int protection)
{
	struct stat st;
	int fd = holder_open(h, O_RDONLY);

	if (fstat(fd, &st) < 0 || st.st_size == 0)
		holder_die("an empty file cannot be mapped");
	h->map_bytes = (size_t)st.st_size;
	h->map = mmap(NULL, h->map_bytes, protection, flags, fd, 0);
	if (h->map == MAP_FAILED)
		holder_die("mmap");
	close(fd);
}

static void enter_mapped(struct holder *h)
{
	enter_mapping(h, MAP_SHARED, PROT_READ);
}

static void enter_mapped_private(struct holder *h)
{
	enter_mapping(h, MAP_PRIVATE, PROT_READ | PROT_WRITE);
}

static void enter_mapped_none(struct holder *h)
{
	enter_mapping(h, MAP_SHARED, PROT_NONE);
}

/* One mapping of one open file description, torn into three and a hole. */
static void enter_mapped_pieces(struct holder *h)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map;

	enter_mapping(h, MAP_SHARED, PROT_READ);
	map = h->map;
	if (h->map_bytes < 6 * page)
		holder_die("mapped-pieces: the file is too short");
	if (mprotect(map + page, page, PROT_NONE) < 0 ||
		munmap(map + 3 * page, page) < 0)
		holder_die("mprotect");
}

static void leave_mapped(struct holder *h)
{
	munmap(h->map, h->map_bytes);
}

static void enter_dlopen(struct holder *h)
{
	h->library = dlopen(h->path, RTLD_NOW);
	if (!h->library) {
		fprintf(stderr, "holder: %s\n", dlerror());
		exit(1);
	}
}

static void leave_dlopen(struct holder *h)
{
	dlclose(h->library);
}

/* FILE is a copy of this program; it goes on as "idle". */
static void enter_exec(struct holder *h)
{
	execl(h->path, h->path, "idle", "-", NULL);
	holder_die(h->path);
}

static void enter_idle(struct holder *h)
{
	(void)h;
}

/* An executable is let go of only by ending. */
static void leave_idle(struct holder *h)
{
	(void)h;
	exit(0);
}

static const struct holder_state states[] = {
	{"read", enter_read, holder_close},
	{"write", enter_write, holder_close},
	{"read-write", enter_read_write, holder_close},
	{"o-path", enter_o_path, holder_close},
	{"dup", enter_dup, holder_close},
	{"mapped", enter_mapped, leave_mapped},
	{"mapped-private", enter_mapped_private, leave_mapped},
	{"mapped-none", enter_mapped_none, leave_mapped},
	{"mapped-pieces", enter_mapped_pieces, leave_mapped},
	{"dlopen", enter_dlopen, leave_dlopen},
	{"exec", enter_exec, leave_idle},
	{"idle", enter_idle, leave_idle},
	{NULL, NULL, NULL},
};

static const struct holder_state *find(const struct holder_state *s, const char *name)
{
	for (; s->name; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

int holder_serve(struct holder *h, const struct holder_state *state)
{
	char line[32];

	printf("ready %d", h->pid);
	if (h->child > 0)
		printf(" %d", h->child);
	printf("\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "release\n") == 0) {
			state->leave(h);
			printf("released\n");
			fflush(stdout);
		} else if (strcmp(line, "exit\n") == 0) {
			break;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct holder_state *const tables[] = {
		states,
		holder_task_states,
		holder_kernel_states,
		holder_lock_states,
		holder_stuck_states,
	};
	struct holder h = {.fd = -1, .control = -1, .pid = getpid()};
	const struct holder_state *state = NULL;

	if (argc < 3) {
		fprintf(stderr, "usage: holder STATE FILE [ARGUMENT...]\n");
		return 2;
	}
	for (size_t i = 0; !state && i < sizeof(tables) / sizeof(tables[0]); i++)
		state = find(tables[i], argv[1]);
	if (!state) {
		fprintf(stderr, "holder: no state '%s'\n", argv[1]);
		return 2;
	}
	/* A lease that is broken tells its holder by a signal that kills. */
	signal(SIGIO, SIG_IGN);
	if (sem_init(&h.entered, 0, 0) < 0 || sem_init(&h.leave, 0, 0) < 0)
		holder_die("sem_init");
	h.path = argv[2];
	h.args = argv + 3;
	state->enter(&h);
	return holder_serve(&h, state);
}
