/* SPDX-License-Identifier: MIT */
#include "client/describe.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

/* Least widths: a use fits 60 columns, and its file and holder stay readable. */
#define FILE_WIDTH_MIN 14
#define WHO_WIDTH_MIN  12
#define WORD_WIDTH_MIN 5

void spg_describe_list(struct spg_buf *buf, const json_t *array, const char *separator)
{
	size_t i;
	json_t *value;
	bool first = true;

	json_array_foreach (array, i, value) {
		if (!json_is_string(value))
			continue;
		spg_buf_puts(buf, first ? "" : separator);
		spg_buf_puts(buf, json_string_value(value));
		first = false;
	}
}

void spg_describe_who(struct spg_buf *buf, const json_t *use)
{
	const char *name = spg_json_text(use, "name");
	const json_t *pid = json_object_get(use, "pid");

	if (name)
		spg_buf_puts(buf, name);
	if (json_is_integer(pid))
		spg_buf_printf(buf, name ? " (%lld)" : "process %lld",
			(long long)json_integer_value(pid));
	else if (!name)
		spg_buf_puts(buf, "no process shows it");
}

void spg_describe_service(struct spg_buf *buf, const json_t *use)
{
	const char *unit = spg_json_text(use, "unit");
	const char *user = spg_json_text(use, "user");
	const char *container = spg_json_text(use, "container");
	const char *engine = spg_json_text(use, "engine");

	if (unit)
		spg_buf_puts(buf, unit);
	else if (container)
		spg_buf_printf(buf, "%s %s", engine ? engine : "container", container);
	else if (user)
		spg_buf_printf(buf, "user %s", user);
	else
		spg_buf_puts(buf, "-");
}

void spg_describe_range(struct spg_buf *buf, const json_t *lock)
{
	int64_t start = spg_json_number(lock, "start");
	const json_t *end = json_object_get(lock, "end");

	if (json_is_integer(end))
		spg_buf_printf(buf, "%lld-%lld", (long long)start,
			(long long)json_integer_value(end));
	else if (start == 0)
		spg_buf_puts(buf, "whole file");
	else
		spg_buf_printf(buf, "%lld-end", (long long)start);
}

const char *spg_describe_verdict_style(const char *verdict)
{
	static const char *const good[] = {"safe", "fits", "clean", "done", "possible"};
	static const char *const bad[] = {"blocked", "mixed", "refused", "failed"};

	for (size_t i = 0; verdict && i < sizeof(good) / sizeof(good[0]); i++)
		if (strcmp(verdict, good[i]) == 0)
			return SPG_STYLE_GOOD;
	for (size_t i = 0; verdict && i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strcmp(verdict, bad[i]) == 0)
			return SPG_STYLE_BAD;
	return SPG_STYLE_CARE;
}

void spg_describe_verdict(struct spg_output *out, const char *prefix,
	const char *verdict, const char *text)
{
	const char *name = verdict ? verdict : "unknown";
	struct spg_buf upper = SPG_BUF_NULL, clean = SPG_BUF_NULL;

	spg_buf_puts(&upper, prefix);
	for (const char *c = name; *c; c++)
		spg_buf_putc(&upper, (char)toupper((unsigned char)*c));
	spg_text_escape(&clean, spg_buf_text(&upper), false);
	spg_output_marked(out, spg_describe_verdict_style(verdict),
		spg_buf_text(&clean), spg_display_width(spg_buf_text(&clean)) + 2,
		SPG_STYLE_STRONG, text);
	if (upper.failed || clean.failed)
		out->text.failed = true;
	spg_buf_finish(&upper);
	spg_buf_finish(&clean);
}

/* ---- what to do ---- */

bool spg_note_is(const json_t *note, enum spg_note_kind kind)
{
	const char *name = spg_json_text(note, "kind");

	return name && strcmp(name, spg_note_kind_name(kind)) == 0;
}

bool spg_notes_have(const json_t *notes, enum spg_note_kind kind)
{
	size_t i;
	json_t *note;

	json_array_foreach (notes, i, note)
		if (spg_note_is(note, kind))
			return true;
	return false;
}

json_t *spg_command_step(const char *command, const char *comment)
{
	return json_pack("{s:s, s:o}", "command", command, "text",
		json_sprintf("%s   # %s", command, comment));
}

