/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What those whom a survey found are doing at its end: what to advise depends on it.
 */
#include "daemon/watch/linux/survey/state.h"

/**
 * Fill in the states of the observation. On the worker thread it takes some time when one
 * of them waits in the kernel, to see whether it goes on. Returns 0 or SPG_ERR_NOMEM; of
 * an instant survey SPG_WATCH_LATER when one is out of the ordinary.
 */
int spg_survey_look_at_states(struct spg_survey *s);
