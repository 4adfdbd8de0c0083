/* SPDX-License-Identifier: MIT */
/*
 * prober HOW PATH OFFSET: has a uprobe in a file, made as observability agents do.
 *
 *   perf    perf_event_open(2)
 *   link    a BPF program on such an event, by a link; the event itself is closed
 *   multi   a BPF link of the type uprobe_multi
 *   pinned  the same, pinned at the path that a fourth argument names, and closed
 *
 * Then "ready PID", and it stays until its input ends. 77: not on this kernel.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LACKING           77
/* Of headers that may be older than the kernel. */
#define ATTACH_PERF_EVENT 41
#define ATTACH_MULTI      48

static void fail(const char *what)
{
	fprintf(stderr, "prober: %s: %s\n", what, strerror(errno));
	exit(LACKING);
}

static int event(const char *path, uint64_t offset)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .config1 = (uintptr_t)path, .config2 = offset};
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	int fd;

	if (!file || fscanf(file, "%u", &attr.type) != 1)
		fail("the type of uprobes");
	fclose(file);
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fail("perf_event_open");
	return fd;
}

/* One that returns 0. */
static int program(unsigned attach_type)
{
	const uint64_t code[] = {0x00000000000000b7, 0x0000000000000095};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_KPROBE,
		.insn_cnt = 2,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "GPL",
		.expected_attach_type = attach_type};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		fail("a BPF program");
	return fd;
}

static int make_link(const void *attr, size_t size)
{
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, attr, size);

	if (fd < 0)
		fail("a BPF link");
	return fd;
}

static int link_event(const char *path, uint64_t offset)
{
	const struct {
		uint32_t program, target, type, flags;
		uint64_t cookie, reserved[4];
	} attr = {(uint32_t)program(0), (uint32_t)event(path, offset),
		ATTACH_PERF_EVENT, 0, 0, {0}};
	int fd = make_link(&attr, sizeof(attr));

	close((int)attr.target);
	return fd;
}

static int link_multi(const char *path, uint64_t offset)
{
	const struct {
		uint32_t program, target, type, flags;
		uint64_t path, offsets, references, cookies;
		uint32_t n, multi_flags, pid, reserved;
	} attr = {(uint32_t)program(ATTACH_MULTI), 0, ATTACH_MULTI, 0, (uintptr_t)path,
		(uintptr_t)&offset, 0, 0, 1, 0, 0, 0};

	return make_link(&attr, sizeof(attr));
}

static void pin(int fd, const char *path)
{
	union bpf_attr attr = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)fd};

	if (syscall(SYS_bpf, BPF_OBJ_PIN, &attr, sizeof(attr)) < 0)
		fail("pinning");
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t offset = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;

	if (argc == 4 && strcmp(argv[1], "perf") == 0)
		(void)event(argv[2], offset);
	else if (argc == 4 && strcmp(argv[1], "link") == 0)
		(void)link_event(argv[2], offset);
	else if (argc == 4 && strcmp(argv[1], "multi") == 0)
		(void)link_multi(argv[2], offset);
	else if (argc == 5 && strcmp(argv[1], "pinned") == 0)
		pin(link_multi(argv[2], offset), argv[4]);
	else
		return 2;
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
