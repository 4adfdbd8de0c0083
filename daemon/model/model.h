/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The state of the world as last proved: which files each product has, who
 * uses them, which locks lie on them, and what is dirty since. Loop thread.
 *
 * State only ever comes from surveys (spg_model_apply). Events are hints: they
 * mark a file dirty and move the generation on (spg_model_note). Opens and
 * closes are never counted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/event.h"
#include "daemon/model/install_status.h"
#include "daemon/model/lock_ledger.h"
#include "daemon/model/observation.h"
#include "daemon/model/product.h"
#include "daemon/model/verdict.h"

struct spg_model;

/** NULL: out of memory. @last_interval: highest number used before, see
 * struct spg_event.interval. */
struct spg_model *spg_model_create(int64_t last_interval);

/** Takes NULL. */
void spg_model_destroy(struct spg_model *model);

/**
 * Replace the products. A product of the same name keeps its files, uses and
 * times; uses of one that is gone end at @now_ns. Changes are appended to
 * @changes. Everything becomes dirty. Returns 0 or SPG_ERR_NOMEM (and the old
 * products stay).
 */
int spg_model_set_products(struct spg_model *model, struct spg_product *const *products,
	size_t n, int64_t now_ns, struct spg_event_list *changes);

size_t spg_model_n_products(const struct spg_model *model);

/** The @index-th product; borrowed until the next spg_model_set_products(). */
struct spg_product *spg_model_product(const struct spg_model *model, size_t index);

/** Index of the product called @name, or -1. */
int spg_model_find_product(const struct spg_model *model, const char *name);

/** Moves on whenever something may have changed that a proof relies on. */
uint64_t spg_model_generation(const struct spg_model *model, size_t index);

/** When something last happened to the files of product @index that could have made a
 * user who is in the way, or one began or ended, or since when they are known, monotonic. */
int64_t spg_model_disturbed_ns(const struct spg_model *model, size_t index);

/** When the verdict about product @index as a whole was last another one than safe,
 * monotonic; 0: there was none yet. */
int64_t spg_model_unsafe_ns(const struct spg_model *model, size_t index);

/** How long somebody who has used files of product @index, has gone and keeps coming back
 * may stay away, see visits.h; 0: nobody does. */
int64_t spg_model_away_ns(const struct spg_model *model, size_t index);

/** True when @path is a file of any product. */
bool spg_model_wants(const struct spg_model *model, const char *path);

/**
 * An event came in: mark what it concerns as dirty. Returns true when any
 * product has the file; then, if exactly one has, its name is put into
 * event->product. The event is not kept.
 */
bool spg_model_note(struct spg_model *model, struct spg_event *event);

/**
 * A step about a lock, in a tier that has lock events: locks begin and end, and the
 * changes are appended to @changes. Returns true when a survey has to look, as
 * after spg_model_note().
 */
bool spg_model_note_lock(struct spg_model *model, const struct spg_lock_note *note,
	struct spg_event_list *changes);

/** A process has ended: what it used is dirty. */
void spg_model_note_exit(struct spg_model *model, struct spg_proc_id id);

/** Distrust everything about product @index (SPG_NO_FILE: about all): after a
 * gap, a mount, a change of directories. */
void spg_model_distrust(struct spg_model *model, size_t index);

/** True when something about product @index has to be surveyed again. */
bool spg_model_is_dirty(const struct spg_model *model, size_t index);

/** True when some file of product @index is in use or locked. */
bool spg_model_has_uses(const struct spg_model *model, size_t index);

/** True when locks of product @index have to be read again and again to learn how
 * they change: any, without lock events; with them only those whose end they do not
 * tell, which are leases, and waiting that is given up. */
bool spg_model_needs_polling(const struct spg_model *model, size_t index);
bool spg_model_any_needs_polling(const struct spg_model *model);

/** Have product @index surveyed again, though nothing says that it changed. */
void spg_model_look_again(struct spg_model *model, size_t index);

/** Locks are told of by events from now on; see spg_model_note_lock(). */
void spg_model_expect_lock_events(struct spg_model *model);

