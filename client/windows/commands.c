/* SPDX-License-Identifier: MIT */
/*
 * Without what only Linux has: holding files shut needs a driver here, and there are no
 * package managers and units to make a profile of.
 */
#include "client/client.h"

const struct spg_command *const spg_commands[] = {
	&spg_command_check,
	&spg_command_who,
	&spg_command_locks,
	&spg_command_watch,
	&spg_command_sidestep,
	&spg_command_verify,
	&spg_command_log,
	&spg_command_installs,
	&spg_command_maintenance,
	&spg_command_status,
	&spg_command_doctor,
	&spg_command_metrics,
	&spg_command_reload,
	&spg_command_flush,
	NULL,
};

const char spg_help_examples[] =
	"  spguard check --payload D:\\sp4 --wait=2h\n"
	"  spguard log --since \"yesterday 02:00\" Mdbperf.dll   # who was it last "
	"night?\n";

const char spg_help_manual[] =
	"Manual: docs/windows.md and man/ of the source; README.md is beside this "
	"program.\n";
