/* SPDX-License-Identifier: MIT */
/*
 * spguard verify: do the installed files fit together?
 */
#include <string.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/payload_params.h"
#include "client/progress.h"
#include "client/rank.h"
#include "common/text.h"

static const char help[] =
	"spguard verify: do the installed files fit together, and are they the "
	"service\n"
	"pack's?\n"
	"\n"
	"Usage: spguard verify [--product P] [--payload PACK | --files LIST]\n"
	"\n"
	"  -p, --product P   about this product (default: all of them, and\n"
	"                    the exit code is that of the worst)\n"
	"      --payload PACK\n"
	"                    compare with the files that the service pack brings, a\n"
	"                    folder or an archive, by their versions and contents\n"
	"      --files LIST  look whether the files named in LIST are there, one a "
	"line\n"
	"                    (- reads standard input; lines that begin with # are\n"
	"                    skipped)\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Every file of the product is read, unless it is as it was when it was last\n"
	"read. What a program or library imports from another one of the product has "
	"to\n"
	"be exported by that one.\n"
	"\n"
	"Exit code: 0 they fit, 2 they are mixed, or an install has left something "
	"that\n"
	"nothing has mended, 3 it could not be told or nothing could be checked, and\n"
	"also when there is no daemon or the command line is wrong.\n"
	"\n"
	"Examples:\n"
	"  spguard verify\n"
	"  spguard verify --product exchange55 --payload /mnt/sp4\n"
	"  spguard verify --json | jq -r '.products[].findings[].text'\n";

#define FINDINGS_SHOWN_MAX 100 /* on a terminal */
#define HINTS_SHOWN_MAX    10

/* From best to worst. */
static const struct spg_rank ranks[] = {
	{"fits", SPG_EXIT_FITS},
	{"not-checked", SPG_EXIT_UNKNOWN},
	{"unknown", SPG_EXIT_UNKNOWN},
	{"mixed", SPG_EXIT_MIXED},
};

#define N_RANKS (sizeof(ranks) / sizeof(ranks[0]))

/* -1: it is no answer. */
static int worst_rank(const json_t *result)
{
	if (json_array_size(spg_json_list(result, "products")) == 0)
		return -1;
	return spg_rank_worst(ranks, N_RANKS, result);
}

/* ---- telling ---- */

/* How many files there are beside the modules. */
static int64_t others_of(const json_t *answer)
{
	return spg_json_number(answer, "files") - spg_json_number(answer, "modules");
}

/* What an administrator has accepted is no fault, and yet it is told. */
static void put_accepted(struct spg_buf *line, const json_t *answer)
{
	size_t n = json_array_size(spg_json_list(answer, "accepted"));

	if (n == 0)
		return;
	spg_buf_puts(line, ", but for ");
	spg_describe_count(line, (int64_t)n, "finding");
	spg_buf_puts(line, n == 1 ? " that is accepted" : " that are accepted");
}

static void put_fits(struct spg_buf *line, const json_t *answer)
{
	int64_t modules = spg_json_number(answer, "modules");
	int64_t others = others_of(answer);

	if (modules == 0) {
		spg_buf_puts(line, "what the service pack brings is installed");
		return;
	}
	spg_describe_count(line, modules, "module");
	spg_buf_puts(line, modules == 1 ? ", and nothing is amiss" : " fit together");
	if (others > 0) {
		spg_buf_puts(line, "; ");
		spg_describe_count(line, others, "other file");
	}
}

static void put_not_checked(struct spg_buf *line, const json_t *answer)
{
	spg_buf_puts(line, "nothing could be checked: ");
	spg_describe_count(line, spg_json_number(answer, "files"), "file");
	spg_buf_puts(line, spg_json_number(answer, "files") == 1
				   ? ", which is neither a program nor a library"
				   : ", none of them a program or a library");
}

static void put_mixed(struct spg_buf *line, const json_t *answer)
{
	int64_t findings = (int64_t)json_array_size(spg_json_list(answer, "findings")) +
	                   spg_json_number(answer, "more_findings");
	const json_t *install = json_object_get(answer, "install");

	if (findings > 0)
		spg_describe_count(line, findings, "finding");
	else if (json_is_integer(install))
		spg_buf_printf(line,
			"what there is fits, and yet install %lld is not "
			"clean",
			(long long)json_integer_value(install));
}

