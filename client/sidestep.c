/* SPDX-License-Identifier: MIT */
/*
 * spguard sidestep: rename held files, so that setup can write new ones.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/payload_params.h"

static const char help[] =
	"spguard sidestep: rename held files, so that setup can write new ones\n"
	"\n"
	"Usage: spguard sidestep [--product P] [--payload PACK] [--dry-run] [--yes]\n"
	"                        PATH...\n"
	"       spguard sidestep --list\n"
	"       spguard sidestep --undo ID\n"
	"       spguard sidestep --clean [ID]\n"
	"\n"
	"  PATH              a held file: an absolute path, the relative path of a "
	"file\n"
	"                    that is there (./x.dll), or a bare file name, which is\n"
	"                    looked for in all products\n"
	"  -p, --product P   only files of this product\n"
	"      --payload PACK\n"
	"                    refuse what the service pack brings no new file for\n"
	"  -n, --dry-run     show what would be done, and do nothing\n"
	"  -y, --yes         do not ask; needed where there is no terminal\n"
	"      --list        the steps that are not over, with their numbers\n"
	"      --undo ID     give the file its name again, while setup has written no\n"
	"                    new one\n"
	"      --clean [ID]  remove old files that nobody uses any more: this one, or "
	"all\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"x.dll becomes x.old in its directory, and whoever uses it goes on with it; "
	"setup\n"
	"then writes the new x.dll. Nothing is ever renamed over another file. What "
	"would\n"
	"not help or would harm is refused, with the reason.\n"
	"\n"
	"Exit code: 0 when all was done (--dry-run: could be done), 1 when something "
	"was\n"
	"refused or failed, or there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard sidestep --payload /mnt/sp4 Mdbperf.dll Gwperf.dll\n"
	"  spguard sidestep --dry-run /srv/exchsrvr/bin/Mdbperf.dll\n"
	"  spguard sidestep --list\n"
	"  spguard sidestep --undo 3\n"
	"  spguard sidestep --clean\n";

enum verb { APPLY, LIST, UNDO, CLEAN };

struct sidestep_options {
	enum verb verb;
	const char *product;
	struct spg_payload_options payload;
	bool dry_run, yes;
	int64_t id; /* 0: not given */
};

/* ---- telling ---- */

static bool has_state(const json_t *step, const char *state)
{
	const char *s = spg_json_text(step, "state");

	return s && strcmp(s, state) == 0;
}

static int64_t count_state(const json_t *steps, const char *state)
{
	int64_t n = 0;
	size_t i;
	json_t *step;

	json_array_foreach (steps, i, step)
		n += has_state(step, state);
	return n;
}

/* The state in which a step is when what was asked for has been done. */
static const char *state_wanted(const struct sidestep_options *options)
{
	switch (options->verb) {
	case UNDO:
		return "undone";
	case CLEAN:
		return "cleaned";
	default:
		return options->dry_run ? "planned" : "renamed";
	}
}

static const char *style_of(const struct sidestep_options *options, const json_t *step)
{
	if (has_state(step, "refused") || has_state(step, "failed"))
		return SPG_STYLE_BAD;
	return options->verb == LIST || has_state(step, state_wanted(options))
	               ? NULL
	               : SPG_STYLE_CARE;
}

