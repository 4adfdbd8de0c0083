/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the profiles that are shipped know of an application beside its files: what to say
 * to whom is in the way.
 */
#include "client/profile_draft.h"

/**
 * Take over the advice of the first profile in @directory that is about a file of @profile;
 * without such a profile, or directory, nothing changes. What it has as setup-stops becomes
 * a comment: whether the scripts of this package stop these programs nobody knows. Blocks.
 */
void spg_profile_add_shipped(struct spg_profile *profile, const char *directory);
