/* SPDX-License-Identifier: MIT */
/*
 * spguard installs: what was installed, by whom, and what came of it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/answers.h"
#include "client/client.h"
#include "client/describe.h"
#include "common/clock.h"
#include "common/text.h"
#include "common/time_text.h"

#define LIMIT_MAX       1000
#define WAIT_DEFAULT_NS (24 * 3600 * SPG_NS_PER_S)
#define LABEL_WIDTH     9
#define DIGEST_FIGURES  12
#define FILES_SHOWN_MAX 100 /* on a terminal */
#define PACKAGES_LISTED 3   /* in the list */
#define PACKAGES_SHOWN  12  /* of one install */

static const char help[] =
	"spguard installs: what was installed, by whom, and what came of it\n"
	"\n"
	"Usage: spguard installs [--product P] [--limit N] [--wait[=TIME]] [ID]\n"
	"       spguard installs --accept ID\n"
	"\n"
	"  ID                the install with this number: its files, what was left "
	"out,\n"
	"                    who held that, and what to do; without it, a list, "
	"newest\n"
	"                    first\n"
	"  -p, --product P   only of this product\n"
	"  -n, --limit N     the newest N (20; at most 1000)\n"
	"      --wait[=TIME] answer when no install runs any more, or TIME is over "
	"(24h)\n"
	"      --accept ID   what this install has left is meant to be so: check does "
	"not\n"
	"                    ask for attention any more (needs root or the admin "
	"group)\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"An install is everything that is done to a product's files, from the first\n"
	"change until nothing has happened for a while. Its outcome:\n"
	"  clean    nothing was left out, and nothing that was checked is amiss\n"
	"  mixed    files were left out, or what is there does not fit together\n"
	"  unknown  what is there could not be read\n"
	"  running  it has not ended yet\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard installs\n"
	"  spguard installs 3\n"
	"  /mnt/sp4/setup; spguard installs --wait=10m --limit 1\n"
	"  spguard installs --json | jq '.installs[] | select(.outcome == "
	"\"mixed\")'\n";

struct installs_options {
	const char *product;
	int64_t id, limit; /* 0: not given */
	int64_t accept;    /* 0: not given */
	bool wait;
	int64_t wait_ns;
};

static const char *outcome_of(const json_t *install)
{
	const char *outcome = spg_json_text(install, "outcome");

	return outcome ? outcome : "unknown";
}

static bool is_outcome(const json_t *install, const char *outcome)
{
	return strcmp(outcome_of(install), outcome) == 0;
}

/* ---- the list ---- */

/* The widest time, and ids of four figures, fit 60 columns. */
static const struct spg_table_column list_columns[] = {
	{"ID", true, SPG_TABLE_KEEP, 0},
	{"BEGAN", false, SPG_TABLE_KEEP, 0},
	{"PRODUCT", false, SPG_TABLE_END, 5},
	{"BY", false, SPG_TABLE_MIDDLE, 5},
	{"CHANGED", true, SPG_TABLE_KEEP, 0},
	{"SKIPPED", true, SPG_TABLE_KEEP, 0},
	{"OUTCOME", false, SPG_TABLE_KEEP, 0},
};

static void add_cell(struct spg_table *table, const char *style, struct spg_buf *cell)
{
	spg_table_add(table, style, spg_buf_text(cell));
	if (cell->failed)
		table->failed = true;
	spg_buf_clear(cell);
}

/* An administrator's word is a record like an install. */
static bool is_acceptance(const json_t *install)
{
	const json_t *reason = json_array_get(spg_json_list(install, "reasons"), 0);

	return reason && spg_reason_kind_from_name(spg_json_text(reason, "kind")) ==
	                         SPG_REASON_ACCEPTED;
}