static void tell_headline(struct spg_output *out,
	const struct sidestep_options *options, const json_t *steps)
{
	static const char *const done[] = {
		[APPLY] = " renamed",
		[UNDO] = " with its old name again",
		[CLEAN] = " removed",
	};
	int64_t total = (int64_t)json_array_size(steps);
	int64_t n = count_state(steps, state_wanted(options));
	const char *word = "partly";
	struct spg_buf line = SPG_BUF_NULL;

	if (n == total)
		word = options->dry_run ? "possible" : "done";
	else if (n == 0)
		word = count_state(steps, "failed") > 0 ? "failed" : "refused";
	if (n == 0) {
		spg_buf_puts(&line, "no file");
	} else if (n == total) {
		spg_describe_count(&line, n, "file");
	} else {
		spg_output_count(&line, n);
		spg_buf_puts(&line, " of ");
		spg_describe_count(&line, total, "file");
	}
	spg_buf_puts(&line, options->dry_run ? " can be renamed" : done[options->verb]);
	spg_describe_verdict(out, "", word, spg_buf_text(&line));
	spg_output_raw(out, "\n");
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

/* With numbers they fit 60 columns too. */
static const struct spg_table_column columns[] = {
	{"FILE", false, SPG_TABLE_MIDDLE, 14},
	{"STATE", false, SPG_TABLE_KEEP, 0},
	{"OLD FILE", false, SPG_TABLE_MIDDLE, 9},
	{"ID", true, SPG_TABLE_KEEP, 0},
	{"SINCE", false, SPG_TABLE_KEEP, 0},
};

#define N_COLUMNS       (sizeof(columns) / sizeof(columns[0]))
#define N_WITHOUT_STEPS 3 /* of files about which there is no step yet */

static const char *base_or(const char *path, const char *otherwise)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : otherwise;
}

static void add_number_and_time(
	struct spg_file_table *table, const json_t *step, const struct spg_output *out)
{
	const json_t *id = json_object_get(step, "id");
	const char *changed = spg_json_text(step, "changed");
	struct spg_buf cell = SPG_BUF_NULL;

	if (json_is_integer(id))
		spg_buf_printf(&cell, "%lld", (long long)json_integer_value(id));
	spg_table_add(&table->table, NULL, spg_buf_text(&cell));
	spg_buf_clear(&cell);
	if (json_is_integer(id))
		spg_output_time(out, &cell,
			changed ? changed : spg_json_text(step, "at"), false);
	spg_table_add(&table->table, NULL, spg_buf_text(&cell));
	if (cell.failed)
		table->table.failed = true;
	spg_buf_finish(&cell);
}

static void tell_steps(struct spg_output *out, const struct sidestep_options *options,
	const json_t *steps)
{
	bool numbered = !options->dry_run;
	struct spg_file_table table;
	size_t i;
	json_t *step;

	spg_file_table_init(
		&table, out, columns, numbered ? N_COLUMNS : N_WITHOUT_STEPS);
	json_array_foreach (steps, i, step) {
		const char *path = spg_json_text(step, "path");
		const char *state = spg_json_text(step, "state");
		const char *text = spg_json_text(step, "text");
		bool has_old =
			!has_state(step, "refused") && !has_state(step, "failed");
		struct spg_buf line = SPG_BUF_NULL;

		spg_file_table_add_path(&table, path ? path : "?", NULL);
		spg_table_add(
			&table.table, style_of(options, step), state ? state : "?");
		spg_table_add(&table.table, NULL,
			has_old ? base_or(spg_json_text(step, "old_path"), "?") : "");
		if (numbered)
			add_number_and_time(&table, step, out);
		if (!text || !*text)
			continue;
		spg_buf_printf(&line, "    %s", text);
		spg_table_add_span(&table.table, NULL, spg_buf_text(&line));
		spg_buf_finish(&line);
	}
	spg_file_table_print(&table, out);
}

/* What can be done about steps that are not over. */
static void tell_open(struct spg_output *out, const json_t *result)
{
	const json_t *steps = spg_json_list(result, "sidesteps");
	json_t *next = json_copy((json_t *)spg_json_list(result, "next"));
	char command[64];
	size_t i;
	json_t *step;

	if (!next)
		next = json_array();
	json_array_foreach (steps, i, step) {
		const json_t *id = json_object_get(step, "id");

		if (!has_state(step, "renamed") || !json_is_integer(id))
			continue;
		snprintf(command, sizeof(command), "spguard sidestep --undo %lld",
			(long long)json_integer_value(id));
		json_array_append_new(
			next, spg_command_step(command, "takes the step back"));
	}
	if (count_state(steps, "finished") > 0)
		json_array_append_new(
			next, spg_command_step("spguard sidestep --clean",
				      "removes old files that nobody uses any more"));
	spg_describe_next(out, next);
	json_decref(next);
}

