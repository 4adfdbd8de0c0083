/* SPDX-License-Identifier: MIT */
/*
 * How long a pair of lock and unlock takes.
 *
 *   lock-pairs FILE flock|posix PAIRS ROUNDS
 *
 * Prints the nanoseconds a pair of each round, one a line. Run by locks.py.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void pair(int fd, int posix)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (!posix) {
		if (flock(fd, LOCK_EX) < 0 || flock(fd, LOCK_UN) < 0)
			fail("flock");
		return;
	}
	if (fcntl(fd, F_SETLK, &lock) < 0)
		fail("F_SETLK");
	lock.l_type = F_UNLCK;
	if (fcntl(fd, F_SETLK, &lock) < 0)
		fail("F_SETLK");
}

int main(int argc, char **argv)
{
	long pairs, rounds;
	int fd, posix;

	if (argc != 5) {
		fprintf(stderr, "usage: lock-pairs FILE flock|posix PAIRS ROUNDS\n");
		return 2;
	}
	posix = strcmp(argv[2], "posix") == 0;
	pairs = strtol(argv[3], NULL, 10);
	rounds = strtol(argv[4], NULL, 10);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(argv[1]);
	for (long round = 0; round < rounds; round++) {
		int64_t began = now_ns();

		for (long i = 0; i < pairs; i++)
			pair(fd, posix);
		printf("%.1f\n", (double)(now_ns() - began) / (double)pairs);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
