/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The parameter "payload": the files of a service pack as a client read them.
 */
#include <stdbool.h>

#include <jansson.h>

#include "daemon/install/fit/expected.h"
#include "daemon/model/observation.h"
#include "daemon/serve/call.h"

/** True when each path in it is one below a folder, and ends in the file's name. False:
 * the call has ended. First of all for what takes a payload. */
bool spg_params_payload_paths(struct spg_call *call, const json_t *params);

/** Copy it into @ret, empty without it, sorted by the rule of @product. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_params_payload(const json_t *params, const struct spg_product *product,
	struct spg_expected *ret);

/**
 * The caller is about to install it: have the next install of product @index (-1:
 * of each that has a file of it) compared with it. Only from who may change
 * something; from anybody else it is left out. Returns false when the call has
 * ended.
 */
bool spg_params_expect(struct spg_call *call, const json_t *params, int index);

/** Mark the files of @expected, of product @index, whose name another product has. */
void spg_payload_mark_elsewhere(
	const struct spg_model *model, size_t index, struct spg_expected *expected);

/** True when an installed file of product @index has a name of @expected. */
bool spg_payload_concerns(const struct spg_model *model, size_t index,
	const struct spg_expected *expected);

/** True when a file of the payload may go into a directory of @obs that is not there: its
 * path, which the client has resolved, leads into one, or it has no absolute path. */
bool spg_payload_leads_into_missing(
	const json_t *params, const struct spg_observation *obs);
