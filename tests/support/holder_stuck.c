/* SPDX-License-Identifier: MIT */
/*
 * The states of "holder" in which its memory map does not answer: one thread is in a page
 * fault on a file system that is frozen, another one wants to change the memory map, and
 * waits for that with the lock taken. Whoever reads /proc/PID/maps waits too.
 *
 * The first argument is a file of one page on the file system that is frozen for it
 * (FIFREEZE, ioctl_fsfreeze). Nothing can end such a process until that is thawed: the
 * test has to see to it, whatever happens.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/holder.h"

static volatile char *page; /* of the file on the frozen file system */
static pthread_t changer;
static int frozen_fd = -1;

static pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void *fault(void *arg)
{
	struct holder *h = arg;

	__atomic_store_n(&h->threads[0], own_tid(), __ATOMIC_RELEASE);
	page[0] = 1;
	return NULL;
}

static void *change(void *arg)
{
	struct holder *h = arg;

	__atomic_store_n(&h->threads[1], own_tid(), __ATOMIC_RELEASE);
	munmap((char *)page, 1);
	return NULL;
}

/* Until thread @index waits uninterruptibly ("D" in proc_pid_stat(5)). */
static void await_stuck(const struct holder *h, int index)
{
	for (;; poll(NULL, 0, 1)) {
		pid_t tid = __atomic_load_n(&h->threads[index], __ATOMIC_ACQUIRE);
		char path[64], text[512];
		const char *state;
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
		fd = tid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		state = strrchr(text, ')');
		if (state && state[1] && state[2] == 'D')
			return;
	}
}

/* Nothing new can be mapped any more: what the rest of this program uses is there. */
static void prepare(void)
{
	static char in[4096], out[4096];
	char stack[16384];

	memset(in, 1, sizeof(in));
	memset(out, 1, sizeof(out));
	memset(stack, 1, sizeof(stack));
	__asm__ volatile("" : : "r"(stack) : "memory");
	if (setvbuf(stdin, in, _IOLBF, sizeof(in)) != 0 ||
		setvbuf(stdout, out, _IOFBF, sizeof(out)) != 0)
		holder_die("setvbuf");
}

/* With whatever is mapped and open by now. */
static void get_stuck(struct holder *h)
{
	prepare();
	if (!h->args[0])
		holder_die("stuck: the file on the file system to freeze is missing");
	frozen_fd = open(h->args[0], O_RDWR | O_CLOEXEC);
	if (frozen_fd < 0)
		holder_die(h->args[0]);
	page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, frozen_fd, 0);
	if ((void *)page == MAP_FAILED)
		holder_die("mmap");
	(void)page[0];
	if (ioctl(frozen_fd, FIFREEZE, 0) < 0)
		holder_lack("FIFREEZE");
	if (pthread_create(&h->thread, NULL, fault, h) != 0)
		holder_die("pthread_create");
	await_stuck(h, 0);
	if (pthread_create(&changer, NULL, change, h) != 0)
		holder_die("pthread_create");
	await_stuck(h, 1);
}

static void get_loose(struct holder *h)
{
	if (ioctl(frozen_fd, FITHAW, 0) < 0 && errno != EINVAL)
		holder_die("FITHAW");
	pthread_join(h->thread, NULL);
	pthread_join(changer, NULL);
	close(frozen_fd);
}

static void enter_stuck(struct holder *h)
{
	get_stuck(h);
}

static void map(struct holder *h)
{
	int fd = holder_open(h, O_RDONLY);

	h->map_bytes = 1;
	h->map = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (h->map == MAP_FAILED)
		holder_die("mmap");
	close(fd);
}

static void enter_stuck_mapped(struct holder *h)
{
	map(h);
	get_stuck(h);
}

static void leave_stuck_mapped(struct holder *h)
{
	get_loose(h);
	munmap(h->map, h->map_bytes);
}

static void enter_stuck_read(struct holder *h)
{
	h->fd = holder_open(h, O_RDONLY);
	get_stuck(h);
}

static void leave_stuck_read(struct holder *h)
{
	get_loose(h);
	holder_close(h);
}

/* An old version: FILE is deleted once it is mapped. */
static void enter_stuck_deleted(struct holder *h)
{
	map(h);
	if (unlink(h->path) < 0)
		holder_die("unlink");
	get_stuck(h);
}

const struct holder_state holder_stuck_states[] = {
	{"stuck", enter_stuck, get_loose}, /* uses nothing of FILE */
	{"stuck-read", enter_stuck_read, leave_stuck_read},
	{"stuck-mapped", enter_stuck_mapped, leave_stuck_mapped},
	{"stuck-deleted", enter_stuck_deleted, leave_stuck_mapped},
	{NULL, NULL, NULL},
};
