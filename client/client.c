/* SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/progress.h"
#include "common/clock.h"
#include "common/message.h"
#include "common/platform.h"
#include "common/text.h"
#include "common/time_text.h"

#define OWN_OPTIONS_MAX 16

enum { OPTION_SOCKET = 1000, OPTION_JSON, OPTION_NO_COLOR, OPTION_UTC, OPTION_TIMEOUT };

static const struct option common_options[] = {
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"json", no_argument, NULL, OPTION_JSON},
	{"no-color", no_argument, NULL, OPTION_NO_COLOR},
	{"utc", no_argument, NULL, OPTION_UTC},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"help", no_argument, NULL, 'h'},
};

#define N_COMMON (sizeof(common_options) / sizeof(common_options[0]))

static void print_name(const struct spg_client *client, struct spg_buf *buf)
{
	spg_buf_puts(buf, "spguard");
	if (client->command)
		spg_buf_printf(buf, " %s", client->command->name);
}

int spg_client_usage(const struct spg_client *client, const char *format, ...)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	struct spg_buf name = SPG_BUF_NULL;
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	print_name(client, &name);
	spg_complain(&why, "%s", n < 0 ? "out of memory" : text);
	spg_complaint_hint(&why, "%s --help", spg_buf_text(&name));
	spg_complaint_print(&why, spg_buf_text(&name));
	why.code = SPG_RPC_BAD_PARAMS;
	if (client->json && !(client->command && client->command->lends_stdout))
		spg_complaint_print_json(&why);
	if (n >= 0)
		free(text);
	spg_buf_finish(&name);
	spg_complaint_finish(&why);
	return client->command ? client->command->exit_usage : SPG_EXIT_USAGE;
}

bool spg_client_duration(const struct spg_client *client, const char *name,
	const char *text, int64_t *ret_ns, int *ret_exit)
{
	if (spg_duration_parse(text, ret_ns) == 0)
		return true;
	*ret_exit = spg_client_usage(client,
		"--%s takes a time such as 90s, 30m, 2h or 1d, not '%s'", name, text);
	return false;
}

bool spg_client_number(const struct spg_client *client, const char *name,
	const char *text, int64_t max, int64_t *ret, int *ret_exit)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && *ret >= 1 && *ret <= max)
		return true;
	*ret_exit =
		spg_client_usage(client, "%s takes a number from 1 to %lld, not '%s'",
			name, (long long)max, text);
	return false;
}

bool spg_client_set_text(const struct spg_client *client, json_t *params,
	const char *key, const char *text, int *ret_exit)
{
	if (!text || json_object_set_new(params, key, json_string(text)) == 0)
		return true;
	*ret_exit = spg_client_usage(
		client, "'%s' is not valid UTF-8, so it cannot be asked about", text);
	return false;
}

void spg_client_set_seconds(json_t *params, const char *key, int64_t ns)
{
	json_object_set_new(params, key,
		ns % SPG_NS_PER_S ? json_real((double)ns / (double)SPG_NS_PER_S)
				  : json_integer(ns / SPG_NS_PER_S));
}

bool spg_client_no_operands(
	const struct spg_client *client, int argc, char **argv, int *ret_exit)
{
	if (optind >= argc)
		return true;
	*ret_exit = spg_client_usage(client, "unexpected argument '%s'", argv[optind]);
	return false;
}

/* One of the options that all commands have; true when it was one. */
static bool take_common(struct spg_client *client, int option, int *ret_exit, int *ret)
{
	*ret = SPG_OPTIONS_DONE;
	switch (option) {
	case OPTION_SOCKET:
		client->socket_path = optarg;
		return true;
	case OPTION_JSON:
		client->json = true;
		return true;
	case OPTION_NO_COLOR:
		client->no_color = true;
		return true;
	case OPTION_UTC:
		client->utc = true;
		return true;
	case OPTION_TIMEOUT:
		if (!spg_client_duration(
			    client, "timeout", optarg, &client->timeout_ns, ret_exit))
			*ret = SPG_OPTIONS_EXIT;
		return true;
	case 'h':
		fputs(client->command->help, stdout);
		*ret_exit = SPG_EXIT_OK;
		*ret = SPG_OPTIONS_EXIT;
		return true;
	default:
		return false;
	}
}

/* Say what getopt_long(3) did not like, in words that are safe to print. */
static int explain_option(const struct spg_client *client, int argc, char **argv,
	const struct option *all, int option)
{
	const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "?";

	for (const struct option *o = all; option == ':' && o->name; o++)
		if (o->val == optopt && optopt > 255)
			return spg_client_usage(client, "--%s needs a value", o->name);
	if (option == ':' && optopt)
		return spg_client_usage(client, "'%s' needs a value", word);
	for (const struct option *o = all; o->name; o++)
		if (optopt && o->val == optopt && o->has_arg == no_argument)
			return spg_client_usage(client, "--%s takes no value", o->name);
	if (optopt && optopt < 256)
		return spg_client_usage(client, "there is no option -%c", optopt);
	return spg_client_usage(client, "there is no option %s", word);
}

int spg_client_options(struct spg_client *client, int argc, char **argv,
	const struct option *options, const char *letters, int *ret_exit)
{
	struct option all[OWN_OPTIONS_MAX + N_COMMON + 1] = {{0}};
	char short_options[32];
	size_t n = 0;
	int option, outcome;

	for (; options && options[n].name && n < OWN_OPTIONS_MAX; n++)
		all[n] = options[n];
	memcpy(all + n, common_options, sizeof(common_options));
	snprintf(short_options, sizeof(short_options), ":h%s", letters);
	opterr = 0;
	do {
		option = getopt_long(argc, argv, short_options, all, NULL);
		if (option == -1) {
			spg_output_finish(&client->out);
			spg_output_init(&client->out, !client->no_color, client->utc);
			return SPG_OPTIONS_DONE;
		}
		if (option == '?' || option == ':') {
			*ret_exit = explain_option(client, argc, argv, all, option);
			return SPG_OPTIONS_EXIT;
		}
		if (!take_common(client, option, ret_exit, &outcome))
			return option;
	} while (outcome == SPG_OPTIONS_DONE);
	return outcome;
}

