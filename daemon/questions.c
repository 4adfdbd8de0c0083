/* SPDX-License-Identifier: MIT */
#include "daemon/questions.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"

void spg_question_destroy(struct spg_question *question)
{
	for (size_t i = 0; i < question->selection.n_names; i++)
		free(question->selection.names[i]);
	free(question->selection.names);
	free(question->product);
	free(question);
}

void spg_questions_take(
	struct spg_questions *questions, const struct spg_question *question)
{
	struct spg_question **at = &questions->first;

	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
}

static int copy_selection(const struct spg_selection *from, struct spg_selection *to)
{
	to->names = calloc(from->n_names + 1, sizeof(char *));
	if (!to->names)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < from->n_names; i++) {
		to->names[i] = strdup(from->names[i]);
		if (!to->names[i])
			return SPG_ERR_NOMEM;
		to->n_names++;
	}
	return 0;
}

int spg_questions_add(struct spg_questions *questions, const char *product,
	const struct spg_selection *selection, const struct spg_question *like)
{
	struct spg_question *q = calloc(1, sizeof(*q));
	struct spg_question **end = &questions->first;

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

struct spg_question *spg_questions_in_flight(const struct spg_questions *questions)
{
	struct spg_question *q = questions->first;

	while (q && !q->in_flight)
		q = q->next;
	return q;
}

bool spg_questions_unpark(struct spg_questions *questions, const char *product)
{
	bool parked = false;

	for (struct spg_question *q = questions->first; q; q = q->next) {
		if (q->parked && (!product || strcmp(q->product, product) == 0))
			q->parked = false;
		parked = parked || q->parked;
	}
	return parked;
}

int spg_questions_launch(struct spg_questions *questions, const char *product,
	char ***ret_names, size_t *ret_n, bool *ret_attribute)
{
	char **names = NULL;
	size_t n = 0, size = 0;

	*ret_attribute = false;
	for (struct spg_question *q = questions->first; q; q = q->next) {
		if (q->parked || strcmp(q->product, product) != 0)
			continue;
		q->in_flight = true;
		*ret_attribute = *ret_attribute || q->attribute;
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
