/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where to listen, as a configuration says it: "127.0.0.1:9763", "[::1]:9763" or
 * "unix:/run/spguard/http.sock". Numbers only: a name may lead elsewhere tomorrow.
 * Plain data; pure.
 */
#include <stdbool.h>
#include <sys/socket.h>

struct spg_listen_address {
	char *text; /* owned; as it was written */
	char *path; /* owned; of a Unix socket, absolute; else NULL */
	struct sockaddr_storage address; /* else this */
	socklen_t address_len;
};

/**
 * Read @text. Returns 0; SPG_ERR_INVALID, and *ret_why is a static text that says
 * what it should be; or SPG_ERR_NOMEM.
 */
int spg_listen_address_parse(
	struct spg_listen_address *ret, const char *text, const char **ret_why);

/** True when not both can be listened at: they are the same, or one is every address
 * ("0.0.0.0", "[::]") of the other's family, with the same port. */
bool spg_listen_address_overlaps(
	const struct spg_listen_address *a, const struct spg_listen_address *b);

/** True when only this machine can reach it. */
bool spg_listen_address_is_local(const struct spg_listen_address *address);

/** Idempotent. */
void spg_listen_address_finish(struct spg_listen_address *address);
