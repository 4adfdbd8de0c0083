/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A profile of a package: of its files, those of the packages that are installed with
 * it as one, and what its scripts stop. Asks dpkg-query, or rpm where that has it.
 */
#include <stdbool.h>

#include "client/error.h"
#include "client/profile_draft.h"

/** Fill @profile with package @name. False after it complained. */
bool spg_profile_of_package(
	struct spg_profile *profile, const char *name, struct spg_complaint *why);
