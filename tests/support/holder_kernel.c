/* SPDX-License-Identifier: MIT */
/*
 * The states of "holder" in which the kernel itself has the file: in transit
 * over a socket, registered with io_uring, behind a block device, swapped to.
 * No table of descriptors shows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/holder.h"

/* Send a descriptor over @socket, and close it here. */
static void send_away(int socket, int fd)
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

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		holder_die("sending a descriptor");
	close(fd);
}

static void make_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		holder_die("socketpair");
}

static void put_in_flight(struct holder *h, int fd)
{
	int pair[2];

	make_pair(pair);
	send_away(pair[0], fd);
	h->fd = pair[1];
	h->control = pair[0];
}

/* A descriptor that was sent over a socket and closed; nobody received it. */
static void enter_in_flight(struct holder *h)
{
	put_in_flight(h, holder_open(h, O_RDONLY));
}

/* The socket in which it waits is itself on its way through another one. */
static void enter_in_flight_nested(struct holder *h)
{
	int inner[2];

	make_pair(inner);
	send_away(inner[0], holder_open(h, O_RDONLY));
	close(inner[0]);
	put_in_flight(h, inner[1]);
}

/* Sent to a listening socket that has not accepted the connection yet. */
static void enter_in_flight_unaccepted(struct holder *h)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof(sa_family_t); /* any abstract name: unix(7) */
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0 || h->fd < 0 ||
		bind(h->fd, (struct sockaddr *)&address, length) < 0 ||
		listen(h->fd, 1) < 0)
		holder_die("a listening socket");
	length = sizeof(address);
	if (getsockname(h->fd, (struct sockaddr *)&address, &length) < 0 ||
		connect(client, (struct sockaddr *)&address, length) < 0)
		holder_die("connect");
	send_away(client, holder_open(h, O_RDONLY));
	h->control = client;
}

static void leave_in_flight(struct holder *h)
{
	/* Closing the receiving end drops what it has not read. */
	holder_close(h);
	close(h->control);
}

/* --- io_uring, without its library ----------------------------------------- */

#define RING_FILES 8
#define RING_SLOT  5

static int ring_register(int ring, unsigned op, void *arg, unsigned n)
{
	return (int)syscall(__NR_io_uring_register, ring, op, arg, n);
}

static void open_ring(struct holder *h, struct io_uring_params *params)
{
	h->fd = (int)syscall(__NR_io_uring_setup, 2, params);
	if (h->fd < 0)
		holder_lack("io_uring_setup");
}

static void enter_io_uring(struct holder *h)
{
	struct io_uring_params params = {0};
	int fd = holder_open(h, O_RDONLY);

	open_ring(h, &params);
	if (ring_register(h->fd, IORING_REGISTER_FILES, &fd, 1) < 0)
		holder_die("IORING_REGISTER_FILES");
	close(fd);
}

static void register_empty_table(struct holder *h)
{
	struct io_uring_rsrc_register table = {
		.nr = RING_FILES,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};

	if (ring_register(h->fd, IORING_REGISTER_FILES2, &table, sizeof(table)) < 0)
		holder_die("IORING_REGISTER_FILES2");
}

/* Into a slot of a table that was registered empty. */
static void enter_io_uring_sparse(struct holder *h)
{
	struct io_uring_params params = {0};
	int fd = holder_open(h, O_RDONLY);
	struct io_uring_files_update update = {
		.offset = RING_SLOT,
		.fds = (uintptr_t)&fd,
	};

	open_ring(h, &params);
	register_empty_table(h);
	if (ring_register(h->fd, IORING_REGISTER_FILES_UPDATE, &update, 1) != 1)
		holder_die("IORING_REGISTER_FILES_UPDATE");
	close(fd);
}

