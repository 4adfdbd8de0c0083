/* SPDX-License-Identifier: MIT */
/*
 * The states of "holder" that are about locks and leases. Byte ranges are
 * arguments of the form MODE:START:LENGTH, such as "write:100:50"; a length of
 * 0 reaches to the end of the file; none given means "write:0:0".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/holder.h"

static struct flock parse_range(const char *text)
{
	struct flock range = {.l_whence = SEEK_SET};
	char mode[8];
	long long start, length;

	if (sscanf(text, "%7[a-z]:%lld:%lld", mode, &start, &length) != 3) {
		fprintf(stderr, "holder: %s: expected MODE:START:LENGTH\n", text);
		exit(2);
	}
	range.l_type = strcmp(mode, "read") == 0 ? F_RDLCK : F_WRLCK;
	range.l_start = start;
	range.l_len = length;
	return range;
}

static void lock_ranges(struct holder *h, int command)
{
	static char whole[] = "write:0:0", *fallback[] = {whole, NULL};
	char **args = h->args[0] ? h->args : fallback;

	h->fd = holder_open(h, O_RDWR);
	for (; *args; args++) {
		struct flock range = parse_range(*args);

		if (fcntl(h->fd, command, &range) < 0)
			holder_die("fcntl");
	}
}

static void enter_posix(struct holder *h)
{
	lock_ranges(h, F_SETLK);
}

static void enter_ofd(struct holder *h)
{
	lock_ranges(h, F_OFD_SETLK);
}

static void leave_range(struct holder *h, int command)
{
	struct flock range = {.l_whence = SEEK_SET, .l_type = F_UNLCK};

	/* l_start and l_len of 0: the whole file. */
	if (fcntl(h->fd, command, &range) < 0)
		holder_die("fcntl(F_UNLCK)");
	holder_close(h);
}

static void leave_posix(struct holder *h)
{
	leave_range(h, F_SETLK);
}

static void leave_ofd(struct holder *h)
{
	leave_range(h, F_OFD_SETLK);
}

/* A process that closes any descriptor of a file loses its POSIX locks on it:
 * what remains is an open file without a lock. */
static void enter_lost_lock(struct holder *h)
{
	lock_ranges(h, F_SETLK);
	close(holder_open(h, O_RDONLY));
}

static void enter_flock(struct holder *h, int operation)
{
	h->fd = holder_open(h, O_RDONLY);
	if (flock(h->fd, operation | LOCK_NB) < 0)
		holder_die("flock");
}

static void enter_flock_shared(struct holder *h)
{
	enter_flock(h, LOCK_SH);
}

static void enter_flock_exclusive(struct holder *h)
{
	enter_flock(h, LOCK_EX);
}

/* The process that took the lock ends; its child has the open file description
 * and with it the lock, while /proc/locks goes on naming the dead one. */
