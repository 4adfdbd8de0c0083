/* SPDX-License-Identifier: MIT */
#include "tests/support/uprobe.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of headers that may be older than the kernel. */
#define ATTACH_PERF_EVENT 41
#define ATTACH_MULTI      48

static int bpf(int command, const void *attr, size_t size)
{
	int r = (int)syscall(SYS_bpf, command, attr, size);

	return r < 0 ? -errno : r;
}

int uprobe_event(const char *path, uint64_t offset)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .config1 = (uintptr_t)path, .config2 = offset};
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int fd, n;

	if (!file)
		return -errno;
	n = fscanf(file, "%u", &attr.type);
	fclose(file);
	if (n != 1)
		return -ENODEV;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
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

	return bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

int uprobe_link(const char *path, uint64_t offset)
{
	struct {
		uint32_t program, target, type, flags;
		uint64_t cookie, reserved[4];
	} attr = {.type = ATTACH_PERF_EVENT};
	int program_fd, event_fd, r;

	program_fd = program(0);
	if (program_fd < 0)
		return program_fd;
	r = event_fd = uprobe_event(path, offset);
	if (event_fd >= 0) {
		attr.program = (uint32_t)program_fd;
		attr.target = (uint32_t)event_fd;
		r = bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
		close(event_fd);
	}
	close(program_fd);
	return r;
}

int uprobe_multi(const char *path, uint64_t offset)
{
	struct {
		uint32_t program, target, type, flags;
		uint64_t path, offsets, references, cookies;
		uint32_t n, multi_flags, pid, reserved;
	} attr = {.type = ATTACH_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)&offset,
		.n = 1};
	int program_fd, r;

	program_fd = program(ATTACH_MULTI);
	if (program_fd < 0)
		return program_fd;
	attr.program = (uint32_t)program_fd;
	r = bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
	close(program_fd);
	return r;
}

int uprobe_pin(int link, const char *path)
{
	union bpf_attr attr = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)link};

	return bpf(BPF_OBJ_PIN, &attr, sizeof(attr));
}
