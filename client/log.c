/* SPDX-License-Identifier: MIT */
/*
 * spguard log: what happened, and who did it.
 */
#include <string.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/kinds.h"
#include "client/pager.h"
#include "common/rfc3339.h"
#include "common/text.h"
#include "common/time_text.h"

#define LIMIT_DEFAULT 200
#define LIMIT_MAX     10000

static const char help[] =
	"spguard log: what happened to the files, and who did it\n"
	"\n"
	"Usage: spguard log [--since T] [--until T] [--kind K,...] [--process P]\n"
	"                   [--product P] [--limit N] [--before ID] [--no-pager]\n"
	"                   [PATH...]\n"
	"\n"
	"  PATH              an absolute path, the relative path of a file that is\n"
	"                    there (./x.dll), or a bare file name, which is looked "
	"for\n"
	"                    in all products; without PATH: every file\n"
	"      --since T     from this time on\n"
	"      --until T     up to this time\n"
	"      --kind K,...  only these: open, close, exec, modify, create, delete,\n"
	"                    rename, lock, unlock, lock-wait, lock-fail, use-begin,\n"
	"                    use-end, gap, verdict, install-begin, install-end,\n"
	"                    hold-begin, hold-end, hold-refuse, sidestep\n"
	"      --process P   only what this process did: its name or its number\n"
	"  -p, --product P   only files of this product\n"
	"  -n, --limit N     the newest N events (200; at most 10000)\n"
	"      --before ID   events older than the one with this number: the page\n"
	"                    before; the end of a page says which it is\n"
	"      --no-pager    do not show what is longer than the terminal in a pager\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"T is 13:00, today 13:00, yesterday 02:00, 2026-11-22, 2026-11-22 13:00:00,\n"
	"-2h (two hours ago) or now: local time, with --utc UTC; or with a zone, as "
	"date\n"
	"-Iseconds and date -R write it: 2026-11-22T13:00:00Z or +01:00.\n"
	"A gap is a stretch in which events may be missing; gaps are shown in place.\n"
	"\n"
	"The pager is SPGUARD_PAGER or PAGER in the environment, else less; it begins\n"
	"at the end, where the newest is.\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard log --since -2h\n"
	"  spguard log --since 'yesterday 02:00' --until 'yesterday 03:00' "
	"Mdbperf.dll\n"
	"  spguard log --kind use-begin,use-end --process perfmon\n"
	"  spguard log --kind gap,verdict --since -7d --limit 1000 --no-pager\n";

struct log_options {
	const char *since, *until, *kinds, *process, *product;
	int64_t limit, before;
	bool no_pager;
};

static const struct option long_options[] = {
	{"since", required_argument, NULL, 's'},
	{"until", required_argument, NULL, 'u'},
	{"kind", required_argument, NULL, 'k'},
	{"process", required_argument, NULL, 'c'},
	{"product", required_argument, NULL, 'p'},
	{"limit", required_argument, NULL, 'n'},
	{"before", required_argument, NULL, 'b'},
	{"no-pager", no_argument, NULL, 'o'},
	{NULL, 0, NULL, 0},
};

static bool read_options(struct spg_client *client, int argc, char **argv,
	struct log_options *ret, int *ret_exit)
{
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:n:", ret_exit)) > 0) {
		switch (option) {
		case 's':
			ret->since = optarg;
			break;
		case 'u':
			ret->until = optarg;
			break;
		case 'k':
			ret->kinds = optarg;
			break;
		case 'c':
			ret->process = optarg;
			break;
		case 'p':
			ret->product = optarg;
			break;
		case 'n':
			if (!spg_client_number(client, "--limit", optarg, LIMIT_MAX,
				    &ret->limit, ret_exit))
				return false;
			break;
		case 'b':
			if (!spg_client_number(client, "--before", optarg, INT64_MAX,
				    &ret->before, ret_exit))
				return false;
			break;
		case 'o':
			ret->no_pager = true;
			break;
		}
	}
	return option == SPG_OPTIONS_DONE;
}

/* Put the time @text as @key into @params. */
static bool add_time(const struct spg_client *client, json_t *params, const char *key,
	const char *text, int64_t *ret_ns, int *ret_exit)
{
	char rfc3339[SPG_RFC3339_SIZE];

	if (!text)
		return true;
	if (spg_time_parse(text, client->out.now_ns, client->out.utc, ret_ns) < 0) {
		*ret_exit = spg_client_usage(client,
			"--%s takes a time such as 13:00, 'yesterday 02:00', -2h or "
			"2026-11-22T13:00:00Z, not '%s'",
			key, text);
		return false;
	}
	spg_rfc3339_format(*ret_ns, rfc3339);
	json_object_set_new(params, key, json_string(rfc3339));
	return true;
}

static bool add_times(const struct spg_client *client,
	const struct log_options *options, json_t *params, int *ret_exit)
{
	int64_t since = INT64_MIN, until = INT64_MAX;

	if (!add_time(client, params, "since", options->since, &since, ret_exit) ||
		!add_time(client, params, "until", options->until, &until, ret_exit))
		return false;
	if (since > client->out.now_ns) {
		*ret_exit = spg_client_usage(client,
			"--since '%s' is in the future; did you mean 'yesterday ...'?",
			options->since);
		return false;
	}
	if (since > until) {
		*ret_exit =
			spg_client_usage(client, "--since '%s' is after --until '%s'",
				options->since, options->until);
		return false;
	}
	return true;
}