/* "apt-get upgrade (root)", or else the name and number of who did it. */
static void put_by(struct spg_buf *line, const json_t *install)
{
	const json_t *by = json_object_get(install, "by");
	const char *command = spg_json_text(install, "command");
	const char *user = spg_json_text(by, "user");

	if (!json_is_object(by))
		spg_buf_puts(line, is_acceptance(install) ? "accepted" : "not known");
	else if (!command)
		spg_describe_who(line, by);
	else
		spg_buf_puts(line, command);
	if (command && user)
		spg_buf_printf(line, " (%s)", user);
}

/* "libfoo1 1.2-1 to 1.2-2", "libfoo1 1.2-1 removed", "libfoo1 1.2-2 new". Of one that is as
 * it was, or of which that is not known, the version alone. */
static void put_package(struct spg_buf *line, const json_t *package)
{
	const char *name = spg_json_text(package, "name");
	const char *from = spg_json_text(package, "from");
	const char *to = spg_json_text(package, "to");

	spg_buf_puts(line, name ? name : "?");
	if (from && !(to && strcmp(from, to) == 0))
		spg_buf_printf(line, " %s", from);
	if (!to)
		spg_buf_puts(line, " removed");
	else
		spg_buf_printf(
			line, "%s %s", from && strcmp(from, to) != 0 ? " to" : "", to);
	if (to && !from && json_is_true(json_object_get(package, "from_known")))
		spg_buf_puts(line, " new");
}

static bool has_packages(const json_t *install)
{
	return json_array_size(spg_json_list(install, "packages")) > 0;
}

/* The first @max of them. */
static void put_packages(struct spg_buf *line, const json_t *install, size_t max)
{
	const json_t *packages = spg_json_list(install, "packages");
	size_t n = json_array_size(packages);

	/* One more takes no more room than "and 1 more". */
	if (n == max + 1)
		max = n;
	for (size_t i = 0; i < n && i < max; i++) {
		spg_buf_puts(line, i ? ", " : "");
		put_package(line, json_array_get(packages, i));
	}
	if (n > max)
		spg_buf_printf(line, " and %zu more", n - max);
}

/* "apt-get upgrade (root): libfoo1 1.2-1 to 1.2-2", below an install with packages. */
static void add_packages(struct spg_table *table, const json_t *install)
{
	struct spg_buf line = SPG_BUF_NULL;

	if (!has_packages(install))
		return;
	spg_buf_puts(&line, "    ");
	put_by(&line, install);
	spg_buf_puts(&line, ": ");
	put_packages(&line, install, PACKAGES_LISTED);
	spg_table_add_span(table, NULL, spg_buf_text(&line));
	table->failed = table->failed || line.failed;
	spg_buf_finish(&line);
}

static void add_install(
	struct spg_table *table, const struct spg_output *out, const json_t *install)
{
	int64_t skipped = spg_json_number(install, "skipped");
	struct spg_buf cell = SPG_BUF_NULL;

	spg_buf_printf(&cell, "%lld", (long long)spg_json_number(install, "id"));
	add_cell(table, SPG_STYLE_STRONG, &cell);
	spg_output_time(out, &cell, spg_json_text(install, "began"), false);
	add_cell(table, NULL, &cell);
	spg_table_add(table, NULL, spg_json_text(install, "product"));
	/* With packages the command begins a line of its own. */
	if (has_packages(install) && json_is_object(json_object_get(install, "by")))
		spg_describe_who(&cell, json_object_get(install, "by"));
	else
		put_by(&cell, install);
	add_cell(table, NULL, &cell);
	spg_output_count(&cell, spg_json_number(install, "changed"));
	add_cell(table, NULL, &cell);
	spg_output_count(&cell, skipped);
	add_cell(table, skipped > 0 ? SPG_STYLE_HOW : NULL, &cell);
	spg_table_add(table, spg_describe_verdict_style(outcome_of(install)),
		outcome_of(install));
	spg_buf_finish(&cell);
	add_packages(table, install);
}

