/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the methods of the socket (and later of HTTP) work on: the parts of the
 * running daemon. Owned by daemon.c, borrowed by everything in serve/ for the
 * life of the server. Loop thread.
 */
#include <stdint.h>

#include <uv.h>

#include "common/buf.h"
#include "common/histogram.h"
#include "common/kind.h"
#include "daemon/install/catalog.h"
#include "daemon/install/hold/hold.h"
#include "daemon/install/owners.h"
#include "daemon/install/sidestep/sidestep.h"
#include "daemon/install/tracker.h"
#include "daemon/model/model.h"
#include "daemon/proof/prover.h"
#include "daemon/store/store.h"
#include "daemon/watch/watch.h"

struct spg_service {
	uv_loop_t *loop;
	struct spg_model *model;
	struct spg_prover *prover;
	struct spg_store *store;
	struct spg_catalog *catalog;
	struct spg_owners *owners; /* NULL: nobody reads packages */
	struct spg_tracker *tracker;
	struct spg_sidesteps *sidesteps;
	struct spg_watch *watch;
	struct spg_holds *holds; /* NULL: there are none here */
	const char *socket_path;
	const char *database_path;
	const char *config_path; /* "" for the built-in defaults */
	/* The last reload was refused: when (UTC; 0: it was not), and its faults, a
	 * line each. */
	int64_t refused_ns;
	const char *refused_for;
	int64_t started_ns; /* UTC */
	const struct spg_event_counters *counters;
	const struct spg_histogram *turns; /* of the loop */

	/* Read the configuration again. Returns 0; SPG_ERR_INVALID when the file
	 * is bad (the old configuration goes on; @problems has one line for each
	 * fault); or another negative spg_err. With 0, @problems has lines about
	 * what takes effect only at the next start. */
	int (*reload)(void *user, struct spg_buf *problems);
	/* Numbers who may change something: root, the daemon's own user, members
	 * of admin-group. */
	bool (*is_admin)(void *user, uint32_t uid, uint32_t gid, int32_t pid);
	/* The number for which what the user @uid does is counted. NULL: @uid. */
	uint32_t (*account_of)(void *user, uint32_t uid);
	/* Another daemon serves the socket's path now: this one is to end. NULL: it goes
	 * on. */
	void (*on_lost)(void *user);
	void *user;
};
