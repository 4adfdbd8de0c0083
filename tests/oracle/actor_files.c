/* SPDX-License-Identifier: MIT */
/* The commands that are about open files, mappings and places that keep a
 * descriptor without a process: sockets, rings, loop devices. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/oracle/actor.h"

static int flags_of(const char *mode)
{
	int flags = strchr(mode, 'p') ? O_PATH : O_RDONLY;

	if (strchr(mode, 'w'))
		flags = strchr(mode, 'r') ? O_RDWR : O_WRONLY;
	if (strchr(mode, 'n'))
		flags |= O_NONBLOCK;
	return flags | O_CLOEXEC;
}

static int put(struct actor_slot *slot, int fd)
{
	if (!slot)
		return -EBADSLT;
	if (fd < 0)
		return -errno;
	slot->fd = fd;
	return 0;
}

/* open SLOT MODE PATH; MODE of the letters r, w, n (non-blocking) or p (O_PATH) */
static int run_open(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);

	(void)a;
	return slot ? put(slot, open(words[2], flags_of(words[1]))) : -EBADSLT;
}

/* handle SLOT MODE PATH: by the file's handle, not by its name */
static int run_handle(struct actor *a, struct actor_table *table, char **words)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = {.handle.handle_bytes = MAX_HANDLE_SZ};
	struct actor_slot *slot = actor_slot(table, words[0], false);
	const char *slash = strrchr(words[2], '/');
	char directory[4096];
	int mount_id, mount, r;

	(void)a;
	if (!slot || !slash)
		return -EINVAL;
	if (name_to_handle_at(AT_FDCWD, words[2], &h.handle, &mount_id, 0) < 0)
		return -errno;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - words[2]),
		words[2]);
	mount = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0)
		return -errno;
	r = put(slot, open_by_handle_at(mount, &h.handle, flags_of(words[1])));
	close(mount);
	return r;
}

/* dup SLOT FROM */
static int run_dup(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	struct actor_slot *from = actor_slot(table, words[1], true);

	(void)a;
	if (!slot || !from)
		return -EBADSLT;
	return put(slot, fcntl(from->fd, F_DUPFD_CLOEXEC, 0));
}

/* close SLOT */
static int run_close(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], true);

	(void)a;
	if (!slot)
		return -EBADSLT;
	close(slot->fd);
	if (slot->other >= 0)
		close(slot->other);
	slot->fd = slot->other = -1;
	return 0;
}

/* number SLOT: the descriptor itself, for others to take */
static int run_number(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], true);

	if (!slot)
		return -EBADSLT;
	snprintf(a->text, sizeof(a->text), "%d", slot->fd);
	return 0;
}

/* take SLOT PID FD: a copy of another process's descriptor */
static int run_take(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	int pidfd, r;

	(void)a;
	if (!slot)
		return -EBADSLT;
	pidfd = pidfd_open(atoi(words[1]), 0);
	if (pidfd < 0)
		return -errno;
	r = put(slot, pidfd_getfd(pidfd, atoi(words[2]), 0));
	close(pidfd);
	return r;
}

static struct actor_map *map_of(struct actor *a, const char *word)
{
	int number = atoi(word);

	return number >= 0 && number < ACTOR_MAPS ? &a->maps[number] : NULL;
}

/* map MAP HOW SLOT; HOW: shared, private, none, write */
static int run_map(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[2], true);
	struct actor_map *map = map_of(a, words[0]);
	int protection = PROT_READ, flags = MAP_SHARED;
	struct stat st;
	void *start;

	if (!slot || !map || map->start)
		return -EBADSLT;
	if (strcmp(words[1], "none") == 0)
		protection = PROT_NONE;
	else if (strcmp(words[1], "private") == 0)
		flags = MAP_PRIVATE;
	else if (strcmp(words[1], "write") == 0)
		protection |= PROT_WRITE;
	if (fstat(slot->fd, &st) < 0)
		return -errno;
	start = mmap(NULL, (size_t)st.st_size, protection, flags, slot->fd, 0);
	if (start == MAP_FAILED)
		return -errno;
	*map = (struct actor_map){.start = start, .bytes = (size_t)st.st_size};
	return 0;
}

/* unmap MAP */
static int run_unmap(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_map *map = map_of(a, words[0]);

	(void)table;
	if (!map || !map->start)
		return -EBADSLT;
	if (munmap(map->start, map->bytes) < 0)
		return -errno;
	map->start = NULL;
	return 0;
}

