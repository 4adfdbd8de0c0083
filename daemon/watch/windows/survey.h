/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One survey: find the files, then everybody who uses them, and say of each file whether
 * it is in use. Worker thread.
 *
 * A file is free when everybody could be looked into and nobody has it; or, where somebody
 * could not, when the filesystem's own list of its users, which has proved itself, is
 * empty. Else nobody knows, and a lack names the processes that could not be looked into.
 */
#include "daemon/watch/watch.h"
#include "daemon/watch/windows/tools.h"

/** As spg_watch_ops.survey(). Blocks. */
int spg_win_survey_run(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret);
