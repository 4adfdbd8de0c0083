/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Long output through a pager, as git(1) and journalctl(1) do it: only to a terminal,
 * and only what is longer than that.
 */
#include "client/output.h"

/**
 * Write what was collected, and forget it: through a pager when it has more lines than
 * the terminal, else as spg_output_flush(). The pager is SPGUARD_PAGER, else PAGER, else
 * "less"; none when that is empty or "cat". LESS is set to "FRX+G" unless it is set: the
 * newest is at the end. Without a pager that can be run the text is written plainly.
 *
 * Returns as spg_output_flush(). A pager that is ended early is no fault.
 */
int spg_pager_flush(struct spg_output *out);
