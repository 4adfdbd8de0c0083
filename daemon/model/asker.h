/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One survey answers many, and what to do is different for who sits in the way. Pure.
 */
#include "daemon/model/note.h"

/**
 * Append copies of @next as they are for somebody who asks from the @n processes @lineage
 * (spg_platform_lineage()): to end one of those would end his own session, so he is told
 * to have it let go instead. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_advise_asker(const struct spg_notes *next, const int32_t *lineage, size_t n,
	struct spg_notes *ret);
