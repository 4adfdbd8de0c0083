/* SPDX-License-Identifier: MIT */
/*
 * spguard reload: make the daemon read its configuration again.
 */
#include "client/client.h"
#include "client/describe.h"

static const char help[] =
	"spguard reload: make the daemon read its configuration again\n"
	"\n"
	"Usage: spguard reload\n"
	"\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"When the configuration is bad, the faults are shown and the daemon goes on\n"
	"with the old one. Only root and members of admin-group may do this.\n"
	"\n"
	"Exit code: 0, 1 when nothing was changed, 2 for bad usage.\n"
	"\n"
	"Example:\n"
	"  spguardd --check-config && spguard reload\n";

static void tell(struct spg_output *out, const json_t *result)
{
	const json_t *products = spg_json_list(result, "products");
	struct spg_buf names = SPG_BUF_NULL;
	size_t i;
	json_t *note;

	spg_buf_puts(&names, json_array_size(products) > 0
				     ? "The new configuration is in use. Products: "
				     : "The new configuration is in use. It has no "
				       "products.");
	spg_describe_list(&names, products, ", ");
	spg_output_wrap(out, "", 0, spg_buf_text(&names));
	spg_buf_finish(&names);
	json_array_foreach (spg_json_list(result, "notes"), i, note)
		if (json_is_string(note))
			spg_output_wrap(out, "note:", 6, json_string_value(note));
}

static int run(struct spg_client *client, int argc, char **argv)
{
	int code;

	if (spg_client_options(client, argc, argv, NULL, "", &code) ==
			SPG_OPTIONS_EXIT ||
		!spg_client_no_operands(client, argc, argv, &code))
		return code;
	return spg_client_ask_and_tell(client, "reload", NULL, 0, tell);
}

const struct spg_command spg_command_reload = {
	.name = "reload",
	.summary = "make the daemon read its configuration again",
	.purpose = SPG_PURPOSE_DAEMON,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
