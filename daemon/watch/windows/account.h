/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whose process is it: "DOMAIN\name". The name of an account of a domain comes from a
 * domain controller, which may be gone: names are kept, and one that does not come in time
 * is replaced by its SID. Thread-safe.
 */
#include <stdint.h>

/** The account that the process behind @handle (PROCESS_QUERY_LIMITED_INFORMATION) runs as;
 * the caller frees. *ret_uid: its number, see common/windows/users.h. Blocks for half a second at
 * most. NULL: not known, or no memory. */
char *spg_win_account_of_process(void *handle, uint32_t *ret_uid);
