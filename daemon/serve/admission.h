/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who may come in when there are many already. When all connections are taken, the user
 * with the most of them loses the one that has been idle for longest, as long as somebody
 * else with fewer wants one; and who may change something (root, admin-group) finds some
 * that nobody else can take (limits.admin_sessions). Loop thread.
 */
#include "daemon/serve/session.h"

/**
 * Take the client that waits at @listener. One that may not come in gets an error line
 * and is closed. Returns 0; SPG_ERR_LIMIT when it was refused (host->refusal says why); or
 * a negative spg_err when nothing could be accepted.
 */
int spg_admission_take(struct spg_session_host *host, uv_stream_t *listener);
