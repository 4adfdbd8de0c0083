/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the tier "bpf" knows of a survey's files: the descriptors (O_PATH, which
 * count for nothing) that name them, the counters of the inodes behind, and who was
 * found to have those open. For ask_bpf.c and what it is made of: counted.c
 * (names and counters), check_counts.c (do they add up?), deleted_files_bpf.c (files
 * without a name), locks_bpf.c. Worker  thread, or the loop thread in an instant survey.
 *
 * The descriptors of files in use stay open until the survey ends, so that the
 * address of the inode names it all that time.
 */
#include "daemon/watch/linux/survey/state.h"

/* A descriptor of ours that names a file. */
struct spg_named {
	int fd;
	size_t file;
	/* What a search told of it, until an in-use probe says that it leads there; 0: it does,
	 * or nothing was told. */
	uint64_t expected;
};

/* One inode behind one of them. */
struct spg_counted {
	uint64_t inode;
	size_t file;
	int32_t readers, writers;
	uint32_t flags; /* SPG_INODE_* */
	bool used;
	uint64_t sdev;
	int32_t names, held; /* references to its names, see record.h */
	int fd;
	uint64_t merged; /* the inode that @fd names, when it is not this one */
	/* That is of an overlay which the file does not lie on: it was found with whoever
	 * has it open there. */
	bool foreign;
};

struct spg_counted_files {
	struct spg_named *names;
	size_t n_names, size_names;
	size_t *by_fd; /* index into names + 1, 0 none */
	size_t size_by_fd;
	struct spg_counted
		*inodes; /* sorted by address once an in-use probe is complete */
	size_t n_inodes, size_inodes;
	size_t first_name; /* names before it are not asked about by this in-use probe */
	struct spg_bpf_hit *hits;
	size_t n_hits, size_hits;
	/* The processes that were looked at, if not all were. */
	struct spg_bpf_who *who;
	size_t n_who, size_who;
	bool found_deleted; /* the search found files that nobody knew */
	bool mistaken;      /* what it found was not there any more */
	bool unanswered;    /* a process did not answer, which may have been ending */
	/* Openers that wait for a guard are counted and have no descriptor: the
	 * counters change while they come and go, or the guard is found with files. */
	bool churns;
	int64_t readers; /* of all inodes, at the last in-use probe */
	unsigned probes; /* while there was a guard */
	unsigned
		n_mistaken; /* in-use probes that told of something else than expected */
	bool unopened;      /* an open file that a process shows could not be named */
	bool told_limit;    /* a lack says that not all locks are told of */
	unsigned n_looks;   /* of this survey */
	bool told_deleted;  /* a lack says that not all of them could be seen */
};

/** Make s->counted, if it is not there. Returns 0 or SPG_ERR_NOMEM. */
int spg_counted_ensure(struct spg_survey *s);
void spg_counted_finish(struct spg_survey *s);

/** Keep @fd, which becomes the survey's, as a name of file @file. Returns 0, or
 * SPG_ERR_NOMEM: then @fd is still the caller's. */
int spg_counted_name(struct spg_counted_files *c, size_t file, int fd);

/** See struct spg_survey_way. */
int spg_counted_probe_all(struct spg_survey *s);
int spg_counted_probe(struct spg_survey *s, size_t index);

/** Read the counters behind all names from @first on, and judge their files: free,
 * busy or unknown. The inodes are sorted. Returns 0 or a negative spg_err. */
int spg_counted_probe_from(struct spg_survey *s, size_t first);

/** Read the counters alone, and mark the files that somebody keeps. */
int spg_counted_read(struct spg_survey *s, size_t first);

/** Mark the files that somebody keeps, or nobody can tell, by the counters as they were
 * read and by who has been found since. */
void spg_counted_mark_kept(struct spg_survey *s);

/**
 * How many of the references to inode @first's names its open files, our own
 * descriptors and our own overlays do not explain: more than 0, and somebody keeps it
 * besides. The entries of one inode follow each other; *end is behind the last.
 */
int64_t spg_counted_unexplained(
	const struct spg_counted_files *c, size_t first, size_t *end);

/** Tell the observation what the in-use probe said of the names from @first on. @again:
 * what is not known has been told. */
int spg_counted_take_over(struct spg_survey *s, size_t first, bool again);

/** The first entry for the inode at address @inode, or NULL; others of that inode
 * (files with several names) follow it. */
const struct spg_counted *spg_counted_find(
	const struct spg_counted_files *c, uint64_t inode);

/** True when the merged inode of overlay file @index is among those counted. */
bool spg_counted_has_merged(const struct spg_counted_files *c, size_t index);

/**
 * Are the users known, of the request's scope, all that there are of the files named? Then
 * those are added, and the locks. For an instant survey: waits for nothing. Loop thread.
 *
 * Returns 0; 1 when that cannot be told; or a negative spg_err.
 */
int spg_survey_known(struct spg_survey *s);

/**
 * Check the counts: compare what was found with what the counters say now. Returns 1 when
 * they differ; @final: and mark the files that somebody else must be using.
 *
 * @everybody  all processes were searched. False: only some, and these are all that use
 *             anything only if each open file of theirs has no further references
 */
int spg_check_counts(struct spg_survey *s, bool everybody, bool final);

/**
 * What a search finds it finds one after the other, and descriptors are handed on
 * meanwhile (fork(2), dup(2)) without an event: what has gone by then makes up for what
 * nobody shows. That matters where only processes that setup stops use a file. So that is
 * searched once more, after the counters were read: what both searches have found was there
 * all the time in between, and has to account for everything.
 *
 * spg_must_check_again() says whether there is such a file (or no memory to tell).
 * spg_check_again() compares: @first, *n_first are the hits of the searches before, which
 * it sorts and replaces by those found again; the survey's are those of the last one.
 * *certain: no process has a file in two places; else one that moves to and fro may have
 * been found in both, and only more searches make that unlikely. Returns 0, 1 when it does not
 * add up (@final: and marks the files as shared), or a negative spg_err.
 */
bool spg_must_check_again(const struct spg_survey *s);
int spg_check_again(struct spg_survey *s, struct spg_bpf_hit *first, size_t *n_first,
	bool final, bool *certain);

/** See which of the nameless files among the hits were the product's, and append
 * them. Sets found_deleted. Returns 0 or a negative spg_err. */
int spg_look_at_deleted(struct spg_survey *s);

/** True for a hit on a file that has lost its name. */
static inline bool spg_is_deleted(const struct spg_bpf_hit *hit)
{
	return hit->kind == SPG_HIT_DELETED_FD || hit->kind == SPG_HIT_DELETED_MAP ||
	       hit->kind == SPG_HIT_DELETED_EXE;
}

/** Append the locks on the inodes that have any. Returns 0 or a negative spg_err. */
int spg_read_locks_bpf(struct spg_survey *s);
