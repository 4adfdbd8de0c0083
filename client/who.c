/* SPDX-License-Identifier: MIT */
/*
 * spguard who: who uses which files now.
 */
#include "client/client.h"
#include "client/describe.h"

static const char help[] =
	"spguard who: who has the files open, mapped, executing or locked now?\n"
	"\n"
	"Usage: spguard who [--product P] [--all] [PATH...]\n"
	"\n"
	"  PATH              an absolute path, the relative path of a file that is\n"
	"                    there (./x.dll), or a bare file name, which is looked "
	"for\n"
	"                    in all products; without PATH: every file in use\n"
	"  -p, --product P   only files of this product\n"
	"      --all         list free files too (with PATH they always are)\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard who\n"
	"  spguard who Mdbperf.dll\n"
	"  spguard who /srv/exchsrvr/bin/store.exe --json\n";

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"all", no_argument, NULL, 'a'},
	{NULL, 0, NULL, 0},
};

static void tell(struct spg_output *out, const json_t *result)
{
	const json_t *files = spg_json_list(result, "files");
	const json_t *coverage = spg_json_list(result, "coverage");
	struct spg_file_table table;
	size_t i;
	json_t *file;

	spg_use_table_init(&table, out);
	json_array_foreach (files, i, file)
		spg_use_table_add(&table, file);
	if (spg_table_n_rows(&table.table) > 0) {
		spg_file_table_print(&table, out);
	} else {
		spg_table_finish(&table.table);
		spg_output_raw(out, spg_coverage_blinds(coverage)
					    ? "No user was seen.\n"
					    : "Nobody uses any of the files.\n");
	}
	spg_describe_coverage(
		out, "Could not be looked at, so others may use files:", coverage);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	json_t *params = json_object(), *paths = NULL;
	int option, code = client->command->exit_failed;
	bool all = false;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", &code)) > 0) {
		if (option == 'p')
			json_object_set_new(params, "product", json_string(optarg));
		else
			all = true;
	}
	if (option == SPG_OPTIONS_EXIT)
		goto out;
	paths = spg_client_paths(client, argc - optind, argv + optind);
	if (!paths)
		goto out;
	if (json_array_size(paths) > 0)
		json_object_set(params, "paths", paths);
	if (all || json_array_size(paths) > 0)
		json_object_set_new(params, "all", json_true());
	code = spg_client_ask_and_tell(client, "who", json_incref(params), 0, tell);
out:
	json_decref(params);
	json_decref(paths);
	return code;
}

const struct spg_command spg_command_who = {
	.name = "who",
	.summary = "who uses which files now",
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
