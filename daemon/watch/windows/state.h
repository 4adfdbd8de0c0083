/* SPDX-License-Identifier: MIT */
#pragma once
/* A survey under way. For this folder only; worker thread. */
#include "daemon/watch/windows/find_users.h"
#include "daemon/watch/windows/tools.h"

struct spg_win_survey {
	struct spg_win_tools *tools;
	const struct spg_survey_request *request;
	struct spg_observation *obs;
	struct spg_win_users users;
	bool failed; /* the search could not even begin */
	bool blind;  /* some file is unknown since somebody could not be looked into */
	struct spg_process **processes; /* records that were made, by no order */
	size_t n_processes, size_processes;
	size_t n_disturbing; /* files whose locks were not read */
};
