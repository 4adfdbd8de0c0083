/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A real server on a real Unix socket in a directory of its own, over parts of
 * the daemon that the test controls: prover, store, model and watch are fakes
 * that answer from a loop handle, as the real ones do, and can be held back.
 *
 * The clients are plain sockets of the same thread; waiting for a line runs the
 * loop until it is there, so no test sleeps.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <uv.h>

#include "common/buf.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

struct fake;

struct world {
	uv_loop_t loop;
	char dir[64], path[80];
	struct spg_event_counters counters;
	struct spg_histogram turns;
	struct spg_service service;
	struct spg_server *server;
	struct spg_limits limits; /* change before world_start() */
	struct fake *fake;
	bool closed;
};

/** Make the world; the limits are the defaults. */
void world_init(struct world *world);

/** Start the server. */
void world_start(struct world *world);

/** Stop it and prove that nothing is left behind. */
void world_finish(struct world *world);

/** Run the loop once without waiting. */
void world_spin(struct world *world);

/* What the fakes do and saw. */
struct fake {
	bool hold_prover, hold_store; /* answer nothing for now */
	bool admin;
	int reload_result;
	const char *reload_problems;
	int store_result; /* of flush */
	int settle_result, proof_result;
	bool complete;
	size_t n_products;
	/* Seen: */
	size_t n_asked, n_waited, n_forgotten, n_answered, n_settled, n_flushed;
	bool last_attribute;
	int64_t last_wait_ns;
	size_t last_n_names;  /* of a selection */
	char last_query[512]; /* in words */
	struct spg_product *products[2];
};

/** Let held answers go. */
void fake_release(struct world *world);

/** Answer the first @n held proofs, without the loop. */
void fake_answer_now(struct world *world, size_t n);

/* A client. */
struct client {
	struct world *world;
	int fd;
	struct spg_buf in;
	bool ended;
};

void client_connect(struct client *client, struct world *world);
void client_close(struct client *client);

/** Send; all of it fits or the test fails. */
void client_send(struct client *client, const char *text);

/** Send as much as is taken without waiting. Returns how much. */
size_t client_send_some(struct client *client, const char *bytes, size_t n);

/** The next line, without its break; NULL at the end. The caller frees it. */
char *client_line(struct client *client);

/** The next line as JSON, NULL at the end; a new reference. */
json_t *client_json(struct client *client);

/** Fail unless @value has all that the JSON text @pattern has: members of
 * objects may be more, everything else is equal. */
void check_matches(const json_t *value, const char *pattern);

/** Send @request and match the next line against @pattern. */
void client_expect(struct client *client, const char *request, const char *pattern);

/** Match the next line against @pattern. */
void client_expect_line(struct client *client, const char *pattern);
