/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the tracker (tracker.h) works with. Plain data.
 */
#include <stdint.h>

#include <uv.h>

#include "daemon/install/catalog.h"
#include "daemon/install/owners.h"
#include "daemon/model/event.h"
#include "daemon/model/model.h"
#include "daemon/proof/prover.h"
#include "daemon/store/records.h"
#include "daemon/watch/watch.h"

/* All borrowed. */
struct spg_tracker_host {
	uv_loop_t *loop;
	struct spg_model *model;
	struct spg_prover *prover;
	struct spg_catalog *catalog;
	struct spg_owners *owners;
	struct spg_store *store;
	struct spg_watch *watch;
	/* Number, store and announce @event; borrowed. */
	void (*record)(void *user, struct spg_event *event);
	void *record_user;
	/* What product @name's standing is made of has changed: make it anew, with
	 * spg_tracker_add_standing() and what others add. */
	void (*on_standing)(void *user, const char *product);
	void *user;
	const struct spg_store_records *records; /* read while it is created */
	int64_t last_install;                    /* the highest number used before */
	int64_t quiet_ns;
};
