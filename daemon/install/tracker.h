/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Installs as they happen. What is done to the files of a product makes one, from
 * the first that is written, renamed, created or deleted until nothing has happened
 * for a while; then the daemon looks at what is there, judges it by itself
 * (outcome.h), records it and lets the product's verdict know. Loop thread.
 *
 * What no event told (a directory renamed into place, a store through a mapping, events
 * that were lost) is found when something gives reason to look, by comparing what is
 * there with what was. A survey does that sees another inode, size or time of a file
 * than it had when it was read.
 *
 * One install a product at a time. It ends `quiet_ns` after its last event, and
 * sooner, a second after it, when everybody who took part has ended or whoever
 * started it says that it has.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/install/fit/expected.h"
#include "daemon/install/tracker_host.h"
#include "daemon/install/verify.h"
#include "daemon/model/event.h"
#include "daemon/model/install.h"

struct spg_tracker;

/** NULL: out of memory. */
struct spg_tracker *spg_tracker_create(const struct spg_tracker_host *host);

/** Read what is installed: after the first look, and after each change of
 * products. */
void spg_tracker_begin(struct spg_tracker *tracker);

void spg_tracker_configure(struct spg_tracker *tracker, int64_t quiet_ns);

/** A file event of a product. */
void spg_tracker_note(struct spg_tracker *tracker, const struct spg_event *event);

/** @process has made, removed or renamed the directory at @path, or a link on the way to
 * a product's files. What the look that follows finds to have changed is an install of
 * its. */
void spg_tracker_note_moved(
	struct spg_tracker *tracker, const char *path, struct spg_process *process);

/** Something may have happened to files of @product (NULL: any) that no event told:
 * what is installed is read again, and what has changed is an install. */
void spg_tracker_look(struct spg_tracker *tracker, const char *product);

/** A survey has looked at files: where one is not what was read, see
 * spg_tracker_look(). */
void spg_tracker_note_survey(
	struct spg_tracker *tracker, const struct spg_observation *obs);

/** @set has just been read of @product, for somebody else. True when it is not what is
 * installed as far as the tracker knows: it looks, or judges an install that it has found
 * already. */
bool spg_tracker_compare(
	struct spg_tracker *tracker, const char *product, struct spg_module_set *set);

/** True while files of @product are otherwise than they were read, or than they were at the
 * last install, and what that means is not known yet: spg_tracker_wait() waits for it. */
bool spg_tracker_is_behind(const struct spg_tracker *tracker, const char *product);

/** Somebody has waited for that long enough: until it is known, verdicts about @product say
 * that it is not. */
void spg_tracker_doubt(struct spg_tracker *tracker, const char *product);

/** A use or a lock began, or ended. */
void spg_tracker_note_use(struct spg_tracker *tracker, const struct spg_event *event);

void spg_tracker_note_exit(struct spg_tracker *tracker, struct spg_proc_id id);

/** From now on the next install of @product is compared with @expected, which is
 * taken over and emptied. */
void spg_tracker_expect(struct spg_tracker *tracker, const char *product,
	struct spg_expected *expected);

/** What the next install of @product should bring; NULL: not known. */
const struct spg_expected *spg_tracker_expected(
	const struct spg_tracker *tracker, const char *product);

/** What is installed of @product as last read; NULL: not yet. Borrowed. */
struct spg_module_set *spg_tracker_installed(
	const struct spg_tracker *tracker, const char *product);

/** The install of @product that runs, or NULL. Borrowed. */
const struct spg_install *spg_tracker_running(
	const struct spg_tracker *tracker, const char *product);

/** The last install of @product, when it was not clean; else NULL. */
const struct spg_install *spg_tracker_unresolved(
	const struct spg_tracker *tracker, const char *product);

/** The last acceptance of what was left of @product; NULL: there is none. */
const struct spg_install *spg_tracker_accepted(
	const struct spg_tracker *tracker, const char *product);

/** Who started the install of @product (NULL: of all) says that it has ended. */
void spg_tracker_hurry(struct spg_tracker *tracker, const char *product);

/**
 * Verify found @v about what is installed of @product, compared with @expected, which
 * an administrator named (else NULL). Where an install has left something, or brought
 * files of @expected, or @applied: an administrator has just run its setup, what does not
 * fit is the product's state from now on. What an install left out, and is the service
 * pack's now, is mended. While an install runs nothing is changed. Returns 0 or
 * SPG_ERR_NOMEM.
 */
int spg_tracker_verified(struct spg_tracker *tracker, const char *product,
	const struct spg_verification *v, const struct spg_expected *expected,
	bool applied);

/** @who ("root") accepts what install @id left, which has to be the last word about its
 * product. Returns 0; SPG_ERR_NOT_FOUND: nothing of that number is to be accepted;
 * SPG_ERR_BUSY: an install of the product runs; SPG_ERR_NOMEM. */
int spg_tracker_accept(struct spg_tracker *tracker, int64_t id, const char *who);

/** @done when all that happened before now is known, and no install of @product (NULL:
 * any) runs, or after @wait_ns; @running: one still does. Once, never from within the
 * call. Returns 0 or SPG_ERR_NOMEM. */
int spg_tracker_wait(struct spg_tracker *tracker, const char *product, int64_t wait_ns,
	void (*done)(void *user, bool running), void *user);

/** No callback comes with @user. */
void spg_tracker_forget(struct spg_tracker *tracker, const void *user);

/** Add what installs have left. Returns 0 or SPG_ERR_NOMEM. */
int spg_tracker_add_standing(const struct spg_tracker *tracker, const char *product,
	struct spg_standing *standing);

/* Installs that ended, since the start, for metrics. */
uint64_t spg_tracker_count(const struct spg_tracker *tracker, const char *product,
	enum spg_install_outcome outcome);

/** After the prover has stopped: what runs is recorded as running, and the next start
 * takes it up. @on_stopped comes from the loop. Takes NULL. */
void spg_tracker_stop(
	struct spg_tracker *tracker, void (*on_stopped)(void *user), void *user);

/** After on_stopped. Takes NULL. */
void spg_tracker_destroy(struct spg_tracker *tracker);
