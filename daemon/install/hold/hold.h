/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Holds: for a bounded time, new opens and executions of a product's files are
 * refused to everyone but the installer. One at a time for a product. Loop thread.
 *
 * A hold belongs to the connection that began it (its owner) and ends with it; or
 * when it is told to, when its time is over, or when its guard (daemon/watch/watch.h)
 * ends for whatever reason. One that has ended stays until its owner has asked for
 * its report, begins another one of the product, or goes.
 *
 * What happens is history: hold-begin, hold-refuse, hold-end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/event.h"
#include "daemon/model/guard.h"
#include "daemon/watch/watch.h"

#define SPG_HOLD_MAX_NS (INT64_C(4) * 3600 * 1000000000)
#define SPG_HOLD_PIDS   16  /* of one hold */
#define SPG_HOLD_WHO    256 /* rows of its report */
#define SPG_HOLD_STRAYS 20

struct spg_holds;

struct spg_hold_host {
	struct spg_watch *watch;
	/* Record @event, borrowed: daemon/record/recorder.h. */
	void (*record)(void *user, struct spg_event *event);
	void *user;
};

/* Who was refused what, and how often. */
struct spg_hold_who {
	struct spg_process *process;
	struct spg_file *file;
	bool executes;
	uint64_t times;
};

enum spg_hold_state {
	SPG_HOLD_STARTING,
	SPG_HOLD_ACTIVE,
	SPG_HOLD_ENDING,
	SPG_HOLD_ENDED
};

struct spg_hold {
	struct spg_hold *prev, *next;
	struct spg_holds *holds;
	uint64_t id;
	enum spg_hold_state state;
	struct spg_product *product;
	struct spg_process *process; /* the client; NULL: without memory */
	struct spg_guard *guard;     /* NULL: gone */
	const void *owner;           /* NULL: gone */
	int64_t began_ns;            /* UTC; 0 not yet */
	int64_t until_ns;            /* UTC */
	int64_t ended_ns;            /* UTC; 0 not yet */
	size_t n_files, n_directories;
	enum spg_hold_cause cause; /* why it is ending, or ended */
	char words[400];           /* the same in words */
	uint64_t n_refused, n_untold;
	struct spg_hold_who *who;
	size_t n_who, size_who;
	/* What others did to the files nevertheless, one line each. */
	char *strays[SPG_HOLD_STRAYS];
	size_t n_strays;
	/* Called once, when the hold began or could not (state ENDED), and once when
	 * it has ended. Who goes sets them to NULL. */
	void (*on_begun)(void *user, struct spg_hold *hold);
	void *begun_user;
	void (*on_ended)(void *user, struct spg_hold *hold);
	void *ended_user;
};

/** @host is copied. NULL: out of memory. */
struct spg_holds *spg_holds_create(const struct spg_hold_host *host);

/** After the watch has stopped. Takes NULL. */
void spg_holds_destroy(struct spg_holds *holds);

struct spg_hold_request {
	struct spg_product *product;
	const void *owner;
	const int32_t *pids; /* the installer's; the first one is the client */
	size_t n_pids;
	int64_t for_ns; /* up to SPG_HOLD_MAX_NS */
};

/**
 * Begin one; set ret->on_begun afterwards, it never comes within the call. Returns
 * 0; SPG_ERR_BUSY with the hold of the product there is in *ret; SPG_ERR_UNSUPPORTED;
 * or as struct spg_guard_ops.begin of daemon/watch/watch.h.
 */
int spg_holds_begin(struct spg_holds *holds, const struct spg_hold_request *request,
	struct spg_hold **ret);

/** The hold @id of @owner, or NULL. */
struct spg_hold *spg_holds_find(
	struct spg_holds *holds, uint64_t id, const void *owner);

/** Let an active one last @for_ns from now. */
void spg_hold_renew(struct spg_hold *hold, int64_t for_ns);

/** End it, since its command ended; set ->on_ended before. For one that has ended
 * on_ended comes within the call. */
void spg_hold_end(struct spg_hold *hold);

/** Forget one that has ended. */
void spg_hold_forget(struct spg_hold *hold);

/** @owner has gone: so do its holds. Nobody is called back. Takes NULL. */
void spg_holds_drop_owner(struct spg_holds *holds, const void *owner);

/** True while @owner has a hold that has not ended. Takes NULL. */
bool spg_holds_has_owner(const struct spg_holds *holds, const void *owner);

/** The hold of the product called @name that has not ended, or NULL. Takes NULL. */
const struct spg_hold *spg_holds_of(const struct spg_holds *holds, const char *name);

/** A file event came in: if somebody else changed what is held, note that. Takes
 * NULL. */
void spg_holds_note_event(struct spg_holds *holds, const struct spg_event *event);

/** The daemon stops: holds that end from now on end for that. Takes NULL. */
void spg_holds_stop(struct spg_holds *holds);
