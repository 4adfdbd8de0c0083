/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The methods: who handles what the contract (contract/contract.h) describes, and what
 * handlers share. Loop thread.
 *
 * To add a method: an entry in contract/openrpc.json, a row in methods.c, a handler in
 * the file of its theme.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/message.h"
#include "daemon/serve/call.h"

/** Work on @request of @asker: every answer, errors included, goes through
 * it. @cost: see quota.h. */
void spg_methods_dispatch(
	struct spg_asker *asker, const struct spg_request *request, size_t cost);

/* For handlers. Each that returns false has ended the call with an error. */

/** The names in the parameter "kinds" as SPG_EVENT_BIT()s; 0 without it. */
bool spg_params_kinds(struct spg_call *call, const json_t *params, uint32_t *ret);

/** Index of the product named by the parameter "product"; -1 without it. */
bool spg_params_product(struct spg_call *call, const json_t *params, int *ret);

/** The product meant: the only one needs no name. Borrowed; NULL: the call has
 * ended. */
struct spg_product *spg_params_one_product(struct spg_call *call, const json_t *params);

/** What a client sent, fit to be quoted in an error: clean and short. @buf is used
 * for it. */
const char *spg_params_quote(struct spg_buf *buf, const char *text);

/** Read the time in parameter @name into @ret, which stays without it. */
bool spg_params_time(
	struct spg_call *call, const json_t *params, const char *name, int64_t *ret);

/** The text of parameter @name, or NULL without it. Borrowed from @params. */
const char *spg_params_text(const json_t *params, const char *name);

/* File names that a client gave: absolute paths in normal form, or bare. */
struct spg_name_list {
	char **names;    /* NULL: none were given */
	uint64_t *sizes; /* as many, in bytes; SPG_SIZE_UNKNOWN: not given */
	size_t n;
};

/** The list in parameter @name, copied: its texts, or its files' names. */
bool spg_params_names(struct spg_call *call, const json_t *params, const char *name,
	struct spg_name_list *ret);

/** Idempotent. */
void spg_name_list_finish(struct spg_name_list *list);

/** For what the history could not do, @err; also of a call that is abandoned. Ends
 * the call. */
void spg_call_fail_history(struct spg_call *call, int err);

/** End @call, which is about one product and names none. */
void spg_call_fail_which_product(struct spg_call *call);

/* The handlers. */
void spg_method_hello(struct spg_call *call, const json_t *params);
void spg_method_status(struct spg_call *call, const json_t *params);
void spg_method_reload(struct spg_call *call, const json_t *params);
void spg_method_subscribe(struct spg_call *call, const json_t *params);
void spg_method_unsubscribe(struct spg_call *call, const json_t *params);
void spg_method_discover(struct spg_call *call, const json_t *params);
void spg_method_check(struct spg_call *call, const json_t *params);
void spg_method_who(struct spg_call *call, const json_t *params);
void spg_method_locks(struct spg_call *call, const json_t *params);
void spg_method_log(struct spg_call *call, const json_t *params);
void spg_method_timeline(struct spg_call *call, const json_t *params);
void spg_method_flush(struct spg_call *call, const json_t *params);
void spg_method_installs(struct spg_call *call, const json_t *params);
void spg_method_installs_accept(struct spg_call *call, const json_t *params);
void spg_method_foretell(struct spg_call *call, const json_t *params);
void spg_method_verify(struct spg_call *call, const json_t *params);
void spg_method_sidestep_apply(struct spg_call *call, const json_t *params);
void spg_method_sidestep_undo(struct spg_call *call, const json_t *params);
void spg_method_sidestep_list(struct spg_call *call, const json_t *params);
void spg_method_sidestep_clean(struct spg_call *call, const json_t *params);
void spg_method_metrics(struct spg_call *call, const json_t *params);
void spg_method_maintenance(struct spg_call *call, const json_t *params);
void spg_method_hold_begin(struct spg_call *call, const json_t *params);
void spg_method_hold_renew(struct spg_call *call, const json_t *params);
void spg_method_hold_end(struct spg_call *call, const json_t *params);
