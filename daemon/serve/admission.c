/* SPDX-License-Identifier: MIT */
#include "daemon/serve/admission.h"

#include "common/err.h"
#include "daemon/install/hold/hold.h"

static bool is_admin(const struct spg_session *session)
{
	const struct spg_service *service = session->asker.service;
	const struct spg_peer *peer = &session->peer;

	return service->is_admin(service->user, peer->uid, peer->gid, peer->pid);
}

/* So long may half a request, or an answer that is not taken, keep a session. */
#define PATIENCE_MS 10000

/* Nothing is lost with it but the connection. */
static bool is_idle(const struct spg_session *session)
{
	bool at_work = session->in.len > session->n_used || session->waiting.len ||
	               session->writing.len;

	if (at_work && uv_now(session->pipe.loop) - session->active_ms < PATIENCE_MS)
		return false;
	return !session->doomed && !session->leaving && !session->has_line &&
	       !session->asker.calls && !session->subscriber.n &&
	       !spg_holds_has_owner(session->asker.service->holds, session);
}

/* The idle session that has been so for longest, of the user with the most of them, if
 * that one has more than @newcomer would then have; or NULL. Users of whom none is idle
 * do not count. */
static struct spg_session *find_dispensable(
	const struct spg_session_host *host, const struct spg_session *newcomer)
{
	size_t most = newcomer->asker.quota->n_sessions + 1;
	struct spg_session *found = NULL;

	for (struct spg_session *at = host->sessions; at; at = at->next) {
		size_t n = at->asker.quota->n_sessions;

		if (!is_idle(at) || n < most ||
			(n == most && (!found || at->active_ms >= found->active_ms)))
			continue;
		most = n;
		found = at;
	}
	return found;
}

static void make_room(struct spg_session_host *host, const struct spg_session *newcomer)
{
	struct spg_session *dispensable;

	if (host->n_sessions < host->limits->sessions)
		return;
	dispensable = find_dispensable(host, newcomer);
	if (dispensable)
		spg_session_turn_away(
			dispensable, "others need the connection, which was idle");
}

/* NULL: it may come in. */
static const char *why_refused(
	const struct spg_session_host *host, const struct spg_session *newcomer)
{
	const struct spg_limits *limits = host->limits;
	size_t sessions = limits->sessions;

	if (host->n_sessions >= sessions && is_admin(newcomer))
		sessions += limits->admin_sessions;
	if (host->n_sessions >= sessions)
		return "too many connections in total";
	if (newcomer->asker.quota->n_sessions >= limits->uid_sessions)
		return "too many connections of your user";
	if (spg_descriptors_are_short(newcomer->fd, limits->descriptors_kept))
		return "the daemon has no file descriptors to spare";
	return NULL;
}

int spg_admission_take(struct spg_session_host *host, uv_stream_t *listener)
{
	struct spg_session *session;
	int r = spg_session_take(&session, host, listener);

	if (r < 0)
		return r;
	make_room(host, session);
	host->refusal = why_refused(host, session);
	if (!host->refusal) {
		spg_session_enter(session);
		return 0;
	}
	spg_session_turn_away(session, host->refusal);
	return SPG_ERR_LIMIT;
}
