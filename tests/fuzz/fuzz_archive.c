/* SPDX-License-Identifier: MIT */
/*
 * What the client makes of any bytes as an archive. Build for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_archive.c client/archive*.c common/pe*.c \
 *     common/{payload,binary,array,buf,digest,err,text}.c -lnettle
 * and run it on tests/fuzz/corpus-archive. The unit test "archive" replays that corpus
 * through the same function.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/archive_payload.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct spg_archive_limits limits = {2000, 4 << 20};

/* No path leads out of the archive, and all that is told belongs together. */
static void check_file(const struct spg_payload_file *file)
{
	const char *path = file->path + (file->path[0] == '/');

	if (file->size > limits.bytes_max ||
		strcmp(file->name, spg_path_base(file->path)) != 0)
		abort();
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
			(n == 2 && memcmp(path, "..", 2) == 0))
			abort();
		if (path[n] == '\0')
			return;
		path += n + 1;
	}
}

static void check(const char *path)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	int err = spg_archive_read(&payload, path, &limits, NULL, &error);

	if (err == 0 && payload.n_files == 0)
		abort();
	if (err != 0 && (payload.n_files > 0 || payload.n > 0))
		abort();
	if (err < 0 && error.len == 0)
		abort();
	for (size_t i = 0; i < payload.n_files; i++)
		check_file(&payload.files[i]);
	spg_payload_finish(&payload);
	spg_buf_finish(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(path);
	close(fd);
	return 0;
}
