/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the user who runs this may do himself: the daemon judges for whoever installs, and
 * knows nothing of who asks.
 */
#include <stdbool.h>

/** Why files cannot be made in @directory, for people; NULL: they can be, or that cannot be
 * told. A constant until the next call. */
const char *spg_rights_fault(const char *directory);

/** True when @program, as execvp(3) finds it, gives whoever runs it the rights of
 * another user: sudo(8) and the like. */
bool spg_rights_changes(const char *program);
