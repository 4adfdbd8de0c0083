/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The questions that wait for a proof, in the order they came. Part of the
 * prover, which is its only user; plain data, no clock but for the time of
 * asking. Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/prover.h"

struct spg_question {
	struct spg_question *next;
	char *product;
	struct spg_selection selection; /* owned */
	bool selects;
	bool attribute;
	bool in_flight; /* the survey that runs answers it */
	bool parked;    /* waits for a change */
	unsigned tries;
	int64_t asked_ns; /* monotonic */
	int64_t until_ns; /* monotonic; 0: does not wait */
	spg_prover_done *done;
	void *user;
};

struct spg_questions {
	struct spg_question *first;
};

/**
 * Append a question about @product; @selection (or NULL) is copied, everything
 * else taken from @like. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_questions_add(struct spg_questions *questions, const char *product,
	const struct spg_selection *selection, const struct spg_question *like);

/** Unlink @question, which is the caller's then. */
void spg_questions_take(
	struct spg_questions *questions, const struct spg_question *question);

void spg_question_destroy(struct spg_question *question);

/** The first one that the survey that runs, or ran, answers; or NULL. A callback
 * may ask or forget, so look anew after each answer. */
struct spg_question *spg_questions_in_flight(const struct spg_questions *questions);

/** Those parked for @product (NULL: all) are to be asked again. Returns whether
 * any stays parked. */
bool spg_questions_unpark(struct spg_questions *questions, const char *product);

/**
 * Everything asked about @product goes into one survey: mark it in flight, and
 * gather the names asked about (the caller frees them and the array) and whether
 * any wants holders searched for. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_questions_launch(struct spg_questions *questions, const char *product,
	char ***ret_names, size_t *ret_n, bool *ret_attribute);
