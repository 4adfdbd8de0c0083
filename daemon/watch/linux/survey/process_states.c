/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/process_states.h"

#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/linux/proc/state.h"

/* A disk answers in that time; who waits longer waits for something that is stuck. */
#define WAIT_NS      (100 * SPG_NS_PER_MS)
/* More steps than an answer has (SPG_NOTES_MAX). Who is beyond is taken for ordinary, and
 * is looked at when the others have gone: a look takes a tenth of a millisecond. */
#define STATES_MAX   256
/* The threads of so many are looked at, to find one that waits. */
#define THREADED_MAX 32

static int look_instantly(struct spg_observation *obs)
{
	for (size_t i = 0; i < obs->n_states; i++) {
		struct spg_process_state *state = &obs->states[i].state;

		if (!spg_state_is_ordinary(
			    obs->states[i].process, &state->handles_term))
			return SPG_WATCH_LATER;
		state->looked = true;
	}
	return 0;
}

static void look_again(
	struct spg_observation *obs, const struct spg_state_look *looks, size_t n)
{
	const struct timespec wait = {.tv_nsec = WAIT_NS};

	nanosleep(&wait, NULL);
	for (size_t i = 0; i < n; i++)
		if (looks[i].tid != 0)
			spg_state_look_again(obs->states[i].process, &looks[i],
				&obs->states[i].state);
}

int spg_survey_look_at_states(struct spg_survey *s)
{
	struct spg_observation *obs = s->obs;
	struct spg_state_look *looks;
	bool waits = false;
	size_t n;
	int r = spg_observation_list_states(obs);

	if (r < 0 || obs->n_states == 0)
		return r;
	if (s->instant)
		return look_instantly(obs);
	n = obs->n_states < STATES_MAX ? obs->n_states : STATES_MAX;
	looks = calloc(n, sizeof(*looks));
	if (!looks)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = spg_state_look(obs->states[i].process, n <= THREADED_MAX,
			&obs->states[i].state, &looks[i]);
		waits = waits || looks[i].tid != 0;
	}
	if (r == 0 && waits)
		look_again(obs, looks, n);
	free(looks);
	return r;
}
