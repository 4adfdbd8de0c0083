/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * SHA-256 (FIPS 180-4) of what is read piece by piece, as text: what tells
 * whether two files have the same content. Thread-safe per object.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nettle/sha1.h>
#include <nettle/sha2.h>

#define SPG_SHA256_TEXT_BYTES 65 /* 64 hexadecimal digits, small letters */

struct spg_digest {
	struct sha256_ctx sha256;
	uint64_t n_bytes; /* added since it began */
	void (*also)(void *user, const void *bytes, size_t n);
	void *user;
};

#define SPG_SHA1_BYTES 20

/** SHA-1 piece by piece: begin, add, end with the digest. */
struct spg_sha1 {
	struct sha1_ctx sha1;
};

void spg_sha1_init(struct spg_sha1 *sha1);
void spg_sha1_add(struct spg_sha1 *sha1, const void *bytes, size_t n);
void spg_sha1_end(struct spg_sha1 *sha1, uint8_t ret[SPG_SHA1_BYTES]);

/** SHA-1 of @n bytes. It secures nothing any more; .NET names public keys by it. */
void spg_sha1(const void *bytes, size_t n, uint8_t ret[SPG_SHA1_BYTES]);

/** Begin, or begin again. Holds nothing that has to be released. */
void spg_digest_init(struct spg_digest *digest);

void spg_digest_add(struct spg_digest *digest, const void *bytes, size_t n);

/** Write the digest to @ret, of SPG_SHA256_TEXT_BYTES, and begin again. */
void spg_digest_text(struct spg_digest *digest, char *ret);

/** Write @n bytes as digits to @ret, of 2 * @n + 1 bytes. */
void spg_digest_format(const uint8_t *bytes, size_t n, char *ret);

/** Each piece that spg_digest_add() gets is @also handed to this one; NULL: to nobody. */
void spg_digest_also(struct spg_digest *digest,
	void (*also)(void *user, const void *bytes, size_t n), void *user);

/**
 * Add what the file @fd, a regular file open for reading, has from the byte n_bytes of
 * @digest to its end; its position stays. So reading that was ended early can go on,
 * with another descriptor too. Blocks.
 *
 * @keep_on  asked at first, and after each 1 MiB, with the bytes added so far; false ends the
 *           reading with SPG_ERR_TIMEOUT. NULL: read to the end.
 *
 * Returns 0; SPG_ERR_TIMEOUT; the spg_err of what read(2) said, errno still set;
 * SPG_ERR_NOMEM.
 */
int spg_digest_fd(struct spg_digest *digest, int fd,
	bool (*keep_on)(void *user, uint64_t n_bytes), void *user);
