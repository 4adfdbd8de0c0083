/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The worker thread: runs one survey after the other, so that whatever
 * blocks on a disk or takes long in /proc never does so on the loop. Part of
 * the prover, which is its only user. Everything here is called on the loop
 * thread, and so is @done, unless it says otherwise.
 *
 * While no survey runs, a second thread does background, step by step: reading the files
 * of a product, say. A step of a job may have such a file open, and since no step begins
 * while a survey waits or runs, and a survey waits for the step that runs, none finds
 * the daemon among the users. A step that does not end (somebody who watches opens does
 * not answer) holds up no survey for longer than a moment: that is told which file it is
 * about.
 */
#include <stdbool.h>

#include <uv.h>

#include "daemon/watch/watch.h"

struct spg_worker;

/* A survey to run; owns everything in it, a reference of @product too. */
struct spg_survey_job {
	struct spg_product *product;
	struct spg_survey_scope scope;
	char **extra_names;
	size_t n_extra_names;
	bool find_users;
};

/* Owned by who adds it, until it is done. */
struct spg_background_job {
	struct spg_background_job *next;
	/* The background thread: do a little, and return whether there
	 * is more to do. */
	bool (*step)(struct spg_background_job *background);
	/* Loop thread: no step comes any more. @complete: there was nothing left to
	 * do; false: the daemon stops. */
	void (*done)(struct spg_background_job *background, bool complete);
	/* Any thread: the path of the file that the step that runs is at; NULL: a step
	 * has none open. */
	void (*place)(struct spg_background_job *background, char *ret, size_t size);
};

/** Release what the job owns but the reference of its product. */
void spg_survey_job_finish(struct spg_survey_job *job);

/** @done: @err 0 and an observation, which is the callee's from then on. */
typedef void spg_worker_done(void *user, int err, struct spg_observation *obs);

int spg_worker_start(struct spg_worker **ret, uv_loop_t *loop, struct spg_watch *watch,
	spg_worker_done *done, void *user);

/** What @job asks for may be found without waiting for a thread or a disk: that
 * nothing has changed and nobody uses anything. True: *ret, the caller's, says so.
 * Loop thread; only when no other runs; @job stays the caller's. */
bool spg_worker_try_at_once(struct spg_worker *worker, const struct spg_survey_job *job,
	struct spg_observation **ret);

/** Run @job, whose contents it takes over. Only when no other runs. */
void spg_worker_submit(struct spg_worker *worker, const struct spg_survey_job *job);

/** Have @background done, behind those added before. */
void spg_worker_add_job(
	struct spg_worker *worker, struct spg_background_job *background);

/** @hold: begin no step of a background, since somebody waits for an answer: between two
 * surveys too, or the files that it opens might make them differ. */
void spg_worker_hold_jobs(struct spg_worker *worker, bool hold);

/** What there is to say of @product while the survey that runs does not answer, after
 * @deadline_ms: an observation of nothing but a lack, naming the place where it
 * hangs. Returns 0 or SPG_ERR_NOMEM. */
int spg_worker_tell_late(struct spg_worker *worker, struct spg_product *product,
	unsigned deadline_ms, struct spg_observation **ret);

/** Ask the survey that runs to end early; @done still comes when it does. */
void spg_worker_cancel(struct spg_worker *worker);

/** End the thread. If a survey does not end within two seconds, it is left
 * behind with everything it works on, and @hangs is true. No @done comes. */
void spg_worker_stop(struct spg_worker *worker,
	void (*on_stopped)(void *user, bool hangs), void *user);