/* Of each product's newest install, when that is not clean: where to go on. */
static void tell_unresolved(struct spg_output *out, const json_t *installs)
{
	json_t *next = json_array(), *seen = json_object(), *install;
	size_t i;

	json_array_foreach (installs, i, install) {
		const char *product = spg_json_text(install, "product");
		char command[64];

		if (!product || json_object_get(seen, product))
			continue;
		json_object_set_new(seen, product, json_true());
		if (is_outcome(install, "clean"))
			continue;
		snprintf(command, sizeof(command), "spguard installs %lld",
			(long long)spg_json_number(install, "id"));
		json_array_append_new(
			next, spg_command_step(command,
				      is_outcome(install, "running")
					      ? "what it has done so far"
					      : "what is wrong, and what to do"));
	}
	spg_describe_next(out, next);
	json_decref(next);
	json_decref(seen);
}

static void tell_list(struct spg_output *out, const json_t *installs)
{
	struct spg_table table;
	size_t i;
	json_t *install;

	if (json_array_size(installs) == 0) {
		spg_output_raw(out, "No install was seen.\n");
		return;
	}
	spg_table_init(
		&table, list_columns, sizeof(list_columns) / sizeof(list_columns[0]));
	json_array_foreach (installs, i, install)
		add_install(&table, out, install);
	spg_output_table(out, &table, 0);
	tell_unresolved(out, installs);
}

/* ---- one of them ---- */

