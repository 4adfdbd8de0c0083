/* SPDX-License-Identifier: MIT */
/*
 * spguard hold: run a command while others are kept out.
 */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/holding.h"

static const char help[] =
	"spguard hold: run a command while new opens are refused to all others\n"
	"\n"
	"Usage: spguard hold --for TIME [--product P] [--allow PID]... [--yes]\n"
	"                    -- COMMAND [ARGUMENT...]\n"
	"\n"
	"      --for TIME    end the hold after so long, whatever happens (at most\n"
	"                    4h); COMMAND goes on without it\n"
	"  -p, --product P   hold the files of this product; needed when there are\n"
	"                    several\n"
	"      --allow PID   this process and whoever it starts count as the "
	"installer\n"
	"                    too, such as a wineserver that runs already; may repeat\n"
	"  -y, --yes         do not ask; needed without a terminal\n"
	"      --json        the report as JSON, on stderr\n"
	"      --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"COMMAND and whoever it starts may open and execute the files, as may what\n"
	"they leave behind; everybody else gets \"Device or resource busy\" (EBUSY),\n"
	"root included, and is named in the report and in spguard log. The hold ends\n"
	"when COMMAND ends, when TIME is over, and when this process or the daemon\n"
	"ends. Programs under Wine open files by wineserver: either let COMMAND start\n"
	"it, or allow it. A service that COMMAND has started by the service manager "
	"is\n"
	"none of its children: start it after the hold.\n"
	"\n"
	"Not stopped are: who has a file open or mapped already; renaming, deleting "
	"and\n"
	"truncating by path; O_PATH; hard links that are made meanwhile. A refused "
	"open\n"
	"with O_CREAT still creates the file. What happens of that is told at the "
	"end.\n"
	"\n"
	"Messages go to stderr. Exit code: that of COMMAND, 128 + n when signal n "
	"ended\n"
	"it; 125 when nothing was held and nothing was run, 126 when COMMAND cannot "
	"be\n"
	"executed, 127 when there is none.\n"
	"\n"
	"Examples:\n"
	"  spguard hold --for 30m -- ./setup --silent\n"
	"  spguard hold --for 1h --yes --product exchange55 -- wine update.exe\n";

static const struct option long_options[] = {
	{"for", required_argument, NULL, 'f'},
	{"product", required_argument, NULL, 'p'},
	{"allow", required_argument, NULL, 'a'},
	{"yes", no_argument, NULL, 'y'},
	{NULL, 0, NULL, 0},
};

/* Returns false with *@ret_exit. */
static bool read_options(struct spg_client *client, int argc, char **argv,
	struct spg_holding *holding, bool *ret_yes, int *ret_exit)
{
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:y", ret_exit)) > 0) {
		switch (option) {
		case 'f':
			if (!spg_client_duration(
				    client, "for", optarg, &holding->for_ns, ret_exit))
				return false;
			break;
		case 'p':
			holding->product = optarg;
			break;
		case 'a':
			if (spg_holding_allow(holding, optarg))
				break;
			*ret_exit = spg_client_usage(client,
				"--allow takes the number of a process, not '%s'",
				optarg);
			return false;
		case 'y':
			*ret_yes = true;
			break;
		}
	}
	if (option == SPG_OPTIONS_EXIT)
		return false;
	if (holding->for_ns <= 0) {
		*ret_exit = spg_client_usage(
			client, "for how long? For instance --for 30m");
		return false;
	}
	/* Else an option of the command would be taken for one of ours. */
	if (optind >= argc || strcmp(argv[optind - 1], "--") != 0) {
		*ret_exit = spg_client_usage(
			client, "which command? Write it behind --, at the end");
		return false;
	}
	return true;
}

static void report_end(struct spg_holding *holding)
{
	json_t *report = spg_holding_end(holding);

	if (report && holding->client->json) {
		json_dumpf(report, stderr, JSON_COMPACT);
		fputc('\n', stderr);
	} else if (report) {
		spg_holding_tell(holding, report);
	}
	json_decref(report);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct spg_holding holding = SPG_HOLDING_NULL;
	int code = SPG_EXIT_NOT_HELD;
	bool yes = false;

	holding.client = client;
	if (read_options(client, argc, argv, &holding, &yes, &code) &&
		spg_holding_agree(&holding, yes, &code)) {
		code = SPG_EXIT_NOT_HELD;
		if (spg_holding_begin(&holding)) {
			code = spg_holding_run(&holding, argv + optind);
			report_end(&holding);
		}
	}
	spg_holding_finish(&holding);
	return code;
}

const struct spg_command spg_command_hold = {
	.name = "hold",
	.summary = "run a command while new opens are refused to all others",
	.purpose = SPG_PURPOSE_INSTALL,
	.help = help,
	.run = run,
	.lends_stdout = true,
	.exit_usage = SPG_EXIT_NOT_HELD,
	.exit_failed = SPG_EXIT_NOT_HELD,
};
