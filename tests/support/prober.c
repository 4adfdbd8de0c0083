/* SPDX-License-Identifier: MIT */
/*
 * prober HOW PATH OFFSET: has a uprobe in a file.
 *
 *   perf, link, multi  see uprobe.h
 *   pinned             multi, pinned at the path that a fourth argument names, and closed
 *
 * Then "ready PID", and it stays until its input ends. 77: not on this kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/uprobe.h"

static int make(const char *how, const char *path, uint64_t offset, const char *pin)
{
	int fd, r;

	if (strcmp(how, "perf") == 0)
		return uprobe_event(path, offset);
	if (strcmp(how, "link") == 0)
		return uprobe_link(path, offset);
	fd = uprobe_multi(path, offset);
	if (fd < 0 || !pin)
		return fd;
	r = uprobe_pin(fd, pin);
	close(fd);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc != (argc > 1 && strcmp(argv[1], "pinned") == 0 ? 5 : 4))
		return 2;
	r = make(argv[1], argv[2], strtoull(argv[3], NULL, 0), argv[4]);
	if (r < 0) {
		fprintf(stderr, "prober: %s: %s\n", argv[1], strerror(-r));
		return 77;
	}
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