static void enter_flock_heir(struct holder *h)
{
	int ready[2], leave[2];
	char byte;
	pid_t locker;

	if (pipe(ready) < 0 || pipe(leave) < 0)
		holder_die("pipe");
	locker = fork();
	if (locker < 0)
		holder_die("fork");
	if (locker == 0) {
		close(leave[1]);
		enter_flock_exclusive(h);
		h->child = fork();
		if (h->child < 0)
			holder_die("fork");
		if (h->child > 0)
			_exit(write(ready[1], &h->child, sizeof(h->child)) < 0);
		while (read(leave[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	close(leave[0]);
	close(ready[1]);
	if (waitpid(locker, NULL, 0) != locker ||
		read(ready[0], &h->pid, sizeof(h->pid)) != sizeof(h->pid))
		holder_die("the locker");
	h->control = leave[1];
	h->fd = ready[0];
}

static void enter_lease(struct holder *h, int type)
{
	h->fd = holder_open(h, O_RDONLY);
	if (fcntl(h->fd, F_SETLEASE, type) < 0)
		holder_die("fcntl(F_SETLEASE)");
}

static void enter_lease_read(struct holder *h)
{
	enter_lease(h, F_RDLCK);
}

static void enter_lease_write(struct holder *h)
{
	enter_lease(h, F_WRLCK);
}

static void on_interrupt(int signal)
{
	(void)signal;
}

static void *wait_for_posix(void *user)
{
	struct holder *h = user;
	struct flock range = parse_range(h->args[0] ? h->args[0] : "write:0:0");

	if (fcntl(h->fd, F_SETLKW, &range) == 0 || errno != EINTR)
		holder_die("fcntl(F_SETLKW) did not wait");
	return NULL;
}

static void *wait_for_ofd(void *user)
{
	struct holder *h = user;
	struct flock range = parse_range(h->args[0] ? h->args[0] : "write:0:0");

	if (fcntl(h->fd, F_OFD_SETLKW, &range) == 0 || errno != EINTR)
		holder_die("fcntl(F_OFD_SETLKW) did not wait");
	return NULL;
}

static void *wait_for_flock(void *user)
{
	struct holder *h = user;

	if (flock(h->fd, LOCK_EX) == 0 || errno != EINTR)
		holder_die("flock did not wait");
	return NULL;
}

/* True when /proc/locks shows @pid waiting for a lock on @ino. */
static bool is_waiting(int pid, unsigned long long ino)
{
	FILE *locks = fopen("/proc/locks", "re");
	bool found = false;
	char line[256];

	if (!locks)
		holder_die("/proc/locks");
	while (!found && fgets(line, sizeof(line), locks)) {
		int line_pid;
		unsigned long long line_ino;

		found = sscanf(line, "%*d: -> %*s %*s %*s %d %*x:%*x:%llu", &line_pid,
				&line_ino) == 2 &&
		        line_pid == pid && line_ino == ino;
	}
	fclose(locks);
	return found;
}

static void enter_wait(struct holder *h, void *(*wait)(void *), int shown_pid)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct stat st;

	sigaction(SIGUSR1, &action, NULL);
	h->fd = holder_open(h, O_RDWR);
	if (fstat(h->fd, &st) < 0)
		holder_die("fstat");
	if (pthread_create(&h->thread, NULL, wait, h) != 0)
		holder_die("pthread_create");
	/* The kernel has no other sign of a waiter than this list. */
	while (!is_waiting(shown_pid, st.st_ino))
		poll(NULL, 0, 1);
}

static void enter_wait_posix(struct holder *h)
{
	enter_wait(h, wait_for_posix, getpid());
}

static void enter_wait_ofd(struct holder *h)
{
	enter_wait(h, wait_for_ofd, -1);
}

static void enter_wait_flock(struct holder *h)
{
	enter_wait(h, wait_for_flock, getpid());
}

static void leave_wait(struct holder *h)
{
	pthread_kill(h->thread, SIGUSR1);
	pthread_join(h->thread, NULL);
	holder_close(h);
}

/* Only the wait is over: the file stays open. */
static void leave_wait_open(struct holder *h)
{
	pthread_kill(h->thread, SIGUSR1);
	pthread_join(h->thread, NULL);
}

static void *idle(void *user)
{
	struct holder *h = user;

	while (sem_wait(&h->leave) < 0)
		;
	return NULL;
}

/* A child with a descriptor table of its own waits; a thread shares the parent's. */
static void enter_wait_flock_child(struct holder *h)
{
	struct stat st;

	h->fd = holder_open(h, O_RDWR);
	if (fstat(h->fd, &st) < 0)
		holder_die("fstat");
	h->child = fork();
	if (h->child < 0)
		holder_die("fork");
	if (h->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(flock(h->fd, LOCK_EX) == 0);
	}
	if (pthread_create(&h->thread, NULL, idle, h) != 0)
		holder_die("pthread_create");
	while (!is_waiting(h->child, st.st_ino))
		poll(NULL, 0, 1);
}

static void leave_wait_child(struct holder *h)
{
	kill(h->child, SIGKILL);
	waitpid(h->child, NULL, 0);
	sem_post(&h->leave);
	pthread_join(h->thread, NULL);
	holder_close(h);
}

static void leave_heir(struct holder *h)
{
	close(h->control);
	holder_await_end(h->pid);
	holder_close(h);
}

const struct holder_state holder_lock_states[] = {
	{"posix", enter_posix, leave_posix},
	{"ofd", enter_ofd, leave_ofd},
	{"lost-lock", enter_lost_lock, holder_close},
	{"flock-shared", enter_flock_shared, holder_close},
	{"flock-exclusive", enter_flock_exclusive, holder_close},
	{"flock-heir", enter_flock_heir, leave_heir},
	{"lease-read", enter_lease_read, holder_close},
	{"lease-write", enter_lease_write, holder_close},
	{"wait-posix", enter_wait_posix, leave_wait},
	{"wait-ofd", enter_wait_ofd, leave_wait},
	{"wait-flock", enter_wait_flock, leave_wait},
	{"wait-flock-child", enter_wait_flock_child, leave_wait_child},
	{"wait-posix-open", enter_wait_posix, leave_wait_open},
	{"wait-ofd-open", enter_wait_ofd, leave_wait_open},
	{"wait-flock-open", enter_wait_flock, leave_wait_open},
	{NULL, NULL, NULL},
};
