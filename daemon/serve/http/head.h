/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The head of a request, request line and header fields, before libmicrohttpd sees it.
 * That would answer some faults with a page of its own, and spins for half a minute at
 * a query with more parameters than it has memory for; so what it gets is checked, and
 * each fault has one answer, with a status of RFC 9110 and what to do. Plain data;
 * pure.
 *
 * One request of GET or HEAD, without a body, for a path of this server. The Host is
 * there once. Where only this machine reaches the server it is compared: "localhost",
 * 127.x.x.x or [::1], with the port that is listened at, or none. A page of somebody
 * else can have its own name lead to this machine, and then ask in the browser of
 * somebody here (DNS rebinding); it cannot choose the Host that the browser sends.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"

#define SPG_HTTP_HEAD_BYTES 16384 /* with the empty line at its end */
#define SPG_HTTP_PARAMETERS 256   /* of a query */
#define SPG_HTTP_FIELDS     100   /* each cookie counts as one */

struct spg_http_refusal {
	unsigned status;
	struct spg_rpc_error error; /* static texts */
};

/* Where it came in. */
struct spg_http_site {
	bool local;    /* only this machine reaches it */
	uint16_t port; /* 0: a Unix socket */
};

enum spg_http_head_state {
	SPG_HTTP_HEAD_PART, /* what is there may become one */
	SPG_HTTP_HEAD_WHOLE,
	SPG_HTTP_HEAD_REFUSED
};

struct spg_http_head {
	bool bodiless;                          /* it is HEAD: so is the answer */
	const struct spg_http_refusal *refusal; /* static; of a refused one */
};

/** Look at the first @n bytes that a client has sent. @ret is set unless it is a part
 * only. With SPG_HTTP_HEAD_BYTES it is never that. */
enum spg_http_head_state spg_http_head_check(const char *bytes, size_t n,
	const struct spg_http_site *site, struct spg_http_head *ret);