static void tell_headline(struct spg_output *out, const json_t *install)
{
	int64_t changed = spg_json_number(install, "changed");
	int64_t skipped = spg_json_number(install, "skipped");
	int64_t faults = (int64_t)json_array_size(spg_json_list(install, "findings"));
	const char *product = spg_json_text(install, "product");
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_printf(&line,
		"install %lld of %s: ", (long long)spg_json_number(install, "id"),
		product ? product : "?");
	spg_describe_count(&line, changed, "file");
	spg_buf_puts(&line, " changed");
	if (is_outcome(install, "running"))
		spg_buf_puts(&line, " so far");
	else if (is_outcome(install, "clean"))
		spg_buf_puts(&line, ", and nothing was left out");
	if (skipped > 0) {
		spg_buf_puts(&line, ", ");
		spg_output_count(&line, skipped);
		spg_buf_puts(&line, " left out");
	}
	if (faults > 0) {
		spg_buf_puts(&line, ", ");
		spg_describe_count(&line, faults, "thing");
		spg_buf_puts(&line, faults == 1 ? " does not fit" : " do not fit");
	}
	if (is_outcome(install, "unknown"))
		spg_buf_puts(&line, ", and not everything could be read, or was done");
	spg_describe_verdict(out, "", outcome_of(install), spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

static void tell_line(struct spg_output *out, const char *label, struct spg_buf *text)
{
	spg_output_wrap(out, label, LABEL_WIDTH, spg_buf_text(text));
	if (text->failed)
		out->text.failed = true;
	spg_buf_finish(text);
}

static void tell_by(struct spg_output *out, const json_t *install)
{
	const json_t *by = json_object_get(install, "by");
	const char *user = spg_json_text(by, "user");
	struct spg_buf line = SPG_BUF_NULL;

	put_by(&line, install);
	if (spg_json_text(install, "command"))
		spg_buf_printf(
			&line, ", pid %lld", (long long)spg_json_number(by, "pid"));
	else if (user)
		spg_buf_printf(&line, ", user %s", user);
	tell_line(out, "by", &line);
	if (has_packages(install)) {
		put_packages(&line, install, PACKAGES_SHOWN);
		tell_line(out, "packages", &line);
	}
}

static void tell_times(struct spg_output *out, const json_t *install)
{
	int64_t began = spg_json_time(install, "began");
	int64_t ended = spg_json_time(install, "ended");
	struct spg_buf line = SPG_BUF_NULL;

	spg_output_time(out, &line, spg_json_text(install, "began"), false);
	if (ended) {
		spg_buf_puts(&line, " until ");
		spg_output_time(out, &line, spg_json_text(install, "ended"), false);
	}
	if (began && ended >= began) {
		spg_buf_puts(&line, " (");
		spg_output_duration(out, &line, ended - began);
		spg_buf_putc(&line, ')');
	}
	tell_line(out, "from", &line);
}

/* Of a clean one as well: they say what was checked, and that may be nothing. */
static void tell_reasons(struct spg_output *out, const json_t *install)
{
	const json_t *reasons = spg_json_list(install, "reasons");
	size_t i;
	json_t *reason;

	if (json_array_size(reasons) > 0)
		spg_output_raw(out, "\nWhy:\n");
	json_array_foreach (reasons, i, reason)
		if (spg_json_text(reason, "text"))
			spg_output_wrap(out, "  -", 4, spg_json_text(reason, "text"));
}

static const struct spg_table_column file_columns[] = {
	{"FILE", false, SPG_TABLE_MIDDLE, 14},
	{"WHAT", false, SPG_TABLE_KEEP, 0},
	{"FROM", false, SPG_TABLE_END, 8},
	{"TO", false, SPG_TABLE_END, 8},
};

static bool is_skipped(const json_t *file)
{
	const char *change = spg_json_text(file, "change");

	return change && strcmp(change, "skipped") == 0;
}

/* The version, or the digest's first figures where versions do not tell. */
static void put_content(
	struct spg_buf *cell, const char *version, const char *sha256, bool alike)
{
	if (version && !(alike && sha256))
		spg_buf_puts(cell, version);
	else if (sha256)
		spg_buf_printf(cell, "%.*s", DIGEST_FIGURES, sha256);
	else
		spg_buf_puts(cell, "-");
}

static void add_contents(struct spg_table *table, const json_t *file)
{
	const char *from = spg_json_text(file, "from_version");
	const char *to = spg_json_text(file, "to_version");
	const char *was = spg_json_text(file, "from_sha256");
	const char *is = spg_json_text(file, "to_sha256");
	bool alike = from && to && strcmp(from, to) == 0 && was && is &&
	             strcmp(was, is) != 0;
	struct spg_buf cell = SPG_BUF_NULL;

	put_content(&cell, from, was, alike);
	add_cell(table, NULL, &cell);
	if (is_skipped(file))
		spg_buf_puts(&cell, "as it was");
	else
		put_content(&cell, to, is, alike);
	add_cell(table, NULL, &cell);
	spg_buf_finish(&cell);
}

static void add_holder(struct spg_table *table, const json_t *holder)
{
	const char *unit = spg_json_text(holder, "unit");
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_puts(&line, "    held by ");
	spg_describe_who(&line, holder);
	if (unit)
		spg_buf_printf(&line, ", %s", unit);
	spg_buf_puts(&line, ": ");
	spg_describe_list(&line, spg_json_list(holder, "how"), ", ");
	spg_table_add_span(table, NULL, spg_buf_text(&line));
	if (line.failed)
		table->failed = true;
	spg_buf_finish(&line);
}

static void add_file(struct spg_file_table *table, const json_t *file)
{
	const char *path = spg_json_text(file, "path");
	const char *change = spg_json_text(file, "change");
	size_t i;
	json_t *holder;

	spg_file_table_add_path(table, path ? path : "?", file);
	spg_table_add(&table->table, is_skipped(file) ? SPG_STYLE_HOW : NULL,
		change ? change : "?");
	add_contents(&table->table, file);
	json_array_foreach (spg_json_list(file, "holders"), i, holder)
		add_holder(&table->table, holder);
}

/* First those that were left out: they are what it is about. */
static void tell_files(struct spg_output *out, const json_t *install)
{
	const json_t *files = spg_json_list(install, "files");
	struct spg_file_table table;
	size_t shown = 0, hidden = 0, i;
	json_t *file;

	spg_file_table_init(&table, out, file_columns,
		sizeof(file_columns) / sizeof(file_columns[0]));
	for (int skipped = 1; skipped >= 0; skipped--) {
		json_array_foreach (files, i, file) {
			if (is_skipped(file) != (skipped != 0))
				continue;
			if (out->terminal && shown >= FILES_SHOWN_MAX) {
				hidden++;
				continue;
			}
			shown++;
			add_file(&table, file);
		}
	}
	if (shown)
		spg_output_raw(out, "\n");
	spg_file_table_print(&table, out);
	if (hidden)
		spg_output_raw(out,
			"... and %zu more files; all of them: spguard installs --json "
			"%lld\n",
			hidden, (long long)spg_json_number(install, "id"));
}

/* Who still runs the old versions, of this install or an earlier one: the verdict of now
 * knows. Without an answer the install has been told all the same, and this is NULL. */
static json_t *ask_outdated(struct spg_client *client, const json_t *install)
{
	const char *product = spg_json_text(install, "product");
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *params = json_object(), *result, *answers, *answer, *remark, *outdated;
	size_t i, k;

	if (product)
		json_object_set_new(params, "product", json_string(product));
	result = spg_client_try(client, "check", params, 0, &why);
	answers = result ? spg_answers_split(result) : NULL;
	outdated = answers ? json_array() : NULL;
	json_array_foreach (answers, i, answer) {
		json_array_foreach (spg_json_list(answer, "remarks"), k, remark) {
			if (spg_note_is(remark, SPG_REASON_OUTDATED))
				json_array_append(outdated, remark);
		}
	}
	json_decref(answers);
	json_decref(result);
	spg_complaint_finish(&why);
	return outdated;
}

static void tell_one(
	struct spg_client *client, const json_t *install, const json_t *outdated)
{
	struct spg_output *out = &client->out;
	int64_t follows = spg_json_number(install, "follows");
	struct spg_buf line = SPG_BUF_NULL;

	tell_headline(out, install);
	spg_output_raw(out, "\n");
	tell_by(out, install);
	tell_times(out, install);
	if (follows > 0) {
		spg_buf_printf(
			&line, "install %lld, which was not clean", (long long)follows);
		spg_buf_puts(&line,
			is_outcome(install, "clean") ? ": this one mended it" : "");
		tell_line(out, "follows", &line);
	}
	tell_reasons(out, install);
	tell_files(out, install);
	spg_describe_remarks(
		&client->out, "Still running what was replaced", outdated, NULL);
	spg_describe_next(out, spg_json_list(install, "next"));
}

/* ---- the question ---- */

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"limit", required_argument, NULL, 'n'},
	{"wait", optional_argument, NULL, 'w'},
	{"accept", required_argument, NULL, 'a'},
	{NULL, 0, NULL, 0},
};

