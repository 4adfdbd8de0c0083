/* SPDX-License-Identifier: MIT */
#pragma once
/* A connection, and all there are: data of slots.h, which says what happens to it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <uv.h>

#include "daemon/serve/http/head.h"
#include "daemon/serve/http/peer.h"

#define SPG_HTTP_CONNECTIONS      128
#define SPG_HTTP_PEER_CONNECTIONS 64
#define SPG_HTTP_EXTRA            32
/* Of answers that were not taken yet: of one peer, before his next question is worked
 * on, so that one answer may exceed it; and of all. */
#define SPG_HTTP_PEER_BYTES       ((size_t)8 * 1024 * 1024)
#define SPG_HTTP_BYTES            ((size_t)32 * 1024 * 1024)
#define SPG_HTTP_HEAD_MS          10000
#define SPG_HTTP_TAKE_MS          10000
#define SPG_HTTP_LEAVE_MS         2000

struct spg_http;

enum spg_http_stage {
	SPG_HTTP_ARRIVES,
	SPG_HTTP_SERVED,
	SPG_HTTP_LEAVES,
	SPG_HTTP_N_STAGES
};

struct spg_http_connection {
	struct spg_http_connection *prev, *next; /* of its stage */
	struct spg_http *http;
	struct spg_http_peer *peer; /* a reference */
	struct spg_http_site site;
	sa_family_t family;
	enum spg_http_stage stage;
	int fd;               /* owned; the library's while it is served */
	uint64_t since_ms;    /* in this stage */
	uint64_t answered_ms; /* its answer is there, and no stream; 0: not yet */
	size_t n_bytes;       /* of its answer, as it is served */
	size_t n_discarded;   /* bytes, as it left */
	bool has_begun;       /* something came */
	bool dropped;         /* not counted any more */
	bool is_extra;        /* never had a slot */
};

/* In spg_http. */
struct spg_http_slots {
	/* By stage; the oldest first. */
	struct spg_http_connection *first[SPG_HTTP_N_STAGES], *last[SPG_HTTP_N_STAGES];
	struct spg_http_peer *peers;
	size_t n; /* counted */
	size_t n_extra;
	size_t n_bytes; /* of answers that were not taken yet */
	int epoll_fd;
	uv_poll_t poll;   /* of it: what arrives or leaves has something to read */
	uv_timer_t timer; /* the next to be too slow */
	bool has_timer, has_poll;
	bool knows_users;                    /* of TCP: peer.h */
	char *bytes;                         /* SPG_HTTP_HEAD_BYTES, for a moment */
	struct spg_http_connection *passing; /* to libmicrohttpd just now */
};
