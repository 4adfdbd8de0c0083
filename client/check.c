/* SPDX-License-Identifier: MIT */
/*
 * spguard check: the verdict, and what to do about it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/check_print.h"
#include "client/client.h"
#include "client/foretell.h"
#include "client/payload_params.h"
#include "client/rank.h"
#include "common/clock.h"
#include "common/text.h"
#include "common/time_text.h"

#define WAIT_DEFAULT_NS       (24 * 3600 * SPG_NS_PER_S)
#define SETTLE_DEFAULT_NS     (2 * SPG_NS_PER_S)
/* The server may take so much more time, for somebody who keeps coming back. */
#define SETTLE_LEARNED_MAX_NS (60 * SPG_NS_PER_S)

static const char help[] =
	"spguard check: can the service pack be applied safely?\n"
	"\n"
	"Usage: spguard check [--product P] [--payload PACK | --files LIST]\n"
	"                     [--wait[=TIME] [--settle TIME]] [--all] [-q]\n"
	"\n"
	"  -p, --product P   about this product (default: all of them, and\n"
	"                    the exit code is that of the worst)\n"
	"      --payload PACK\n"
	"                    only about the files that the service pack brings: a\n"
	"                    folder or an archive (.deb .rpm .tar .zip .cab .iso\n"
	"                    .7z); and to who may install, what it would break\n"
	"      --files LIST  only about the files named in LIST, one a line (- reads\n"
	"                    standard input; lines that begin with # are skipped)\n"
	"      --wait[=TIME] ask until it is safe, or TIME is over (default: 24h)\n"
	"      --settle TIME so long the files have to stay free at the end of a wait\n"
	"                    (default: 2s)\n"
	"      --all         list the free files too\n"
	"  -q, --quiet       say nothing, only exit\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Exit code: 0 safe, 1 attention, 2 blocked, 3 unknown, and also when there\n"
	"is no daemon or the command line is wrong. When TIME is over, that of the\n"
	"last verdict.\n"
	"\n"
	"Examples:\n"
	"  spguard check\n"
	"  spguard check --product exchange55 --payload /mnt/sp4\n"
	"  spguard check --wait=30m -q && /mnt/sp4/setup\n"
	"  spguard check --json | jq -r '.files[] | "
	"select(.state==\"blocked\").path'\n";

static int worst_rank(const json_t *result)
{
	return spg_rank_worst(spg_check_ranks, SPG_N_CHECK_RANKS, result);
}

/* ---- the question ---- */

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"payload", required_argument, NULL, 'd'},
	{"files", required_argument, NULL, 'f'},
	{"wait", optional_argument, NULL, 'w'},
	{"settle", required_argument, NULL, 's'},
	{"all", no_argument, NULL, 'a'},
	{"quiet", no_argument, NULL, 'q'},
	{NULL, 0, NULL, 0},
};

/* False: exit with *@ret_exit. */
static bool read_options(struct spg_client *client, int argc, char **argv,
	struct spg_check_options *ret, int *ret_exit)
{
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:q", ret_exit)) > 0) {
		switch (option) {
		case 'p':
			ret->product = optarg;
			break;
		case 'd':
			ret->payload = optarg;
			break;
		case 'f':
			ret->files = optarg;
			break;
		case 'w':
			ret->wait = true;
			if (optarg && !spg_client_duration(client, "wait", optarg,
					      &ret->wait_ns, ret_exit))
				return false;
			break;
		case 's':
			ret->settles = true;
			if (!spg_client_duration(client, "settle", optarg,
				    &ret->settle_ns, ret_exit))
				return false;
			break;
		case 'a':
			ret->all = true;
			break;
		case 'q':
			ret->quiet = true;
			break;
		}
	}
	if (option == SPG_OPTIONS_EXIT)
		return false;
	if (ret->payload && ret->files) {
		*ret_exit = spg_client_usage(client,
			"--payload and --files exclude each other: give one of them");
		return false;
	}
	if (ret->settles && !ret->wait) {
		*ret_exit = spg_client_usage(
			client, "--settle is about the end of a wait: give --wait too");
		return false;
	}
	if (ret->wait && optind < argc &&
		spg_duration_parse(argv[optind], &ret->wait_ns) == 0) {
		*ret_exit = spg_client_usage(
			client, "write --wait=%s, with an equals sign", argv[optind]);
		return false;
	}
	return spg_client_no_operands(client, argc, argv, ret_exit);
}

static json_t *make_params(
	const struct spg_check_options *options, struct spg_complaint *why)
{
	struct spg_payload_options payload = {
		.folder = options->payload,
		.list = options->files,
		.method = "check",
		.names_suffice = true,
		.quiet = options->quiet,
	};
	json_t *params = json_object();
	int err = params ? 0 : -1;

	if (err == 0 && options->product)
		err = json_object_set_new(
			params, "product", json_string(options->product));
	if (err == 0 && (options->all || options->detailed))
		err = json_object_set_new(params, "all", json_true());
	if (err < 0)
		spg_complain(why, "the name of the product is no valid UTF-8");
	if (err == 0 && !spg_payload_params_add(&payload, params, why))
		err = -1;
	if (err < 0) {
		json_decref(params);
		return NULL;
	}
	return params;
}

