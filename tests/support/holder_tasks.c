/* SPDX-License-Identifier: MIT */
/*
 * The states of "holder" that are about who has the file: threads and processes
 * that share, inherit or hide what they hold, and namespaces.
 */
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/holder.h"

#define STACK_BYTES 65536
#define RELAY_NS    300000 /* how long each process of a relay lives, and more */

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

static const struct holder_state read_state = {"read", NULL, holder_close};

static void *without_leader(void *user)
{
	struct holder *h = user;

	h->fd = holder_open(h, O_RDONLY);
	while (!leader_is_zombie())
		poll(NULL, 0, 1);
	exit(holder_serve(h, &read_state));
}

static void unmap(struct holder *h)
{
	munmap(h->map, h->map_bytes);
}

static const struct holder_state mapped_state = {"mapped", NULL, unmap};

static void *mapped_without_leader(void *user)
{
	struct holder *h = user;
	int fd = holder_open(h, O_RDONLY);

	h->map_bytes = 1; /* of one page, which is what is mapped */
	h->map = mmap(NULL, h->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (h->map == MAP_FAILED)
		holder_die("mmap");
	close(fd);
	while (!leader_is_zombie())
		poll(NULL, 0, 1);
	exit(holder_serve(h, &mapped_state));
}

static void enter_leader_exited_mapped(struct holder *h)
{
	if (pthread_create(&h->thread, NULL, mapped_without_leader, h) != 0)
		holder_die("pthread_create");
	pthread_exit(NULL);
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

/* The file alone, bind-mounted on ARGUMENT, another file, where only we see it:
 * as a container gets a file of its host. */
static void see_bound(struct holder *h)
{
	if (!h->args[0])
		holder_die("bound-file: a file to mount on");
	if (unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount(h->path, h->args[0], NULL, MS_BIND, NULL) < 0)
		holder_die("a mount namespace");
	h->path = h->args[0];
}

static void enter_bound_file(struct holder *h)
{
	see_bound(h);
	h->fd = holder_open(h, O_RDONLY);
}

static void leave_bound_file(struct holder *h)
{
	holder_close(h);
	if (umount2(h->path, MNT_DETACH) < 0)
		holder_die("umount2");
}

/* Mapped, by its only page. */
static void enter_bound_file_mapped(struct holder *h)
{
	enter_bound_file(h);
	h->map_bytes = 1;
	h->map = mmap(NULL, h->map_bytes, PROT_READ, MAP_SHARED, h->fd, 0);
	if (h->map == MAP_FAILED)
		holder_die("mmap");
	holder_close(h);
}

static void leave_bound_file_mapped(struct holder *h)
{
	unmap(h);
	if (umount2(h->path, MNT_DETACH) < 0)
		holder_die("umount2");
}

/* As root of nothing: every id of the new namespace is unmapped. */
static void enter_user_namespace(struct holder *h)
{
	if (unshare(CLONE_NEWUSER) < 0)
		holder_lack("unshare(CLONE_NEWUSER)");
	h->fd = holder_open(h, O_RDONLY);
}

/* clone(2) without CLONE_THREAD: a process of its own that shares by @flags. */
static pid_t clone_sharing(int flags, int (*run)(void *), struct holder *h)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		holder_die("mmap of a stack");
	pid = clone(run, stack + STACK_BYTES, flags | SIGCHLD, h);
	if (pid < 0)
		holder_die("clone");
	return pid;
}

static int share(void *user)
{
	const struct holder *h = user;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	obey(h->told);
}

static void start_sharer(struct holder *h, int flags)
{
	int control[2];

	/* Both have both ends: what ends the child is a byte. */
	if (pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	h->told = control[0];
	h->control = control[1];
	h->child = clone_sharing(flags, share, h);
}

static void stop_sharer(struct holder *h)
{
	if (write(h->control, "", 1) != 1)
		holder_die("telling the child");
	waitpid(h->child, NULL, 0);
}

static void enter_shared_table(struct holder *h)
{
	h->fd = holder_open(h, O_RDONLY);
	start_sharer(h, CLONE_FILES);
}

static void leave_shared_table(struct holder *h)
{
	holder_close(h);
	stop_sharer(h);
}

static void enter_shared_memory(struct holder *h)
{
	int fd = holder_open(h, O_RDONLY);

	h->map_bytes = 1; /* of one page, which is what is mapped */
	h->map = mmap(NULL, h->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (h->map == MAP_FAILED)
		holder_die("mmap");
	close(fd);
	start_sharer(h, CLONE_VM);
}

static void leave_shared_memory(struct holder *h)
{
	munmap(h->map, h->map_bytes);
	stop_sharer(h);
}

static int open_and_obey(void *user)
{
	struct holder *h = user;
	pid_t pid = getpid();

	h->fd = holder_open(h, O_RDONLY);
	if (write(h->told, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	obey(h->control);
}

/* A child of vfork(2) has the file; its parent stands still until it ends. */
static void enter_vfork(struct holder *h)
{
	int told[2], control[2];

	if (pipe2(told, O_CLOEXEC) < 0 || pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	h->child = fork();
	if (h->child < 0)
		holder_die("fork");
	if (h->child == 0) {
		close(control[1]);
		h->control = control[0];
		h->told = told[1];
		clone_sharing(CLONE_VM | CLONE_VFORK, open_and_obey, h);
		_exit(0);
	}
	close(control[0]);
	close(told[1]);
	if (read(told[0], &h->pid, sizeof(h->pid)) != sizeof(h->pid))
		holder_die("the child of vfork");
	close(told[0]);
	h->control = control[1];
	h->parent = h->child;
	h->child = 0;
}

static void leave_vfork(struct holder *h)
{
	close(h->control);
	waitpid(h->parent, NULL, 0);
}

/* One link of the relay: a moment, then its successor, then its end. It ends
 * without one when nobody has the other end of @control. */
static void run_relay(int control) __attribute__((noreturn));

static void run_relay(int control)
{
	struct pollfd over = {.fd = control, .events = POLLIN};
	const struct timespec moment = {.tv_nsec = RELAY_NS};

	while (ppoll(&over, 1, &moment, NULL) == 0) {
		/* Where no process can be begun, this one goes on for it. */
		if (fork() > 0)
			break;
	}
	_exit(0);
}

/* A chain of processes: each begins the next, which inherits the file, and ends.
 * The holder itself has it no longer. */
static void start_relay(struct holder *h)
{
	int control[2];

	if (pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	/* All of them become our children, and leave nothing when they end. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR)
		holder_die("becoming the parent of the relay");
	h->child = fork();
	if (h->child < 0)
		holder_die("fork");
	if (h->child == 0) {
		close(control[1]);
		run_relay(control[0]);
	}
	h->child = 0; /* it has ended long since */
	close(control[0]);
	h->control = control[1];
}

static void enter_relay(struct holder *h)
{
	h->fd = holder_open(h, O_RDONLY);
	start_relay(h);
	holder_close(h);
}

static void enter_relay_mapped(struct holder *h)
{
	h->fd = holder_open(h, O_RDONLY);
	h->map_bytes = 1; /* of one page, which is what is mapped */
	h->map = mmap(NULL, h->map_bytes, PROT_READ, MAP_PRIVATE, h->fd, 0);
	if (h->map == MAP_FAILED)
		holder_die("mmap");
	holder_close(h);
	start_relay(h);
	unmap(h);
}

static void leave_relay(struct holder *h)
{
	close(h->control);
	/* With SIGCHLD ignored, this returns when there is no child any more. */
	while (wait(NULL) >= 0 || errno != ECHILD)
		;
}

/* How many descriptors, and room for them. */
static int count_of(const struct holder *h)
{
	int n = h->args[0] ? atoi(h->args[0]) : 10000;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		holder_die("getrlimit");
	if (limit.rlim_max < (rlim_t)n + 64)
		limit.rlim_max = (rlim_t)n + 64;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		holder_die("setrlimit");
	return n;
}

/* The file, opened ARGUMENT times. */
static void enter_crowd(struct holder *h)
{
	int n = count_of(h);

	h->fd = holder_open(h, O_RDONLY);
	while (--n > 0)
		holder_open(h, O_RDONLY);
}

/* The file, behind ARGUMENT descriptors of something else. */
static void enter_haystack(struct holder *h)
{
	int n = count_of(h);

	h->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (--n > 0)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			holder_die("/dev/null");
	holder_open(h, O_RDONLY);
}

/* Numbers are given out in order: the first is the lowest. */
static void leave_crowd(struct holder *h)
{
	if (close_range((unsigned)h->fd, ~0U, 0) < 0)
		holder_die("close_range");
}

/* --- who is never found twice in the same way ------------------------------------ */

static volatile bool resting;

/* Of whoever is named, or a new one. */
static int open_or_take(const struct holder *h)
{
	int pidfd, fd;

	if (!h->args[0] || !h->args[1])
		return holder_open(h, O_RDONLY);
	pidfd = pidfd_open(atoi(h->args[0]), 0);
	fd = pidfd < 0 ? -1 : pidfd_getfd(pidfd, atoi(h->args[1]), 0);
	if (fd < 0)
		holder_die("pidfd_getfd");
	close(pidfd);
	return fd;
}

static void *move_descriptor(void *user)
{
	struct holder *h = user;

	while (!resting) {
		int moved = fcntl(h->fd, F_DUPFD_CLOEXEC, h->fd < 500 ? 900 : 3);

		if (moved < 0)
			holder_die("F_DUPFD");
		close(h->fd);
		h->fd = moved;
		sched_yield();
	}
	return NULL;
}

static void *open_anew(void *user)
{
	struct holder *h = user;

	while (!resting) {
		close(h->fd);
		poll(NULL, 0, 1);
		h->fd = holder_open(h, O_RDONLY);
		poll(NULL, 0, 1);
	}
	return NULL;
}

static void *have_children(void *user)
{
	(void)user;
	while (!resting) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			poll(NULL, 0, 5);
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	return NULL;
}

static void enter_restless(struct holder *h, void *(*run)(void *))
{
	h->fd = open_or_take(h);
	if (pthread_create(&h->thread, NULL, run, h) != 0)
		holder_die("pthread_create");
}

static void enter_moves_descriptor(struct holder *h)
{
	enter_restless(h, move_descriptor);
}

static void enter_opens_anew(struct holder *h)
{
	enter_restless(h, open_anew);
}

static void enter_has_children(struct holder *h)
{
	enter_restless(h, have_children);
}

static void leave_restless(struct holder *h)
{
	resting = true;
	pthread_join(h->thread, NULL);
	holder_close(h);
}

const struct holder_state holder_task_states[] = {
	{"thread-table", enter_thread_table, leave_thread_table},
	{"leader-exited", enter_leader_exited, holder_close},
	{"leader-exited-mapped", enter_leader_exited_mapped, unmap},
	{"fork", enter_fork, leave_fork},
	{"orphan", enter_orphan, leave_orphan},
	{"shared-table", enter_shared_table, leave_shared_table},
	{"shared-memory", enter_shared_memory, leave_shared_memory},
	{"vfork", enter_vfork, leave_vfork},
	{"namespaces", enter_namespaces, leave_namespaces},
	{"bound-file", enter_bound_file, leave_bound_file},
	{"bound-file-mapped", enter_bound_file_mapped, leave_bound_file_mapped},
	{"relay", enter_relay, leave_relay},
	{"moves-descriptor", enter_moves_descriptor, leave_restless},
	{"opens-anew", enter_opens_anew, leave_restless},
	{"has-children", enter_has_children, leave_restless},
	{"relay-mapped", enter_relay_mapped, leave_relay},
	{"user-namespace", enter_user_namespace, holder_close},
	{"crowd", enter_crowd, leave_crowd},
	{"haystack", enter_haystack, leave_crowd},
	{NULL, NULL, NULL},
};
