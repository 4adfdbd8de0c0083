/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An answer without what names a process: for HTTP, where anybody may ask, unless
 * the configuration shows processes. What is kept is a list of keys, so that what a
 * later version adds is left out until somebody decides. Pure; loop thread.
 *
 * Sentences name processes too: verdicts and installs keep the reasons and next
 * steps of the kinds that do not; the others of a verdict become a count of files and the
 * advice to ask on the server.
 */
#include <jansson.h>

/** A copy of @answer, of any method or event, without them. NULL: no memory. */
json_t *spg_http_redact(const json_t *answer);
