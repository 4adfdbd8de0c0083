/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One install: what happened to the files of a product from the first that was
 * written, renamed, created or deleted until all was quiet, who did it, and what
 * came of it. Plain data; no clock, no IO.
 *
 * While it runs it is collected on the loop thread; once it is judged it does not
 * change any more and may be read by any thread.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/kind.h"
#include "daemon/model/event.h"
#include "daemon/model/note.h"
#include "daemon/model/process.h"
#include "daemon/model/product.h"

/* More files than these are counted and not told one by one. */
#define SPG_INSTALL_FILES_MAX    20000
/* Processes and holders that are remembered. */
#define SPG_INSTALL_ACTORS_MAX   64
#define SPG_INSTALL_HELD_MAX     4096
/* Packages beyond are left out. */
#define SPG_INSTALL_PACKAGES_MAX 10000

/* Somebody who held a file while it should have been replaced. */
struct spg_install_holder {
	struct spg_process *process;
	unsigned how; /* set of spg_use_how, all that was seen */
};

struct spg_install_file {
	char *path;
	uint32_t kinds; /* SPG_EVENT_BIT()s: what happened to it */
	enum spg_install_change change;
	bool guessed; /* SKIPPED: no payload said so, it was inferred */
	char *from_version, *to_version; /* of the PE resource; NULL: has none */
	char from_sha256[SPG_SHA256_TEXT_BYTES],
		to_sha256[SPG_SHA256_TEXT_BYTES]; /* "": unknown */
	char *package, *package_version; /* that it is of; NULL: not known, or none */
	struct spg_install_holder *holders;
	size_t n_holders, size_holders;
};

/* What a package manager has done to a package meanwhile that files of the product are
 * of, or have been. */
struct spg_install_package {
	char *name;
	char *from, *to; /* versions; NULL: it was, or is, not there */
	bool from_known; /* false: what was there before is not known */
};

/* A use by somebody else that was seen while it ran. */
struct spg_install_held {
	char *path;
	struct spg_file_id id; /* of what is held: perhaps a version of before */
	struct spg_process *process;
	unsigned how;
};

struct spg_install {
	atomic_uint refs;
	int64_t id;
	int64_t follows; /* the mixed install that this one was to mend; 0: none */
	char *product;
	int64_t began_ns, last_ns; /* UTC: the first and the latest event */
	int64_t ended_ns;          /* UTC; 0: it runs */
	enum spg_install_outcome outcome;
	struct spg_process *by; /* who is named; NULL: nobody is known */
	struct spg_process *actors[SPG_INSTALL_ACTORS_MAX];
	size_t n_actors;
	struct spg_install_file *files; /* by path, in byte order */
	size_t n_files, size_files;
	size_t n_more;                        /* beyond SPG_INSTALL_FILES_MAX */
	struct spg_install_package *packages; /* by name */
	size_t n_packages, size_packages;
	struct spg_install_held *held;
	size_t n_held, size_held;
	bool held_more;                           /* than SPG_INSTALL_HELD_MAX */
	struct spg_notes reasons, next, findings; /* once it is judged */
	/* Who shows versions of before, where that is all that is amiss: it is over when
	 * they have gone, without another install. */
	struct spg_notes shown;
};

/** The kinds of events that make an install. */
#define SPG_INSTALL_KINDS                                                              \
	(SPG_EVENT_BIT(SPG_EVENT_MODIFY) | SPG_EVENT_BIT(SPG_EVENT_CREATE) |           \
		SPG_EVENT_BIT(SPG_EVENT_DELETE) | SPG_EVENT_BIT(SPG_EVENT_RENAME))

/** A new one with one reference. NULL: out of memory. */
struct spg_install *spg_install_create(
	int64_t id, const char *product, int64_t began_ns);

struct spg_install *spg_install_ref(struct spg_install *install);

/** Takes NULL; the last frees. */
void spg_install_unref(struct spg_install *install);

/** A copy of what the database keeps of one that goes on: no files, no holders. */
struct spg_install *spg_install_copy_head(const struct spg_install *install);

/** Note what @event, of SPG_INSTALL_KINDS, did to files of @product. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_install_note(struct spg_install *install, const struct spg_product *product,
	const struct spg_event *event);

/** Note that @process uses @file, or a version of before that was at its path, meanwhile.
 * Actors are left out when the install is judged. Returns 0 or SPG_ERR_NOMEM. */
int spg_install_note_use(struct spg_install *install, const struct spg_file *file,
	struct spg_process *process, unsigned how);

/** @process takes part in it; NULL: nobody is known. */
void spg_install_note_actor(struct spg_install *install, struct spg_process *process);

/** True when @process took part in it. */
bool spg_install_is_actor(
	const struct spg_install *install, const struct spg_process *process);

/** The file at @path, or NULL. */
struct spg_install_file *spg_install_find(
	const struct spg_install *install, const char *path);

/** The file at @path, new when it is not there yet. NULL: out of memory, or too
 * many. */
struct spg_install_file *spg_install_add_file(
	struct spg_install *install, const char *path);

/** Take a holder into @file; one that is there gets the bits of @how too. Returns 0
 * or SPG_ERR_NOMEM. */
int spg_install_add_holder(
	struct spg_install_file *file, struct spg_process *process, unsigned how);

/** One more package; @package is copied. Returns 0 or SPG_ERR_NOMEM. */
int spg_install_add_package(
	struct spg_install *install, const struct spg_install_package *package);

/** Append the command of who is named, as a person would write it: "apt-get upgrade",
 * nothing when it is not known. Bytes that somebody chose. */
void spg_install_put_command(const struct spg_install *install, struct spg_buf *buf);

/** How many files have @change. */
size_t spg_install_count(
	const struct spg_install *install, enum spg_install_change change);

/** Append "an install is running: number 3, by setup (pid 12)". Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_install_note_running(
	const struct spg_install *install, struct spg_notes *notes);

/** The event that it began, or ended: durable, with a reference for the caller. NULL:
 * out of memory. */
struct spg_event *spg_install_event(
	const struct spg_install *install, enum spg_event_kind kind, int64_t at_ns);

/** Drop the files that @keep says no to. */
void spg_install_keep(struct spg_install *install,
	bool (*keep)(void *user, const struct spg_install_file *file), void *user);
