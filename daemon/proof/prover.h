/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Proofs: an answer about a product that holds at the moment it is given.
 *
 * Owns the worker thread and the queue of questions; brings events, model
 * and surveys together. Loop thread. Nothing here knows of sockets or SQL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "common/histogram.h"
#include "daemon/model/model.h"
#include "daemon/proof/proof.h"
#include "daemon/watch/watch.h"

struct spg_prover;
struct spg_background_job;

struct spg_prover_config {
	unsigned debounce_ms;  /* from an event to the reconcile it asks for */
	unsigned lock_poll_ms; /* between readings of the locks, while in use */
	unsigned deadline_ms;  /* for one survey */
};

/* Where changes go: numbered, stored, announced by the listener. */
typedef void spg_prover_on_changes(void *user, struct spg_event_list *changes);

/**
 * Start the worker thread. @model and @watch are borrowed and must outlive
 * the prover. @on_changes gets the events that surveys cause, and may take
 * them out of the list. Returns 0 or a negative spg_err.
 */
int spg_prover_start(struct spg_prover **ret, uv_loop_t *loop,
	const struct spg_prover_config *config, struct spg_model *model,
	struct spg_watch *watch, spg_prover_on_changes *on_changes, void *user);

/** @listener gets each survey of files, when the model knows it, before anything is
 * answered by it. Borrowed for the call. */
void spg_prover_listen(struct spg_prover *prover,
	void (*listener)(void *user, const struct spg_observation *obs), void *user);

/**
 * Answer what is queued with SPG_ERR_BUSY, end the thread, close the handles,
 * then @on_stopped. A survey that does not end within two seconds is left
 * behind: @hangs is true then, and what it works on, the watch backend among
 * it, must not be destroyed before the process ends.
 *
 * From the call on whoever asks, waits, or adds a job gets SPG_ERR_BUSY: the database
 * answers longer than the prover, and what it answers may be asked on.
 */
void spg_prover_stop(struct spg_prover *prover,
	void (*on_stopped)(void *user, bool hangs), void *user);

/** Free it, when it has stopped and nobody who knows it is called any more. Takes NULL. */
void spg_prover_destroy(struct spg_prover *prover);

void spg_prover_configure(
	struct spg_prover *prover, const struct spg_prover_config *config);

/**
 * Prove product @index. @selection (or NULL) is copied. @find_users: search for
 * holders even when everything is free. @done comes exactly once, never from
 * within the call, unless spg_prover_forget() is called with the same @user
 * first. Returns 0, SPG_ERR_NOMEM or SPG_ERR_BUSY (then @done does not come).
 */
int spg_prover_ask(struct spg_prover *prover, size_t index,
	const struct spg_selection *selection, bool find_users, spg_proof_done *done,
	void *user);

/** As spg_prover_ask(), but while the verdict is not safe, or has not been for the settle
 * time, ask again whenever something changed, as long as @wait says. A survey that does
 * not end in time does not end the wait. */
int spg_prover_wait(struct spg_prover *prover, size_t index,
	const struct spg_selection *selection, const struct spg_wait *wait,
	spg_proof_done *done, void *user);

/** How long the answers since the start took, from question to proof; waits are not
 * in it. Borrowed. */
const struct spg_histogram *spg_prover_durations(const struct spg_prover *prover);

/** Drop every question of @user: its @done will not come. */
void spg_prover_forget(struct spg_prover *prover, void *user);

/** Have @job (worker.h) done while nothing is asked. Each is done or given up,
 * with its callback, before the prover has stopped; but one that hangs with the
 * survey is left behind. Returns 0, or SPG_ERR_BUSY: it is not taken. */
int spg_prover_add_job(struct spg_prover *prover, struct spg_background_job *job);

/** Something became dirty: reconcile after the debounce; @at_once: now. */
void spg_prover_kick(struct spg_prover *prover, bool at_once);

/** @done when all that is dirty now has been reconciled, and all that happened before
 * now was delivered; when events come faster than surveys, after SPG_PROOF_TRIES looks
 * at each product; with SPG_ERR_TIMEOUT while a survey hangs. May be called while an
 * event is delivered: it reads none itself. */
int spg_prover_sync(
	struct spg_prover *prover, void (*done)(void *user, int err), void *user);
