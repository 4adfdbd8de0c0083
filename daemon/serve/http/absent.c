/* SPDX-License-Identifier: MIT */
/* Built without libmicrohttpd: everything else works. */
#include "common/err.h"
#include "common/log.h"
#include "daemon/serve/http/http.h"

bool spg_http_is_built(void)
{
	return false;
}

int spg_http_start(struct spg_http **ret, struct spg_session_host *host,
	const struct spg_http_config *config)
{
	(void)host;
	*ret = NULL;
	if (config->n_addresses == 0 && config->fd <= 0)
		return 0;
	spg_error("[http] listen: this spguardd was built without libmicrohttpd; take "
		  "the section out, or build it with -Dhttp=enabled");
	return SPG_ERR_UNSUPPORTED;
}

void spg_http_publish(struct spg_http *http, const struct spg_event *event)
{
	(void)http;
	(void)event;
}

void spg_http_show_processes(struct spg_http *http, bool shows)
{
	(void)http;
	(void)shows;
}

void spg_http_stop(struct spg_http *http, void (*on_closed)(void *user), void *user)
{
	(void)http;
	on_closed(user);
}
