/* SPDX-License-Identifier: MIT */
#include "daemon/host/look.h"

#include "common/err.h"

#define PREFIX "//./pipe/"

/* A pipe has no place in a directory, and whether somebody has it a start finds out. */
void spg_look_at_socket(
	struct spg_look *look, const char *key, const char *value, gid_t gid)
{
	(void)gid; /* the pipe's own rules name it */
	if (strncmp(value, PREFIX, strlen(PREFIX)) != 0 || !value[strlen(PREFIX)])
		spg_look_problem(look, SPG_ERR_INVALID,
			"%s = %s: it has to be a named pipe: //./pipe/NAME", key,
			value);
}

/* A build with HTTP does not exist here yet: a start says so. */
void spg_look_at_address(
	struct spg_look *look, const struct spg_listen_address *address)
{
	(void)look;
	(void)address;
}
