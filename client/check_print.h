/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The answer to check, told to a person: a headline, who is in the way, what
 * could not be looked at, what to do, and the proof.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "client/output.h"

/* What was asked; texts are borrowed from the command line. */
struct spg_check_options {
	const char *product, *payload, *files; /* NULL: not given */
	bool wait, settles, all, quiet;
	bool detailed; /* the answer lists free files for what is said about them */
	int64_t wait_ns, settle_ns;
};

/** Append what the verdict of @answer says, in a few words: "The shop: 2 of 10 files are
 * in the way". Not escaped. */
void spg_check_headline(struct spg_buf *line, const json_t *answer);

/**
 * Append @result, an answer about any number of products. Each has one of the known
 * verdicts.
 *
 * @worst  name of the worst verdict in it
 */
void spg_check_tell(struct spg_output *out, const struct spg_check_options *options,
	const json_t *result, const char *worst);