void spg_describe_step(struct spg_output *out, const json_t *step)
{
	const char *text = spg_json_text(step, "text");

	if (!text)
		return;
	if (!spg_json_text(step, "command")) {
		spg_output_wrap(out, "  ", 2, text);
		return;
	}
	/* On a line of its own, never broken, so that it can be copied. */
	spg_output_raw(out, "  ");
	spg_output_text(out, SPG_STYLE_STRONG, text);
	spg_output_raw(out, "\n");
}

void spg_describe_next(struct spg_output *out, const json_t *next)
{
	size_t i;
	json_t *step;

	if (json_array_size(next) > 0)
		spg_output_raw(out, "\nWhat to do:\n");
	json_array_foreach (next, i, step)
		spg_describe_step(out, step);
}

void spg_describe_remarks(struct spg_output *out, const char *title,
	const json_t *remarks, const enum spg_note_kind *kind)
{
	bool first = true;
	size_t i;
	json_t *remark;

	json_array_foreach (remarks, i, remark) {
		const char *text = spg_json_text(remark, "text");

		if (!text || (kind && !spg_note_is(remark, *kind)))
			continue;
		if (first)
			spg_output_raw(out, "\n%s:\n", title);
		first = false;
		spg_output_wrap(out, "  -", 4, text);
	}
}

void spg_describe_count(struct spg_buf *buf, int64_t n, const char *one)
{
	spg_output_count(buf, n);
	spg_buf_printf(buf, " %s%s", one, n == 1 ? "" : "s");
}

void spg_describe_by_name(struct spg_buf *buf, const json_t *payload)
{
	int64_t n = spg_json_number(payload, "by_name");

	if (n <= 0)
		return;
	spg_buf_puts(buf, "; ");
	spg_describe_count(buf, n, "installed file");
	spg_buf_puts(buf, n == 1 ? " was" : " were");
	spg_buf_puts(buf, " compared by name, with each of several: no folder tells "
			  "which is meant");
}

/* ---- tables of files ---- */

static const struct spg_table_column use_columns[] = {
	{"FILE", false, SPG_TABLE_MIDDLE, FILE_WIDTH_MIN},
	{"HOW", false, SPG_TABLE_END, WORD_WIDTH_MIN},
	{"WHO", false, SPG_TABLE_MIDDLE, WHO_WIDTH_MIN},
	{"SERVICE OR USER", false, SPG_TABLE_MIDDLE, WORD_WIDTH_MIN},
	{"SINCE", false, SPG_TABLE_KEEP, 0},
};

static const struct spg_table_column lock_columns[] = {
	{"FILE", false, SPG_TABLE_MIDDLE, FILE_WIDTH_MIN},
	{"LOCK", false, SPG_TABLE_END, WORD_WIDTH_MIN},
	{"BYTES", false, SPG_TABLE_END, WORD_WIDTH_MIN},
	{"STATE", false, SPG_TABLE_END, 4},
	{"WHO", false, SPG_TABLE_MIDDLE, 9},
	{"SINCE", false, SPG_TABLE_KEEP, 0},
};

void spg_file_table_init(struct spg_file_table *table, const struct spg_output *out,
	const struct spg_table_column *columns, size_t n_columns)
{
	*table = (struct spg_file_table){.out = out};
	spg_table_init(&table->table, columns, n_columns);
}

void spg_use_table_init(struct spg_file_table *table, const struct spg_output *out)
{
	spg_file_table_init(
		table, out, use_columns, sizeof(use_columns) / sizeof(use_columns[0]));
}

void spg_lock_table_init(struct spg_file_table *table, const struct spg_output *out)
{
	spg_file_table_init(table, out, lock_columns,
		sizeof(lock_columns) / sizeof(lock_columns[0]));
}

void spg_describe_version(
	const struct spg_output *out, struct spg_buf *buf, const json_t *file)
{
	const char *at = spg_json_text(file, "replaced_at");
	const char *state = spg_json_text(file, "state");

	/* What was stepped aside has a name of its own. */
	if (!json_is_true(json_object_get(file, "replaced")) ||
		(state && strcmp(state, "sidestepped") == 0))
		return;
	spg_buf_puts(buf, " (old");
	if (at) {
		spg_buf_puts(buf, ", replaced ");
		spg_output_time(out, buf, at, false);
	}
	spg_buf_puts(buf, ")");
}

