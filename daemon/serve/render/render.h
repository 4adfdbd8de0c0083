/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From the daemon's records to the JSON of the public contract. Pure: no IO, no
 * state, nothing kept; loop thread (jansson's objects are not shared).
 *
 * Every function returns a new reference, or NULL when memory is short. Text
 * that other processes chose passes through spg_text_escape(); what is unknown
 * or absent is null; times are RFC 3339 in UTC.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon/model/event.h"
#include "daemon/model/package.h"
#include "daemon/proof/prover.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/payload_comparison.h"
#include "daemon/serve/service.h"

/** The lines of @text as a list, each escaped. */
json_t *spg_render_lines(const char *text);

/** A moment; 0 gives null. */
json_t *spg_render_time(int64_t ns);

/** The answer to "check". @offer: what the product is asked about for, or NULL.
 * @all: free files too. */
json_t *spg_render_check(const struct spg_proof *proof, const char *tier,
	const struct spg_offer *offer, bool all);

/**
 * The answers to "check" about @n products as one: what is listed of files names its
 * product, numbers are summed up, and "products" has what is left of each. The answers
 * are used up; the caller keeps its references.
 *
 * @verdict, @without_blocked  the worst of theirs
 * @at_ns                      the moment of the oldest proof
 */
json_t *spg_render_checks(json_t *const *answers, size_t n,
	enum spg_verdict_kind verdict, enum spg_verdict_kind without_blocked,
	int64_t at_ns);

/* Which files "who" and "locks" are asked about: absolute paths (of a file, or
 * of a directory: everything below), or bare names in any directory; both
 * compare by the product's rule. None: all. */
struct spg_path_filter {
	char *const *paths;
	size_t n;
};

/** True when @filter asks about @path, a file of @product. */
bool spg_path_filter_has(const struct spg_path_filter *filter,
	const struct spg_product *product, const char *path);

/**
 * Append to the array @out. Files: those in use, each as in the answer to
 * "check" and with its "product" and "package", of @packages, NULL: not known; @all: every
 * file. Locks: one object each.
 * Coverage: the proof's lacks, each with its "product"; when the proof is
 * incomplete without saying why there, the verdict's reasons.
 * Return 0 or SPG_ERR_NOMEM.
 */
int spg_render_files(json_t *out, const struct spg_proof *proof,
	const struct spg_path_filter *filter, const struct spg_packages *packages,
	bool all);
int spg_render_locks(json_t *out, const struct spg_proof *proof,
	const struct spg_path_filter *filter);
int spg_render_coverage(json_t *out, const struct spg_proof *proof);

/** One event, as in "log" and the notification "event". */
json_t *spg_render_event(const struct spg_event *event);

/** The parameters of the notification "verdict"; @event is a VERDICT. */
json_t *spg_render_verdict_notice(const struct spg_event *event);

/* What the server counts, for "status" and metrics. */
struct spg_server_counts {
	size_t sessions, subscribers;
	uint64_t drops; /* notifications that slow subscribers did not get */
};

/** The answer to "status". Asks model, watch and store what they know. */
json_t *spg_render_status(
	const struct spg_service *service, const struct spg_server_counts *counts);