/* Run one request and return its result. */
static int run_request(int ring, const struct io_uring_params *params,
	const struct io_uring_sqe *request)
{
	size_t sq_bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	size_t cq_bytes =
		params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	size_t sqe_bytes = params->sq_entries * sizeof(*request);
	char *sq = mmap(NULL, sq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, cq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqes = mmap(NULL, sqe_bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED, ring, IORING_OFF_SQES);
	int result;

	if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)sqes == MAP_FAILED)
		holder_die("mapping a ring");
	sqes[0] = *request;
	*(uint32_t *)(sq + params->sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + params->sq_off.tail), 1, __ATOMIC_RELEASE);
	/* Returns when the one completion is there. */
	if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) !=
		1)
		holder_die("io_uring_enter");
	result = ((struct io_uring_cqe *)(cq + params->cq_off.cqes))->res;
	munmap(sq, sq_bytes);
	munmap(cq, cq_bytes);
	munmap(sqes, sqe_bytes);
	return result;
}

/* A direct descriptor: opened into a slot, it never had a number. */
static void enter_io_uring_direct(struct holder *h)
{
	struct io_uring_params params = {0};
	struct io_uring_sqe request = {
		.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.addr = (uintptr_t)h->path,
		.open_flags = O_RDONLY,
		.file_index = RING_SLOT + 1,
	};

	open_ring(h, &params);
	register_empty_table(h);
	errno = -run_request(h->fd, &params, &request);
	if (errno != 0)
		holder_die("IORING_OP_OPENAT");
}

static void leave_io_uring(struct holder *h)
{
	/* Closing the ring would leave its files to a kernel thread. */
	if (ring_register(h->fd, IORING_UNREGISTER_FILES, NULL, 0) < 0)
		holder_die("IORING_UNREGISTER_FILES");
	holder_close(h);
}

/* The ring's own descriptor is closed, too: a mapping keeps it. */
static void enter_io_uring_mapped(struct holder *h)
{
	enter_io_uring(h);
	h->map_bytes = 1; /* of one page, which is what is mapped */
	h->map = mmap(
		NULL, h->map_bytes, PROT_READ, MAP_SHARED, h->fd, IORING_OFF_SQ_RING);
	if (h->map == MAP_FAILED)
		holder_die("mapping a ring");
	holder_close(h);
}

/* True when somebody has the file: a write lease is refused (fcntl(2)). */
static bool in_use(const struct holder *h)
{
	int fd = open(h->path, O_RDONLY | O_CLOEXEC);
	bool refused;

	if (fd < 0)
		holder_die(h->path);
	refused = fcntl(fd, F_SETLEASE, F_WRLCK) < 0;
	close(fd);
	return refused;
}

static void leave_io_uring_mapped(struct holder *h)
{
	munmap(h->map, h->map_bytes);
	/* A kernel thread drops the files of a ring that has ended. */
	while (in_use(h))
		poll(NULL, 0, 1);
}

/* --- what outlives its maker ------------------------------------------------ */

/* Undo what the kernel would keep when the holder is killed: a child that holds
 * nothing waits for its end. */
static void undo_at_the_end(struct holder *h, void (*undo)(const struct holder *h))
{
	int end[2];
	char byte;

	if (pipe2(end, O_CLOEXEC) < 0)
		holder_die("pipe2");
	switch (fork()) {
	case -1:
		holder_die("fork");
	case 0:
		close(end[1]);
		while (read(end[0], &byte, 1) < 0 && errno == EINTR)
			;
		undo(h);
		_exit(0);
	default:
		close(end[0]);
	}
}

/* Configure a free loop device for @file; returns its descriptor. */
static int make_loop(struct holder *h, int file, unsigned flags)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_READ_ONLY | flags,
	};
	int loop, control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		holder_lack("/dev/loop-control");
	for (;;) {
		h->loop = ioctl(control, LOOP_CTL_GET_FREE);
		if (h->loop < 0)
			holder_lack("LOOP_CTL_GET_FREE");
		snprintf(h->loop_path, sizeof(h->loop_path), "/dev/loop%d", h->loop);
		loop = open(h->loop_path, O_RDONLY | O_CLOEXEC);
		if (loop < 0)
			holder_die(h->loop_path);
		if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			break;
		/* Somebody else was faster. */
		if (errno != EBUSY)
			holder_die("LOOP_CONFIGURE");
		close(loop);
	}
	close(control);
	return loop;
}

