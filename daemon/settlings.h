/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Those who wait until everything that was dirty has been looked at. Part of the
 * prover, which is its only user. Loop thread.
 */

struct spg_settling;

struct spg_settlings {
	struct spg_settling *first;
};

/** Append one; @done comes once, from spg_settlings_finish(). Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_settlings_add(
	struct spg_settlings *settlings, void (*done)(void *user, int err), void *user);

/** A pass over all products begins: count it for each. */
void spg_settlings_pass(struct spg_settlings *settlings);

/** Call back, with @err, those that have seen at least @min_passes. A callback may
 * add again. */
void spg_settlings_finish(
	struct spg_settlings *settlings, unsigned min_passes, int err);
