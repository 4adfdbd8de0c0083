/* SPDX-License-Identifier: MIT */
/*
 * See holder.h. Here: the protocol, and the states that are about open files,
 * mappings and the processes and threads that have them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/holder.h"

static int serve(struct holder *h, const struct holder_state *state);

void holder_die(const char *what)
{
	fprintf(stderr, "holder: %s: %s\n", what, strerror(errno));
	exit(1);
}

int holder_open(const struct holder *h, int flags)
{
	int fd = open(h->path, flags | O_CLOEXEC);

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

static void *own_table(void *user)
{
	struct holder *h = user;
	int fd;

	if (unshare(CLONE_FILES) < 0)
		holder_die("unshare(CLONE_FILES)");
	fd = holder_open(h, O_RDONLY);
	sem_post(&h->entered);
	while (sem_wait(&h->leave) < 0)
		;
	close(fd);
	return NULL;
}

static void enter_thread_table(struct holder *h)
{
	if (pthread_create(&h->thread, NULL, own_table, h) != 0)
		holder_die("pthread_create");
	while (sem_wait(&h->entered) < 0)
		;
}

static void leave_thread_table(struct holder *h)
{
	sem_post(&h->leave);
	pthread_join(h->thread, NULL);
}

static bool leader_is_zombie(void)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	stat = fopen(path, "re");
	if (!stat)
		holder_die(path);
	/* The name in brackets is our own and has no blank. */
	if (fscanf(stat, "%*d %*s %c", &state) != 1)
		holder_die(path);
	fclose(stat);
	return state == 'Z';
}

static const struct holder_state read_state = {"read", enter_read, holder_close};

static void *without_leader(void *user)
{
	struct holder *h = user;

	h->fd = holder_open(h, O_RDONLY);
	while (!leader_is_zombie())
		poll(NULL, 0, 1);
	exit(serve(h, &read_state));
}

static void enter_leader_exited(struct holder *h)
{
	if (pthread_create(&h->thread, NULL, without_leader, h) != 0)
		holder_die("pthread_create");
	pthread_exit(NULL);
}

/* Wait in a child until the holder lets go of @control or is gone itself. */
static void obey(int control) __attribute__((noreturn));

static void obey(int control)
{
	char byte;

	while (read(control, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void enter_fork(struct holder *h)
{
	int control[2];

	if (pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	h->fd = holder_open(h, O_RDONLY);
	h->child = fork();
	if (h->child < 0)
		holder_die("fork");
	if (h->child == 0) {
		close(control[1]);
		obey(control[0]);
	}
	close(control[0]);
	h->control = control[1];
}

static void leave_fork(struct holder *h)
{
	close(h->control);
	waitpid(h->child, NULL, 0);
	if (h->fd >= 0)
		holder_close(h);
}

/* The file belongs to a process whose parent, which opened it, has ended. */
static void enter_orphan(struct holder *h)
{
	int told[2], control[2];
	pid_t parent;

	if (pipe2(told, O_CLOEXEC) < 0 || pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	parent = fork();
	if (parent < 0)
		holder_die("fork");
	if (parent == 0) {
		pid_t child;

		close(control[1]);
		holder_open(h, O_RDONLY);
		child = fork();
		if (child == 0)
			obey(control[0]);
		_exit(child < 0 || write(told[1], &child, sizeof(child)) < 0);
	}
	close(control[0]);
	close(told[1]);
	if (waitpid(parent, NULL, 0) != parent ||
		read(told[0], &h->pid, sizeof(h->pid)) != sizeof(h->pid))
		holder_die("the parent of the orphan");
	h->control = control[1];
	h->fd = told[0];
}

static void leave_orphan(struct holder *h)
{
	close(h->control);
	holder_await_end(h->pid);
	holder_close(h);
}

/* A descriptor that was sent over a socket and closed; nobody received it. */
static void enter_in_flight(struct holder *h)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec byte = {.iov_base = (char[1]){0}, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int pair[2], fd = holder_open(h, O_RDONLY);

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
		sendmsg(pair[0], &message, 0) != 1)
		holder_die("sending a descriptor");
	close(fd);
	h->fd = pair[1];
	h->control = pair[0];
}

static void leave_in_flight(struct holder *h)
{
	/* Closing the receiving end drops what it has not read. */
	holder_close(h);
	close(h->control);
}

/* A child in a pid and mount namespace of its own opens the file through a
 * bind mount of its directory on ARGUMENT, which only that child sees. */
static void enter_namespaces(struct holder *h)
{
	int told[2], control[2];
	char byte = 0, directory[4096], path[4096];
	const char *slash = strrchr(h->path, '/');

	if (!slash || !h->args[0])
		holder_die("namespaces: a path and a directory to mount on");
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - h->path), h->path);
	snprintf(path, sizeof(path), "%s%s", h->args[0], slash);
	if (pipe2(told, O_CLOEXEC) < 0 || pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount(directory, h->args[0], NULL, MS_BIND, NULL) < 0)
		holder_die("namespaces");
	h->child = fork();
	if (h->child < 0)
		holder_die("fork");
	if (h->child == 0) {
		close(control[1]);
		h->path = path;
		holder_open(h, O_RDONLY);
		if (write(told[1], &byte, 1) != 1)
			_exit(1);
		obey(control[0]);
	}
	close(control[0]);
	close(told[1]);
	if (read(told[0], &byte, 1) != 1)
		holder_die("the child in its namespaces");
	close(told[0]);
	h->control = control[1];
	h->pid = h->child;
	h->child = 0;
}

static void leave_namespaces(struct holder *h)
{
	close(h->control);
	waitpid(h->pid, NULL, 0);
}

static const struct holder_state states[] = {
	{"read", enter_read, holder_close},
	{"write", enter_write, holder_close},
	{"o-path", enter_o_path, holder_close},
	{"dup", enter_dup, holder_close},
	{"mapped", enter_mapped, leave_mapped},
	{"mapped-private", enter_mapped_private, leave_mapped},
	{"mapped-none", enter_mapped_none, leave_mapped},
	{"dlopen", enter_dlopen, leave_dlopen},
	{"exec", enter_exec, leave_idle},
	{"idle", enter_idle, leave_idle},
	{"thread-table", enter_thread_table, leave_thread_table},
	{"leader-exited", enter_leader_exited, holder_close},
	{"fork", enter_fork, leave_fork},
	{"orphan", enter_orphan, leave_orphan},
	{"in-flight", enter_in_flight, leave_in_flight},
	{"namespaces", enter_namespaces, leave_namespaces},
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

static int serve(struct holder *h, const struct holder_state *state)
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
	struct holder h = {.fd = -1, .control = -1, .pid = getpid()};
	const struct holder_state *state;

	if (argc < 3) {
		fprintf(stderr, "usage: holder STATE FILE [ARGUMENT...]\n");
		return 2;
	}
	state = find(states, argv[1]);
	if (!state)
		state = find(holder_lock_states, argv[1]);
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
	return serve(&h, state);
}
