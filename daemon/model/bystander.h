/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Bystanders of a product: processes that work in its directories, servers that export
 * them, entries that run one of its files. None of that holds a file; it is worth a
 * remark, whatever the verdict. Thread-safe per object.
 */
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/file.h"

enum spg_bystander_kind {
	SPG_BYSTANDER_WORKS_IN,   /* processes with the working directory @place */
	SPG_BYSTANDER_EXPORTS,    /* the NFS server @name exports @place */
	SPG_BYSTANDER_INTERPRETS, /* the entry @place of binfmt_misc runs @file */
};

struct spg_bystander {
	enum spg_bystander_kind kind;
	struct spg_file *file; /* or NULL */
	char *place;
	char *name;     /* of the process @pid, or of the server; or NULL */
	int32_t pid;    /* the lowest of those processes; or 0 */
	unsigned count; /* of processes; or 0 */
};

struct spg_bystanders {
	struct spg_bystander *items;
	size_t n, size;
};

/** Append a copy. Returns 0 or SPG_ERR_NOMEM. */
int spg_bystanders_add(
	struct spg_bystanders *list, const struct spg_bystander *bystander);

/** Append copies of all of @from. The same. */
int spg_bystanders_add_all(
	struct spg_bystanders *list, const struct spg_bystanders *from);

/** Idempotent; takes one that is all zero. */
void spg_bystanders_finish(struct spg_bystanders *list);
