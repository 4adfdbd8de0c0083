/* SPDX-License-Identifier: MIT */
#include "daemon/host/service.h"

/* systemd starts a service as a program like any other: conf/spguardd.service. */
int spg_service_command(int argc, char **argv, spg_service_run *run)
{
	(void)argc;
	(void)argv;
	(void)run;
	return -1;
}

const char *spg_service_help(void)
{
	return "";
}
