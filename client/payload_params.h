/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * --payload PACK and --files LIST, for every command that has them: reads the
 * service pack and makes parameters of it.
 *
 *   --payload  "payload": [{"name", "path", "version", "sha256", "size"}], each file of
 *              the folder or archive; version and sha256 left out where there is none
 *   --files    "names": ["x.dll", "/srv/bin/y.dll"] with @names_suffice, else
 *              "payload": [{"name"}]
 *
 * A request has a longest size. When the files with all that is known of them do
 * not fit, the digests of those that have a version are left out: with them some 5,000
 * files fit, by the length of their paths, without them 7,000 to 10,000. Then, which is
 * said on stderr, all paths, and the files that are another's double; and with
 * @names_suffice everything but the names.
 */
#include <stdbool.h>

#include <jansson.h>

#include "client/error.h"

struct spg_payload_options {
	const char *folder, *list; /* of which one is NULL; both: nothing to do */
	const char *method;        /* that will be asked, for the size */
	bool names_suffice;        /* the question is about names */
	bool quiet;                /* no word about progress or what was left out */
};

/**
 * Read what @options name and add it to @params. Blocks as long as reading all
 * files takes; after a second a terminal on stderr is told how far it is.
 *
 * Returns false and @why, with advice, when the service pack cannot be read to
 * its end or has too many files for one question.
 */
bool spg_payload_params_add(const struct spg_payload_options *options, json_t *params,
	struct spg_complaint *why);
