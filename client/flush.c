/* SPDX-License-Identifier: MIT */
/*
 * spguard flush: a barrier for scripts.
 */
#include "client/client.h"

static const char help[] =
	"spguard flush: return when every event before now is in the history\n"
	"\n"
	"Usage: spguard flush\n"
	"\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Exit code: 0, 1 when history is stopped or there is no answer, 2 for bad\n"
	"usage.\n"
	"\n"
	"Example:\n"
	"  cp Mdbperf.dll /srv/exchsrvr/bin && spguard flush && spguard log\n";

static void tell(struct spg_output *out, const json_t *result)
{
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_puts(
		&line, "Every event until now is in the history (the last is number ");
	spg_output_count(&line, spg_json_number(result, "last_id"));
	spg_buf_puts(&line, ").");
	spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	spg_buf_finish(&line);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	int code;

	if (spg_client_options(client, argc, argv, NULL, "", &code) ==
			SPG_OPTIONS_EXIT ||
		!spg_client_no_operands(client, argc, argv, &code))
		return code;
	return spg_client_ask_and_tell(client, "flush", NULL, 0, tell);
}

const struct spg_command spg_command_flush = {
	.name = "flush",
	.summary = "return when every event before now is in the history",
	.purpose = SPG_PURPOSE_DAEMON,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
