/* SPDX-License-Identifier: MIT */
/*
 * spguard watch: events and changes of the verdict, as they come.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/kinds.h"
#include "common/err.h"

#define KIND_WIDTH  11
#define WHO_WIDTH   18
#define WHO_LEAST   6
#define FILE_WIDTH  14 /* at least */

#define NOT_WRAPPED (1U << 30)

static const char help[] =
	"spguard watch: events and changes of the verdict, as they come\n"
	"\n"
	"Usage: spguard watch [--product P] [--kind K,...]\n"
	"\n"
	"  -p, --product P   only files of this product\n"
	"      --kind K,...  only these kinds of events, see spguard log --help\n"
	"      --json        one JSON object a line for every event; those about a\n"
	"                    verdict have \"kind\": \"verdict\"\n"
	"      --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Ends with Ctrl-C. When the reader is too slow, events are dropped and their\n"
	"number is shown; spguard log has them all.\n"
	"\n"
	"Exit code: 0 after Ctrl-C, 1 when the daemon ends or cannot be asked, 2 for\n"
	"bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard watch --kind use-begin,use-end,lock,unlock\n"
	"  spguard watch --json | jq -r 'select(.kind == \"modify\") | .path'\n";

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"kind", required_argument, NULL, 'k'},
	{NULL, 0, NULL, 0},
};

static void pad(struct spg_buf *line, unsigned used, unsigned width)
{
	for (; used < width; used++)
		spg_buf_putc(line, ' ');
}

/* Append @text in @width columns. */
static void put_column(struct spg_output *out, const char *style, const char *text,
	unsigned width, enum spg_table_elide how)
{
	unsigned used;

	if (style && out->color)
		spg_buf_printf(&out->text, "\033[%sm", style);
	used = spg_display_elide(&out->text, text, out->terminal ? width : NOT_WRAPPED,
		how, out->unicode);
	if (style && out->color)
		spg_buf_puts(&out->text, "\033[0m");
	pad(&out->text, used, width);
	spg_buf_puts(&out->text, "  ");
}

static void tell_event(struct spg_output *out, const json_t *event)
{
	struct spg_event_text text;
	unsigned used, fixed, who = WHO_WIDTH;

	spg_describe_event(out, event, &text);
	if (text.is_mark) {
		spg_output_marked(
			out, NULL, "", 0, text.style, spg_buf_text(&text.detail));
		spg_event_text_finish(&text);
		return;
	}
	/* Time, event, who, details; the file's path gets the rest. The time of
	 * another day is long: where there is little room, the name gives way. */
	used = spg_display_width(spg_buf_text(&text.time)) + 2 + KIND_WIDTH + 2 + 2;
	if (out->terminal) {
		who = out->table_width > used + FILE_WIDTH
		              ? out->table_width - used - FILE_WIDTH
		              : 0;
		who = who < WHO_LEAST ? WHO_LEAST : who > WHO_WIDTH ? WHO_WIDTH : who;
	}
	used += who;
	fixed = used + FILE_WIDTH + 2;
	put_column(out, NULL, spg_buf_text(&text.time), 0, SPG_TABLE_KEEP);
	put_column(
		out, text.style, spg_buf_text(&text.kind), KIND_WIDTH, SPG_TABLE_END);
	put_column(out, NULL, spg_buf_text(&text.who), who, SPG_TABLE_END);
	if (out->terminal) {
		unsigned detail = spg_display_width(spg_buf_text(&text.detail));
		unsigned room = out->table_width > fixed ? out->table_width - fixed : 0;

		detail = detail < room ? detail : room;
		room = out->table_width > used + detail + 2
		               ? out->table_width - used - detail - 2
		               : 0;
		room = room < FILE_WIDTH ? FILE_WIDTH : room;
		spg_display_elide(&out->text, spg_buf_text(&text.file), room,
			SPG_TABLE_MIDDLE, out->unicode);
		if (detail)
			spg_output_raw(out, "  ");
		spg_display_elide(&out->text, spg_buf_text(&text.detail), detail,
			SPG_TABLE_END, out->unicode);
	} else {
		spg_output_text(out, NULL, spg_buf_text(&text.file));
		spg_output_raw(out, "  ");
		spg_output_text(out, NULL, spg_buf_text(&text.detail));
	}
	while (out->text.len && out->text.data[out->text.len - 1] == ' ')
		out->text.data[--out->text.len] = '\0';
	spg_output_raw(out, "\n");
	spg_event_text_finish(&text);
}

