/* SPDX-License-Identifier: MIT */
/*
 * spguard watch: events and changes of the verdict, as they come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/event_line.h"
#include "client/interrupt.h"
#include "client/kinds.h"
#include "client/live.h"
#include "common/err.h"

#define NOT_WRAPPED (1U << 30)

static const char help[] =
	"spguard watch: events and changes of the verdict, as they come\n"
	"\n"
	"Usage: spguard watch [--product P] [--kind K,...] [--plain]\n"
	"\n"
	"  -p, --product P   only files of this product\n"
	"      --kind K,...  only these kinds of events, see spguard log --help\n"
	"      --plain       a line for each event, as they come, also on a terminal\n"
	"      --json        one JSON object a line for every event; those about a\n"
	"                    verdict have \"kind\": \"verdict\"\n"
	"      --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"On a terminal it is a view of all: the verdict of each product, who holds\n"
	"which files, the last events, what is missing. It follows what happens, and\n"
	"goes on when the daemon was away. Keys: q quits, p pauses and goes on, j k "
	"or\n"
	"the arrows scroll, PageUp PageDown Home End too, Tab goes to the other list.\n"
	"\n"
	"Elsewhere, and with --plain, it is one line for each event. Ends with "
	"Ctrl-C.\n"
	"When the reader is too slow, events are dropped and their number is shown;\n"
	"spguard log has them all.\n"
	"\n"
	"Exit code: 0 after q or Ctrl-C, 1 when the daemon cannot be asked, or, line "
	"by\n"
	"line, ends, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard watch\n"
	"  spguard watch --kind use-begin,use-end,lock,unlock\n"
	"  spguard watch --json | jq -r 'select(.kind == \"modify\") | .path'\n";

static const struct option long_options[] = {
	{"product", required_argument, NULL, 'p'},
	{"kind", required_argument, NULL, 'k'},
	{"plain", no_argument, NULL, 'l'},
	{NULL, 0, NULL, 0},
};

static void tell_verdict(struct spg_output *out, const json_t *params)
{
	const char *product = spg_json_text(params, "product");
	const json_t *reasons = spg_json_list(params, "reasons");
	const char *reason = spg_json_text(json_array_get(reasons, 0), "text");
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
		spg_event_line_dropped(
			&client->out, spg_json_number(params, "dropped"));
	} else if (!kind || strcmp(kind, "verdict") != 0) {
		spg_event_line_tell(&client->out, params);
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

/* The live view wants to hear of everything; its list of events is chosen by it. */
static int view(struct spg_client *client, json_t *params)
{
	json_t *kinds = json_incref(json_object_get(params, "kinds")), *result;
	const char *product = spg_json_text(params, "product");
	int code = client->command->exit_failed;

	json_object_del(params, "kinds");
	result = spg_client_ask(client, "subscribe", json_incref(params), 0);
	if (result)
		code = spg_live_run(client, product, kinds);
	json_decref(kinds);
	json_decref(result);
	return code;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	bool plain = false;
	json_t *params = json_object(), *result = NULL;
	int option, code = client->command->exit_failed, signals = -1;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", &code)) > 0) {
		if (option == 'p')
			json_object_set_new(params, "product", json_string(optarg));
		else if (option == 'l')
			plain = true;
		else if (!spg_client_kinds(client, optarg, params, &code))
			goto out;
	}
	if (option == SPG_OPTIONS_EXIT ||
		!spg_client_no_operands(client, argc, argv, &code))
		goto out;
	code = client->command->exit_failed;
	if (!plain && !client->json && spg_live_can_run(client)) {
		code = view(client, params);
		goto out;
	}
	if (!client->out.terminal)
		client->out.width = NOT_WRAPPED; /* one event, one line */
	/* Subscribe first: no change between the two questions is lost. */
	result = spg_client_ask(client, "subscribe", json_incref(params), 0);
	if (!result || (!client->json && client->out.terminal && !tell_present(client)))
		goto out;
	signals = spg_interrupt_open();
	code = spg_client_finish(client, SPG_EXIT_OK);
	if (code == SPG_EXIT_OK)
		code = follow(client, signals);
	spg_interrupt_close(signals);
out:
	json_decref(params);
	json_decref(result);
	return code;
}

const struct spg_command spg_command_watch = {
	.name = "watch",
	.summary = "a live view: verdicts, who holds what, the last events",
	.purpose = SPG_PURPOSE_NOW,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
