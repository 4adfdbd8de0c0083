/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A prover over a model and the scripted backend, put together as daemon.c does
 * it. The test owns the loop and runs it until what it waits for has happened.
 */
#include <uv.h>

#include "common/buf.h"
#include "daemon/proof/prover.h"
#include "tests/scripted/scripted.h"
#include "tests/unit/model_help.h"

#define NEVER_MS 3600000

struct world {
	uv_loop_t loop;
	struct spg_model *model;
	struct spg_watch *watch;
	struct spg_prover *prover;
	struct spg_prover_config config; /* every time NEVER_MS */
	struct spg_product *products[2]; /* help_product() and "other" */
	struct spg_buf log;              /* changes: "use-begin a.dll;" ... */
	unsigned n_answers, n_settled;
	int settled_err;
	bool stopping, stopped, hangs;
};

/* Where an answer goes. */
struct reply {
	struct world *world;
	unsigned n, order; /* how often answered; the how manieth answer it was */
	int err;
	enum spg_verdict_kind verdict;
	unsigned tries;
	bool complete;
	struct spg_waited waited;
	char text[512]; /* the first reason */
	const struct spg_product *product;
	void (*then)(struct reply *reply); /* or NULL */
};

/** Everything started; the world is "file a.dll free". */
void world_init(struct world *world);

/** Stop, and prove that nothing is left. */
void world_finish(struct world *world);

/** Only stop the prover; finish comes after. */
void world_stop_prover(struct world *world);

/** The same from within a callback: only begin. */
void world_begin_stop(struct world *world);

/** What surveys see: see help_observe(). */
void world_is(struct world *world, const char *text);

/** Ask about product @index; @names (or NULL) are separated by blanks. */
void ask(struct world *world, size_t index, const char *names, struct reply *reply);

void ask_to_wait(
	struct world *world, int64_t wait_ns, int64_t settle_ns, struct reply *reply);

/** Run the loop until there are @n answers. */
void run_until_answers(struct world *world, unsigned n);

/** Run the loop until the log contains @text. */
void run_until_log(struct world *world, const char *text);

/** Start what is queued and wait until its survey stands still. */
void run_until_held(struct world *world);

/** Timers that run. */
unsigned count_timers(struct world *world);

/** Surveys begun at @depth. */
unsigned n_surveys(struct world *world, enum spg_survey_depth depth);

void on_settled(void *user, int err);
