/* SPDX-License-Identifier: MIT */
/*
 * spguard status: the daemon's health, compact.
 */
#include <string.h>

#include "client/client.h"
#include "client/describe.h"
#include "common/clock.h"

#define LABEL_WIDTH 15

static const char help[] =
	"spguard status: is the daemon well, and what does it watch?\n"
	"\n"
	"Usage: spguard status [--prove]\n"
	"\n"
	"      --prove       prove every verdict anew first, as spguard check does\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Without --prove the verdicts are the last ones.\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard status\n"
	"  spguard status --json | jq .store\n"
	"  spguard status --json --prove   all that a monitoring system wants to "
	"know\n";

static const struct option long_options[] = {
	{"prove", no_argument, NULL, 'P'},
	{NULL, 0, NULL, 0},
};

static void line(struct spg_output *out, const char *label, struct spg_buf *text)
{
	spg_output_wrap(out, label, LABEL_WIDTH, spg_buf_text(text));
	if (text->failed)
		out->text.failed = true;
	spg_buf_clear(text);
}

static void text_line(struct spg_output *out, const char *label, const char *text)
{
	if (text && *text)
		spg_output_wrap(out, label, LABEL_WIDTH, text);
}

/* A reload that failed: what the files say is not in force. */
static void tell_refusal(struct spg_output *out, const json_t *refusal)
{
	const json_t *problems = spg_json_list(refusal, "problems");
	const char *at = spg_json_text(refusal, "at");
	struct spg_buf buf = SPG_BUF_NULL;
	size_t i;
	json_t *problem;

	if (!json_is_object(refusal))
		return;
	spg_buf_puts(&buf, "REFUSED ");
	if (at)
		spg_output_time(out, &buf, at, false);
	spg_buf_puts(&buf, "; what was in force before goes on:");
	line(out, "", &buf);
	json_array_foreach (problems, i, problem)
		text_line(out, "", json_string_value(problem));
	spg_buf_finish(&buf);
}

static void tell_head(struct spg_output *out, const json_t *status)
{
	const char *version = spg_json_text(status, "version");
	const char *tier = spg_json_text(status, "tier");
	int64_t uptime_s = spg_json_number(status, "uptime");
	struct spg_buf buf = SPG_BUF_NULL;

	/* A number from elsewhere: no overflow in nanoseconds. */
	if (uptime_s < 0 || uptime_s > INT64_MAX / SPG_NS_PER_S)
		uptime_s = 0;
	spg_output_text(out, SPG_STYLE_STRONG, "spguardd ");
	spg_output_text(out, SPG_STYLE_STRONG, version ? version : "?");
	spg_buf_printf(&buf, ": process %lld, running for ",
		(long long)spg_json_number(status, "pid"));
	if (uptime_s < 60) /* whole seconds is all that is known */
		spg_buf_printf(&buf, "%lld s", (long long)uptime_s);
	else
		spg_output_duration(out, &buf, uptime_s * SPG_NS_PER_S);
	spg_buf_printf(&buf, ", tier %s", tier ? tier : "?");
	spg_output_text(out, NULL, spg_buf_text(&buf));
	spg_output_raw(out, "\n");
	spg_buf_finish(&buf);
	text_line(out, "host", spg_json_text(status, "host"));
	text_line(out, "socket", spg_json_text(status, "socket"));
	text_line(out, "configuration",
		spg_json_text(status, "config") ? spg_json_text(status, "config")
						: "built-in defaults");
	tell_refusal(out, json_object_get(status, "reload_refused"));
}

