/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * For the tests of model and prover: what a survey found, written as a few words,
 * and what came of it, written back.
 *
 * An observation is a text of statements, one a line or separated by ';':
 *
 *   file NAME free|busy|unknown [replaced|gone] [unattributed] [fresh]
 *                                   [asked-otherwise] [kept]
 *   use NAME WHO HOW[+HOW...]       open write mapped executing locked waiting
 *   keeper NAME WHO|- probe|mount|detached|layer PLACE|- [here]
 *   replaces any|in-place|rename    how the product's setup does
 *   lock NAME WHO|- held|waiting KIND read|write START END|eof
 *   lack NAME|* blinds|harmless WHAT
 *   hidden WHY
 *   uncounted                       the census said only whether there are users
 *
 * A NAME without a slash lies in HELP_DIR, and a file stands before what
 * names it; a fresh one is another inode at the same path. WHO is a row of the table in model_help.c. Every mention of a file
 * or process makes a record of its own, as surveys do. A fault in a text ends
 * the test.
 */
#include "daemon/model/event.h"
#include "daemon/model/model.h"
#include "daemon/model/observation.h"
#include "daemon/model/product.h"
#include "daemon/model/verdict.h"

#define HELP_DIR "/srv/bin"

/** The product "exchange": *.dll in HELP_DIR and /srv/system32, ignoring case;
 * setup stops store.exe and dsamain.exe; advice about *perf.dll. */
struct spg_product *help_product(void);

/** A product of this name with one directory and one pattern, case counts. */
struct spg_product *help_plain_product(
	const char *name, const char *directory, const char *pattern);

/** A record of the process called @who. */
struct spg_process *help_process(const char *who);

/** Only its identity. */
struct spg_proc_id help_id(const char *who);

/** What @text says; the observation ended at @at_ns. */
struct spg_observation *help_observe(struct spg_product *product,
	enum spg_survey_depth depth, int64_t at_ns, const char *text);

/**
 * A verdict in words; the caller frees. A line for each:
 *
 *   KIND[/OTHERWISE] NAME=COUNT...   only counts that are not zero; OTHERWISE where
 *                                    files are blocked and it is not safe
 *     NAME STATE [(hidden)] [: ADVICE]
 *   ? REASON
 *   ! NEXT STEP
 */
char *help_verdict_text(const struct spg_verdict *verdict);

/**
 * Events in words, one a line; the caller frees.
 *
 *   use-begin NAME WHO HOW #INTERVAL at=AT since=SINCE
 *   lock NAME WHO KIND MODE START-END #INTERVAL at=AT since=SINCE
 *   verdict KIND at=AT: DETAIL
 */
char *help_events_text(const struct spg_event_list *events);

/** An event about a file of HELP_DIR, by @who (NULL: unknown). */
struct spg_event *help_event(
	enum spg_event_kind kind, int64_t at_ns, const char *name, const char *who);

/** Append a note that has nothing but @text. */
void help_note(struct spg_notes *notes, enum spg_note_kind kind, const char *text);
