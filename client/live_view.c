/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/check_print.h"
#include "client/describe.h"
#include "client/event_line.h"
#include "client/live_view.h"
#include "common/clock.h"
#include "common/rfc3339.h"
#include "common/text.h"

/* Rows below which something is left out. */
#define ROWS_FOR_NEXT     10
#define ROWS_FOR_WARNINGS 12
#define ROWS_FOR_BLANKS   18
#define ROWS_FOR_BOTH     7 /* both lists, in what the rest leaves */

/* From worst to best, as they are to be seen. */
static const char *const order[] = {"blocked", "unknown", "attention", "safe"};

#define N_ORDER (sizeof(order) / sizeof(order[0]))

/* A frame while it is made. */
struct view {
	struct spg_live *live;
	struct spg_output out; /* lines of the terminal's width */
	unsigned rows;         /* that are used */
	bool certain;          /* what is known was proved, and holds */
};

/* One line of the frame ends. */
static void end_line(struct view *v)
{
	spg_output_raw(&v->out, "\n");
	v->rows++;
}

/* A line of @text, cut, behind @mark in @style. */
static void put_line(struct view *v, const char *style, const char *mark,
	const char *text_style, const char *text)
{
	struct spg_output *out = &v->out;
	unsigned used = spg_display_width(mark);
	unsigned room = out->width > used ? out->width - used : 0;

	spg_output_text(out, style, mark);
	if (text_style && out->color)
		spg_buf_printf(&out->text, "\033[%sm", text_style);
	spg_display_elide(&out->text, text, room, SPG_TABLE_END, out->unicode);
	if (text_style && out->color)
		spg_buf_puts(&out->text, "\033[0m");
	end_line(v);
}

static void put_buf(
	struct view *v, const char *style, const char *mark, struct spg_buf *text)
{
	put_line(v, style, mark, NULL, spg_buf_text(text));
	if (text->failed)
		v->out.text.failed = true;
	spg_buf_finish(text);
}

/* ---- the first line: can what is below be believed? ---- */

/* "13:00:05", of the last proof. */
static void put_proof_time(const struct view *v, struct spg_buf *text)
{
	spg_output_time(&v->out, text,
		spg_json_text(json_array_get(v->live->answers, 0), "at"), false);
}

static void put_head(struct view *v)
{
	const struct spg_live *live = v->live;
	const json_t *welcome = live->client->connection.welcome;
	const char *tier = spg_json_text(welcome, "tier");
	const char *version = spg_json_text(welcome, "version");
	struct spg_buf text = SPG_BUF_NULL;
	char at[SPG_RFC3339_SIZE];

	if (!live->connected) {
		spg_buf_printf(&text, "%s; trying again",
			spg_buf_text(&live->why.why) + live->why.heading);
		put_buf(v, SPG_STYLE_BAD, "NO DAEMON  ", &text);
	} else if (live->stale) {
		spg_buf_puts(&text, "the daemon has not answered for ");
		spg_output_duration(
			&v->out, &text, spg_clock_mono_ns() - live->asked_ns);
		put_buf(v, SPG_STYLE_CARE, "WAITING  ", &text);
	} else if (live->paused) {
		spg_rfc3339_format(live->paused_ns, at);
		spg_buf_puts(&text, "since ");
		spg_output_time(&v->out, &text, at, false);
		spg_buf_puts(&text, ", ");
		spg_describe_count(&text, (int64_t)live->hidden, "event");
		spg_buf_puts(&text, " since; p goes on");
		put_buf(v, SPG_STYLE_CARE, "PAUSED  ", &text);
	} else {
		spg_buf_printf(&text, "spguardd %s, tier %s", version ? version : "?",
			tier ? tier : "?");
		if (live->answers) {
			spg_buf_puts(&text, ", proved ");
			put_proof_time(v, &text);
		}
		put_buf(v, SPG_STYLE_GOOD, "LIVE  ", &text);
	}
}

/* ---- verdicts ---- */

/* The answer about one product: @index of all; NULL: there is none. */
static const json_t *answer_at(const struct spg_live *live, size_t index)
{
	return json_array_get(live->answers, index);
}

static size_t n_answers(const struct spg_live *live)
{
	return json_array_size(live->answers);
}

