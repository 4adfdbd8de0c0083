/* SPDX-License-Identifier: MIT */
#include "client/client.h"

const struct spg_command *const spg_commands[] = {
	&spg_command_check,
	&spg_command_who,
	&spg_command_locks,
	&spg_command_watch,
	&spg_command_run,
	&spg_command_hold,
	&spg_command_sidestep,
	&spg_command_packages,
	&spg_command_verify,
	&spg_command_log,
	&spg_command_installs,
	&spg_command_maintenance,
	&spg_command_status,
	&spg_command_doctor,
	&spg_command_metrics,
	&spg_command_profile,
	&spg_command_reload,
	&spg_command_flush,
	NULL,
};

const char spg_help_examples[] =
	"  spguard check --payload /mnt/sp4 --wait=2h\n"
	"  spguard run --payload /mnt/sp4 -- /mnt/sp4/setup\n"
	"  spguard log --since 'yesterday 02:00' Mdbperf.dll   # who was it last "
	"night?\n";

const char spg_help_manual[] =
	"Manual: man spguard, spguardd(8), spguard.conf(5), spguard-db(5).\n";
