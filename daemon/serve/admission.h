/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who may come in when there are many already. When all connections are taken, the user
 * with the most of them loses the one that has been idle for longest, as long as somebody
 * else with fewer wants one; and who may change something (root, admin-group) finds some
 * that nobody else can take (limits.admin_sessions). Loop thread.
 */
#include "daemon/serve/session.h"

/** The session that has to go so that @newcomer, which is identified and not in the
 * host's list, may come in; NULL: none has to, or none can. */
struct spg_session *spg_admission_make_room(
	struct spg_session_host *host, const struct spg_session *newcomer);

/** Why @newcomer, whose descriptor is @fd, may not come in; static. NULL: it may. */
const char *spg_admission_refusal(const struct spg_session_host *host,
	const struct spg_session *newcomer, int fd);
