/* SPDX-License-Identifier: MIT */
#include "plugin/say.h"

#include <math.h>
#include <string.h>

#include "client/describe.h"
#include "client/output.h"
#include "common/text.h"

/* Nagios reads 4 to 8 KiB of a plugin; the performance data have to fit behind. */
#define LINE_MAX_BYTES 1200
#define ROWS_MAX       50 /* of one list, with -v */

/* ---- texts of others ---- */

void spg_report_escape(struct spg_buf *out, const char *text)
{
	struct spg_buf clean = SPG_BUF_NULL;
	const char *at;
	size_t n;

	spg_text_escape(&clean, text, false);
	out->failed = out->failed || clean.failed;
	for (at = spg_buf_text(&clean); *at; at += n) {
		n = strcspn(at, "|<");
		spg_buf_add(out, at, n);
		if (at[n]) {
			spg_buf_printf(out, "\\x%02x", (unsigned char)at[n]);
			n++;
		}
	}
	spg_buf_finish(&clean);
}

/* Append @part, which is escaped, or as much of it as the first line has room for. */
static void put_short(struct spg_buf *line, const char *part)
{
	size_t room = line->len < LINE_MAX_BYTES ? LINE_MAX_BYTES - line->len : 0;
	size_t n = strlen(part), fits = 0, next;

	if (n <= room) {
		spg_buf_puts(line, part);
		return;
	}
	while (fits < n && (next = spg_text_utf8_length(part + fits, n - fits)) > 0 &&
		fits + next <= room)
		fits += next;
	spg_buf_add(line, part, fits);
	spg_buf_puts(line, "...");
}

static const char *title_of(const json_t *answer)
{
	const char *title = spg_json_text(answer, "title");
	const char *name = spg_json_text(answer, "product");

	if (title && *title)
		return title;
	return name && *name ? name : "a product without a name";
}

/* ---- the first line ---- */

static void put_age(struct spg_buf *out, const struct spg_judgement *product)
{
	spg_buf_printf(out, "proved %.0f s %s", fabs(product->age_s),
		product->age_s < -0.5 ? "from now by this clock" : "ago");
}

static void put_first_reason(struct spg_buf *out, const json_t *answer)
{
	const json_t *reasons = spg_json_list(answer, "reasons");
	const char *first = spg_json_text(json_array_get(reasons, 0), "text");
	size_t n = json_array_size(reasons);

	if (!first || !*first)
		return;
	spg_buf_puts(out, ": ");
	spg_report_escape(out, first);
	if (n > 1)
		spg_buf_printf(out, " (and %zu more)", n - 1);
}

static void put_files(struct spg_buf *out, const struct spg_judgement *product)
{
	spg_output_count(out, product->blocked);
	spg_buf_puts(out, " of ");
	spg_describe_count(out, product->files, "file");
	spg_buf_puts(out, product->blocked == 1 ? " is" : " are");
	spg_buf_puts(out, " in the way");
}

/* "The shop: 1 of 2 files is in the way: ..." */
static void put_product(struct spg_buf *out, const struct spg_judgement *product)
{
	const char *verdict = spg_json_text(product->answer, "verdict");

	spg_report_escape(out, title_of(product->answer));
	spg_buf_puts(out, ": ");
	if (product->fault) {
		spg_buf_puts(out, "the daemon's answer is not believed, ");
		spg_buf_puts(out, product->fault);
	} else if (strcmp(verdict, "safe") == 0) {
		spg_buf_puts(out, "safe, none of ");
		spg_describe_count(out, product->files, "file");
		spg_buf_puts(out, " is in the way");
	} else if (strcmp(verdict, "attention") == 0) {
		spg_buf_puts(out, "attention, nobody holds a file");
		put_first_reason(out, product->answer);
	} else if (strcmp(verdict, "blocked") == 0) {
		spg_buf_puts(out, "blocked");
		if (product->blocked > 0) {
			spg_buf_puts(out, ", ");
			put_files(out, product);
		}
		if (product->accepted)
			spg_buf_puts(out, ", which the ranges accept");
		else if (product->without_blocked &&
			 strcmp(product->without_blocked, "safe") != 0) {
			spg_buf_puts(out, ", and without that it is ");
			spg_report_escape(out, product->without_blocked);
		}
		put_first_reason(out, product->answer);
	} else {
		spg_buf_puts(out, "unknown, its files could not be proved free");
		put_first_reason(out, product->answer);
	}
	if (product->age_alerts ||
		(product->has_age && !product->fault && strcmp(verdict, "safe") == 0)) {
		spg_buf_puts(out, ", ");
		put_age(out, product);
		spg_buf_puts(out, product->age_alerts ? ", outside of the range" : "");
	}
}

