/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What surveys work with, and what each means of looking has proved at start
 * (selftest.h). Worker thread.
 */
#include <stdbool.h>

#include "daemon/watch/windows/events.h"
#include "daemon/watch/windows/handles.h"

/* What was found of a child that held scratch files. */
struct spg_win_proofs {
	bool handles;    /* the table of handles: a file open in whatever share mode */
	bool images;     /* the views: a library, and the program itself */
	bool data_views; /* the views: data, whose handle is closed */
	/* The filesystem's own list of users: each of the three, and a free file. Then it is
	 * conclusive for processes that cannot be looked into. */
	bool users;
	bool write_probe; /* a library, and a free file */
	bool locks;       /* a range of bytes, and a free file */
	bool services;
};

struct spg_win_tools {
	struct spg_win_proofs proofs;
	struct spg_win_events *events; /* NULL: no events */
	struct spg_win_handles *handles;
	bool once; /* one look will do: it is for events */
	void (*progress)(void *user, const char *path); /* or NULL */
	void *user;
};