static void tell_result(struct spg_output *out, const struct sidestep_options *options,
	const json_t *result)
{
	const json_t *steps = spg_json_list(result, "sidesteps");

	if (json_array_size(steps) == 0) {
		spg_output_raw(out, options->verb == LIST ? "No step aside is open.\n"
				    : options->verb == CLEAN
					    ? "There is no old file to remove.\n"
					    : "Nothing was done.\n");
		return;
	}
	if (options->verb != LIST)
		tell_headline(out, options, steps);
	tell_steps(out, options, steps);
	if (options->verb == LIST || (options->verb == APPLY && !options->dry_run))
		tell_open(out, result);
}

/* 0 when everything that was asked for was done. */
static int code_of(const struct sidestep_options *options, const json_t *result)
{
	const json_t *steps = spg_json_list(result, "sidesteps");

	if (options->verb == LIST ||
		(options->verb == CLEAN && json_array_size(steps) == 0))
		return SPG_EXIT_OK;
	return json_array_size(steps) > 0 &&
	                       count_state(steps, state_wanted(options)) ==
	                               (int64_t)json_array_size(steps)
	               ? SPG_EXIT_OK
	               : SPG_EXIT_FAILED;
}

/* Takes over @result; NULL: it was complained about. */
static int conclude(struct spg_client *client, const struct sidestep_options *options,
	json_t *result)
{
	int code;

	if (!result)
		return client->command->exit_failed;
	code = code_of(options, result);
	if (client->json) {
		code = spg_client_pass(client, result, code);
	} else {
		tell_result(&client->out, options, result);
		code = spg_client_finish(client, code);
	}
	json_decref(result);
	return code;
}

/* ---- apply ---- */

static json_t *apply_params(struct spg_client *client,
	const struct sidestep_options *options, int argc, char **argv, int *ret_exit)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *params = json_object(), *paths;

	*ret_exit = client->command->exit_failed;
	paths = spg_client_paths(client, argc - optind, argv + optind);
	if (!paths)
		goto fail;
	json_object_set_new(params, "paths", paths);
	if (!spg_client_set_text(client, params, "product", options->product, ret_exit))
		goto fail;
	if (!spg_payload_params_add(&options->payload, params, &why)) {
		*ret_exit = spg_client_failed(client, &why);
		spg_complaint_finish(&why);
		goto fail;
	}
	return params;
fail:
	json_decref(params);
	return NULL;
}

static bool ask_person(int64_t n)
{
	char answer[16];
	bool yes;

	if (n == 1)
		printf("\nRename this file? [y/N] ");
	else
		printf("\nRename these %lld files? [y/N] ", (long long)n);
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin)) {
		putchar('\n');
		return false;
	}
	answer[strcspn(answer, "\n")] = '\0';
	yes = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
	if (!yes)
		puts("Nothing was renamed.");
	return yes;
}

/* Show what would be done, and let a person decide. */
static bool is_wanted(struct spg_client *client, const struct sidestep_options *options,
	json_t *params, int *ret_exit)
{
	struct sidestep_options dry = *options;
	json_t *plan, *dry_params = json_copy(params);
	int64_t n;

	*ret_exit = client->command->exit_failed;
	dry.dry_run = true;
	json_object_set_new(dry_params, "dry_run", json_true());
	plan = spg_client_ask(client, "sidestep.apply", dry_params, 0);
	if (!plan)
		return false;
	n = count_state(spg_json_list(plan, "sidesteps"), "planned");
	tell_result(&client->out, &dry, plan);
	json_decref(plan);
	return spg_client_finish(client, SPG_EXIT_OK) == SPG_EXIT_OK && n > 0 &&
	       ask_person(n);
}