/* dlopen LIBRARY PATH */
static int run_dlopen(struct actor *a, struct actor_table *table, char **words)
{
	int number = atoi(words[0]);

	(void)table;
	if (number < 0 || number >= ACTOR_MAPS || a->libraries[number])
		return -EBADSLT;
	a->libraries[number] = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
	return a->libraries[number] ? 0 : -ELIBBAD;
}

/* dlclose LIBRARY */
static int run_dlclose(struct actor *a, struct actor_table *table, char **words)
{
	int number = atoi(words[0]);

	(void)table;
	if (number < 0 || number >= ACTOR_MAPS || !a->libraries[number])
		return -EBADSLT;
	dlclose(a->libraries[number]);
	a->libraries[number] = NULL;
	return 0;
}

union rights {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* send SOCKET SLOT: put a copy on its way through a fresh pair of sockets */
static int run_send(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	struct actor_slot *from = actor_slot(table, words[1], true);
	union rights rights = {.header = {.cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS,
				       .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec byte = {.iov_base = (char[1]){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights)};
	int pair[2];

	(void)a;
	if (!slot || !from)
		return -EBADSLT;
	memcpy(CMSG_DATA(&rights.header), &from->fd, sizeof(int));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (sendmsg(pair[0], &message, 0) != 1) {
		int err = errno;

		close(pair[0]);
		close(pair[1]);
		return -err;
	}
	*slot = (struct actor_slot){.fd = pair[1], .other = pair[0]};
	return 0;
}

/* receive SLOT SOCKET: take it out again */
static int run_receive(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	struct actor_slot *from = actor_slot(table, words[1], true);
	union rights rights = {0};
	struct iovec byte = {.iov_base = (char[1]){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights)};
	int fd = -1;

	(void)a;
	if (!slot || !from)
		return -EBADSLT;
	if (recvmsg(from->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
		return errno ? -errno : -ENOMSG;
	if (rights.header.cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(&rights.header), sizeof(int));
	return put(slot, fd);
}

/* ring RING SLOT: register a copy with a fresh io_uring */
static int run_ring(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	struct actor_slot *from = actor_slot(table, words[1], true);
	struct io_uring_params params = {0};
	int fd;

	(void)a;
	if (!slot || !from)
		return -EBADSLT;
	fd = (int)syscall(SYS_io_uring_setup, 2, &params);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &from->fd, 1) <
		0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return put(slot, fd);
}

/* empty RING: give back what it has. A ring that is merely closed does so later,
 * from a thread of the kernel. */
static int run_empty(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], true);

	(void)a;
	if (!slot)
		return -EBADSLT;
	if (syscall(SYS_io_uring_register, slot->fd, IORING_UNREGISTER_FILES, NULL, 0) <
		0)
		return -errno;
	return 0;
}

/* loop LOOP SLOT: a block device on the file, which goes when LOOP is closed */
static int run_loop(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	struct actor_slot *from = actor_slot(table, words[1], true);
	struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int control, number, fd = -1, r = -EBUSY;
	char path[32];

	if (!slot || !from)
		return -EBADSLT;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	config.fd = (__u32)from->fd;
	/* Somebody else may have taken the free one meanwhile. */
	for (int i = 0; i < 20 && r == -EBUSY; i++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(path, sizeof(path), "/dev/loop%d", number);
		fd = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			r = -errno;
			break;
		}
		r = ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
		if (r < 0)
			close(fd);
	}
	close(control);
	if (r < 0)
		return r;
	snprintf(a->text, sizeof(a->text), "%s", path);
	return put(slot, fd);
}

const struct actor_command actor_file_commands[] = {
	{"open", 3, run_open},
	{"handle", 3, run_handle},
	{"dup", 2, run_dup},
	{"close", 1, run_close},
	{"number", 1, run_number},
	{"take", 3, run_take},
	{"map", 3, run_map},
	{"unmap", 1, run_unmap},
	{"dlopen", 2, run_dlopen},
	{"dlclose", 1, run_dlclose},
	{"send", 2, run_send},
	{"receive", 2, run_receive},
	{"ring", 2, run_ring},
	{"empty", 1, run_empty},
	{"loop", 2, run_loop},
	{NULL, 0, NULL},
};
