/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How many files and connections the daemon may have open.
 */

/** As many as the system allows: one for each holder and each client. Main thread, at the
 * start; where it is refused, less has to do. */
void spg_descriptors_raise_limit(void);
