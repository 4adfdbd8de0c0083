/* SPDX-License-Identifier: MIT */
#include "daemon/model/process_state.h"

#include <stdlib.h>

void spg_process_state_finish(struct spg_process_state *state)
{
	free(state->frozen_at);
	free(state->service);
	*state = (struct spg_process_state){0};
}

bool spg_process_state_is_plain(const struct spg_process_state *state)
{
	return !state->stopped && !state->dumping && !state->stuck && !state->deaf &&
	       !state->tracer && !state->frozen_at &&
	       state->supervisor == SPG_SUPERVISOR_NONE;
}
