/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One request being worked on, from dispatch to its answer. Loop thread.
 *
 * A method's handler owns the call it is given and ends it exactly once, with
 * spg_call_reply() or spg_call_fail(), at once or later from a callback. After
 * that the call is gone.
 *
 * The session may close first. Then the call is abandoned: ->session is NULL,
 * and ->service must not be touched any more, since the daemon may be stopping.
 * A handler that can withdraw its questions sets ->on_abandon, which does so
 * and ends the call with spg_call_drop(); one that cannot (the history's
 * callbacks come in any case) leaves it NULL, and its callback ends the call as
 * ever: the answer goes nowhere.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/message.h"
#include "daemon/serve/account.h"
#include "daemon/serve/service.h"

struct spg_session;

struct spg_call {
	struct spg_call *prev, *next; /* in the session's list */
	struct spg_session *session;  /* NULL: abandoned */
	const struct spg_service *service;
	struct spg_account *account;
	json_t *id;
	size_t n_bytes; /* charged to the account */
	void (*on_abandon)(struct spg_call *call);
	void *data; /* the handler's */
};

/**
 * A call for @session that answers @id (a reference is taken), charged with
 * @n_bytes. Returns NULL when memory is short.
 */
struct spg_call *spg_call_create(
	struct spg_session *session, json_t *id, size_t n_bytes);

/** Answer with @result, whose reference passes over; NULL means that there was
 * no memory to make it, and is answered so. Ends the call. */
void spg_call_reply(struct spg_call *call, json_t *result);

/** Answer with an error; @hint says what to do, or NULL. The message, made as
 * by printf(3), must be clean UTF-8. Ends the call. */
void spg_call_fail(struct spg_call *call, int code, const char *hint,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Answer for want of memory. Ends the call. */
void spg_call_fail_nomem(struct spg_call *call);

/** End the call without an answer; for on_abandon. */
void spg_call_drop(struct spg_call *call);

static inline bool spg_call_is_abandoned(const struct spg_call *call)
{
	return !call->session;
}

/** The session closes: detach all calls of @list, see above. */
void spg_call_abandon_all(struct spg_call **list);
