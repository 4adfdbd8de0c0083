/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the two halves of the sessions share: tracker.c follows installs from their
 * beginning to their end, tracker_ask.c answers what is asked about them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/install/tracker.h"
#include "daemon/install/waiters.h"

#define SPG_INSTALL_ALIVE_MAX (SPG_INSTALL_ACTORS_MAX + 1)

enum phase {
	PHASE_IDLE,
	PHASE_RUNNING,  /* events come */
	PHASE_SETTLING, /* quiet: the model is brought up to date */
	PHASE_READING,  /* the files are read */
};

struct session {
	struct session *next;
	struct spg_sessions *sessions;
	char *product;
	enum phase phase;
	uv_timer_t timer;
	struct spg_install *install; /* the one that runs */
	struct spg_process *parent;  /* of the first who took part */
	struct spg_proc_id alive[SPG_INSTALL_ALIVE_MAX]; /* of those who took part */
	size_t n_alive;
	bool hurried;
	uint64_t n_events, n_events_settled; /* to see that more came */
	int64_t event_mono_ns;               /* when the latest came */
	struct spg_module_set *installed;    /* as last read; NULL: not yet */
	struct spg_module_set *before;       /* as it was when the install began */
	bool reading_installed, read_again;
	bool looking;   /* waits for a survey, to read then */
	bool past_lost; /* the install was taken up from the database */
	/* Of the last install: another one by the same goes on with it. */
	struct spg_module_set *last_before;
	struct spg_proc_id last_by, last_parent;
	struct spg_expected expected;
	struct spg_install *unmended; /* the last one, when it was not clean */
	uint64_t counts[SPG_INSTALL_OUTCOMES];
};

struct spg_sessions {
	struct spg_sessions_host host;
	struct session *first;
	int64_t last_install;
	struct spg_waiters waiters;
	bool stopping;
	unsigned n_closing;
	void (*on_stopped)(void *user);
	void *stop_user;
};

/** The state of @product, or NULL. */
struct session *spg_install_session_find(
	const struct spg_sessions *sessions, const char *product);

/** For the waiters: @user is the sessions. */
bool spg_install_session_is_running(void *user, const char *product);

void spg_install_session_tell_standing(struct session *s);

/** Write @install to the database; a failure is logged. */
void spg_install_session_put(struct session *s, struct spg_install *install);