/* Where the verdict of @answer stands in order[]; one that nobody knows is unknown. */
static size_t rank_of(const json_t *answer)
{
	const char *verdict = spg_json_text(answer, "verdict");
	size_t rank = 0;

	while (verdict && rank < N_ORDER && strcmp(order[rank], verdict) != 0)
		rank++;
	return verdict && rank < N_ORDER ? rank : 1;
}

/* "BLOCKED  " */
static void put_verdict(
	struct view *v, const char *verdict, const char *style, struct spg_buf *text)
{
	char mark[32] = "";
	size_t n = 0;

	for (; verdict[n] && n < sizeof(mark) - 3; n++)
		mark[n] = (char)toupper((unsigned char)verdict[n]);
	mark[n] = mark[n + 1] = ' ';
	put_line(v, style, mark, v->certain ? SPG_STYLE_STRONG : NULL,
		spg_buf_text(text));
	if (text->failed)
		v->out.text.failed = true;
}

static void put_answer(struct view *v, const json_t *answer)
{
	const char *verdict = order[rank_of(answer)];
	const char *title = spg_json_text(answer, "title");
	struct spg_buf text = SPG_BUF_NULL;

	if (v->certain) {
		spg_check_headline(&text, answer);
		put_verdict(v, verdict,
			v->live->paused ? SPG_STYLE_WEAK
					: spg_describe_verdict_style(verdict),
			&text);
	} else {
		spg_buf_printf(
			&text, "%s: it was %s at ", title ? title : "?", verdict);
		spg_output_time(&v->out, &text, spg_json_text(answer, "at"), false);
		put_verdict(v, "unknown", SPG_STYLE_CARE, &text);
	}
	spg_buf_finish(&text);
}

/* All of them, the worst first, in at most @room lines. */
static void put_verdicts(struct view *v, unsigned room)
{
	struct spg_live *live = v->live;
	size_t n = n_answers(live), put = 0;
	struct spg_buf text = SPG_BUF_NULL;
	bool all = n <= room;

	if (n == 0) {
		spg_buf_puts(&text, live->refusal   ? live->refusal
				    : live->answers ? "there is no product"
						    : "not proved yet");
		put_verdict(v, "unknown", SPG_STYLE_CARE, &text);
	}
	for (size_t rank = 0; rank < N_ORDER; rank++)
		for (size_t i = 0; i < n; i++)
			if (rank_of(answer_at(live, i)) == rank &&
				(all || put + 1 < room)) {
				put_answer(v, answer_at(live, i));
				put++;
			}
	if (put < n) {
		spg_buf_clear(&text);
		spg_buf_puts(&text, "and ");
		spg_describe_count(&text, (int64_t)(n - put), "product");
		spg_buf_puts(&text, " more, none of them worse: spguard status");
		put_line(v, NULL, "", SPG_STYLE_WEAK, spg_buf_text(&text));
	}
	spg_buf_finish(&text);
}

/* What to do first, about the worst product. */
static void put_next(struct view *v)
{
	const json_t *worst = NULL;
	const char *step;

	for (size_t i = 0; i < n_answers(v->live); i++) {
		const json_t *answer = answer_at(v->live, i);

		if (!worst || rank_of(answer) < rank_of(worst))
			worst = answer;
	}
	step = spg_json_text(json_array_get(spg_json_list(worst, "next"), 0), "text");
	if (step && v->certain)
		put_line(v, NULL, "  What to do: ", SPG_STYLE_STRONG, step);
}

/* ---- what is missing ---- */

static void put_gaps(struct view *v)
{
	const json_t *gaps = json_object_get(v->live->status, "gaps");
	struct spg_buf text = SPG_BUF_NULL;
	const char *reason;
	json_t *count;

	json_object_foreach ((json_t *)gaps, reason, count) {
		if (json_integer_value(count) <= 0)
			continue;
		spg_buf_puts(&text, text.len ? ", " : "");
		spg_output_count(&text, json_integer_value(count));
		spg_buf_printf(&text, " %s", reason);
	}
	if (text.len) {
		spg_buf_puts(&text, " (spguard log --kind gap)");
		put_buf(v, SPG_STYLE_CARE, "Gaps since the daemon's start: ", &text);
	}
	spg_buf_finish(&text);
}

