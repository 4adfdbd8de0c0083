/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file whose content has to be there before its name is.
 */
#include <stdbool.h>

/** Write @text to @fd, make it readable for everybody, and have it on the disk. False:
 * errno says why. */
bool spg_write_file(int fd, const char *text);
