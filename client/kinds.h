/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The option --kind of log and watch.
 */
#include "client/client.h"

/**
 * Put the kinds in @text ("open,lock") as "kinds" into @params. An unknown one
 * is bad usage: complains, naming all kinds, and sets *@ret_exit.
 */
bool spg_client_kinds(const struct spg_client *client, const char *text, json_t *params,
	int *ret_exit);
