/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a package manager is about to do: what apt writes to a hook before it starts dpkg
 * (apt.conf(5), DPkg::Pre-Install-Pkgs, version 3), and what the plugin for dnf writes.
 * Plain functions on text, of which nothing is trusted to be well-formed.
 */
#include <stddef.h>

#include "client/error.h"

#define SPG_TRANSACTION_BYTES_MAX (64U << 20)

/* Of one package. Texts are owned. */
struct spg_change {
	char *label; /* for people: "libfoo1 1.2-1 to 1.2-2", "libfoo1 1.2-1 removed" */
	char *old;   /* what is installed: "libfoo1:amd64"; NULL: nothing */
	char *file;  /* the package that comes, its path; NULL: none, it is removed */
};

struct spg_transaction {
	struct spg_change *changes;
	size_t n, size;
};

#define SPG_TRANSACTION_NULL                                                           \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

enum spg_transaction_source {
	SPG_FROM_APT, /* "VERSION 3", apt's configuration, an empty line, packages */
	SPG_FROM_DNF, /* "install PATH" and "remove NAME" */
};

/** Idempotent; takes SPG_TRANSACTION_NULL. */
void spg_transaction_finish(struct spg_transaction *transaction);

/**
 * Read @text, which is written to.
 *
 * Returns 0; SPG_ERR_INVALID or SPG_ERR_NOMEM, with @why: then @transaction is empty.
 */
int spg_transaction_parse(struct spg_transaction *transaction, char *text,
	enum spg_transaction_source source, struct spg_complaint *why);
