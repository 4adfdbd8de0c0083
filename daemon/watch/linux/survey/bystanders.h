/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who is about a product (struct spg_bystander): processes that work in its directories,
 * NFS servers that export them, entries of binfmt_misc that run one of its files. They
 * change no verdict, and no event tells of them. Reads one link of each process, the name
 * of those that it tells of, and the servers' tables (exports.h), for which it waits a
 * moment only. Worker thread.
 */
#include "daemon/watch/linux/survey/state.h"

/** Add those of the product of the full survey @s, if its scope wants it to look around.
 * Returns 0, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when cancelled. */
int spg_bystanders_find(struct spg_survey *s);