/* False: exit with *@ret_exit. */
static bool read_options(struct spg_client *client, int argc, char **argv,
	struct installs_options *ret, int *ret_exit)
{
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:n:", ret_exit)) > 0) {
		if (option == 'p') {
			ret->product = optarg;
		} else if (option == 'n') {
			if (!spg_client_number(client, "--limit", optarg, LIMIT_MAX,
				    &ret->limit, ret_exit))
				return false;
		} else if (option == 'a') {
			if (!spg_client_number(client, "--accept", optarg, INT64_MAX,
				    &ret->accept, ret_exit))
				return false;
		} else {
			ret->wait = true;
			if (optarg && !spg_client_duration(client, "wait", optarg,
					      &ret->wait_ns, ret_exit))
				return false;
		}
	}
	if (option == SPG_OPTIONS_EXIT)
		return false;
	if (ret->wait && optind < argc &&
		spg_duration_parse(argv[optind], &ret->wait_ns) == 0) {
		*ret_exit = spg_client_usage(
			client, "write --wait=%s, with an equals sign", argv[optind]);
		return false;
	}
	if (optind < argc && !spg_client_number(client, "ID", argv[optind++], INT64_MAX,
				     &ret->id, ret_exit))
		return false;
	return spg_client_no_operands(client, argc, argv, ret_exit);
}