/* What the next survey of a product has to know and to look at. */
struct spg_survey_scope {
	enum spg_survey_depth depth;
	/* Files known so far, replaced ones included, so that a survey can reuse
	 * the records and find out what became of them. */
	struct spg_file **known;
	size_t n_known;
	char **paths; /* SPG_SURVEY_FILES: the dirty ones */
	size_t n_paths;
	/* The users known: who may hold locks, and who are asked first; some more than
	 * once. */
	struct spg_process **holders;
	size_t n_holders;
	bool find_users; /* a file was deleted or replaced: search for holders */
	bool clean; /* nothing has happened to its files since the last one began */
	bool looks_around; /* for bystanders, of whom no event tells: now and then */
};

#define SPG_SURVEY_SCOPE_NULL                                                          \
	{                                                                              \
		.depth = SPG_SURVEY_FULL                                               \
	}

/**
 * Fill in @ret for a survey of product @index at @depth; spg_survey_scope_finish()
 * releases it. For SPG_SURVEY_FILES the depth becomes SPG_SURVEY_FULL when only
 * that will do. The dirty marks are taken (not by SPG_SURVEY_LOCKS): if the
 * survey fails, spg_model_distrust(). Returns 0 or SPG_ERR_NOMEM, and then
 * nothing is taken.
 */
int spg_model_begin_survey(struct spg_model *model, size_t index,
	enum spg_survey_depth depth, struct spg_survey_scope *ret);

/** Idempotent; takes SPG_SURVEY_SCOPE_NULL. */
void spg_survey_scope_finish(struct spg_survey_scope *scope);

/**
 * Take over what a survey found: begin and end uses and locks, fill in
 * since_ns of @obs, append one event per change to @changes (without ids).
 * A survey of a product that has gone meanwhile changes nothing.
 * Returns 0 or SPG_ERR_NOMEM: the product is then wholly dirty again.
 */
int spg_model_apply(struct spg_model *model, struct spg_observation *obs,
	struct spg_event_list *changes);

/** Another survey of product @index in a row proved nothing, since something
 * happened meanwhile. Returns how many; spg_model_conclude() starts anew. */
unsigned spg_model_count_disturbed(struct spg_model *model, size_t index);

/**
 * Record the verdict about product @index as a whole; when it differs from the
 * last one, append a durable SPG_EVENT_VERDICT. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_model_conclude(struct spg_model *model, size_t index,
	const struct spg_verdict *verdict, int64_t at_ns,
	struct spg_event_list *changes);

/** What installs add to verdicts about product @index from now on; @standing is
 * taken over and emptied. */
void spg_model_set_standing(
	struct spg_model *model, size_t index, struct spg_standing *standing);

/** Borrowed until the next spg_model_set_standing() or spg_model_set_products(). */
const struct spg_standing *spg_model_standing(
	const struct spg_model *model, size_t index);

/** Call @each for every use of product @index that is known. */
void spg_model_each_use(const struct spg_model *model, size_t index,
	void (*each)(void *user, struct spg_file *file, struct spg_process *process,
		unsigned how),
	void *user);

/** The files of product @index as last surveyed, those that are not at their
 * path any more included; borrowed until the next spg_model_apply(). */
struct spg_file *const *spg_model_files(
	const struct spg_model *model, size_t index, size_t *ret_n);

/* One product, for status and metrics. */
struct spg_model_summary {
	enum spg_verdict_kind verdict;
	int64_t verdict_ns;       /* when it was last proved, UTC; 0 never */
	int64_t verdict_since_ns; /* since when it has been this one; 0 never */
	uint64_t generation;
	struct spg_verdict_counts counts; /* as of the last verdict */
	size_t n_files, n_uses, n_locks;
};

void spg_model_summarise(
	const struct spg_model *model, size_t index, struct spg_model_summary *ret);

/** Who shows old versions of files of product @index, in words; borrowed until the next
 * spg_model_apply(). */
const struct spg_notes *spg_model_shown(const struct spg_model *model, size_t index);

/** What the last full survey of product @index could not look at; borrowed
 * until the next spg_model_apply(). */
const struct spg_lack *spg_model_lacks(
	const struct spg_model *model, size_t index, size_t *ret_n);
