/* SPDX-License-Identifier: MIT */
/*
 * spguard metrics: for monitoring systems that read text, from standard output or
 * from a file that node_exporter's textfile collector picks up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "client/write_file.h"

enum { OPT_TEXTFILE = 1, OPT_FORMAT };

static const char help[] =
	"spguard metrics: what the daemon measures, proved now\n"
	"\n"
	"Usage: spguard metrics [--format NAME] [--textfile PATH]\n"
	"\n"
	"      --format NAME    openmetrics, or prometheus: the older text format,\n"
	"                       which node_exporter reads. Default: openmetrics, and\n"
	"                       prometheus with --textfile\n"
	"      --textfile PATH  write them to PATH, which is replaced in one step. "
	"For\n"
	"                       node_exporter --collector.textfile.directory, so PATH\n"
	"                       ends in .prom. When the daemon does not answer, the\n"
	"                       file says spguard_up 0 and nothing else; when it\n"
	"                       cannot be written it is removed: no verdict is kept\n"
	"                       that nobody proved\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                       as for every command: spguard --help\n"
	"\n"
	"The daemon serves the same text over HTTP: [http] in spguard.conf(5).\n"
	"\n"
	"Exit code: 0, 1 when there is no answer or the file cannot be written, 2 for\n"
	"bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard metrics | grep spguard_verdict\n"
	"  spguard metrics --textfile /var/lib/prometheus/node-exporter/spguard.prom\n";

static const char down[] = "# HELP spguard_up 1: the daemon answers.\n"
			   "# TYPE spguard_up gauge\n"
			   "spguard_up 0\n";

static int complain(const struct spg_client *client, const char *what, const char *path)
{
	fprintf(stderr, "spguard metrics: %s %s: %s\n", what, path, strerror(errno));
	return client->command->exit_failed;
}

/* Beside the file and then over it: a reader sees the old one or the new one. The
 * name ends so that no collector takes the unfinished one. */
static int replace_file(
	const struct spg_client *client, const char *path, const char *text)
{
	struct spg_buf draft = SPG_BUF_NULL;
	const char *name;
	int fd, code = SPG_EXIT_OK;

	spg_buf_printf(&draft, "%s.XXXXXX", path);
	if (draft.failed) {
		errno = ENOMEM;
		return complain(client, "cannot write", path);
	}
	name = spg_buf_text(&draft);
	fd = mkostemp(draft.data, O_CLOEXEC);
	if (fd < 0) {
		code = complain(client, "cannot write beside", path);
		spg_buf_finish(&draft);
		return code;
	}
	if (!spg_write_file(fd, text) || rename(name, path) < 0) {
		code = complain(client, "cannot write", path);
		(void)unlink(name);
	}
	close(fd);
	spg_buf_finish(&draft);
	return code;
}

/* What the file said must not go on being told, on a disk that is full neither. */
static int write_file(
	const struct spg_client *client, const char *path, const char *text)
{
	int code = replace_file(client, path, text);

	if (code != SPG_EXIT_OK)
		(void)unlink(path);
	return code;
}

/* Nobody answered. */
static int write_down(
	struct spg_client *client, const char *path, const struct spg_complaint *why)
{
	int code = spg_client_failed(client, why);

	if (path)
		(void)write_file(client, path, down);
	return code;
}

static int tell(struct spg_client *client, const json_t *result, const char *path)
{
	const char *text = json_string_value(json_object_get(result, "text"));

	if (client->json && !path)
		return spg_client_pass(client, result, SPG_EXIT_OK);
	if (!text) {
		fputs("spguard metrics: the daemon's answer has no metrics: are both "
		      "of the same version?\n",
			stderr);
		if (path)
			(void)write_file(client, path, down);
		return client->command->exit_failed;
	}
	if (path)
		return write_file(client, path, text);
	spg_output_raw(&client->out, "%s", text);
	return spg_client_finish(client, SPG_EXIT_OK);
}

/* Others would be written for nobody. */
static bool is_collected(const char *path)
{
	size_t n = strlen(path);

	return n > 5 && strcmp(path + n - 5, ".prom") == 0 && path[n - 6] != '/';
}

static int run(struct spg_client *client, int argc, char **argv)
{
	static const struct option options[] = {
		{"textfile", required_argument, NULL, OPT_TEXTFILE},
		{"format", required_argument, NULL, OPT_FORMAT},
		{NULL, 0, NULL, 0},
	};
	const char *path = NULL, *format = NULL;
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *result;
	int option, code;

	while ((option = spg_client_options(client, argc, argv, options, "", &code)) !=
		SPG_OPTIONS_DONE) {
		if (option == SPG_OPTIONS_EXIT)
			return code;
		if (option == OPT_TEXTFILE)
			path = optarg;
		else
			format = optarg;
	}
	if (!spg_client_no_operands(client, argc, argv, &code))
		return code;
	if (path && !is_collected(path))
		return spg_client_usage(client,
			"--textfile wants a path that ends in .prom: node_exporter "
			"reads no other");
	if (!format)
		format = path ? "prometheus" : "openmetrics";
	if (strcmp(format, "openmetrics") != 0 && strcmp(format, "prometheus") != 0)
		return spg_client_usage(
			client, "--format is openmetrics or prometheus");
	result = spg_client_try(client, "metrics",
		json_pack("{s:b}", "openmetrics", strcmp(format, "openmetrics") == 0),
		0, &why);
	if (result)
		code = tell(client, result, path);
	else
		code = write_down(client, path, &why);
	json_decref(result);
	spg_complaint_finish(&why);
	return code;
}

const struct spg_command spg_command_metrics = {
	.name = "metrics",
	.summary = "what is measured, for Prometheus and its like",
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
