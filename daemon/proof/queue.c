/* SPDX-License-Identifier: MIT */
#include "daemon/proof/queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/model/judge.h"
#include "daemon/model/verdict_text.h"

void spg_question_destroy(struct spg_question *question)
{
	for (size_t i = 0; i < question->selection.n_names; i++)
		free(question->selection.names[i]);
	for (size_t i = 0;
		question->selection.places && i < question->selection.n_names; i++)
		free(question->selection.places[i].path);
	free(question->selection.places);
	free(question->selection.names);
	free(question->selection.sizes);
	free(question->product);
	free(question);
}

void spg_queue_take(struct spg_queue *queue, const struct spg_question *question)
{
	struct spg_question **at = &queue->first;

	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
}

static int copy_place(
	const struct spg_selected_place *from, struct spg_selected_place *to)
{
	*to = *from;
	if (from->path)
		to->path = strdup(from->path);
	return !from->path || to->path ? 0 : SPG_ERR_NOMEM;
}

static int copy_selection(const struct spg_selection *from, struct spg_selection *to)
{
	to->own = from->own;
	to->names = calloc(from->n_names + 1, sizeof(char *));
	if (!to->names)
		return SPG_ERR_NOMEM;
	if (from->sizes) {
		to->sizes = calloc(from->n_names + 1, sizeof(*to->sizes));
		if (!to->sizes)
			return SPG_ERR_NOMEM;
		memcpy(to->sizes, from->sizes, from->n_names * sizeof(*to->sizes));
	}
	if (from->places) {
		to->places = calloc(from->n_names + 1, sizeof(*to->places));
		if (!to->places)
			return SPG_ERR_NOMEM;
	}
	for (size_t i = 0; i < from->n_names; i++) {
		to->names[i] = strdup(from->names[i]);
		if (!to->names[i])
			return SPG_ERR_NOMEM;
		to->n_names++;
		if (from->places && copy_place(&from->places[i], &to->places[i]) < 0)
			return SPG_ERR_NOMEM;
	}
	return 0;
}

int spg_queue_add(struct spg_queue *queue, const char *product,
	const struct spg_selection *selection, const struct spg_question *like)
{
	struct spg_question *q = calloc(1, sizeof(*q));
	struct spg_question **end = &queue->first;

	if (!q)
		return SPG_ERR_NOMEM;
	*q = *like;
	q->asked_ns = spg_clock_mono_ns();
	q->product = strdup(product);
	q->selects = selection != NULL;
	if (!q->product ||
		(selection && copy_selection(selection, &q->selection) < 0)) {
		spg_question_destroy(q);
		return SPG_ERR_NOMEM;
	}
	while (*end)
		end = &(*end)->next;
	*end = q;
	return 0;
}

void spg_question_park(struct spg_question *question, int64_t due_ns)
{
	question->parked = true;
	question->due_ns = due_ns;
	question->tries = 0;
}

void spg_queue_unpark(struct spg_queue *queue, const char *product)
{
	for (struct spg_question *q = queue->first; q; q = q->next)
		if (q->parked && (!product || strcmp(q->product, product) == 0))
			q->parked = false;
}

int64_t spg_queue_due_ms(const struct spg_queue *queue, int64_t max_ms)
{
	int64_t now_ns = spg_clock_mono_ns(), due_ms = -1;

	for (const struct spg_question *q = queue->first; q; q = q->next) {
		int64_t left_ms = (q->due_ns - now_ns) / SPG_NS_PER_MS + 1;

		if (!q->parked)
			continue;
		if (due_ms < 0)
			due_ms = max_ms;
		if (left_ms < due_ms)
			due_ms = left_ms > 0 ? left_ms : 0;
	}
	return due_ms;
}

int spg_queue_launch(struct spg_queue *queue, const char *product, char ***ret_names,
	size_t *ret_n, bool *ret_find_users)
{
	char **names = NULL;
	size_t n = 0, size = 0;

	*ret_find_users = false;
	for (struct spg_question *q = queue->first; q; q = q->next) {
		if (q->parked || strcmp(q->product, product) != 0)
			continue;
		q->in_flight = true;
		*ret_find_users = *ret_find_users || q->find_users;
		for (size_t i = 0; i < q->selection.n_names; i++) {
			char *copy = strdup(q->selection.names[i]);

			if (!copy || spg_array_reserve(
					     &names, n, &size, sizeof(*names)) < 0) {
				free(copy);
				while (n > 0)
					free(names[--n]);
				free(names);
				return SPG_ERR_NOMEM;
			}
			names[n++] = copy;
		}
	}
	*ret_names = names;
	*ret_n = n;
	return 0;
}

/* ---- answers ---- */

/* Answer and forget. The callback may ask again. */
static void answer(struct spg_queue *queue, struct spg_question *q, int err,
	const struct spg_proof *proof)
{
	spg_queue_take(queue, q);
	if (proof && !q->waits)
		spg_histogram_add(&queue->durations, proof->took_ns);
	q->done(q->user, err, proof);
	spg_question_destroy(q);
}

void spg_queue_answer(struct spg_queue *queue, struct spg_question *question, int err)
{
	answer(queue, question, err, NULL);
}

/* The first one that the survey that ran answers; or NULL. A callback may ask or
 * forget, so look anew after each answer. */
static struct spg_question *in_flight(const struct spg_queue *queue)
{
	struct spg_question *q = queue->first;