static void tell_headline(struct spg_output *out, const json_t *answer)
{
	const char *verdict = spg_json_text(answer, "verdict");
	const char *title = spg_json_text(answer, "title");
	struct spg_buf line = SPG_BUF_NULL;

	if (!title)
		title = spg_json_text(answer, "product");
	spg_buf_printf(&line, "%s: ", title ? title : "product without a name");
	if (strcmp(verdict, "mixed") == 0)
		put_mixed(&line, answer);
	else if (strcmp(verdict, "fits") == 0) {
		put_fits(&line, answer);
		put_accepted(&line, answer);
	} else if (strcmp(verdict, "not-checked") == 0)
		put_not_checked(&line, answer);
	else if (spg_json_number(answer, "files") == 0)
		spg_buf_puts(&line, "no file of it was found");
	else
		spg_buf_puts(&line, "not everything could be looked at, or was done");
	spg_describe_verdict(out, "", verdict, spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

/* A heading when @path is in another directory than @last, which may be NULL. */
static void tell_folder(struct spg_output *out, const char *last, const char *path)
{
	size_t len = (size_t)(spg_path_base(path) - path);
	struct spg_buf folder = SPG_BUF_NULL;

	if (len == 0 || (last && (size_t)(spg_path_base(last) - last) == len &&
				strncmp(last, path, len) == 0))
		return;
	spg_buf_add(&folder, path, len > 1 ? len - 1 : len);
	spg_output_text(out, SPG_STYLE_PLACE, spg_buf_text(&folder));
	spg_output_raw(out, "\n");
	spg_buf_finish(&folder);
}

/* @more: so many are not in @findings. */
static void tell_findings(struct spg_output *out, const char *heading,
	const json_t *findings, int64_t more)
{
	const char *last = NULL;
	size_t i;
	json_t *finding;

	if (json_array_size(findings) > 0)
		spg_output_raw(out, "\n%s", heading);
	json_array_foreach (findings, i, finding) {
		const char *path = spg_json_text(finding, "path");
		const char *text = spg_json_text(finding, "text");

		if (out->terminal && i >= FINDINGS_SHOWN_MAX) {
			more += (int64_t)(json_array_size(findings) - i);
			break;
		}
		if (path)
			tell_folder(out, last, path);
		last = path;
		spg_output_wrap(out, "  -", 4, text ? text : path ? path : "?");
	}
	if (more > 0)
		spg_output_raw(out,
			"... and %lld more; most of them: spguard verify --json\n",
			(long long)more);
}

/* What the last install has left; what verify found as well is told once. */
static void tell_install(struct spg_output *out, const json_t *answer)
{
	const json_t *install = json_object_get(answer, "install");
	bool headed = false;
	size_t i;
	json_t *reason;

	json_array_foreach (spg_json_list(answer, "reasons"), i, reason) {
		const char *text = spg_json_text(reason, "text");
		const char *kind = spg_json_text(reason, "kind");

		if (!text || spg_reason_kind_from_name(kind) == SPG_REASON_MISFIT)
			continue;
		if (!headed && json_is_integer(install))
			spg_output_raw(out, "\nInstall %lld:\n",
				(long long)json_integer_value(install));
		headed = true;
		spg_output_wrap(out, "  -", 4, text);
	}
}

static void tell_hints(struct spg_output *out, const json_t *answer)
{
	const json_t *hints = spg_json_list(answer, "hints");
	size_t i;
	json_t *hint;

	if (json_array_size(hints) > 0)
		spg_output_raw(out, "\nNo fault, but look:\n");
	json_array_foreach (hints, i, hint) {
		const char *text = spg_json_text(hint, "text");

		if (out->terminal && i >= HINTS_SHOWN_MAX) {
			spg_output_raw(out, "... and %zu more: spguard verify --json\n",
				json_array_size(hints) - i);
			break;
		}
		spg_output_wrap(out, "  -", 4, text ? text : "?");
	}
}

static void tell_group(struct spg_output *out, const json_t *group)
{
	const json_t *versions = spg_json_list(group, "versions");
	const char *company = spg_json_text(group, "company");
	const char *product = spg_json_text(group, "product");
	struct spg_buf line = SPG_BUF_NULL;
	size_t i;
	json_t *version;

	spg_buf_puts(&line, product ? product : company ? company : "no product named");
	if (product && company)
		spg_buf_printf(&line, " (%s)", company);
	json_array_foreach (versions, i, version) {
		const char *text = spg_json_text(version, "version");
		int64_t n = spg_json_number(version, "modules");

		spg_buf_printf(&line, "%s %s (", i ? "," : ":", text ? text : "none");
		if (i == 0)
			spg_describe_count(&line, n, "module");
		else
			spg_output_count(&line, n);
		spg_buf_putc(&line, ')');
	}
	spg_output_wrap(out, "  ", 2, spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

/* Where a vendor's modules have several versions: no fault in itself. */
static void tell_versions(struct spg_output *out, const json_t *answer)
{
	bool headed = false;
	size_t i;
	json_t *group;

	json_array_foreach (spg_json_list(answer, "versions"), i, group) {
		if (json_array_size(spg_json_list(group, "versions")) < 2)
			continue;
		if (!headed)
			spg_output_raw(out, "\nSeveral versions:\n");
		headed = true;
		tell_group(out, group);
	}
}

static void put_part(struct spg_buf *line, int64_t n, const char *words)
{
	if (n <= 0)
		return;
	spg_buf_puts(line, line->len ? ", " : "");
	spg_output_count(line, n);
	spg_buf_printf(line, " %s", words);
}

static bool is_count(int64_t n, int64_t of)
{
	return n >= 0 && n <= of;
}

static void tell_payload(struct spg_output *out, const json_t *answer)
{
	const json_t *payload = json_object_get(answer, "payload");
	int64_t files = spg_json_number(payload, "files");
	int64_t same = spg_json_number(payload, "same");
	int64_t different = spg_json_number(payload, "different");
	int64_t missing = spg_json_number(payload, "missing");
	int64_t variant = spg_json_number(payload, "variant");
	struct spg_buf line = SPG_BUF_NULL, parts = SPG_BUF_NULL;

	if (!json_is_object(payload))
		return;
	put_part(&parts, same, "installed");
	put_part(&parts, different, "installed but different");
	put_part(&parts, missing, "not installed");
	put_part(&parts, variant, variant == 1 ? "other variant" : "other variants");
	/* Less than nothing is left of odd numbers. */
	if (is_count(same, files) && is_count(different, files) &&
		is_count(missing, files) && is_count(variant, files))
		put_part(&parts, files - same - different - missing - variant,
			"of which only the name is known");
	spg_buf_puts(&line, "Service pack: ");
	spg_describe_count(&line, files, "file");
	if (parts.len)
		spg_buf_printf(&line, ": %s", spg_buf_text(&parts));
	spg_describe_by_name(&line, payload);
	spg_output_raw(out, "\n");
	spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	if (line.failed || parts.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
	spg_buf_finish(&parts);
}

static void tell_proof(struct spg_output *out, const json_t *answer)
{
	int64_t files = spg_json_number(answer, "files");
	int64_t read = spg_json_number(answer, "read");
	int64_t took_us = spg_json_number(answer, "took_us");
	int64_t checked = spg_json_number(answer, "checked");
	struct spg_buf line = SPG_BUF_NULL;

	if (took_us < 0 || took_us > INT64_MAX / 1000)
		took_us = 0;
	spg_buf_puts(&line, "verified ");
	spg_output_time(out, &line, spg_json_text(answer, "at"), true);
	spg_buf_puts(&line, ", ");
	spg_describe_count(&line, files, "file");
	spg_buf_puts(&line, " (");
	spg_output_count(&line, read);
	spg_buf_puts(&line, " read anew) in ");
	spg_output_duration(out, &line, took_us * 1000);
	spg_buf_puts(&line, "; entry points of ");
	spg_describe_count(&line, checked, "module");
	spg_output_marked(out, NULL, "", 0, SPG_STYLE_WEAK, spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

static void tell_answer(struct spg_output *out, const json_t *answer)
{
	tell_headline(out, answer);
	tell_findings(out, "", spg_json_list(answer, "findings"),
		spg_json_number(answer, "more_findings"));
	tell_findings(out, "Accepted by an administrator:\n",
		spg_json_list(answer, "accepted"), 0);
	tell_install(out, answer);
	tell_hints(out, answer);
	spg_describe_coverage(
		out, "Could not be looked at:", spg_json_list(answer, "coverage"));
	tell_versions(out, answer);
	tell_payload(out, answer);
	spg_describe_next(out, spg_json_list(answer, "next"));
	if (spg_rank_worst(ranks, N_RANKS, answer) > 0)
		spg_output_raw(out, "\n");
	tell_proof(out, answer);
}

static void tell(struct spg_output *out, const json_t *result, int worst)
{
	const json_t *products = spg_json_list(result, "products");
	struct spg_buf line = SPG_BUF_NULL;
	size_t i;
	json_t *answer;

	json_array_foreach (products, i, answer) {
		tell_answer(out, answer);
		if (json_array_size(products) > 1)
			spg_output_raw(out, "\n");
	}
	if (json_array_size(products) > 1) {
		spg_buf_printf(
			&line, "all %zu products together", json_array_size(products));
		spg_describe_verdict(out, "", ranks[worst].name, spg_buf_text(&line));
		spg_buf_finish(&line);
	}
}

/* ---- asking ---- */

static bool on_notification(void *user, const json_t *message)
{
	const char *method = spg_json_text(message, "method");
	const json_t *params = json_object_get(message, "params");
	const char *product = spg_json_text(params, "product");
	struct spg_buf line = SPG_BUF_NULL;

	if (!method || strcmp(method, "progress") != 0)
		return false;
	spg_buf_puts(&line, "reading what is installed: ");
	spg_output_count(&line, spg_json_number(params, "done"));
	spg_buf_puts(&line, " of ");
	spg_describe_count(&line, spg_json_number(params, "total"), "file");
	if (product)
		spg_buf_printf(&line, " of %s", product);
	spg_progress_tell(user, spg_buf_text(&line));
	spg_buf_finish(&line);
	return true;
}

/* Takes over @params. */
static json_t *ask(struct spg_client *client, json_t *params)
{
	struct spg_connection *connection = &client->connection;
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	struct spg_progress progress;
	json_t *result;

	/* Without a terminal as well: as long as the daemon tells how far it is,
	 * it has not stopped, and reading may take longer than the time-out. */
	json_object_set_new(params, "progress", json_true());
	spg_progress_begin(&progress, false);
	connection->on_notification = on_notification;
	connection->notification_user = &progress;
	result = spg_client_try(client, "verify", params, 0, &why);
	connection->on_notification = NULL;
	spg_progress_end(&progress);
	if (!result)
		spg_client_failed(client, &why);
	spg_complaint_finish(&why);
	return result;
}

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"payload", required_argument, NULL, 'd'},
	{"files", required_argument, NULL, 'f'},
	{NULL, 0, NULL, 0},
};

/* The question; NULL with *@ret_exit. */
static json_t *make_params(
	struct spg_client *client, int argc, char **argv, int *ret_exit)
{
	struct spg_payload_options payload = {.method = "verify"};
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	const char *product = NULL;
	json_t *params = NULL;
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", ret_exit)) > 0) {
		if (option == 'p')
			product = optarg;
		else if (option == 'd')
			payload.folder = optarg;
		else
			payload.list = optarg;
	}
	if (option == SPG_OPTIONS_EXIT)
		return NULL;
	if (payload.folder && payload.list) {
		*ret_exit = spg_client_usage(client,
			"--payload and --files exclude each other: give one of them");
		return NULL;
	}
	if (!spg_client_no_operands(client, argc, argv, ret_exit))
		return NULL;
	params = json_object();
	if (!spg_client_set_text(client, params, "product", product, ret_exit)) {
		json_decref(params);
		return NULL;
	}
	if (spg_payload_params_add(&payload, params, &why))
		return params;
	*ret_exit = spg_client_failed(client, &why);
	spg_complaint_finish(&why);
	json_decref(params);
	return NULL;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	int code = SPG_EXIT_UNKNOWN, worst;
	json_t *params = make_params(client, argc, argv, &code), *result;

	if (!params)
		return code;
	result = ask(client, params);
	if (!result)
		return SPG_EXIT_UNKNOWN;
	worst = worst_rank(result);
	if (worst < 0) {
		struct spg_complaint why = SPG_COMPLAINT_NULL;

		spg_complain(&why, "the daemon's answer has no verdict");
		spg_complaint_hint(&why, "Do client and daemon belong together? "
					 "spguard --version, spguardd --version");
		code = spg_client_failed(client, &why);
		spg_complaint_finish(&why);
	} else if (client->json) {
		code = spg_client_pass(client, result, ranks[worst].code);
	} else {
		tell(&client->out, result, worst);
		code = spg_client_finish(client, ranks[worst].code);
	}
	json_decref(result);
	return code;
}

const struct spg_command spg_command_verify = {
	.name = "verify",
	.summary = "do the installed files fit together, are they the service pack's",
	.purpose = SPG_PURPOSE_INSTALL,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_UNKNOWN,
	.exit_failed = SPG_EXIT_UNKNOWN,
};
