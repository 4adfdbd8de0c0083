/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One request being worked on, from dispatch to its answer. Loop thread.
 *
 * A method's handler owns the call it is given and ends it exactly once, with
 * spg_call_reply() or spg_call_fail(), at once or later from a callback. After
 * that the call is gone.
 *
 * Who asked is an asker: a connection of the socket (session.h) or a request over
 * HTTP (http/request.h). It may go first. Then the call is abandoned: ->asker is
 * NULL, and ->service must not be touched any more, since the daemon may be stopping.
 * A handler that can withdraw its questions sets ->on_abandon, which does so
 * and ends the call with spg_call_drop(); one that cannot (the history's
 * callbacks come in any case) leaves it NULL, and its callback ends the call as
 * ever: the answer goes nowhere.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/format.h"
#include "common/identity.h"
#include "common/message.h"
#include "daemon/serve/quota.h"
#include "daemon/serve/service.h"

struct spg_call;
struct spg_session;
struct spg_session_host;

/* Part of whatever asks. */
struct spg_asker {
	struct spg_session_host *host;
	const struct spg_service *service;
	struct spg_quota *quota;
	const struct spg_peer *peer; /* NULL: nobody is known */
	/* NULL: not of the socket, so nobody is known by uid, nothing may be
	 * changed and nothing lasts longer than the answer. */
	struct spg_session *session;
	struct spg_call *calls;
	size_t n_calls;

	/* Each takes an answer; @id, @result and @error are borrowed. None closes
	 * anything. */
	void (*answer)(struct spg_asker *asker, const json_t *id, const json_t *result);
	void (*refuse)(struct spg_asker *asker, const json_t *id,
		const struct spg_rpc_error *error);
	/* A call has ended and is gone. */
	void (*settle)(struct spg_asker *asker);
};

struct spg_call {
	struct spg_call *prev, *next; /* in the asker's list */
	struct spg_asker *asker;      /* NULL: abandoned */
	const struct spg_service *service;
	struct spg_quota *quota;
	json_t *id;
	size_t cost; /* charged to the account */
	void (*on_abandon)(struct spg_call *call);
	void *data; /* the handler's */
};

/**
 * A call for @asker that answers @id (a reference is taken), charged with
 * @cost (quota.h). Returns NULL when memory is short.
 */
struct spg_call *spg_call_create(struct spg_asker *asker, json_t *id, size_t cost);

/** Answer with @result, whose reference passes over; NULL means that there was
 * no memory to make it, and is answered so. Ends the call. */
void spg_call_reply(struct spg_call *call, json_t *result);

/** Answer with an error; @hint says what to do, or NULL. The message, made as
 * by printf(3), must be clean UTF-8. Ends the call. */
void spg_call_fail(struct spg_call *call, int code, const char *hint,
	const char *format, ...) SPG_PRINTF(4, 5);

/** Answer for want of memory. Ends the call. */
void spg_call_fail_nomem(struct spg_call *call);

/** End the call without an answer; for on_abandon. */
void spg_call_drop(struct spg_call *call);

/** True when whoever asked may change something (service.h); never over HTTP, nor
 * when abandoned. */
bool spg_call_is_of_admin(const struct spg_call *call);

static inline bool spg_call_is_abandoned(const struct spg_call *call)
{
	return !call->asker;
}

/** The asker goes: detach all calls of @list, see above. */
void spg_call_abandon_all(struct spg_call **list);
