/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The law of results, for every function of spguard that can fail:
 *
 *   0         success
 *   negative  a spg_err below: the call did nothing that lasts; the cause was
 *             logged (or put into the error text the function returns) where
 *             it arose; callers forward it unchanged
 *   positive  an outcome that the function documents and the caller must use
 *
 * Codes of errno, libuv and SQLite are translated once, at the edge where
 * they arise. Thread-safe: pure functions.
 */
#include <stdbool.h>

enum spg_err {
	SPG_ERR_NOMEM = -1,       /* out of memory */
	SPG_ERR_IO = -2,          /* the system refused; the log says what */
	SPG_ERR_DENIED = -3,      /* permission */
	SPG_ERR_INVALID = -4,     /* input that breaks its format or range */
	SPG_ERR_UNSUPPORTED = -5, /* not on this system, tier or build */
	SPG_ERR_BUSY = -6,        /* somebody else has it */
	SPG_ERR_TIMEOUT = -7,     /* a deadline passed */
	SPG_ERR_CORRUPT = -8,     /* a database or file that fails its check */
	SPG_ERR_FULL = -9,        /* no space, or a bounded queue is full */
	SPG_ERR_NOT_FOUND = -10,  /* no such thing */
	SPG_ERR_LIMIT = -11,      /* a configured limit was reached */
	SPG_ERR_EXISTS = -12,     /* there is one already */
};

/** Name of @err for log lines, such as "out of memory"; never NULL. */
const char *spg_err_text(int err);

/** The spg_err for a value of errno (0 gives 0). */
int spg_err_from_errno(int errnum);

/** True for an errno that says nothing of what was asked about, only that
 * descriptors or memory are short: the same call may succeed later. */
bool spg_errno_is_shortage(int errnum);
