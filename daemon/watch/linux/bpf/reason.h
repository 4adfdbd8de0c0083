/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Why BPF is not to be had here, in words for "status" and "doctor".
 */

struct spg_bpf_reason {
	char why[160];
	char remedy[160];
	const char *command; /* of the remedy; a constant, or NULL */
};

/**
 * What keeps BPF programs from working on this system as far as can be told
 * beforehand: no BTF, not the first pid namespace. Returns 0, or
 * SPG_ERR_UNSUPPORTED and *reason.
 */
int spg_bpf_preconditions(struct spg_bpf_reason *reason);

/** Explain that loading or attaching @what failed with @errnum. Returns the
 * spg_err: SPG_ERR_DENIED or SPG_ERR_UNSUPPORTED. */
int spg_bpf_explain(struct spg_bpf_reason *reason, const char *what, int errnum);

/** Send libbpf's messages to the log, at debug level. Once, at start. */
void spg_bpf_log(void);
