/* SPDX-License-Identifier: MIT */
#include "common/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"

#define READ_BYTES (64U << 10)
#define ASK_BYTES  (1U << 20)

void spg_digest_init(struct spg_digest *digest)
{
	sha256_init(&digest->sha256);
}

void spg_digest_add(struct spg_digest *digest, const void *bytes, size_t n)
{
	sha256_update(&digest->sha256, n, bytes);
}

void spg_digest_text(struct spg_digest *digest, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_digest(&digest->sha256, sizeof(bytes), bytes);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * sizeof(bytes)] = '\0';
}

int spg_digest_fd(int fd, char *ret, uint64_t *ret_bytes,
	bool (*keep_on)(void *user, uint64_t n_read), void *user)
{
	struct spg_digest digest;
	uint64_t n_read = 0;
	char *chunk = malloc(READ_BYTES);
	int err = 0;

	if (!chunk)
		return SPG_ERR_NOMEM;
	spg_digest_init(&digest);
	for (;;) {
		ssize_t n;

		if (keep_on && n_read % ASK_BYTES == 0 && !keep_on(user, n_read)) {
			err = SPG_ERR_TIMEOUT;
			break;
		}
		n = pread(fd, chunk, READ_BYTES, (off_t)n_read);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = spg_err_from_errno(errno);
		if (n <= 0)
			break;
		spg_digest_add(&digest, chunk, (size_t)n);
		n_read += (uint64_t)n;
	}
	free(chunk);
	if (err < 0)
		return err;
	spg_digest_text(&digest, ret);
	if (ret_bytes)
		*ret_bytes = n_read;
	return 0;
}