/* Somebody looks on: say what is waited for, before the silence. */
static void announce_wait(const struct spg_check_options *options, const json_t *result)
{
	const char *verdict = spg_json_text(result, "verdict");
	char limit[SPG_TIME_TEXT_BYTES], settle[SPG_TIME_TEXT_BYTES];
	struct spg_buf line = SPG_BUF_NULL;

	spg_duration_format(options->wait_ns, limit);
	spg_duration_format(options->settle_ns, settle);
	spg_buf_puts(&line, "spguard: ");
	spg_text_escape(&line, verdict ? verdict : "unknown", false);
	spg_buf_printf(&line,
		" now; waiting at most %s until it is safe and has been so for %s "
		"(Ctrl-C ends)\n",
		limit, settle);
	fputs(spg_buf_text(&line), stderr);
	spg_buf_finish(&line);
}

/* Ask, and with --wait ask again in a way that waits. Takes over @params. */
static json_t *ask(struct spg_client *client, const struct spg_check_options *options,
	json_t *params)
{
	json_t *result = NULL;

	if (!options->wait)
		return spg_client_ask(client, "check", params, 0);
	if (!options->quiet && isatty(STDERR_FILENO)) {
		result = spg_client_ask(client, "check", json_incref(params), 0);
		if (!result || worst_rank(result) < 0) {
			json_decref(params);
			return result;
		}
		/* Who is safe may have to stay so: that is no long silence. */
		if (worst_rank(result) > 0)
			announce_wait(options, result);
		json_decref(result);
	}
	spg_client_set_seconds(params, "wait", options->wait_ns);
	if (options->settles)
		spg_client_set_seconds(params, "settle", options->settle_ns);
	return spg_client_ask(client, "check", params,
		options->wait_ns + options->settle_ns + SETTLE_LEARNED_MAX_NS);
}

static void tell_one(void *user, const char *sentence)
{
	spg_output_wrap(user, "  -", 4, sentence);
}

/* @why: why it could not be foretold; empty when it was. */
static void tell_foretold(
	struct spg_output *out, json_t *foretold, const struct spg_complaint *why)
{
	struct spg_buf sentence = SPG_BUF_NULL;

	if (json_array_size(foretold) == 0 && why->why.len == 0)
		return;
	spg_output_raw(out, "\nAfter the service pack:\n");
	spg_foretell_each(foretold, tell_one, out);
	if (why->why.len > 0 && spg_foretell_fault(&sentence, why))
		tell_one(out, spg_buf_text(&sentence));
	spg_buf_finish(&sentence);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct spg_check_options options = {
		.wait_ns = WAIT_DEFAULT_NS, .settle_ns = SETTLE_DEFAULT_NS};
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *params, *result = NULL, *foretold = NULL;
	int code = SPG_EXIT_UNKNOWN, worst;

	if (!read_options(client, argc, argv, &options, &code))
		return code;
	client->quiet = options.quiet;
	/* A person is told which free files the service pack would set back. */
	options.detailed = options.payload && !client->json && !options.quiet;
	params = make_params(&options, &why);
	if (!params) {
		spg_client_failed(client, &why);
		goto out;
	}
	result = ask(client, &options, json_incref(params));
	if (!result)
		goto out;
	worst = worst_rank(result);
	if (worst < 0) {
		spg_complain(&why, "the daemon's answer has no verdict");
		spg_complaint_hint(&why, "Do client and daemon belong together? "
					 "spguard --version, spguardd --version");
		spg_client_failed(client, &why);
		goto out;
	}
	code = spg_check_ranks[worst].code;
	if (options.quiet)
		goto out;
	if (options.payload)
		foretold =
			spg_foretell_ask(client, params, options.payload, result, &why);
	if (client->json) {
		if (json_array_size(foretold) > 0)
			json_object_set(result, "foretold", foretold);
		code = spg_client_pass(client, result, code);
	} else {
		spg_check_tell(
			&client->out, &options, result, spg_check_ranks[worst].name);
		tell_foretold(&client->out, foretold, &why);
		code = spg_client_finish(client, code);
	}
out:
	json_decref(foretold);
	json_decref(params);
	json_decref(result);
	spg_complaint_finish(&why);
	return code;
}

const struct spg_command spg_command_check = {
	.name = "check",
	.summary = "can the service pack be applied safely, and what is in the way",
	.purpose = SPG_PURPOSE_NOW,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_UNKNOWN,
	.exit_failed = SPG_EXIT_UNKNOWN,
};