void spg_describe_package(struct spg_buf *buf, const json_t *file)
{
	const json_t *package = json_object_get(file, "package");
	const char *name = spg_json_text(package, "name");
	const char *version = spg_json_text(package, "version");

	if (name)
		spg_buf_printf(buf, " (%s%s%s)", name, version ? " " : "",
			version ? version : "");
}

void spg_file_table_add_path(
	struct spg_file_table *table, const char *path, const json_t *file)
{
	struct spg_buf cell = SPG_BUF_NULL;
	const char *base = spg_path_base(path);
	size_t len = (size_t)(base - path);

	if (len > 1)
		len--; /* without its slash, unless that is all */
	if (len && (len != table->folder.len ||
			   memcmp(path, spg_buf_text(&table->folder), len) != 0)) {
		spg_buf_clear(&table->folder);
		spg_buf_add(&table->folder, path, len);
		spg_table_add_span(
			&table->table, SPG_STYLE_PLACE, spg_buf_text(&table->folder));
	}
	spg_buf_printf(&cell, "%s%s", len ? "  " : "", base);
	spg_describe_version(table->out, &cell, file);
	spg_describe_package(&cell, file);
	spg_table_add(&table->table, SPG_STYLE_STRONG, spg_buf_text(&cell));
	if (cell.failed || table->folder.failed)
		table->table.failed = true;
	spg_buf_finish(&cell);
}

/* Add @cell and empty it. */
static void add_text(
	struct spg_file_table *table, const char *style, struct spg_buf *cell)
{
	spg_table_add(&table->table, style, spg_buf_text(cell));
	if (cell->failed)
		table->table.failed = true;
	spg_buf_clear(cell);
}

/* A use that is in nobody's way has a mark, which a footnote explains. */
static enum spg_file_mark mark_of(const json_t *use, const char *state)
{
	const char *class = spg_json_text(use, "class");

	if (state && strcmp(state, "sidestepped") == 0)
		return SPG_MARK_ASIDE;
	return class && strcmp(class, "setup-stops") == 0 ? SPG_MARK_STOPPED
	                                                  : SPG_MARK_NONE;
}

static const struct {
	const char *mark, *footnote;
} marks[SPG_FILE_MARKS] = {
	[SPG_MARK_STOPPED] = {" *", "* setup ends this program by itself"},
	[SPG_MARK_ASIDE] = {" ~", "~ an old version, stepped aside: not in the way"},
};

#define CROWDS_MAX 64

/* Uses of one file that are alike but for the process: told of in one row. */
static bool are_alike(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {
		"how", "name", "user", "unit", "engine", "container", "class", "place"};

	if (!json_is_integer(json_object_get(b, "pid")))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *left = json_object_get(a, keys[i]);
		json_t *right = json_object_get(b, keys[i]);

		if (left != right && !json_equal(left, right))
			return false;
	}
	return true;
}

/* The crowd of use @i among those before it, of which so many at most are compared with:
 * the last of them are in @firsts, of which there are *@n. */
static size_t first_alike(const json_t *uses, size_t i, size_t *firsts, size_t *n)
{
	const json_t *use = json_array_get(uses, i);

	for (size_t k = 0; k < CROWDS_MAX && k < *n; k++)
		if (are_alike(json_array_get(uses, firsts[k]), use))
			return firsts[k];
	firsts[(*n)++ % CROWDS_MAX] = i;
	return i;
}

size_t *spg_describe_crowds(const json_t *uses)
{
	size_t firsts[CROWDS_MAX], n_firsts = 0, n = json_array_size(uses);
	size_t *counts = calloc(n + 1, sizeof(*counts));
	size_t *first_of = calloc(n + 1, sizeof(*first_of));

	for (size_t i = 0; counts && first_of && i < n; i++) {
		first_of[i] = first_alike(uses, i, firsts, &n_firsts);
		counts[first_of[i]]++;
	}
	for (size_t i = n; counts && first_of && i-- > 0;)
		if (counts[first_of[i]] < SPG_CROWD_MIN)
			counts[i] = 1;
	if (!first_of) {
		free(counts);
		counts = NULL;
	}
	free(first_of);
	return counts;
}

void spg_describe_crowd_of(struct spg_buf *buf, const json_t *use, size_t n)
{
	const char *name = spg_json_text(use, "name");

	spg_buf_printf(buf, "%s (pid %lld and ", name ? name : "?",
		(long long)spg_json_number(use, "pid"));
	spg_output_count(buf, (int64_t)n - 1);
	spg_buf_puts(buf, " more)");
}

