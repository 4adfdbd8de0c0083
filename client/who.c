/* SPDX-License-Identifier: MIT */
/*
 * spguard who: who uses which files now.
 */
#include <string.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/group_uses.h"

static const char help[] =
	"spguard who: who has the files open, mapped, executing or locked now?\n"
	"\n"
	"Usage: spguard who [--product P] [--all] [--by WHAT | --flat] [PATH...]\n"
	"\n"
	"  PATH              an absolute path, the relative path of a file that is\n"
	"                    there (./x.dll), or a bare file name, which is looked "
	"for\n"
	"                    in all products; without PATH: every file in use\n"
	"  -p, --product P   only files of this product\n"
	"      --all         list free files too (with PATH they always are)\n"
	"      --by WHAT     service: each service, in it its processes and their "
	"files\n"
	"                    (so it is without this option); file: each folder, in it\n"
	"                    its files and their users\n"
	"      --flat        the same as --by file\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard who\n"
	"  spguard who Mdbperf.dll\n"
	"  spguard who --by file --product exchange55\n"
	"  spguard who /srv/exchsrvr/bin/store.exe --json\n";

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"all", no_argument, NULL, 'a'},
	{"by", required_argument, NULL, 'b'},
	{"flat", no_argument, NULL, 'f'},
	{NULL, 0, NULL, 0},
};

static void tell_by_file(struct spg_output *out, const json_t *files)
{
	struct spg_file_table table;
	size_t i;
	json_t *file;

	spg_use_table_init(&table, out);
	json_array_foreach (files, i, file)
		spg_use_table_add(&table, file);
	spg_file_table_print(&table, out);
}

static void tell(struct spg_output *out, const json_t *result, bool by_file)
{
	const json_t *files = spg_json_list(result, "files");
	const json_t *coverage = spg_json_list(result, "coverage");

	if (json_array_size(files) == 0)
		spg_output_raw(out, spg_coverage_blinds(coverage)
					    ? "No user was seen.\n"
					    : "Nobody uses any of the files.\n");
	else if (by_file)
		tell_by_file(out, files);
	else
		spg_group_uses_tell(out, files);
	spg_describe_coverage(
		out, "Could not be looked at, so others may use files:", coverage);
}

static bool read_by(
	const struct spg_client *client, const char *text, bool *ret, int *ret_exit)
{
	*ret = strcmp(text, "file") == 0;
	if (*ret || strcmp(text, "service") == 0)
		return true;
	*ret_exit =
		spg_client_usage(client, "--by takes service or file, not '%s'", text);
	return false;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	json_t *params = json_object(), *paths = NULL, *result = NULL;
	int option, code = client->command->exit_failed;
	bool all = false, by_file = false;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", &code)) > 0) {
		if (option == 'p')
			json_object_set_new(params, "product", json_string(optarg));
		else if (option == 'b' && !read_by(client, optarg, &by_file, &code))
			goto out;
		else if (option == 'f')
			by_file = true;
		else if (option == 'a')
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
	result = spg_client_ask(client, "who", json_incref(params), 0);
	if (!result)
		goto out;
	if (client->json) {
		code = spg_client_pass(client, result, SPG_EXIT_OK);
	} else {
		tell(&client->out, result, by_file);
		code = spg_client_finish(client, SPG_EXIT_OK);
	}
out:
	json_decref(result);
	json_decref(params);
	json_decref(paths);
	return code;
}

const struct spg_command spg_command_who = {
	.name = "who",
	.summary = "who uses which files now",
	.purpose = SPG_PURPOSE_NOW,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