static int apply(struct spg_client *client, const struct sidestep_options *options,
	int argc, char **argv)
{
	bool asks = !options->dry_run && !options->yes;
	json_t *params;
	int code;

	if (optind >= argc)
		return spg_client_usage(client,
			"which files? Name those that are held, or --list, --undo ID, "
			"--clean");
	if (asks && (client->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return spg_client_usage(client,
			"%s: say --yes to rename without being asked, or --dry-run",
			client->json ? "with --json nobody is asked"
				     : "there is no terminal on which to ask");
	params = apply_params(client, options, argc, argv, &code);
	if (!params)
		return code;
	if (asks && !is_wanted(client, options, params, &code)) {
		json_decref(params);
		return code;
	}
	if (options->dry_run)
		json_object_set_new(params, "dry_run", json_true());
	return conclude(
		client, options, spg_client_ask(client, "sidestep.apply", params, 0));
}

/* ---- the other verbs ---- */

static int ask_by_number(struct spg_client *client,
	const struct sidestep_options *options, const char *method)
{
	json_t *params = json_object();

	if (options->id)
		json_object_set_new(params, "id", json_integer(options->id));
	return conclude(client, options, spg_client_ask(client, method, params, 0));
}

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"payload", required_argument, NULL, 'd'},
	{"dry-run", no_argument, NULL, 'n'},
	{"yes", no_argument, NULL, 'y'},
	{"list", no_argument, NULL, 'l'},
	{"undo", required_argument, NULL, 'u'},
	{"clean", no_argument, NULL, 'c'},
	{NULL, 0, NULL, 0},
};

static bool choose_verb(const struct spg_client *client,
	struct sidestep_options *options, enum verb verb, int *ret_exit)
{
	if (options->verb != APPLY && options->verb != verb) {
		*ret_exit = spg_client_usage(client,
			"--list, --undo and --clean exclude each other: give one of "
			"them");
		return false;
	}
	options->verb = verb;
	return true;
}

static bool take_option(const struct spg_client *client,
	struct sidestep_options *options, int option, int *ret_exit)
{
	switch (option) {
	case 'p':
		options->product = optarg;
		return true;
	case 'd':
		options->payload.folder = optarg;
		return true;
	case 'n':
		options->dry_run = true;
		return true;
	case 'y':
		options->yes = true;
		return true;
	case 'l':
		return choose_verb(client, options, LIST, ret_exit);
	case 'c':
		return choose_verb(client, options, CLEAN, ret_exit);
	default:
		return choose_verb(client, options, UNDO, ret_exit) &&
		       spg_client_number(client, "--undo", optarg, INT64_MAX,
			       &options->id, ret_exit);
	}
}

/* What belongs to renaming only must not be thought to have an effect. */
static bool check_options(const struct spg_client *client,
	struct sidestep_options *options, int argc, char **argv, int *ret_exit)
{
	if (options->verb == APPLY)
		return true;
	if (options->product || options->payload.folder || options->dry_run ||
		options->yes) {
		*ret_exit = spg_client_usage(client,
			"--product, --payload, --dry-run and --yes are for renaming: "
			"spguard sidestep PATH...");
		return false;
	}
	if (options->verb == CLEAN && optind < argc &&
		!spg_client_number(client, "--clean", argv[optind++], INT64_MAX,
			&options->id, ret_exit))
		return false;
	return spg_client_no_operands(client, argc, argv, ret_exit);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct sidestep_options options = {
		.payload = {.method = "sidestep.apply", .names_suffice = true}};
	int option, code;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:ny", &code)) > 0)
		if (!take_option(client, &options, option, &code))
			return code;
	if (option == SPG_OPTIONS_EXIT ||
		!check_options(client, &options, argc, argv, &code))
		return code;
	switch (options.verb) {
	case LIST:
		return ask_by_number(client, &options, "sidestep.list");
	case UNDO:
		return ask_by_number(client, &options, "sidestep.undo");
	case CLEAN:
		return ask_by_number(client, &options, "sidestep.clean");
	default:
		return apply(client, &options, argc, argv);
	}
}

const struct spg_command spg_command_sidestep = {
	.name = "sidestep",
	.summary = "rename held files, so that setup can write new ones",
	.purpose = SPG_PURPOSE_INSTALL,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
