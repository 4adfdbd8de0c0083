/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the loop is at, so that a turn that took long can say with what. The part that
 * begins something says so, and when it has ended; parts may be nested, and the inner one
 * counts. Of the calling thread: others than the loop's may tell too, and nobody asks.
 */
#include <stdint.h>

#define SPG_WORKS(X)                                                                   \
	X(OTHER, "other things")                                                       \
	X(FILE_EVENTS, "file events")                                                  \
	X(LOCK_EVENTS, "lock events")                                                  \
	X(SURVEYS, "taking over what a survey found")                                  \
	X(ANSWERS, "answering questions")                                              \
	X(REQUESTS, "beginning requests")                                              \
	X(HTTP, "HTTP")                                                                \
	X(STORE, "answers of the database")

#define SPG_WORK_ENUM(id, text) SPG_WORK_##id,
enum spg_work { SPG_WORKS(SPG_WORK_ENUM) SPG_WORK_KINDS };
#undef SPG_WORK_ENUM

/** In words, to follow "with". */
const char *spg_work_text(enum spg_work work);

/** @work begins. Returns what was under way, for spg_work_end(). */
enum spg_work spg_work_begin(enum spg_work work);

void spg_work_end(enum spg_work before);

/** How long each took since the last call, in nanoseconds. */
void spg_work_take(int64_t ret_ns[SPG_WORK_KINDS]);