/* Somebody looks on: before the silence, say what is waited for. */
static bool announce_wait(
	struct spg_client *client, const struct installs_options *options)
{
	json_t *params = json_object(), *result, *install;
	char limit[SPG_TIME_TEXT_BYTES];
	bool runs = false;
	size_t i;

	if (options->product)
		json_object_set_new(params, "product", json_string(options->product));
	result = spg_client_ask(client, "installs", params, 0);
	if (!result)
		return false;
	json_array_foreach (spg_json_list(result, "installs"), i, install)
		runs = runs || is_outcome(install, "running");
	json_decref(result);
	spg_duration_format(options->wait_ns, limit);
	if (runs)
		fprintf(stderr,
			"spguard: an install is running; waiting at most %s for its "
			"end (Ctrl-C ends)\n",
			limit);
	return true;
}

static json_t *ask(struct spg_client *client, const struct installs_options *options,
	int *ret_exit)
{
	json_t *params = json_object();

	*ret_exit = client->command->exit_failed;
	if (!spg_client_set_text(
		    client, params, "product", options->product, ret_exit) ||
		(options->wait && isatty(STDERR_FILENO) &&
			!announce_wait(client, options))) {
		json_decref(params);
		return NULL;
	}
	if (options->id)
		json_object_set_new(params, "id", json_integer(options->id));
	if (options->limit)
		json_object_set_new(params, "limit", json_integer(options->limit));
	if (options->wait)
		spg_client_set_seconds(params, "wait", options->wait_ns);
	return spg_client_ask(
		client, "installs", params, options->wait ? options->wait_ns : 0);
}

static int accept_install(struct spg_client *client, int64_t id)
{
	json_t *params = json_object(), *result;
	struct spg_buf line = SPG_BUF_NULL;
	int code = client->command->exit_failed;

	json_object_set_new(params, "id", json_integer(id));
	result = spg_client_ask(client, "installs.accept", params, 0);
	if (!result)
		return code;
	if (client->json) {
		code = spg_client_pass(client, result, SPG_EXIT_OK);
	} else {
		spg_buf_printf(&line, "what install %lld has left is accepted\n",
			(long long)id);
		spg_output_raw(&client->out, "%s", spg_buf_text(&line));
		code = spg_client_finish(client, SPG_EXIT_OK);
	}
	spg_buf_finish(&line);
	json_decref(result);
	return code;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct installs_options options = {.wait_ns = WAIT_DEFAULT_NS};
	const json_t *installs, *only;
	json_t *result, *outdated = NULL;
	int code;

	if (!read_options(client, argc, argv, &options, &code))
		return code;
	if (options.accept)
		return accept_install(client, options.accept);
	result = ask(client, &options, &code);
	if (!result)
		return code;
	installs = spg_json_list(result, "installs");
	only = options.id ? json_array_get(installs, 0) : NULL;
	if (only && !is_outcome(only, "running"))
		outdated = ask_outdated(client, only);
	if (client->json) {
		if (outdated)
			json_object_set(result, "outdated", outdated);
		code = spg_client_pass(client, result, SPG_EXIT_OK);
	} else {
		if (only)
			tell_one(client, only, outdated);
		else
			tell_list(&client->out, installs);
		code = spg_client_finish(client, SPG_EXIT_OK);
	}
	json_decref(outdated);
	json_decref(result);
	return code;
}

const struct spg_command spg_command_installs = {
	.name = "installs",
	.summary = "what was installed, by whom, and what came of it",
	.purpose = SPG_PURPOSE_HISTORY,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
