/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One survey: find the files, ask the kernel whether anybody uses each, search
 * for who, read the locks, and see that the answers fit together. Worker  thread.
 */
#include "daemon/watch/linux/survey/tools.h"

/** See struct spg_survey_request.instant. Loop thread. */
int spg_survey_instant(struct spg_survey_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret);

/** See struct spg_watch_ops.survey. */
int spg_survey_run(struct spg_survey_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret);