int spg_client_failed(const struct spg_client *client, const struct spg_complaint *why)
{
	spg_complaint_print(why, "spguard");
	if (client->json && !client->quiet && !client->command->lends_stdout)
		spg_complaint_print_json(why);
	return client->command->exit_failed;
}

/* An answer that takes long. */
struct wait {
	const struct spg_client *client;
	struct spg_progress progress;
	int64_t began_ns;
};

static void on_wait(void *user)
{
	struct wait *wait = user;
	struct spg_buf line = SPG_BUF_NULL;

	print_name(wait->client, &line);
	spg_buf_puts(&line, ": waiting for the answer, ");
	spg_output_duration(
		&wait->client->out, &line, spg_clock_mono_ns() - wait->began_ns);
	spg_progress_tell(&wait->progress, spg_buf_text(&line));
	spg_buf_finish(&line);
}

/* Ask over the open connection; a person is told when it takes over a second. */
static int call(struct spg_client *client, const char *method, json_t *params,
	int64_t more_ns, json_t **ret, struct spg_complaint *why)
{
	struct spg_connection *connection = &client->connection;
	struct wait wait = {.client = client, .began_ns = spg_clock_mono_ns()};
	int r;

	/* Who is told how far it is needs no such line. */
	spg_progress_begin(
		&wait.progress, client->quiet || connection->on_notification);
	connection->on_wait = on_wait;
	connection->wait_user = &wait;
	r = spg_connection_call(
		connection, method, params, client->timeout_ns + more_ns, ret, why);
	connection->on_wait = NULL;
	spg_progress_end(&wait.progress);
	return r;
}

json_t *spg_client_try(struct spg_client *client, const char *method, json_t *params,
	int64_t more_ns, struct spg_complaint *why)
{
	json_t *result = NULL;
	int err = 0;

	if (!spg_local_is_open(&client->connection.local))
		err = spg_connection_open(&client->connection, client->socket_path,
			client->timeout_ns, why);
	if (err != 0) {
		json_decref(params);
		return NULL;
	}
	if (call(client, method, params, more_ns, &result, why) != 0)
		return NULL;
	return result;
}

json_t *spg_client_ask(
	struct spg_client *client, const char *method, json_t *params, int64_t more_ns)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *result = spg_client_try(client, method, params, more_ns, &why);

	if (!result)
		spg_client_failed(client, &why);
	spg_complaint_finish(&why);
	return result;
}

int spg_client_finish(struct spg_client *client, int code)
{
	return spg_output_flush(&client->out) < 0 ? client->command->exit_failed : code;
}

int spg_client_ask_and_tell(struct spg_client *client, const char *method,
	json_t *params, int64_t more_ns,
	void (*tell)(struct spg_output *out, const json_t *result))
{
	json_t *result = spg_client_ask(client, method, params, more_ns);
	int code;

	if (!result)
		return client->command->exit_failed;
	if (client->json) {
		code = spg_client_pass(client, result, SPG_EXIT_OK);
	} else {
		tell(&client->out, result);
		code = spg_client_finish(client, SPG_EXIT_OK);
	}
	json_decref(result);
	return code;
}

int spg_client_pass(struct spg_client *client, const json_t *result, int code)
{
	spg_output_json(&client->out, result);
	return spg_client_finish(client, code);
}

/* The absolute form of @path, which exists; to be freed. NULL: errno. */
static char *make_absolute(const char *path)
{
	struct spg_buf buf = SPG_BUF_NULL;
	char *folder, *absolute;

	/* Behind a symlink ".." is another folder: let the system resolve it. */
	if (strstr(path, ".."))
		return realpath(path, NULL);
	if (access(path, F_OK) < 0)
		return NULL;
	folder = getcwd(NULL, 0);
	if (!folder)
		return NULL;
	spg_buf_printf(&buf, "%s/%s", folder, path);
	free(folder);
	absolute = spg_buf_take(&buf);
	if (absolute)
		spg_path_normalise(absolute);
	return absolute;
}

static bool add_path(const struct spg_client *client, json_t *array, const char *path)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	char *given = strdup(path), *absolute = NULL;
	bool added = false;

	errno = given ? 0 : ENOMEM;
	if (given) {
		spg_platform_separators(given);
		absolute = spg_path_is_absolute(given) || !strchr(given, '/')
		                   ? strdup(given)
		                   : make_absolute(given);
	}
	if (absolute && spg_path_is_absolute(given))
		spg_path_normalise(absolute);
	free(given);
	if (!absolute || !*absolute) {
		spg_complain(&why, "%s: %s", path,
			*path ? strerror(errno) : "an empty name");
		spg_complaint_hint(&why,
			"A path with '/' must exist; a bare file name is "
			"looked for in all products.");
	} else if (json_array_append_new(array, json_string(absolute)) == 0) {
		added = true;
	} else {
		spg_complain(&why, "%s: not valid UTF-8, so it cannot be asked about",
			absolute);
	}
	if (!added)
		spg_client_failed(client, &why);
	spg_complaint_finish(&why);
	free(absolute);
	return added;
}

json_t *spg_client_paths(const struct spg_client *client, int n, char **paths)
{
	json_t *array = json_array();

	for (int i = 0; i < n; i++) {
		if (!add_path(client, array, paths[i])) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