static void add_use(
	struct spg_file_table *table, const json_t *use, size_t n, const char *state)
{
	enum spg_file_mark mark = mark_of(use, state);
	struct spg_buf cell = SPG_BUF_NULL;

	spg_describe_list(&cell, spg_json_list(use, "how"), ", ");
	if (!cell.len) /* a holder that no process shows */
		spg_buf_puts(&cell, "in use");
	add_text(table, mark ? NULL : SPG_STYLE_HOW, &cell);
	if (n > 1)
		spg_describe_crowd_of(&cell, use, n);
	else
		spg_describe_who(&cell, use);
	if (mark)
		spg_buf_puts(&cell, marks[mark].mark);
	table->marked[mark] = true;
	add_text(table, NULL, &cell);
	spg_describe_service(&cell, use);
	add_text(table, NULL, &cell);
	if (spg_json_text(use, "since"))
		spg_output_time(table->out, &cell, spg_json_text(use, "since"), false);
	add_text(table, NULL, &cell);
	spg_buf_finish(&cell);
}

/* What is in the way, where nobody is. */
static void add_obstacles(struct spg_file_table *table, const json_t *file)
{
	struct spg_buf cell = SPG_BUF_NULL;

	spg_describe_list(&cell, spg_json_list(file, "obstacles"), ", ");
	add_text(table, NULL, &cell);
	spg_buf_finish(&cell);
}

void spg_use_table_add(struct spg_file_table *table, const json_t *file)
{
	const json_t *uses = spg_json_list(file, "uses");
	const char *path = spg_json_text(file, "path");
	const char *state = spg_json_text(file, "state");
	size_t *counts = spg_describe_crowds(uses);

	spg_file_table_add_path(table, path ? path : "?", file);
	table->table.failed = table->table.failed || !counts;
	for (size_t i = 0; counts && i < json_array_size(uses); i++) {
		if (counts[i] == 0)
			continue;
		if (i > 0)
			spg_table_add(&table->table, NULL, "");
		add_use(table, json_array_get(uses, i), counts[i], state);
	}
	free(counts);
	if (json_array_size(uses) > 0)
		return;
	spg_table_add(&table->table, NULL, state ? state : "?");
	if (json_array_size(spg_json_list(file, "obstacles")) > 0)
		add_obstacles(table, file);
	else if (state && strcmp(state, "blocked") == 0)
		spg_table_add(&table->table, NULL, "no process shows it");
	else if (state && strcmp(state, "unknown") == 0)
		spg_table_add(&table->table, NULL, "could not look");
	else
		spg_table_add(&table->table, NULL, "");
	spg_table_add(&table->table, NULL, "");
	spg_table_add(&table->table, NULL, "");
}

void spg_lock_table_add(
	struct spg_file_table *table, const json_t *file, const json_t *lock)
{
	const char *path = spg_json_text(file, "path");
	const char *kind = spg_json_text(lock, "kind");
	const char *mode = spg_json_text(lock, "mode");
	const char *state = spg_json_text(lock, "state");
	bool waits = state && strcmp(state, "waiting") == 0;
	struct spg_buf cell = SPG_BUF_NULL;

	spg_file_table_add_path(table, path ? path : "?", file);
	spg_buf_printf(&cell, "%s %s", kind ? kind : "?", mode ? mode : "?");
	add_text(table, NULL, &cell);
	spg_describe_range(&cell, lock);
	add_text(table, NULL, &cell);
	spg_buf_puts(&cell, state ? state : "?");
	add_text(table, waits ? SPG_STYLE_CARE : SPG_STYLE_HOW, &cell);
	spg_describe_who(&cell, lock);
	add_text(table, NULL, &cell);
	if (spg_json_text(lock, "since"))
		spg_output_time(table->out, &cell, spg_json_text(lock, "since"), false);
	add_text(table, NULL, &cell);
	spg_buf_finish(&cell);
}

void spg_file_table_print(struct spg_file_table *table, struct spg_output *out)
{
	spg_output_table(out, &table->table, 0);
	for (int mark = SPG_MARK_NONE + 1; mark < SPG_FILE_MARKS; mark++) {
		if (!table->marked[mark])
			continue;
		spg_output_text(out, SPG_STYLE_WEAK, marks[mark].footnote);
		spg_output_raw(out, "\n");
	}
	spg_buf_finish(&table->folder);
}

