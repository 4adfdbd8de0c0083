/* SPDX-License-Identifier: MIT */
/*
 * spguard: ask the daemon whether a service pack can be applied safely, who is
 * in the way, and what to do about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "common/defaults.h"
#include "common/platform.h"

static const char help_head[] =
	"spguard: can the service pack be applied safely, and who is in the way?\n"
	"\n"
	"Usage: spguard [OPTIONS] COMMAND ...\n"
	"\n"
	"Three to begin with:\n"
	"  spguard check    may I apply the service pack now, and if not, what do I "
	"do?\n"
	"  spguard who      who uses the files?\n"
	"  spguard doctor   is everything in place that such an answer needs?\n";

static const char *const purposes[SPG_PURPOSES] = {
	[SPG_PURPOSE_NOW] = "Who is in the way now",
	[SPG_PURPOSE_INSTALL] = "Applying a service pack",
	[SPG_PURPOSE_HISTORY] = "What was",
	[SPG_PURPOSE_DAEMON] = "Looking after the daemon",
};

/* In which order they are told. */
static const enum spg_purpose order[SPG_PURPOSES] = {
	SPG_PURPOSE_NOW, SPG_PURPOSE_INSTALL, SPG_PURPOSE_HISTORY, SPG_PURPOSE_DAEMON};

static const char help_tail[] =
	"\n"
	"Options, before or behind the command:\n"
	"  --socket PATH   where the daemon listens (else SPGUARD_SOCKET, else\n"
	"                  " SPG_DEFAULT_SOCKET ")\n"
	"  --json          the daemon's answer as JSON\n"
	"  --no-color      no colour (also: NO_COLOR in the environment)\n"
	"  --utc           times in UTC instead of local time\n"
	"  --timeout TIME  give up when the daemon does not answer (30s)\n"
	"  -h, --help      this help; spguard COMMAND --help tells more\n"
	"  -V, --version   the version\n"
	"\n"
	"TIME is a number with ms, s, m, h or d: 90s, 30m, 2h, 1d.\n"
	"\n"
	"Examples:\n";

static const char help_end[] =
	"\n"
	"Exit code: 3 when the answer could not be written; else see\n"
	"spguard COMMAND --help.\n"
	"\n";

static int print_help(void)
{
	fputs(help_head, stdout);
	for (size_t p = 0; p < SPG_PURPOSES; p++) {
		printf("\n%s:\n", purposes[order[p]]);
		for (size_t i = 0; spg_commands[i]; i++)
			if (spg_commands[i]->purpose == order[p])
				printf("  %-11s  %s\n", spg_commands[i]->name,
					spg_commands[i]->summary);
	}
	fputs(help_tail, stdout);
	fputs(spg_help_examples, stdout);
	fputs(help_end, stdout);
	fputs(spg_help_manual, stdout);
	return SPG_EXIT_OK;
}

static const struct spg_command *find_command(const char *name)
{
	for (size_t i = 0; spg_commands[i]; i++)
		if (strcmp(spg_commands[i]->name, name) == 0)
			return spg_commands[i];
	return NULL;
}

/* Where the command stands in @argv: behind global options, some of which have
 * values. 0: there is none, or an option to be handled here comes first. */
static int find_command_word(int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		bool has_value = strcmp(argv[i], "--socket") == 0 ||
		                 strcmp(argv[i], "--timeout") == 0;

		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 ||
			strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0)
			return 0;
		i += has_value ? 2 : 1;
	}
	return i < argc ? i : 0;
}

/* For a command line that names no known command. A script that meant "check",
 * and wrote "chek", must not take 2 for "blocked". */
#define EXIT_NO_COMMAND 3

/* Nothing to run: help, version, or a mistake. */
static int without_command(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
			return print_help();
		if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			puts("spguard " SPG_VERSION);
			return SPG_EXIT_OK;
		}
	}
	fputs("spguard: which command? For instance: spguard check\n"
	      "hint: spguard --help\n",
		stderr);
	return EXIT_NO_COMMAND;
}

/* Move the command to the front: all options then stand behind it, where they
 * are read in one pass. */
static void command_first(char **argv, int at)
{
	char *word = argv[at];

	memmove(argv + 1, argv, (size_t)at * sizeof(argv[0]));
	argv[1] = word;
}

int main(int argc, char **argv)
{
	struct spg_client client = {
		.socket_path = getenv("SPGUARD_SOCKET"),
		.timeout_ns = SPG_CLIENT_TIMEOUT_NS,
		.connection = SPG_CONNECTION_NULL,
	};
	int at, code;

	if (spg_platform_fill_descriptors() < 0 ||
		spg_platform_arguments(&argc, &argv) < 0)
		return SPG_EXIT_UNWRITABLE;
	at = find_command_word(argc, argv);
	if (at == 0) {
		code = without_command(argc, argv);
		goto out;
	}
	if (!client.socket_path || !*client.socket_path)
		client.socket_path = SPG_DEFAULT_SOCKET;
	client.command = find_command(argv[at]);
	if (!client.command) {
		spg_client_usage(&client, "there is no command '%s'", argv[at]);
		code = EXIT_NO_COMMAND;
		goto out;
	}
	command_first(argv, at);
	code = client.command->run(&client, argc - 1, argv + 1);
out:
	spg_connection_close(&client.connection);
	/* A script that got nothing must not go by the code alone. */
	if (!spg_output_is_written(&client.out))
		code = SPG_EXIT_UNWRITABLE;
	spg_output_finish(&client.out);
	return code;
}
