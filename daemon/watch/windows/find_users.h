/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The search for users: all handles and all views of everybody. Worker thread.
 */
#include "daemon/watch/windows/uses.h"

/**
 * Search everybody, and again while processes come and go that may have handed a file on:
 * several times, then @ret says that they did not come to rest. Files that lost their place are added to the observation where somebody
 * uses them and nothing else is known of them. Returns 0; SPG_ERR_NOMEM; SPG_ERR_TIMEOUT:
 * cancelled; or SPG_ERR_IO: the system has no list of processes or handles.
 */
int spg_win_users_find(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_observation *obs,
	struct spg_win_users *ret);
