/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the user who installs, where that is not root, may not do with the files of a
 * product (files/permission.h). Worker thread.
 */
#include "daemon/model/observation.h"

/** Add it to the files of @obs and to their directories, which are known. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_installer_judge(struct spg_observation *obs);
