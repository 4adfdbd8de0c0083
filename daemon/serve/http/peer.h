/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who is at the other end of a connection, as far as that can be told, and what he has
 * in hand: on this machine the user, else the address. Where the users of TCP are not
 * known, all addresses that this machine keeps for itself (127.x.x.x, ::1) are one peer;
 * so are those of a network of IPv6 (/64), since who has one of them has all. Loop
 * thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct spg_http_peer {
	struct spg_http_peer *prev, *next;
	size_t refs;
	/* Whatever is compared; the rest is 0. */
	struct spg_http_peer_key {
		sa_family_t family;
		unsigned char id[16];
	} key;
	size_t n_connections; /* that are counted; one that was dropped is not */
	size_t n_questions;
	size_t n_streams;
	size_t n_bytes; /* of answers that he has not taken yet */
};

/** Who connected @fd from @address, as accept(2) tells it. @knows_users: of TCP
 * (spg_platform_knows_tcp_users()). */
struct spg_http_peer_key spg_http_peer_key(
	int fd, const struct sockaddr *address, bool knows_users);

/** The peer of @key in @list, made when there is none, with a reference for the
 * caller. NULL: out of memory. */
struct spg_http_peer *spg_http_peer_get(
	struct spg_http_peer **list, const struct spg_http_peer_key *key);

struct spg_http_peer *spg_http_peer_ref(struct spg_http_peer *peer);

/** Drop a reference; the last frees. @list as above. */
void spg_http_peer_unref(struct spg_http_peer **list, struct spg_http_peer *peer);
