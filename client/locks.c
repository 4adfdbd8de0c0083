/* SPDX-License-Identifier: MIT */
/*
 * spguard locks: the locks on files, held and waited for.
 */
#include "client/client.h"
#include "client/describe.h"

static const char help[] =
	"spguard locks: which locks are held on the files, and who waits for one?\n"
	"\n"
	"Usage: spguard locks [--product P] [PATH...]\n"
	"\n"
	"  PATH              an absolute path, the relative path of a file that is\n"
	"                    there (./x.dll), or a bare file name, which is looked "
	"for\n"
	"                    in all products; without PATH: every lock\n"
	"  -p, --product P   only files of this product\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard locks\n"
	"  spguard locks Edbbcli.dll\n";

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{NULL, 0, NULL, 0},
};

static void tell(struct spg_output *out, const json_t *result)
{
	const json_t *coverage = spg_json_list(result, "coverage");
	struct spg_file_table table;
	size_t i;
	json_t *lock;

	spg_lock_table_init(&table, out);
	json_array_foreach (spg_json_list(result, "locks"), i, lock)
		spg_lock_table_add(&table, lock, lock);
	if (spg_table_n_rows(&table.table) > 0) {
		spg_file_table_print(&table, out);
	} else {
		spg_table_finish(&table.table);
		spg_output_raw(out, spg_coverage_blinds(coverage)
					    ? "No lock was seen.\n"
					    : "There is no lock.\n");
	}
	spg_describe_coverage(
		out, "Could not be looked at, so there may be more locks:", coverage);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	json_t *params = json_object(), *paths = NULL;
	int option, code = client->command->exit_failed;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", &code)) > 0)
		json_object_set_new(params, "product", json_string(optarg));
	if (option == SPG_OPTIONS_EXIT)
		goto out;
	paths = spg_client_paths(client, argc - optind, argv + optind);
	if (!paths)
		goto out;
	if (json_array_size(paths) > 0)
		json_object_set(params, "paths", paths);
	code = spg_client_ask_and_tell(client, "locks", json_incref(params), 0, tell);
out:
	json_decref(params);
	json_decref(paths);
	return code;
}

const struct spg_command spg_command_locks = {
	.name = "locks",
	.summary = "the locks, held and waited for, with their ranges",
	.purpose = SPG_PURPOSE_NOW,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
