/* SPDX-License-Identifier: MIT */
/*
 * The test helper "fuse-dead": a mount whose server answers the first greeting
 * and then nothing, ever, like a network share whose server is gone.
 *
 *   fuse-dead DIRECTORY
 *
 * Prints "ready" when it is mounted. At "exit" or the end of input the mount
 * is detached; whoever hangs in it gets an error then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "fuse-dead: %s: %s\n", what, strerror(errno));
	/* Without a FUSE device there is nothing to test. */
	return errno == ENOENT || errno == ENODEV || errno == EPERM ? 77 : 1;
}

static int greet(int device)
{
	static char request[1 << 17]; /* the kernel insists on room for a write */
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} answer = {0};
	const struct fuse_in_header *header = (const void *)request;

	if (read(device, request, sizeof(request)) < (ssize_t)sizeof(*header))
		return -1;
	if (header->opcode != FUSE_INIT) {
		errno = EPROTO;
		return -1;
	}
	answer.header.len = sizeof(answer);
	answer.header.unique = header->unique;
	answer.init.major = FUSE_KERNEL_VERSION;
	answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
	answer.init.max_write = 4096;
	return write(device, &answer, sizeof(answer)) == sizeof(answer) ? 0 : -1;
}

int main(int argc, char **argv)
{
	char options[96], line[32];
	int device;

	if (argc != 2) {
		fprintf(stderr, "usage: fuse-dead DIRECTORY\n");
		return 2;
	}
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return fail("/dev/fuse");
	snprintf(options, sizeof(options),
		"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (mount("fuse-dead", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return fail("mount");
	if (greet(device) < 0)
		return fail("greeting");
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "exit\n") != 0)
		;
	umount2(argv[1], MNT_DETACH);
	close(device);
	return 0;
}
