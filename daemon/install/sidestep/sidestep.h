/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Steps aside: a held file is renamed so that setup can write a new one, and its
 * users go on with the old. Loop thread; what touches the disk is done as background jobs
 * of the worker thread.
 *
 * Each step is in the journal, on disk, before the file is renamed, and what came
 * of it after; a step that a crash left between the two is found out and put right
 * at the next start. A step is refused where it would not help or would harm, and
 * nothing is ever renamed over another file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "daemon/install/tracker.h"
#include "daemon/model/event.h"
#include "daemon/model/model.h"
#include "daemon/model/sidestep.h"
#include "daemon/proof/prover.h"
#include "daemon/store/records.h"

struct spg_sidesteps;

/* What it works with; all borrowed. */
struct spg_sidesteps_host {
	struct spg_model *model;
	struct spg_prover *prover;
	struct spg_store *store;
	struct spg_tracker *tracker;
	/* Number, store and announce @event; borrowed. */
	void (*record)(void *user, struct spg_event *event);
	void *record_user;
	/* See struct spg_tracker_host. */
	void (*on_standing)(void *user, const char *product);
	void *user;
	const struct spg_store_records *records; /* read while it is created */
	int64_t last_sidestep;                   /* the highest number used before */
};

/** NULL: out of memory. */
struct spg_sidesteps *spg_sidesteps_create(const struct spg_sidesteps_host *host);

/** Put right what a crash left: after the first look. Doing it again changes
 * nothing. */
void spg_sidesteps_begin(struct spg_sidesteps *sidesteps);

/** An install has ended: steps whose new file is there are finished. */
void spg_sidesteps_review(struct spg_sidesteps *sidesteps, const char *product);

enum spg_sidestep_verb {
	SPG_SIDESTEP_APPLY, /* paths: absolute, or names in any directory */
	SPG_SIDESTEP_UNDO,  /* @id */
	SPG_SIDESTEP_CLEAN, /* every old file that nobody uses any more; or @id */
	SPG_SIDESTEP_LIST,
};

struct spg_sidestep_request {
	enum spg_sidestep_verb verb;
	char *const *paths;
	size_t n_paths;
	const char *product; /* NULL: whichever has the path */
	bool dry_run;
	int64_t id;
	uint32_t uid; /* who asks */
};

/* @steps: one for each file, with what came of it and why in ->detail; borrowed. */
typedef void spg_sidesteps_done(
	void *user, int err, const struct spg_sidestep *steps, size_t n);

/**
 * Do what @request says, which is copied. @done comes once, never from within the
 * call, unless spg_sidesteps_forget() is called: what was begun is done all the
 * same. @err: SPG_ERR_NOT_FOUND (no such path or number: nothing was done),
 * SPG_ERR_BUSY (the daemon stops), SPG_ERR_FULL or SPG_ERR_IO (the journal cannot be
 * written: nothing more is done), SPG_ERR_NOMEM. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_sidesteps_ask(struct spg_sidesteps *sidesteps,
	const struct spg_sidestep_request *request, spg_sidesteps_done *done,
	void *user);

/** No callback comes with @user. */
void spg_sidesteps_forget(struct spg_sidesteps *sidesteps, const void *user);

/** Add what steps have left. Returns 0 or SPG_ERR_NOMEM. */
int spg_sidesteps_add_standing(const struct spg_sidesteps *sidesteps,
	const char *product, struct spg_standing *standing);

/** After the prover and the store have stopped. Takes NULL. */
void spg_sidesteps_destroy(struct spg_sidesteps *sidesteps);