/* The worst product, and what the others are. */
static void put_summary(struct spg_buf *line, const struct spg_report *report)
{
	static const enum spg_state order[] = {
		SPG_STATE_CRITICAL, SPG_STATE_UNKNOWN, SPG_STATE_WARNING, SPG_STATE_OK};
	struct spg_buf part = SPG_BUF_NULL;
	bool first = true;

	for (size_t s = 0; s < sizeof(order) / sizeof(order[0]); s++) {
		for (size_t i = 0; i < report->n_products; i++) {
			const struct spg_judgement *product = &report->products[i];

			if (product->state != order[s] || line->len > LINE_MAX_BYTES)
				continue;
			spg_buf_clear(&part);
			spg_buf_puts(&part, first ? "" : "; ");
			put_product(&part, product);
			put_short(line, spg_buf_text(&part));
			line->failed = line->failed || part.failed;
			first = false;
		}
	}
	spg_buf_finish(&part);
}

/* ---- performance data ---- */

/* A label in quotes: without what would end it or make it another one. */
static void put_label(struct spg_buf *out, const struct spg_report *report,
	const struct spg_judgement *product, const char *what)
{
	const char *name = spg_json_text(product->answer, "product");
	struct spg_buf clean = SPG_BUF_NULL;

	if (!report->named) {
		spg_report_escape(&clean, name ? name : "?");
		spg_buf_putc(&clean, '_');
	}
	spg_buf_puts(&clean, what);
	spg_buf_puts(out, " '");
	for (const char *at = spg_buf_text(&clean); *at; at++)
		spg_buf_putc(out, *at == '\'' || *at == '=' ? '_' : *at);
	spg_buf_puts(out, "'=");
	out->failed = out->failed || clean.failed;
	spg_buf_finish(&clean);
}

static void put_values(struct spg_buf *out, const struct spg_report *report,
	const struct spg_judgement *product)
{
	const struct spg_limits *limits = report->limits;

	put_label(out, report, product, "blocked");
	spg_buf_printf(out, "%lld;%s;%s;0;%lld", (long long)product->blocked,
		spg_range_text(&limits->blocked_warning),
		spg_range_text(&limits->blocked_critical), (long long)product->files);
	if (!product->has_age)
		return;
	put_label(out, report, product, "proof_age");
	/* The clocks' difference is no value below the minimum. */
	spg_buf_printf(out, "%.3fs;%s;%s;0;", product->age_s > 0 ? product->age_s : 0.0,
		spg_range_text(&limits->age_warning),
		spg_range_text(&limits->age_critical));
}

/* ---- details ---- */

static void begin_row(struct spg_buf *out, const char *what)
{
	spg_buf_puts(out, "  ");
	spg_buf_puts(out, what);
}

static void put_notes(struct spg_buf *out, const char *what, const json_t *notes)
{
	size_t i;
	json_t *note;

	json_array_foreach (notes, i, note) {
		const char *text = spg_json_text(note, "text");

		if (i == ROWS_MAX) {
			begin_row(out, what);
			spg_buf_printf(
				out, "and %zu more\n", json_array_size(notes) - i);
			return;
		}
		if (!text)
			continue;
		begin_row(out, what);
		spg_report_escape(out, text);
		spg_buf_putc(out, '\n');
	}
}

static void put_use(struct spg_buf *out, const json_t *use)
{
	struct spg_buf text = SPG_BUF_NULL;
	const json_t *how = spg_json_list(use, "how");

	spg_buf_puts(&text, ", ");
	spg_describe_list(&text, how, " and ");
	spg_buf_puts(&text, json_array_size(how) ? " by " : "");
	spg_describe_who(&text, use);
	spg_buf_puts(&text, ", ");
	spg_describe_service(&text, use);
	spg_report_escape(out, spg_buf_text(&text));
	out->failed = out->failed || text.failed;
	spg_buf_finish(&text);
}

static void put_file_rows(struct spg_buf *out, const json_t *answer)
{
	const json_t *files = spg_json_list(answer, "files");
	size_t i, j;
	json_t *file, *use;

	json_array_foreach (files, i, file) {
		const char *path = spg_json_text(file, "path");
		const char *state = spg_json_text(file, "state");

		if (i == ROWS_MAX) {
			spg_buf_printf(out, "  file: and %zu more\n",
				json_array_size(files) - i);
			return;
		}
		begin_row(out, "file: ");
		spg_report_escape(out, path ? path : "?");
		spg_buf_puts(out, ": ");
		spg_report_escape(out, state ? state : "?");
		json_array_foreach (spg_json_list(file, "uses"), j, use)
			if (j < ROWS_MAX)
				put_use(out, use);
		spg_buf_putc(out, '\n');
	}
}