	while (q && !q->in_flight)
		q = q->next;
	return q;
}

void spg_queue_fail(struct spg_queue *queue, int err)
{
	struct spg_question *q;

	while ((q = in_flight(queue)))
		answer(queue, q, err, NULL);
}

static int judge(const struct spg_question *q, const struct spg_model *model,
	size_t index, const struct spg_observation *obs, struct spg_verdict *ret)
{
	return spg_verdict_judge(obs, q->selects ? &q->selection : NULL,
		spg_model_standing(model, index), ret);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Take note of one look, at @now_ns. Returns when the next one is due, or 0: it is
 * answered. */
static int64_t settle(struct spg_question *q, const struct spg_model *model,
	size_t index, enum spg_verdict_kind verdict, int64_t now_ns)
{
	struct spg_waited *waited = &q->waited;
	int64_t disturbed_ns = spg_model_disturbed_ns(model, index);
	int64_t since_ns, settled_ns;

	if (verdict != SPG_VERDICT_SAFE) {
		waited->n_returns += q->is_free && q->free_ns > 0;
		waited->free_ns = 0;
		q->is_free = false;
		return q->until_ns > now_ns ? q->until_ns : 0;
	}
	/* Somebody came and went between two looks. */
	waited->n_returns += q->is_free && q->free_ns > 0 && disturbed_ns > q->free_ns;
	if (!q->is_free)
		q->since_ns = now_ns;
	q->is_free = true;
	q->free_ns = now_ns;
	since_ns = later(q->since_ns, disturbed_ns);
	waited->free_ns = later(now_ns - since_ns, 1);
	if (q->learns)
		waited->settle_ns =
			later(waited->settle_ns, 2 * spg_model_away_ns(model, index));
	if (__builtin_add_overflow(since_ns, waited->settle_ns, &settled_ns))
		settled_ns = INT64_MAX;
	if (settled_ns <= now_ns)
		return 0;
	/* When the time is over they may settle once; what is disturbed after that has had
	 * its time. */
	if (since_ns > q->until_ns && q->last_since_ns && q->last_since_ns != since_ns)
		return 0;
	if (settled_ns > q->until_ns)
		q->last_since_ns = since_ns;
	return settled_ns;
}

static void judge_one(struct spg_queue *queue, struct spg_question *q,
	const struct spg_model *model, const struct spg_look_result *result)
{
	const struct spg_observation *obs = result->obs;
	size_t index = result->index;
	bool disturbed = result->disturbed;
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	int64_t due_ns = 0;
	int r = judge(q, model, index, obs, &verdict);

	q->in_flight = false;
	q->tries++;
	/* Somebody who holds a file holds it, whatever else happened; but that
	 * nobody does is only proved when nothing happened meanwhile. */
	if (r == 0 && verdict.kind != SPG_VERDICT_BLOCKED && disturbed) {
		if (q->tries < SPG_PROOF_TRIES) {
			spg_verdict_finish(&verdict);
			return; /* stays queued */
		}
		r = spg_verdict_make_unknown(obs, &verdict);
	}
	if (r == 0 && disturbed)
		verdict.without_blocked = SPG_VERDICT_UNKNOWN;
	if (r == 0 && q->waits)
		due_ns = settle(q, model, index, verdict.kind, result->ended_ns);
	if (r == 0 && due_ns == 0 && q->waits && verdict.kind == SPG_VERDICT_SAFE &&
		q->waited.free_ns < q->waited.settle_ns)
		r = spg_verdict_make_unsettled(
			obs, &verdict, q->waited.free_ns, q->waited.settle_ns);
	if (r == 0 && due_ns > 0) {
		spg_question_park(q, due_ns);
	} else if (r < 0) {
		answer(queue, q, r, NULL);
	} else {
		struct spg_proof proof = {.observation = obs,
			.verdict = &verdict,
			.at_ns = result->ended_utc_ns,
			.took_ns = spg_clock_mono_ns() - q->asked_ns,
			.generation = result->generation,
			.tries = q->tries,
			.complete = spg_observation_is_complete(obs),
			.waited = q->waits ? &q->waited : NULL};

		answer(queue, q, 0, &proof);
	}
	spg_verdict_finish(&verdict);
}

bool spg_queue_judge(struct spg_queue *queue, const struct spg_model *model,
	const struct spg_look_result *result, int64_t until_ns)
{
	struct spg_question *q = in_flight(queue);

	while (q) {
		judge_one(queue, q, model, result);
		q = in_flight(queue);
		if (spg_clock_mono_ns() >= until_ns)
			break;
	}
	return q != NULL;
}

void spg_queue_ask_again(struct spg_queue *queue)
{
	for (struct spg_question *q = queue->first; q; q = q->next)
		q->in_flight = false;
}

void spg_queue_answer_late(struct spg_queue *queue, struct spg_question *question,
	const struct spg_model *model, size_t index, const struct spg_observation *obs)
{
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	int r = judge(question, model, index, obs, &verdict);
	struct spg_proof proof = {.observation = obs,
		.verdict = &verdict,
		.at_ns = spg_clock_wall_ns(),
		.took_ns = spg_clock_mono_ns() - question->asked_ns,
		.generation = spg_model_generation(model, index),
		.waited = question->waits ? &question->waited : NULL};

	answer(queue, question, r, r == 0 ? &proof : NULL);
	spg_verdict_finish(&verdict);
}