/* The request; NULL with *@ret_exit. */
static json_t *make_params(const struct spg_client *client,
	const struct log_options *options, int n_paths, char **path_words,
	int *ret_exit)
{
	json_t *params = json_object(), *paths;

	*ret_exit = client->command->exit_failed;
	paths = spg_client_paths(client, n_paths, path_words);
	if (!params || !paths || !add_times(client, options, params, ret_exit) ||
		(options->kinds &&
			!spg_client_kinds(client, options->kinds, params, ret_exit))) {
		json_decref(params);
		json_decref(paths);
		return NULL;
	}
	if (json_array_size(paths) > 0)
		json_object_set(params, "paths", paths);
	json_decref(paths);
	if (options->process)
		json_object_set_new(params, "process", json_string(options->process));
	if (options->product)
		json_object_set_new(params, "product", json_string(options->product));
	json_object_set_new(params, "limit", json_integer(options->limit));
	if (options->before)
		json_object_set_new(params, "before", json_integer(options->before));
	return params;
}

static const struct spg_table_column columns[] = {
	{"TIME", false, SPG_TABLE_KEEP, 0},
	{"EVENT", false, SPG_TABLE_END, 9},
	{"FILE", false, SPG_TABLE_MIDDLE, 12},
	{"WHO", false, SPG_TABLE_END, 9},
	{"DETAILS", false, SPG_TABLE_END, 8},
};

/* A heading when @at_ns is on another day than @last_ns. */
static void add_day(struct spg_table *table, const struct spg_output *out,
	int64_t last_ns, int64_t at_ns)
{
	char day[SPG_TIME_TEXT_BYTES];

	if (!at_ns || (last_ns && spg_time_same_day(last_ns, at_ns, out->utc)))
		return;
	if (!last_ns && spg_time_same_day(at_ns, out->now_ns, out->utc))
		return;
	spg_time_format(at_ns, SPG_TIME_DATE, out->utc, day);
	spg_table_add_span(table, SPG_STYLE_PLACE, day);
}

static void add_event(
	struct spg_table *table, const struct spg_output *out, const json_t *event)
{
	struct spg_event_text text;
	int64_t at = spg_json_time(event, "at");
	char time[SPG_TIME_TEXT_BYTES] = "?";

	spg_describe_event(out, event, &text);
	if (text.is_mark) {
		spg_table_add_span(table, text.style, spg_buf_text(&text.detail));
	} else {
		if (at) /* the day is in the heading */
			spg_time_format(at, SPG_TIME_CLOCK_MS, out->utc, time);
		spg_table_add(table, NULL, time);
		spg_table_add(table, text.style, spg_buf_text(&text.kind));
		spg_table_add(table, SPG_STYLE_STRONG, spg_buf_text(&text.file));
		spg_table_add(table, NULL, spg_buf_text(&text.who));
		spg_table_add(table, NULL, spg_buf_text(&text.detail));
	}
	spg_event_text_finish(&text);
}

/* The command that shows the page before this one. */
static void tell_more(
	struct spg_output *out, const json_t *events, int argc, char **argv)
{
	struct spg_buf line = SPG_BUF_NULL;
	int64_t first = spg_json_number(json_array_get(events, 0), "id");

	spg_buf_puts(&line, "spguard log");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--before") == 0) {
			i++;
			continue;
		}
		if (strncmp(argv[i], "--before=", 9) == 0)
			continue;
		spg_buf_putc(&line, ' ');
		spg_text_shell_quote(&line, argv[i]);
	}
	spg_output_raw(out, "Older events exist. The ones before these:\n  ");
	/* In front of the rest, since "--" may be among that. */
	spg_output_text(out, SPG_STYLE_STRONG, "spguard log");
	spg_output_raw(out, " --before %lld", (long long)first);
	spg_output_text(out, NULL, spg_buf_text(&line) + strlen("spguard log"));
	spg_output_raw(out, "\n");
	spg_buf_finish(&line);
}

static void tell(struct spg_output *out, const json_t *result, int argc, char **argv)
{
	const json_t *events = spg_json_list(result, "events");
	struct spg_table table;
	int64_t last = 0;
	size_t i;
	json_t *event;

	if (json_array_size(events) == 0) {
		spg_output_raw(out, "No events.\n");
		return;
	}
	spg_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach (events, i, event) {
		int64_t at = spg_json_time(event, "at");

		add_day(&table, out, last, at);
		last = at ? at : last;
		add_event(&table, out, event);
	}
	spg_output_table(out, &table, 0);
	if (spg_json_true(result, "more"))
		tell_more(out, events, argc, argv);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct log_options options = {.limit = LIMIT_DEFAULT};
	int code = client->command->exit_failed;
	json_t *params, *result = NULL;

	if (!read_options(client, argc, argv, &options, &code))
		return code;
	params = make_params(client, &options, argc - optind, argv + optind, &code);
	if (!params)
		return code;
	result = spg_client_ask(client, "log", params, 0);
	if (!result)
		return client->command->exit_failed;
	if (client->json) {
		code = spg_client_pass(client, result, SPG_EXIT_OK);
	} else {
		tell(&client->out, result, argc, argv);
		code = SPG_EXIT_OK;
		if (!options.no_pager && spg_pager_flush(&client->out) < 0)
			code = client->command->exit_failed;
		code = spg_client_finish(client, code);
	}
	json_decref(result);
	return code;
}

const struct spg_command spg_command_log = {
	.name = "log",
	.summary = "history: what happened to the files, and who did it",
	.purpose = SPG_PURPOSE_HISTORY,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
