/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What one peer may pin. Every byte and object that somebody outside can make
 * the daemon keep counts against one of these. Plain data.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"

struct spg_limits {
	size_t message_bytes;    /* one request; more ends the session */
	size_t request_cost;     /* of one request (quota.h); more is refused unread */
	size_t in_flight;        /* requests of one session not answered yet */
	size_t output_bytes;     /* answers not taken yet; beyond, no more requests
	                            of the session are read. One answer may exceed it */
	size_t notice_bytes;     /* notifications not taken yet; beyond, dropped */
	size_t subscriptions;    /* of one session */
	unsigned idle_ms;        /* nothing asked, in flight or subscribed to */
	size_t sessions;         /* in total */
	size_t uid_sessions;     /* of one user */
	size_t uid_calls;        /* requests of one user not finished, those of
	                            closed sessions included */
	size_t uid_input;        /* request bytes of one user not begun yet */
	size_t uid_work;         /* what requests of one user at work cost (quota.h);
	                            beyond, the next ones wait, but for small ones */
	size_t uid_output;       /* bytes not taken yet of one user's answers and
	                            notifications; beyond, answers are errors */
	size_t admin_sessions;   /* beyond @sessions, for who may change something */
	size_t descriptors_kept; /* left free for everything else in the daemon */
};

#define SPG_LIMITS_DEFAULT                                                             \
	{                                                                              \
		.message_bytes = SPG_MESSAGE_MAX, .request_cost = 17 * 1024 * 1024,    \
		.in_flight = 16, .output_bytes = 8 * 1024 * 1024,                      \
		.notice_bytes = 256 * 1024, .subscriptions = 16,                       \
		.idle_ms = 600 * 1000, .sessions = 256, .uid_sessions = 64,            \
		.uid_calls = 1024, .uid_input = 8 * 1024 * 1024,                       \
		.uid_work = 4 * 1024 * 1024, .uid_output = 16 * 1024 * 1024,           \
		.admin_sessions = 16, .descriptors_kept = 64                           \
	}

/** True when the descriptor @fd, which was just given out, leaves fewer than @kept
 * (or half of all) free. */
bool spg_descriptors_are_short(int fd, size_t kept);
