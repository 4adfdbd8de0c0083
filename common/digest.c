/* SPDX-License-Identifier: MIT */
#include "common/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"

#define READ_BYTES (64U << 10)
#define ASK_BYTES  (1U << 20)

void spg_sha1_init(struct spg_sha1 *sha1)
{
	sha1_init(&sha1->sha1);
}

void spg_sha1_add(struct spg_sha1 *sha1, const void *bytes, size_t n)
{
	sha1_update(&sha1->sha1, n, bytes);
}

void spg_sha1_end(struct spg_sha1 *sha1, uint8_t ret[SPG_SHA1_BYTES])
{
	sha1_digest(&sha1->sha1, SPG_SHA1_BYTES, ret);
}

void spg_sha1(const void *bytes, size_t n, uint8_t ret[SPG_SHA1_BYTES])
{
	struct spg_sha1 sha1;

	spg_sha1_init(&sha1);
	spg_sha1_add(&sha1, bytes, n);
	spg_sha1_end(&sha1, ret);
}

void spg_digest_init(struct spg_digest *digest)
{
	sha256_init(&digest->sha256);
	digest->n_bytes = 0;
	digest->also = NULL;
}

void spg_digest_also(struct spg_digest *digest,
	void (*also)(void *user, const void *bytes, size_t n), void *user)
{
	digest->also = also;
	digest->user = user;
}

void spg_digest_add(struct spg_digest *digest, const void *bytes, size_t n)
{
	sha256_update(&digest->sha256, n, bytes);
	digest->n_bytes += n;
	if (digest->also)
		digest->also(digest->user, bytes, n);
}

void spg_digest_format(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
}

void spg_digest_text(struct spg_digest *digest, char *ret)
{
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_digest(&digest->sha256, sizeof(bytes), bytes);
	digest->n_bytes = 0;
	spg_digest_format(bytes, sizeof(bytes), ret);
}

int spg_digest_fd(struct spg_digest *digest, int fd,
	bool (*keep_on)(void *user, uint64_t n_bytes), void *user)
{
	char *chunk = malloc(READ_BYTES);
	uint64_t ask_at = digest->n_bytes;
	int err = 0;

	if (!chunk)
		return SPG_ERR_NOMEM;
	for (;;) {
		ssize_t n;

		if (keep_on && digest->n_bytes >= ask_at) {
			if (!keep_on(user, digest->n_bytes)) {
				err = SPG_ERR_TIMEOUT;
				break;
			}
			ask_at = digest->n_bytes + ASK_BYTES;
		}
		n = pread(fd, chunk, READ_BYTES, (off_t)digest->n_bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = spg_err_from_errno(errno);
		if (n <= 0)
			break;
		spg_digest_add(digest, chunk, (size_t)n);
	}
	free(chunk);
	return err;
}
