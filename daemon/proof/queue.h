/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The questions that wait for a proof, in the order they came, and how a survey
 * answers them. Part of the prover, which is its only user and says what is looked
 * at when. Loop thread.
 *
 * Answers call back: a callback may ask, forget and settle, but not stop the prover.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"
#include "daemon/model/model.h"
#include "daemon/proof/proof.h"

struct spg_question {
	struct spg_question *next;
	char *product;
	struct spg_selection selection; /* owned */
	bool selects;
	bool find_users;
	bool in_flight; /* the survey that runs answers it */
	bool parked;    /* waits for a change */
	unsigned tries;
	int64_t asked_ns; /* monotonic */
	bool waits;       /* for "safe" */
	int64_t until_ns; /* monotonic: no longer than that */
	int64_t due_ns;   /* monotonic: parked, it is asked again at the latest then */
	bool learns;      /* see struct spg_wait */
	bool is_free;     /* as of the last look, or known from before */
	int64_t since_ns; /* monotonic: since when, while it is */
	int64_t free_ns;  /* monotonic: when a look last found it safe; 0 never */
	int64_t last_since_ns; /* since then it settles beyond @until_ns; 0: not yet */
	struct spg_waited waited;
	spg_proof_done *done;
	void *user;
};

struct spg_queue {
	struct spg_question *first;
	struct spg_histogram durations; /* of proved answers, waits not in it */
};

/**
 * Append a question about @product; @selection (or NULL) is copied, everything
 * else taken from @like. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_queue_add(struct spg_queue *queue, const char *product,
	const struct spg_selection *selection, const struct spg_question *like);

/** Unlink @question, which is the caller's then. */
void spg_queue_take(struct spg_queue *queue, const struct spg_question *question);

void spg_question_destroy(struct spg_question *question);

/** It waits for "safe", and there is nothing new to say: until a change, or @due_ns
 * (monotonic). */
void spg_question_park(struct spg_question *question, int64_t due_ns);

/** Those parked for @product (NULL: all) are to be asked again. */
void spg_queue_unpark(struct spg_queue *queue, const char *product);

/** In how many milliseconds, at most @max_ms, a parked one is to be asked again; -1:
 * none is parked. */
int64_t spg_queue_due_ms(const struct spg_queue *queue, int64_t max_ms);

/**
 * Everything asked about @product goes into one survey: mark it in flight, and
 * gather the names asked about (the caller frees them and the array) and whether
 * any wants holders searched for. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_queue_launch(struct spg_queue *queue, const char *product, char ***ret_names,
	size_t *ret_n, bool *ret_find_users);

/* A look at a product that has ended. */
struct spg_look_result {
	const struct spg_observation *obs;
	size_t index;        /* of the product in the model */
	bool disturbed;      /* something happened while it was looked at */
	uint64_t generation; /* of the model, when the look began */
	int64_t ended_ns,
		ended_utc_ns; /* monotonic, and UTC: the moment it is true for */
};

/**
 * Answer those in flight by @result, until @until_ns (monotonic), and one more. What is
 * not proved, since something happened meanwhile, stays queued; who waits for "safe" and
 * has not got it, or not for long enough, is parked. Returns whether there are more.
 */
bool spg_queue_judge(struct spg_queue *queue, const struct spg_model *model,
	const struct spg_look_result *result, int64_t until_ns);

/** Those in flight are asked again. */
void spg_queue_ask_again(struct spg_queue *queue);

/** Those in flight get @err instead. */
void spg_queue_fail(struct spg_queue *queue, int err);

/** Answer @question with @err, and forget it. */
void spg_queue_answer(struct spg_queue *queue, struct spg_question *question, int err);

/** Answer @question by @obs, which says that there was no time to look, and forget it. */
void spg_queue_answer_late(struct spg_queue *queue, struct spg_question *question,
	const struct spg_model *model, size_t index, const struct spg_observation *obs);