static void put_warnings(struct view *v)
{
	const json_t *store = json_object_get(v->live->status, "store");
	struct spg_buf text = SPG_BUF_NULL;

	for (size_t i = 0; v->certain && i < n_answers(v->live); i++) {
		const json_t *proof = json_object_get(answer_at(v->live, i), "proof");
		const json_t *coverage = spg_json_list(proof, "coverage");

		if (text.len || !spg_coverage_blinds(coverage))
			continue;
		spg_buf_printf(&text, "%s (spguard doctor)",
			spg_json_text(json_array_get(coverage, 0), "why"));
		put_line(v, SPG_STYLE_CARE, "Could not look: ", NULL,
			spg_buf_text(&text));
	}
	spg_buf_finish(&text);
	if (spg_json_true(store, "stopped"))
		put_line(v, SPG_STYLE_BAD, "History stopped: ", NULL,
			spg_json_text(store, "why") ? spg_json_text(store, "why")
						    : "?");
	put_gaps(v);
}

/* ---- the lists ---- */

static bool is_shown(const json_t *file)
{
	const char *state = spg_json_text(file, "state");

	return json_array_size(spg_json_list(file, "uses")) > 0 ||
	       (state && (strcmp(state, "blocked") == 0 ||
				 strcmp(state, "unknown") == 0));
}

/* The lines about files, in @out; false: there is none. */
static bool list_files(const struct spg_live *live, struct spg_output *out)
{
	struct spg_file_table table;
	size_t i;
	json_t *file;

	spg_use_table_init(&table, out);
	for (size_t n = 0; n < n_answers(live); n++)
		json_array_foreach (spg_json_list(answer_at(live, n), "files"), i, file)
			if (is_shown(file))
				spg_use_table_add(&table, file);
	if (spg_table_n_rows(&table.table) == 0) {
		spg_table_finish(&table.table);
		return false;
	}
	spg_file_table_print(&table, out);
	return true;
}

