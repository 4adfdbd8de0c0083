/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Everything about installs, put together: the catalog of what is installed, the
 * sessions, and what they add to the verdicts. Owned by daemon.c. Loop thread.
 */
#include "daemon/config/config.h"
#include "daemon/install/catalog.h"
#include "daemon/install/owners.h"
#include "daemon/install/sidestep/sidestep.h"
#include "daemon/install/tracker.h"
#include "daemon/model/event.h"
#include "daemon/model/model.h"
#include "daemon/proof/prover.h"
#include "daemon/store/store.h"
#include "daemon/watch/watch.h"

/* What it works with; all borrowed. */
struct spg_installs_host {
	uv_loop_t *loop;
	struct spg_model *model;
	struct spg_prover *prover;
	struct spg_store *store;
	struct spg_watch *watch;
	/* Number, store and announce @event; borrowed. */
	void (*record)(void *user, struct spg_event *event);
	void *user;
};

struct spg_installs {
	struct spg_installs_host host;
	struct spg_catalog *catalog;
	struct spg_owners *owners;
	struct spg_tracker *tracker;
	struct spg_sidesteps *sidesteps;
	bool hangs; /* the worker still works on the catalog: leave it */
	void (*on_stopped)(void *user);
	void *stop_user;
};

/** Returns 0 or SPG_ERR_NOMEM; then spg_installs_stop() and _finish() all the same. */
int spg_installs_init(struct spg_installs *installs,
	const struct spg_installs_host *host, const struct spg_store_origin *origin,
	const struct spg_config *config);

/** The model has other products: what is known of them counts from now on. */
void spg_installs_set_products(struct spg_installs *installs);

/** After the first look, and after that of a reload. */
void spg_installs_begin(struct spg_installs *installs);

void spg_installs_configure(
	struct spg_installs *installs, const struct spg_config *config);

/** A file event of a product. */
void spg_installs_note(struct spg_installs *installs, const struct spg_event *event);

/** What surveys and locks have changed. */
void spg_installs_note_changes(
	struct spg_installs *installs, const struct spg_event_list *changes);

/** What a survey found of a product's files. */
void spg_installs_note_survey(
	struct spg_installs *installs, const struct spg_observation *obs);

/** @process has made, removed or renamed the directory at @path, or a link on the way to
 * a product's files; the look comes after. */
void spg_installs_note_moved(
	struct spg_installs *installs, const char *path, struct spg_process *process);

/** Events were lost, or directories of @product (NULL: any) have changed. */
void spg_installs_look(
	struct spg_installs *installs, const struct spg_product *product);

void spg_installs_note_exit(struct spg_installs *installs, struct spg_proc_id id);

/** After the prover has stopped; @hangs as it said. @on_stopped comes from the loop,
 * or within the call. Takes one that is all zero. */
void spg_installs_stop(struct spg_installs *installs, bool hangs,
	void (*on_stopped)(void *user), void *user);

/** After the loop has ended. Takes one that is all zero. */
void spg_installs_finish(struct spg_installs *installs);