static void tell_store(struct spg_output *out, const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	const char *path = spg_json_text(store, "path");
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_printf(&buf, "%s: ", path ? path : "?");
	spg_output_count(&buf, spg_json_number(store, "rows"));
	spg_buf_puts(&buf, " events, ");
	spg_output_bytes(&buf, spg_json_number(store, "bytes"));
	if (spg_json_text(store, "oldest")) {
		spg_buf_puts(&buf, ", since ");
		spg_output_time(out, &buf, spg_json_text(store, "oldest"), false);
	}
	if (spg_json_number(store, "dropped") > 0) {
		spg_buf_puts(&buf, ", ");
		spg_output_count(&buf, spg_json_number(store, "dropped"));
		spg_buf_puts(&buf, " events dropped");
	}
	line(out, "history", &buf);
	if (spg_json_text(store, "fault")) {
		const char *why = spg_json_text(store, "why");
		bool stopped = spg_json_true(store, "stopped");

		spg_output_text(out, stopped ? SPG_STYLE_BAD : SPG_STYLE_CARE,
			stopped ? "               STOPPED: "
				: "               waits: ");
		spg_output_text(out, NULL, why ? why : "no reason was given");
		spg_output_raw(out, "\n");
	}
	spg_buf_finish(&buf);
}

static void tell_traffic(struct spg_output *out, const json_t *status)
{
	const json_t *events = json_object_get(status, "events");
	const json_t *gaps = json_object_get(status, "gaps");
	int64_t n_events = 0, n_gaps = 0,
		drops = spg_json_number(status, "subscriber_drops");
	struct spg_buf buf = SPG_BUF_NULL;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)events, key, value)
		n_events += spg_json_number(events, key);
	spg_output_count(&buf, n_events);
	spg_buf_puts(&buf, " since the start");
	json_object_foreach ((json_t *)gaps, key, value) {
		int64_t n = json_integer_value(value);

		if (n <= 0)
			continue;
		spg_buf_puts(&buf, n_gaps ? ", " : "; gaps: ");
		spg_output_count(&buf, n);
		spg_buf_printf(&buf, " %s", key);
		n_gaps += n;
	}
	line(out, "events", &buf);
	spg_output_count(&buf, spg_json_number(status, "sessions"));
	spg_buf_puts(&buf, " connected, ");
	spg_output_count(&buf, spg_json_number(status, "subscribers"));
	spg_buf_puts(&buf, " watching");
	if (drops > 0) {
		spg_buf_puts(&buf, "; ");
		spg_output_count(&buf, drops);
		spg_buf_puts(&buf, " events dropped for slow ones");
	}
	line(out, "clients", &buf);
	spg_buf_finish(&buf);
}

static const struct spg_table_column product_columns[] = {
	{"PRODUCT", false, SPG_TABLE_END, 6},
	{"VERDICT", false, SPG_TABLE_KEEP, 0},
	{"SINCE", false, SPG_TABLE_END, 10},
	{"FILES", true, SPG_TABLE_KEEP, 0},
	{"IN USE", true, SPG_TABLE_KEEP, 0},
	{"LOCKS", true, SPG_TABLE_KEEP, 0},
	{"BLOCKED", true, SPG_TABLE_KEEP, 0},
};

static void add_count(struct spg_table *table, const json_t *object, const char *key)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_output_count(&buf, spg_json_number(object, key));
	spg_table_add(table, NULL, spg_buf_text(&buf));
	spg_buf_finish(&buf);
}

static void tell_products(struct spg_output *out, const json_t *status)
{
	const json_t *products = spg_json_list(status, "products");
	struct spg_table table;
	size_t i;
	json_t *product;

	if (json_array_size(products) == 0) {
		spg_output_raw(out,
			"\nThere is no product: add a [product NAME] to the "
			"configuration.\n");
		return;
	}
	spg_table_init(&table, product_columns,
		sizeof(product_columns) / sizeof(product_columns[0]));
	json_array_foreach (products, i, product) {
		const char *verdict = spg_json_text(product, "verdict");
		const char *since = spg_json_text(product, "verdict_since");
		struct spg_buf buf = SPG_BUF_NULL;

		spg_table_add(&table, SPG_STYLE_STRONG, spg_json_text(product, "name"));
		spg_table_add(&table, spg_describe_verdict_style(verdict), verdict);
		if (since)
			spg_output_time(out, &buf, since, false);
		spg_table_add(&table, NULL, spg_buf_text(&buf));
		spg_buf_finish(&buf);
		add_count(&table, product, "files");
		add_count(&table, product, "uses");
		add_count(&table, product, "locks");
		add_count(&table, product, "blocked");
	}
	spg_output_raw(out, "\n");
	spg_output_table(out, &table, 0);
}

