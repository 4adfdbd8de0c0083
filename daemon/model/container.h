/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The commands that stop a container, by the tools of its engine. Pure.
 */
#include <stdbool.h>

#include "common/buf.h"
#include "daemon/model/process.h"

/**
 * Append the command that stops the container of @process, ready for a shell of root.
 * @frozen: it is paused, and has to go on first. False, and nothing appended: no engine
 * that is known runs it.
 */
bool spg_container_put_stop(
	struct spg_buf *buf, const struct spg_process *process, bool frozen);

/** What @engine does with a container that was stopped, for people; NULL: nothing. */
const char *spg_container_caution(enum spg_container_engine engine);
