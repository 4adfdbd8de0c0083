/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Is a signed Windows module what was signed? Its certificate table has the digest of all
 * other bytes ("Windows Authenticode Portable Executable Signature Format", Microsoft,
 * 2008), so that a module is found whose content was lost or changed anywhere.
 *
 * Who signed, and whether that counts, is nobody's business here: the certificates are not
 * looked into, and the digest is found by the bytes before it. Who damages on purpose can
 * hide it; disks do not. Signatures by other digests than SHA-1 and SHA-256, and files that
 * have more behind the table, are not judged.
 *
 * Plain data, one owner at a time.
 */
#include "common/digest.h"
#include "common/pe.h"

#define SPG_PE_SIGNATURE_MAX (1U << 20) /* bytes of a certificate table */

struct spg_pe_signed {
	enum {
		SPG_PE_NOT_SIGNED, /* or not judged */
		SPG_PE_SIGNED_SHA1,
		SPG_PE_SIGNED_SHA256,
	} kind;
	char expected[SPG_SHA256_TEXT_BYTES];
	uint64_t checksum_at, entry_at, table_at; /* what is left out begins there */
	uint64_t at;                              /* bytes that were added */
	struct spg_digest sha256;
	struct spg_sha1 sha1;
};

/**
 * Begin: read what the file's signature says.
 *
 * Returns 0, with no kind for what is no PE file, not signed or not judged;
 * SPG_ERR_NOMEM; or what @source->read returned.
 */
int spg_pe_signed_begin(struct spg_pe_signed *ret, const struct spg_pe_source *source);

/** Add the next @n bytes of the file. */
void spg_pe_signed_add(struct spg_pe_signed *file, const void *bytes, size_t n);

/** All bytes were added: are they what was signed? True when it is not judged. */
bool spg_pe_signed_end(struct spg_pe_signed *file);