/* A daemon that does not say so may mean it. */
static bool lack_blinds(const json_t *lack)
{
	return !json_is_false(json_object_get(lack, "blinds"));
}

bool spg_coverage_blinds(const json_t *coverage)
{
	size_t i;
	json_t *lack;

	json_array_foreach (coverage, i, lack)
		if (lack_blinds(lack))
			return true;
	return false;
}

static void describe_lack(struct spg_output *out, const json_t *lack)
{
	const char *what = spg_json_text(lack, "what");
	const char *why = spg_json_text(lack, "why");
	const char *remedy = spg_json_text(lack, "remedy");
	bool blinds = lack_blinds(lack);
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_printf(&line, "%s: %s", what ? what : "something",
		why ? why : "no reason was given");
	spg_output_wrap(
		out, blinds ? "  -" : "note:", blinds ? 4 : 6, spg_buf_text(&line));
	if (remedy && blinds)
		spg_output_wrap(out, "    remedy:", 12, remedy);
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

/* True when an earlier row says the same: of another product. */
static bool was_said(const json_t *coverage, size_t index)
{
	const json_t *lack = json_array_get(coverage, index);

	for (size_t i = 0; i < index; i++) {
		const json_t *other = json_array_get(coverage, i);

		if (json_equal(json_object_get(lack, "what"),
			    json_object_get(other, "what")) &&
			json_equal(json_object_get(lack, "why"),
				json_object_get(other, "why")))
			return true;
	}
	return false;
}

void spg_describe_coverage(
	struct spg_output *out, const char *heading, const json_t *coverage)
{
	size_t i;
	json_t *lack;

	if (json_array_size(coverage) == 0)
		return;
	spg_output_raw(out, "\n");
	if (spg_coverage_blinds(coverage))
		spg_output_raw(out, "%s\n", heading);
	/* First what counts. */
	for (int noted = 0; noted < 2; noted++)
		json_array_foreach (coverage, i, lack)
			if (lack_blinds(lack) == !noted && !was_said(coverage, i))
				describe_lack(out, lack);
}

/* ---- events ---- */

void spg_event_text_finish(struct spg_event_text *text)
{
	spg_buf_finish(&text->time);
	spg_buf_finish(&text->kind);
	spg_buf_finish(&text->file);
	spg_buf_finish(&text->who);
	spg_buf_finish(&text->detail);
}

static void describe_gap(
	const struct spg_output *out, const json_t *event, struct spg_buf *detail)
{
	const json_t *gap = json_object_get(event, "gap");
	const char *reason = spg_json_text(gap, "reason");
	const char *since = spg_json_text(gap, "since"),
		   *until = spg_json_text(gap, "until");
	const char *words = spg_json_text(event, "detail");
	int64_t count = spg_json_number(gap, "count");

	spg_buf_printf(detail, "-- gap (%s): ", reason ? reason : "?");
	if (since || until) {
		spg_output_time(out, detail, since, true);
		if (until && (!since || strcmp(since, until) != 0)) {
			spg_buf_puts(detail, " to ");
			spg_output_time(out, detail, until, true);
		}
		spg_buf_puts(detail, ", ");
	}
	if (count > 0) {
		spg_output_count(detail, count);
		spg_buf_puts(detail, count == 1 ? " event is missing or merged"
						: " events are missing or merged");
	} else {
		spg_buf_puts(detail, "events may be missing");
	}
	if (words)
		spg_buf_printf(detail, "; %s", words);
	spg_buf_puts(detail, " --");
}

/* What lasts and is about many files stands out as a line of its own:
 * "-- 13:00:00.123, exchange55: install 3 begins; by setup.exe (2113) --" */
static const struct {
	const char *kind, *before, *behind;
} stretches[] = {
	{"install-begin", "", " begins"},
	{"install-end", "", ""},
	{"hold-begin", "a hold begins: ", ""},
	{"hold-end", "a hold ends: ", ""},
};

#define N_STRETCHES (sizeof(stretches) / sizeof(stretches[0]))

static size_t find_stretch(const char *kind)
{
	size_t i = 0;

	while (i < N_STRETCHES && strcmp(kind, stretches[i].kind) != 0)
		i++;
	return i;
}

static void describe_stretch(const struct spg_output *out, const json_t *event,
	size_t which, struct spg_event_text *ret)
{
	const char *product = spg_json_text(event, "product");
	const char *words = spg_json_text(event, "detail");
	struct spg_buf *detail = &ret->detail;

	ret->is_mark = true;
	ret->style = SPG_STYLE_STRONG;
	if (strcmp(stretches[which].kind, "install-end") == 0)
		ret->style = spg_describe_verdict_style(
			spg_json_text(json_object_get(event, "install"), "outcome"));
	spg_buf_puts(detail, "-- ");
	spg_output_time(out, detail, spg_json_text(event, "at"), true);
	spg_buf_printf(detail, ", %s: %s%s%s", product ? product : "?",
		stretches[which].before, words ? words : "?", stretches[which].behind);
	if (spg_json_text(event, "name") ||
		json_is_integer(json_object_get(event, "pid"))) {
		spg_buf_puts(detail, "; by ");
		spg_describe_who(detail, event);
	}
	spg_buf_puts(detail, " --");
}

/* How long a use or lock that has ended lasted. */
static void describe_length(
	const struct spg_output *out, const json_t *event, struct spg_buf *detail)
{
	int64_t since = spg_json_time(event, "since"), at = spg_json_time(event, "at");

	if (!since || at < since)
		return;
	spg_buf_puts(detail, detail->len ? ", for " : "for ");
	spg_output_duration(out, detail, at - since);
}

static void describe_detail(const struct spg_output *out, const json_t *event,
	const char *kind, struct spg_buf *detail)
{
	const json_t *lock = json_object_get(event, "lock");
	const char *words = spg_json_text(event, "detail");
	const char *verdict = spg_json_text(event, "verdict");

	if (verdict)
		spg_buf_puts(detail, verdict);
	spg_describe_list(detail, spg_json_list(event, "how"), ", ");
	if (json_is_object(lock)) {
		const char *lock_kind = spg_json_text(lock, "kind");
		const char *mode = spg_json_text(lock, "mode");

		spg_buf_printf(detail, "%s %s ", lock_kind ? lock_kind : "?",
			mode ? mode : "?");
		spg_describe_range(detail, lock);
	}
	if (strcmp(kind, "use-end") == 0 || strcmp(kind, "unlock") == 0)
		describe_length(out, event, detail);
	if (words && *words && strcmp(kind, "rename") == 0)
		spg_buf_printf(detail, "to %s", words);
	else if (words && *words)
		spg_buf_printf(detail, "%s%s", detail->len ? ": " : "", words);
	if (json_array_size(spg_json_list(event, "coalesced")) > 1)
		spg_buf_printf(
			detail, "%smerged, order unknown", detail->len ? "; " : "");
}

static const char *style_of_kind(const json_t *event, const char *kind)
{
	if (strcmp(kind, "verdict") == 0)
		return spg_describe_verdict_style(spg_json_text(event, "verdict"));
	if (strcmp(kind, "use-begin") == 0 || strcmp(kind, "lock") == 0)
		return SPG_STYLE_HOW;
	if (strcmp(kind, "use-end") == 0 || strcmp(kind, "unlock") == 0)
		return "32";
	return NULL;
}

void spg_describe_event(
	const struct spg_output *out, const json_t *event, struct spg_event_text *ret)
{
	const char *kind = spg_json_text(event, "kind");
	const char *path = spg_json_text(event, "path");
	const char *product = spg_json_text(event, "product");
	const json_t *merged = spg_json_list(event, "coalesced");

	*ret = (struct spg_event_text){0};
	if (!kind)
		kind = "?";
	spg_output_time(out, &ret->time, spg_json_text(event, "at"), true);
	if (strcmp(kind, "gap") == 0) {
		ret->is_mark = true;
		ret->style = SPG_STYLE_CARE;
		describe_gap(out, event, &ret->detail);
		return;
	}
	if (find_stretch(kind) < N_STRETCHES) {
		describe_stretch(out, event, find_stretch(kind), ret);
		return;
	}
	ret->style = style_of_kind(event, kind);
	if (json_array_size(merged) > 1)
		spg_describe_list(&ret->kind, merged, "+");
	else
		spg_buf_puts(&ret->kind, kind);
	spg_buf_puts(&ret->file, path ? path : product ? product : "");
	if (spg_json_text(event, "name") ||
		json_is_integer(json_object_get(event, "pid")))
		spg_describe_who(&ret->who, event);
	describe_detail(out, event, kind, &ret->detail);
}
