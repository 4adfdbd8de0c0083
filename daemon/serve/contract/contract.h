/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The contract of the methods: an OpenRPC document (open-rpc.org, version 1.2.6) with
 * JSON Schemas (draft 7) of parameters, results and notifications. openrpc.json is the
 * one place where they are written; it is part of the program, is installed beside it,
 * and is the answer to rpc.discover. Parameters are checked against it. Constant once it
 * is loaded; loop thread.
 *
 * Of JSON Schema a parameter may use: type, minLength, minimum, maximum, items, maxItems,
 * required, properties, additionalProperties, and $ref to a component.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/buf.h"

/* The text of openrpc.json, made by embed.py. */
extern const unsigned char spg_contract_text[];
extern const size_t spg_contract_text_size;

struct spg_contract;

struct spg_contract_method {
	const char *name;
	bool needs_admin;     /* it changes something: see service.h */
	bool over_http;       /* GET /api/NAME asks it too: it only reads */
	const json_t *params; /* each with "name", "summary", "required" and "schema" */
};

/** NULL: out of memory. */
struct spg_contract *spg_contract_load(void);
void spg_contract_destroy(struct spg_contract *contract); /* takes NULL */

/** The document, with this program's version: a new reference. NULL: out of memory. */
json_t *spg_contract_document(void);

/** The method @name, or NULL. */
const struct spg_contract_method *spg_contract_find(
	const struct spg_contract *contract, const char *name);

/** The schema of parameter @name of @method; NULL: it has none. */
const json_t *spg_contract_param(
	const struct spg_contract_method *method, const char *name);

/** The "type" of @schema: "string", "array", ... */
const char *spg_contract_type(const json_t *schema);

/**
 * Check @params (an object, or NULL for none) of @method. A parameter that is null
 * counts as missing.
 *
 * @error  on a fault: what is wrong
 * @hint   and what to do
 *
 * Returns 0, SPG_RPC_BAD_PARAMS or SPG_RPC_TOO_LARGE.
 */
int spg_contract_check(const struct spg_contract_method *method, const json_t *params,
	struct spg_buf *error, struct spg_buf *hint);
