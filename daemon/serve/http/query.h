/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The query of a URL as parameters of a method: "?product=app&all=1&paths=a&paths=b".
 * What a value means the contract says; what does not fit is passed on as text,
 * which the contract's own check then refuses in its words. Pure; loop thread.
 */
#include <jansson.h>

#include "daemon/serve/contract/contract.h"

/**
 * Take the value @text of @name (NULL: none was given, "?all") into @params.
 * @method NULL: there is none of that name. Returns 0; SPG_ERR_INVALID when it is
 * no UTF-8; SPG_ERR_EXISTS when it has a value and is no list; SPG_ERR_NOMEM.
 */
int spg_http_query_add(json_t *params, const struct spg_contract_method *method,
	const char *name, const char *text);