static const struct spg_table_column directory_columns[] = {
	{"DIRECTORY", false, SPG_TABLE_MIDDLE, 16},
	{"STATE", false, SPG_TABLE_KEEP, 0},
	{"MARKS", true, SPG_TABLE_KEEP, 0},
	{"WHY", false, SPG_TABLE_END, 10},
};

static void tell_directories(struct spg_output *out, const json_t *status)
{
	struct spg_table table;
	size_t i, j;
	json_t *product, *directory;

	spg_table_init(&table, directory_columns,
		sizeof(directory_columns) / sizeof(directory_columns[0]));
	json_array_foreach (spg_json_list(status, "products"), i, product) {
		json_array_foreach (
			spg_json_list(product, "directories"), j, directory) {
			const char *state = spg_json_text(directory, "state");
			bool good = state && strcmp(state, "watched") == 0;

			spg_table_add(&table, NULL, spg_json_text(directory, "path"));
			spg_table_add(&table, good ? NULL : SPG_STYLE_CARE,
				state ? state : "?");
			add_count(&table, directory, "marks");
			spg_table_add(&table, NULL, spg_json_text(directory, "why"));
		}
	}
	if (spg_table_n_rows(&table) > 0)
		spg_output_raw(out, "\n");
	if (spg_table_n_rows(&table) > 0)
		spg_output_table(out, &table, 0);
	spg_table_finish(&table);
}

/* One line about what is broken; doctor tells the rest. */
static void tell_lacks(struct spg_output *out, const json_t *status)
{
	size_t lacks = json_array_size(spg_json_list(status, "coverage"));
	struct spg_buf buf = SPG_BUF_NULL;
	size_t i;
	json_t *mechanism;

	json_array_foreach (spg_json_list(status, "mechanisms"), i, mechanism) {
		const char *name = spg_json_text(mechanism, "name");

		if (!spg_json_true(mechanism, "works"))
			spg_buf_printf(
				&buf, "%s%s", buf.len ? ", " : "", name ? name : "?");
	}
	if (!buf.len && !lacks) {
		spg_buf_finish(&buf);
		return;
	}
	spg_output_raw(out, "\n");
	if (buf.len)
		line(out, "not working", &buf);
	if (lacks) {
		spg_output_count(&buf, (int64_t)lacks);
		spg_buf_puts(&buf, lacks == 1 ? " thing" : " things");
		spg_buf_puts(&buf, " could not be looked at");
		line(out, "coverage", &buf);
	}
	spg_output_raw(out, "What it means, and what to do: ");
	spg_output_text(out, SPG_STYLE_STRONG, "spguard doctor");
	spg_output_raw(out, "\n");
	spg_buf_finish(&buf);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	json_t *status;
	bool prove = false;
	int code, option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "", &code)) > 0)
		prove = true;
	if (option == SPG_OPTIONS_EXIT)
		return code;
	if (!spg_client_no_operands(client, argc, argv, &code))
		return code;
	if (prove) {
		json_t *proof = spg_client_ask(client, "check", NULL, 0);

		if (!proof)
			return client->command->exit_failed;
		json_decref(proof);
	}
	status = spg_client_ask(client, "status", NULL, 0);
	if (!status)
		return client->command->exit_failed;
	if (client->json) {
		code = spg_client_pass(client, status, SPG_EXIT_OK);
	} else {
		tell_head(&client->out, status);
		tell_store(&client->out, status);
		tell_traffic(&client->out, status);
		tell_products(&client->out, status);
		tell_directories(&client->out, status);
		tell_lacks(&client->out, status);
		code = spg_client_finish(client, SPG_EXIT_OK);
	}
	json_decref(status);
	return code;
}

const struct spg_command spg_command_status = {
	.name = "status",
	.summary = "the daemon's health, and what it watches",
	.purpose = SPG_PURPOSE_DAEMON,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