static void tell_dropped(struct spg_output *out, int64_t n)
{
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_puts(&line, "-- ");
	spg_output_count(&line, n);
	spg_buf_puts(&line, n == 1 ? " event" : " events");
	spg_buf_puts(
		&line, " dropped, this reader was too slow; spguard log has them --");
	spg_output_text(out, SPG_STYLE_CARE, spg_buf_text(&line));
	spg_output_raw(out, "\n");
	spg_buf_finish(&line);
}

static void tell_verdict(struct spg_output *out, const json_t *params)
{
	const char *product = spg_json_text(params, "product");
	const json_t *reasons = spg_json_list(params, "reasons");
	const char *reason = json_string_value(json_array_get(reasons, 0));
	size_t more = json_array_size(reasons) > 1 ? json_array_size(reasons) - 1 : 0;
	struct spg_buf time = SPG_BUF_NULL, line = SPG_BUF_NULL;

	spg_output_time(out, &time, spg_json_text(params, "at"), true);
	spg_buf_puts(&time, "  ");
	spg_buf_puts(&line, product ? product : "?");
	if (reason)
		spg_buf_printf(&line, ": %s", reason);
	if (more)
		spg_buf_printf(&line, " (and %zu more)", more);
	spg_describe_verdict(out, spg_buf_text(&time), spg_json_text(params, "verdict"),
		spg_buf_text(&line));
	spg_buf_finish(&time);
	spg_buf_finish(&line);
}

/* Append what @message says. */
static void tell(struct spg_client *client, const json_t *message)
{
	const char *method = spg_json_text(message, "method");
	const json_t *params = json_object_get(message, "params");
	const char *kind = spg_json_text(params, "kind");
	bool is_event = strcmp(method, "event") == 0;
	bool is_verdict = strcmp(method, "verdict") == 0;

	/* A change of the verdict comes twice: as an event like every other, and
	 * as "verdict" with its reasons. A script gets the first, a person the
	 * second. Other methods are of a newer daemon. */
	if (client->json) {
		if (is_event)
			spg_output_json_line(&client->out, params);
	} else if (is_verdict) {
		tell_verdict(&client->out, params);
	} else if (!is_event) {
		return;
	} else if (json_is_integer(json_object_get(params, "dropped"))) {
		tell_dropped(&client->out, spg_json_number(params, "dropped"));
	} else if (!kind || strcmp(kind, "verdict") != 0) {
		tell_event(&client->out, params);
	}
}

/* The verdicts as they are now, so that a change can be understood. */
static bool tell_present(struct spg_client *client)
{
	json_t *status = spg_client_ask(client, "status", NULL, 0), *product;
	size_t i;

	if (!status)
		return false;
	json_array_foreach (spg_json_list(status, "products"), i, product) {
		const char *title = spg_json_text(product, "title");

		spg_describe_verdict(&client->out, "",
			spg_json_text(product, "verdict"), title ? title : "?");
	}
	spg_output_text(&client->out, SPG_STYLE_WEAK,
		"Watching; Ctrl-C ends, spguard log looks back.");
	spg_output_raw(&client->out, "\n");
	json_decref(status);
	return true;
}

/* Signals that end the watch come as a descriptor, which poll can wait for. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int follow(struct spg_client *client, int signals)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	int code = SPG_EXIT_OK, r = 0;

	while (r == 0 && code == SPG_EXIT_OK) {
		json_t *message = NULL;

		r = spg_connection_next(&client->connection, signals, &message, &why);
		if (r == 0)
			tell(client, message);
		json_decref(message);
		code = spg_client_finish(client, SPG_EXIT_OK);
	}
	if (r < 0)
		code = spg_client_failed(client, &why);
	spg_complaint_finish(&why);
	return code;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	json_t *params = json_object(), *result = NULL;
	int option, code = client->command->exit_failed, signals = -1;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", &code)) > 0) {
		if (option == 'p')
			json_object_set_new(params, "product", json_string(optarg));
		else if (!spg_client_kinds(client, optarg, params, &code))
			goto out;
	}
	if (option == SPG_OPTIONS_EXIT ||
		!spg_client_no_operands(client, argc, argv, &code))
		goto out;
	code = client->command->exit_failed;
	if (!client->out.terminal)
		client->out.width = NOT_WRAPPED; /* one event, one line */
	/* Subscribe first: no change between the two questions is lost. */
	result = spg_client_ask(client, "subscribe", json_incref(params), 0);
	if (!result || (!client->json && client->out.terminal && !tell_present(client)))
		goto out;
	signals = open_signals();
	code = spg_client_finish(client, SPG_EXIT_OK);
	if (code == SPG_EXIT_OK)
		code = follow(client, signals);
	if (signals >= 0)
		close(signals);
out:
	json_decref(params);
	json_decref(result);
	return code;
}

const struct spg_command spg_command_watch = {
	.name = "watch",
	.summary = "live: events and changes of the verdict",
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