static void put_lacks(struct spg_buf *out, const json_t *proof)
{
	size_t i;
	json_t *lack;

	json_array_foreach (spg_json_list(proof, "coverage"), i, lack) {
		const char *what = spg_json_text(lack, "what");
		const char *why = spg_json_text(lack, "why");
		const char *remedy = spg_json_text(lack, "remedy");

		if (i == ROWS_MAX)
			return;
		begin_row(out, "not looked at: ");
		spg_report_escape(out, what ? what : "?");
		spg_buf_puts(out, ": ");
		spg_report_escape(out, why ? why : "?");
		spg_buf_puts(out, remedy ? "; remedy: " : "");
		spg_report_escape(out, remedy ? remedy : "");
		spg_buf_putc(out, '\n');
	}
}

static void put_proof(struct spg_buf *out, const struct spg_judgement *product)
{
	const json_t *proof = json_object_get(product->answer, "proof");
	const char *at = spg_json_text(product->answer, "at");
	const char *tier = spg_json_text(proof, "tier");

	begin_row(out, "proof: ");
	spg_report_escape(out, at ? at : "at no time");
	spg_buf_printf(
		out, ", %lld us, tier ", (long long)spg_json_number(proof, "took_us"));
	spg_report_escape(out, tier ? tier : "?");
	spg_buf_puts(out,
		spg_json_true(proof, "complete") ? ", complete" : ", not complete");
	spg_buf_printf(out, ", generation %lld\n",
		(long long)spg_json_number(product->answer, "generation"));
}

static void put_details(struct spg_buf *out, const struct spg_report *report)
{
	for (size_t i = 0; i < report->n_products; i++) {
		const struct spg_judgement *product = &report->products[i];
		const char *verdict = spg_json_text(product->answer, "verdict");
		const json_t *proof = json_object_get(product->answer, "proof");

		spg_report_escape(out, title_of(product->answer));
		spg_buf_puts(out, ": ");
		spg_report_escape(out, verdict ? verdict : "no verdict");
		spg_buf_printf(out, ", %s\n", spg_state_name(product->state));
		put_notes(out, "why: ", spg_json_list(product->answer, "reasons"));
		put_notes(out, "do: ", spg_json_list(product->answer, "next"));
		if (report->verbosity < 2)
			continue;
		put_file_rows(out, product->answer);
		put_lacks(out, proof);
		if (report->verbosity > 2)
			put_proof(out, product);
	}
}

static void put_connection(struct spg_buf *out, const struct spg_connection *connection)
{
	const char *version = spg_json_text(connection->welcome, "version");

	spg_buf_puts(out, "asked: ");
	spg_report_escape(out, connection->path);
	spg_buf_puts(out, ", spguardd ");
	spg_report_escape(out, version ? version : "?");
	spg_buf_printf(out, ", process %lld; check_spguard " SPG_VERSION "\n",
		(long long)spg_json_number(connection->welcome, "pid"));
}

void spg_report_say(struct spg_buf *out, const struct spg_report *report)
{
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_printf(&line, "SPGUARD %s: ", spg_state_name(report->state));
	put_summary(&line, report);
	spg_buf_puts(out, spg_buf_text(&line));
	spg_buf_puts(out, " |");
	for (size_t i = 0; i < report->n_products; i++)
		put_values(out, report, &report->products[i]);
	spg_buf_putc(out, '\n');
	if (report->verbosity > 0)
		put_details(out, report);
	if (report->verbosity > 2)
		put_connection(out, report->connection);
	out->failed = out->failed || line.failed;
	spg_buf_finish(&line);
}

void spg_report_failure(
	struct spg_buf *out, enum spg_state state, const struct spg_complaint *why)
{
	struct spg_buf line = SPG_BUF_NULL, text = SPG_BUF_NULL;

	spg_buf_puts(&text,
		why->why.len ? spg_buf_text(&why->why) : "out of memory, no answer");
	if (why->hint.len)
		spg_buf_printf(&text, ". %s", spg_buf_text(&why->hint));
	/* Hints are lines of their own elsewhere; here there is but one. */
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\n')
			text.data[i] = ' ';
	spg_report_escape(&line, spg_buf_text(&text));
	spg_buf_printf(out, "SPGUARD %s: ", spg_state_name(state));
	put_short(out, spg_buf_text(&line));
	spg_buf_putc(out, '\n');
	out->failed = out->failed || line.failed || text.failed;
	spg_buf_finish(&line);
	spg_buf_finish(&text);
}
