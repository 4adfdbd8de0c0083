/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The local socket's place in the file system: made, defended, taken away.
 * Loop thread.
 *
 * A lock file "<socket>.lock" with the daemon's pid, held by flock(2), decides
 * whose the path is. With it in hand, a socket that nobody answers at is a
 * leftover and is replaced; anything else at the path is refused. Nobody can
 * connect before owner and mode are set, since listening comes last.
 *
 * Both are looked after: a socket that was removed or replaced is made anew, and so is
 * the lock file, unless another daemon has it by then.
 */
#include <stdbool.h>
#include <sys/types.h>

#include <uv.h>

#include "common/identity.h"

struct spg_listener_config {
	const char *path; /* absolute */
	gid_t gid;        /* may connect; SPG_GID_NONE: nobody but the owner */
	mode_t mode;      /* 0: 0660, or 0600 without a group */
	/* Make the directory of @path (only its last component, 0755) when it
	 * is missing. */
	bool make_directory;
	unsigned watch_ms; /* how often it looks whether all is in place; 0: 2000 */
};

struct spg_listener {
	uv_pipe_t pipe;
	uv_timer_t watch;
	struct spg_listener_config config; /* ->path is not used */
	char *path, *lock_path;            /* NULL: somebody else's descriptor */
	int lock_fd;                       /* owned; -1 */
	dev_t dev;                         /* of our socket, to take away no other */
	ino_t ino;
	bool bound, has_pipe, has_watch, stopping;
	int n_handles; /* of the loop: the two above, until they are closed */
	int next_fd;   /* owned; -1; what the pipe gets when it is closed */
	void (*on_connection)(struct spg_listener *listener);
	/* Another daemon has the place now: this one is to end. NULL: it goes on. */
	void (*on_lost)(struct spg_listener *listener);
	void (*on_closed)(struct spg_listener *listener);
	void *user;
};

/**
 * Listen at config->path. @on_connection comes for each client that waits;
 * spg_admission_take() takes it.
 *
 * Returns 0; SPG_ERR_BUSY when a daemon runs there (named by its pid), or
 * another program answers; SPG_ERR_INVALID when the path is too long, its
 * directory is missing, or something else is there; SPG_ERR_DENIED;
 * SPG_ERR_IO; SPG_ERR_NOMEM. Each is logged with what to do. In any case
 * spg_listener_stop() is due, and until its callback the memory.
 */
int spg_listener_start(struct spg_listener *listener, uv_loop_t *loop,
	const struct spg_listener_config *config,
	void (*on_connection)(struct spg_listener *), void *user);

/**
 * Listen on @fd, a bound stream socket that passes to the listener: socket
 * activation. The path is whoever's bound it, and stays. Otherwise as
 * spg_listener_start().
 */
int spg_listener_start_fd(struct spg_listener *listener, uv_loop_t *loop, int fd,
	void (*on_connection)(struct spg_listener *), void *user);

/** Remove the socket if it is still ours, release the lock, close; @on_closed
 * comes from the loop, or within the call when there is nothing to close. */
void spg_listener_stop(
	struct spg_listener *listener, void (*on_closed)(struct spg_listener *));
