/* SPDX-License-Identifier: MIT */
/*
 * A test helper: run a program for which a system call fails.
 *
 *   refuse bpf PROGRAM [ARGUMENT...]     bpf(2) with EPERM, as under many container
 *                                        runtimes
 *   refuse marks PROGRAM [ARGUMENT...]   fanotify_mark(2) with EXDEV, as on a btrfs
 *                                        subvolume before Linux 6.8
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Programs of one architecture: the number alone tells the call. */
static int refuse(unsigned call, unsigned errnum)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	int r;

	if (argc > 2 && strcmp(argv[1], "bpf") == 0) {
		r = refuse(__NR_bpf, EPERM);
	} else if (argc > 2 && strcmp(argv[1], "marks") == 0) {
		r = refuse(__NR_fanotify_mark, EXDEV);
	} else {
		fprintf(stderr, "usage: refuse bpf|marks PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	if (r < 0) {
		fprintf(stderr, "refuse: seccomp: %s\n", strerror(errno));
		return 1;
	}
	execvp(argv[2], argv + 2);
	fprintf(stderr, "refuse: %s: %s\n", argv[2], strerror(errno));
	return 127;
}
