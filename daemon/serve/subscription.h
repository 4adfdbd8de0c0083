/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a session wants to be told: a set of filters. Plain data; loop thread.
 *
 * The session is the unit of delivery: an event that several subscriptions of
 * one session match is sent once. The queue, its bound and the marker for what
 * was dropped are the session's (see spg_session_notify()).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/event.h"
#include "daemon/model/model.h"

struct spg_subscription {
	struct spg_subscription *next;
	int64_t number;
	char *product;  /* name; NULL: all */
	uint32_t kinds; /* SPG_EVENT_BIT()s; 0: all */
};

struct spg_subscriber {
	struct spg_subscription *first;
	size_t n;
};

/** @product (or NULL) is copied. Returns 0 or SPG_ERR_NOMEM. */
int spg_subscriber_add(struct spg_subscriber *subscriber, int64_t number,
	const char *product, uint32_t kinds);

/** Returns true when there was one with that number. */
bool spg_subscriber_remove(struct spg_subscriber *subscriber, int64_t number);

/**
 * True when any subscription matches. One for a product gets the events of
 * that product, those of files which it shares with others, and those that
 * concern no file and no product, such as gaps.
 */
bool spg_subscriber_wants(const struct spg_subscriber *subscriber,
	const struct spg_model *model, const struct spg_event *event);

/** Remove all; idempotent. */
void spg_subscriber_finish(struct spg_subscriber *subscriber);