static size_t count_lines(const struct spg_buf *text)
{
	size_t n = 0;

	for (const char *at = spg_buf_text(text); (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* Lines @skip.. of @text, @room at most. Returns how many. */
static unsigned put_lines(
	struct view *v, const struct spg_buf *text, size_t skip, unsigned room)
{
	const char *at = spg_buf_text(text);
	unsigned put = 0;

	for (; *at && put < room; at += strcspn(at, "\n"), at += *at == '\n') {
		if (skip > 0) {
			skip--;
			continue;
		}
		spg_buf_add(&v->out.text, at, strcspn(at, "\n"));
		end_line(v);
		put++;
	}
	return put;
}

static void put_heading(struct view *v, enum spg_pane pane, struct spg_buf *text)
{
	bool focused = v->live->pane == pane;

	put_line(v, SPG_STYLE_PLACE, focused ? "> " : "  ",
		focused ? SPG_STYLE_STRONG : SPG_STYLE_WEAK, spg_buf_text(text));
	spg_buf_finish(text);
}

/* What stands where no file is listed. */
static const char *no_file(const struct view *v)
{
	for (size_t i = 0; i < n_answers(v->live); i++)
		if (spg_coverage_blinds(spg_json_list(
			    json_object_get(answer_at(v->live, i), "proof"),
			    "coverage")))
			return "No user was seen.";
	return n_answers(v->live) ? "Nobody uses any of the files." : "";
}

static void put_files(struct view *v, unsigned room, const struct spg_output *list)
{
	struct spg_live *live = v->live;
	size_t n = count_lines(&list->text), *offset = &live->offset[SPG_PANE_FILES];
	struct spg_buf heading = SPG_BUF_NULL;
	unsigned end = v->rows + room;

	if (room == 0)
		return;
	if (room > 1) {
		spg_buf_puts(&heading, "WHO HOLDS WHAT");
		room--;
		*offset = n <= room ? 0 : *offset > n - room ? n - room : *offset;
		if (n > room)
			spg_buf_printf(&heading, " (lines %zu-%zu of %zu)", *offset + 1,
				*offset + room < n ? *offset + room : n, n);
		put_heading(v, SPG_PANE_FILES, &heading);
	}
	live->page[SPG_PANE_FILES] = room;
	if (!v->certain)
		put_line(v, NULL, "", SPG_STYLE_WEAK, "Not known now.");
	else if (n == 0)
		put_line(v, NULL, "", SPG_STYLE_WEAK, no_file(v));
	else
		put_lines(v, &list->text, *offset, room);
	while (v->rows < end)
		end_line(v);
}

static void list_event(struct spg_output *out, const json_t *event)
{
	if (json_is_integer(json_object_get(event, "dropped")))
		spg_event_line_dropped(out, spg_json_number(event, "dropped"));
	else
		spg_event_line_tell(out, event);
}

static void put_events(struct view *v, unsigned room)
{
	struct spg_live *live = v->live;
	size_t n = json_array_size(live->events),
	       *offset = &live->offset[SPG_PANE_EVENTS];
	struct spg_buf heading = SPG_BUF_NULL;
	unsigned end = v->rows + room;

	n -= live->hidden < n ? live->hidden : n;
	if (room > 1) {
		spg_buf_puts(&heading, "EVENTS, the newest first");
		room--;
		*offset = n <= room ? 0 : *offset > n - room ? n - room : *offset;
		if (*offset)
			spg_buf_printf(&heading, " (%zu newer above)", *offset);
		put_heading(v, SPG_PANE_EVENTS, &heading);
	}
	live->page[SPG_PANE_EVENTS] = room;
	for (size_t i = n - (*offset < n ? *offset : n); i > 0 && v->rows < end; i--) {
		struct spg_output list = v->out;

		list.text = (struct spg_buf)SPG_BUF_NULL;
		list_event(&list, json_array_get(live->events, i - 1));
		put_lines(v, &list.text, 0, end - v->rows);
		spg_output_finish(&list);
	}
	if (n == 0 && v->rows < end)
		put_line(v, NULL, "", SPG_STYLE_WEAK,
			"None yet; spguard log looks back.");
	while (v->rows < end)
		end_line(v);
}

/* Both lists in @room rows, or the one that scrolls when there is little. */
static void put_lists(struct view *v, unsigned room)
{
	struct spg_output list = v->out;
	unsigned files;

	list.text = (struct spg_buf)SPG_BUF_NULL;
	if (v->certain)
		list_files(v->live, &list);
	if (room < ROWS_FOR_BOTH) {
		if (v->live->pane == SPG_PANE_FILES)
			put_files(v, room, &list);
		else
			put_events(v, room);
	} else {
		/* As many as it needs, of a half; of more, when it scrolls. */
		unsigned most = v->live->pane == SPG_PANE_FILES ? room - 3 : room / 2;

		files = 1 + (unsigned)(count_lines(&list.text) < most
					       ? count_lines(&list.text)
					       : most - 1);
		files = files < 2 ? 2 : files;
		put_files(v, files, &list);
		put_events(v, room - files);
	}
	spg_output_finish(&list);
}

static void put_foot(struct view *v)
{
	const struct spg_live *live = v->live;

	put_line(v, NULL, "", SPG_STYLE_WEAK,
		!live->screen.raw ? "Ctrl-C ends"
		: live->paused    ? "q quit  p go on  j k scroll  Tab other list"
				  : "q quit  p pause  j k scroll  Tab other list");
}

void spg_live_render(struct spg_live *live, struct spg_buf *frame)
{
	unsigned rows = live->screen.rows;
	struct view v = {
		.live = live,
		.out = live->client->out,
		.certain = live->connected && live->answers && !live->stale &&
	                   !live->refusal,
	};

	v.out.text = (struct spg_buf)SPG_BUF_NULL;
	v.out.width = v.out.table_width = live->screen.columns;
	v.out.now_ns = spg_clock_wall_ns();
	put_head(&v);
	put_verdicts(&v, rows > 12 ? rows / 4 : rows > 5 ? 2 : 1);
	if (rows >= ROWS_FOR_NEXT)
		put_next(&v);
	if (rows >= ROWS_FOR_WARNINGS)
		put_warnings(&v);
	if (rows >= ROWS_FOR_BLANKS)
		end_line(&v);
	if (rows > v.rows + 1)
		put_lists(&v, rows - v.rows - 1);
	if (rows > v.rows)
		put_foot(&v);
	spg_buf_add(frame, spg_buf_text(&v.out.text), v.out.text.len);
	if (v.out.text.failed)
		frame->failed = true;
	spg_output_finish(&v.out);
}