static bool is_backed(const struct holder *h)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", h->loop);
	return access(path, F_OK) == 0;
}

static void clear_loop(const struct holder *h)
{
	struct loop_info64 info;
	int loop = open(h->loop_path, O_RDONLY | O_CLOEXEC);

	/* Another file's by now? */
	if (loop >= 0 && ioctl(loop, LOOP_GET_STATUS64, &info) == 0 &&
		info.lo_inode == h->ino && info.lo_device == h->dev)
		ioctl(loop, LOOP_CLR_FD, 0);
	close(loop);
}

/* A loop device that nobody has open: it stays until it is told to go. */
static void enter_loop(struct holder *h)
{
	int file = holder_open(h, O_RDONLY);
	struct stat st;

	if (fstat(file, &st) < 0)
		holder_die("fstat");
	h->dev = st.st_dev;
	h->ino = st.st_ino;
	close(make_loop(h, file, 0));
	close(file);
	undo_at_the_end(h, clear_loop);
}

static void leave_loop(struct holder *h)
{
	clear_loop(h);
	while (is_backed(h)) /* somebody else may be looking at the device */
		poll(NULL, 0, 1);
}

/* A loop device that goes with its last user. */
static void enter_loop_autoclear(struct holder *h)
{
	int file = holder_open(h, O_RDONLY);

	h->fd = make_loop(h, file, LO_FLAGS_AUTOCLEAR);
	close(file);
}

static void leave_loop_autoclear(struct holder *h)
{
	holder_close(h);
	while (is_backed(h))
		poll(NULL, 0, 1);
}

static void stop_swapping(const struct holder *h)
{
	swapoff(h->path);
}

/* FILE was prepared by mkswap(8). */
static void enter_swap(struct holder *h)
{
	if (swapon(h->path, 0) < 0)
		holder_lack("swapon");
	undo_at_the_end(h, stop_swapping);
}

static void leave_swap(struct holder *h)
{
	if (swapoff(h->path) < 0)
		holder_die("swapoff");
}

/* Process accounting goes into the file: of a pid namespace of our own, so that
 * it ends with us. */
static void enter_acct(struct holder *h)
{
	int told[2], control[2];
	char byte = 0;

	if (pipe2(told, O_CLOEXEC) < 0 || pipe2(control, O_CLOEXEC) < 0)
		holder_die("pipe2");
	if (unshare(CLONE_NEWPID) < 0)
		holder_lack("unshare(CLONE_NEWPID)");
	h->child = fork();
	if (h->child < 0)
		holder_die("fork");
	if (h->child == 0) {
		close(control[1]);
		if (acct(h->path) < 0)
			holder_lack("acct");
		if (write(told[1], &byte, 1) == 1)
			while (read(control[0], &byte, 1) < 0 && errno == EINTR)
				;
		_exit(0);
	}
	close(told[1]);
	close(control[0]);
	if (read(told[0], &byte, 1) != 1)
		holder_lack("accounting in a pid namespace");
	close(told[0]);
	h->control = control[1];
}

static void leave_acct(struct holder *h)
{
	close(h->control);
	waitpid(h->child, NULL, 0);
}

const struct holder_state holder_kernel_states[] = {
	{"in-flight", enter_in_flight, leave_in_flight},
	{"in-flight-nested", enter_in_flight_nested, leave_in_flight},
	{"in-flight-unaccepted", enter_in_flight_unaccepted, leave_in_flight},
	{"io-uring", enter_io_uring, leave_io_uring},
	{"io-uring-sparse", enter_io_uring_sparse, leave_io_uring},
	{"io-uring-direct", enter_io_uring_direct, leave_io_uring},
	{"io-uring-mapped", enter_io_uring_mapped, leave_io_uring_mapped},
	{"loop", enter_loop, leave_loop},
	{"loop-autoclear", enter_loop_autoclear, leave_loop_autoclear},
	{"acct", enter_acct, leave_acct},
	{"swap", enter_swap, leave_swap},
	{NULL, NULL, NULL},
};
