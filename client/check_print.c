/* SPDX-License-Identifier: MIT */
#include "client/check_print.h"

#include <string.h>

#include "client/answers.h"
#include "client/describe.h"
#include "common/text.h"

#define FILES_SHOWN_MAX 100 /* on a terminal */
#define NAMES_SHOWN_MAX 5

static int64_t count_state(const json_t *answer, const char *state)
{
	int64_t n = 0;
	size_t i;
	json_t *file;

	json_array_foreach (spg_json_list(answer, "files"), i, file) {
		const char *s = spg_json_text(file, "state");

		n += s && strcmp(s, state) == 0;
	}
	return n;
}

static bool is_installing(const json_t *answer)
{
	return spg_notes_have(spg_json_list(answer, "reasons"), SPG_REASON_INSTALLING);
}

/* True when @answer has a reason of one of the @n @kinds. */
static bool has_reason(const json_t *answer, const enum spg_note_kind *kinds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (spg_notes_have(spg_json_list(answer, "reasons"), kinds[i]))
			return true;
	return false;
}

#define HAS_REASON(answer, kinds)                                                      \
	has_reason(answer, kinds, sizeof(kinds) / sizeof((kinds)[0]))

static const enum spg_note_kind about_mixed[] = {SPG_REASON_NOT_REPLACED,
	SPG_REASON_NOT_PAYLOAD, SPG_REASON_MISFIT, SPG_REASON_ALL_GONE, SPG_REASON_KEPT,
	SPG_REASON_OTHER};
static const enum spg_note_kind about_unread[] = {SPG_REASON_UNREADABLE,
	SPG_REASON_HOLDERS_LOST, SPG_REASON_PAST_LOST, SPG_REASON_PRODUCT_GONE,
	SPG_REASON_UNVERIFIED};
static const enum spg_note_kind about_aside[] = {
	SPG_REASON_NOT_WRITTEN_YET, SPG_REASON_SIDESTEP_UNSURE};

/* Nobody holds anything, and yet: what it is about. */
static void put_attention(struct spg_buf *line, const json_t *answer)
{
	bool mixed = HAS_REASON(answer, about_mixed);
	bool unread = !mixed && HAS_REASON(answer, about_unread);
	bool missing = HAS_REASON(answer, about_aside);
	bool aside = missing || count_state(answer, "sidestepped") > 0;

	if (mixed)
		spg_buf_puts(line, "the last install left a mixed set");
	else if (unread)
		spg_buf_puts(line, "the last install could not be verified");
	if ((mixed || unread) && aside)
		spg_buf_puts(line, ", and ");
	if (missing)
		spg_buf_puts(line, "a step aside is not finished");
	else if (aside)
		spg_buf_puts(line, "an old version that was stepped aside still runs");
	if (!mixed && !unread && !aside)
		spg_buf_puts(line, "nobody holds a file, but read this first");
}

void spg_check_headline(struct spg_buf *line, const json_t *answer)
{
	const json_t *counts = json_object_get(answer, "counts");
	const char *verdict = spg_json_text(answer, "verdict");
	const char *title = spg_json_text(answer, "title");
	int64_t files = spg_json_number(counts, "files");
	int64_t blocked = spg_json_number(counts, "blocked");
	int64_t n_new = count_state(answer, "new"), there;

	if (!title)
		title = spg_json_text(answer, "product");
	if (!verdict)
		verdict = "unknown";
	/* Where no directory of the product has its name, nobody has looked at one. */
	there = files > n_new ? files - n_new : files;
	spg_buf_printf(line, "%s: ", title ? title : "product without a name");
	if (strcmp(verdict, "safe") == 0 && there == 1) {
		spg_buf_puts(line, "its file is not in use");
	} else if (strcmp(verdict, "safe") == 0) {
		spg_buf_puts(line, "none of the ");
		spg_output_count(line, there);
		spg_buf_puts(line, " files is in the way");
	} else if (strcmp(verdict, "blocked") == 0 && is_installing(answer)) {
		spg_buf_puts(line, "an install is running");
	} else if (strcmp(verdict, "blocked") == 0 && blocked == 0) {
		spg_buf_puts(line, "a new file cannot be put where it belongs");
	} else if (strcmp(verdict, "blocked") == 0) {
		spg_output_count(line, blocked);
		spg_buf_puts(line, " of ");
		spg_output_count(line, files);
		spg_buf_puts(line, files == 1 ? " file" : " files");
		spg_buf_puts(line, blocked == 1 ? " is in the way" : " are in the way");
	} else if (strcmp(verdict, "attention") == 0) {
		put_attention(line, answer);
	} else {
		spg_buf_puts(line, "its files could not be proved free");
	}
}

static void tell_headline(struct spg_output *out, const json_t *answer)
{
	struct spg_buf line = SPG_BUF_NULL;

	spg_check_headline(&line, answer);
	spg_describe_verdict(
		out, "", spg_json_text(answer, "verdict"), spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

static bool has_state(const json_t *file, const char *state)
{
	const char *s = spg_json_text(file, "state");

	return s && strcmp(s, state) == 0;
}

/* Files that deserve a row: in use, not looked at, or asked for with --all. */
static bool is_shown(const json_t *file, bool all)
{
	return all || json_array_size(spg_json_list(file, "uses")) > 0 ||
	       has_state(file, "blocked") || has_state(file, "unknown");
}

static void tell_files(struct spg_output *out, const json_t *answer, bool all)
{
	const json_t *files = spg_json_list(answer, "files");
	struct spg_file_table uses, locks;
	size_t shown = 0, hidden = 0, i, j;
	json_t *file, *lock;

	spg_use_table_init(&uses, out);
	spg_lock_table_init(&locks, out);
	json_array_foreach (files, i, file) {
		if (!is_shown(file, all))
			continue;
		if (out->terminal && shown >= FILES_SHOWN_MAX) {
			hidden++;
			continue;
		}
		shown++;
		spg_use_table_add(&uses, file);
		json_array_foreach (spg_json_list(file, "locks"), j, lock)
			spg_lock_table_add(&locks, file, lock);
	}
	if (shown)
		spg_output_raw(out, "\n");
	if (shown)
		spg_file_table_print(&uses, out);
	if (hidden)
		spg_output_raw(out,
			"... and %zu more files; all of them: spguard check --json\n",
			hidden);
	if (spg_table_n_rows(&locks.table) > 0) {
		spg_output_raw(out, "\nLocks:\n");
		spg_file_table_print(&locks, out);
	}
	spg_table_finish(&uses.table);
	spg_table_finish(&locks.table);
	spg_buf_finish(&uses.folder);
	spg_buf_finish(&locks.folder);
}

/* "3 files of the product are not installed: a.dll, b.dll, c.dll" */
static void tell_names(struct spg_output *out, const json_t *answer, const char *state,
	const char *whole, const char *yet)
{
	int64_t n = count_state(answer, state);
	struct spg_buf line = SPG_BUF_NULL;
	int64_t shown = 0;
	size_t i;
	json_t *file;

	if (n == 0)
		return;
	spg_output_count(&line, n);
	spg_buf_printf(&line,
		" %s of the %s %s not installed%s: ", n == 1 ? "file" : "files", whole,
		n == 1 ? "is" : "are", yet);
	json_array_foreach (spg_json_list(answer, "files"), i, file) {
		const char *path = spg_json_text(file, "path");

		if (!path || !has_state(file, state))
			continue;
		if (shown == NAMES_SHOWN_MAX) {
			spg_buf_puts(&line, ", ...");
			break;
		}
		spg_buf_printf(&line, "%s%s", shown++ ? ", " : "", spg_path_base(path));
	}
	spg_output_wrap(out, "", 0, spg_buf_text(&line));
	spg_buf_finish(&line);
}

/* Why it is not safe, as far as the table of files does not tell it. */
static void tell_reasons(struct spg_output *out, const json_t *answer)
{
	const json_t *coverage =
		spg_json_list(json_object_get(answer, "proof"), "coverage");
	const char *verdict = spg_json_text(answer, "verdict");
	bool blocked = strcmp(verdict, "blocked") == 0;
	bool headed = false;
	size_t i;
	json_t *reason;

	json_array_foreach (spg_json_list(answer, "reasons"), i, reason) {
		const char *text = spg_json_text(reason, "text");

		if (!text || spg_note_is(reason, SPG_REASON_NOT_LOOKED_AT))
			continue;
		/* Users are in the table; what no process shows has its clue here. */
		if (spg_note_is(reason, SPG_REASON_IN_USE) ||
			(blocked && spg_note_is(reason, SPG_REASON_MORE)))
			continue;
		if (!headed)
			spg_output_raw(out, "\nWhy:\n");
		headed = true;
		spg_output_wrap(out, "  -", 4, text);
	}
	spg_describe_coverage(out,
		strcmp(verdict, "unknown") == 0
			? "Could not be looked at:"
			: "Could not be looked at (the verdict holds):",
		coverage);
}

static void tell_remarks(struct spg_output *out, const json_t *answer)
{
	spg_describe_remarks(
		out, "Good to know", spg_json_list(answer, "remarks"), NULL);
}

/* True when @text, as it is configured, is among the steps. */
static bool is_advised(const json_t *next, const json_t *text)
{
	size_t i;
	json_t *step;

	json_array_foreach (next, i, step)
		if (spg_note_is(step, SPG_STEP_ADVICE) &&
			json_equal(json_object_get(step, "text"), text))
			return true;
	return false;
}

/* The advice for files, each once, with the names of its files. */
static void tell_advice(
	struct spg_output *out, const json_t *answer, const json_t *next)
{
	json_t *names = json_object();
	const char *advice;
	size_t i;
	json_t *file, *list;

	json_array_foreach (spg_json_list(answer, "files"), i, file) {
		const char *path = spg_json_text(file, "path");

		advice = spg_json_text(file, "advice");
		if (!advice || !path || !is_shown(file, false) ||
			is_advised(next, json_object_get(file, "advice")))
			continue;
		list = json_object_get(names, advice);
		if (!list) {
			list = json_array();
			json_object_set_new(names, advice, list);
		}
		if (json_array_size(list) <= NAMES_SHOWN_MAX)
			json_array_append_new(list, json_string(spg_path_base(path)));
	}
	json_object_foreach (names, advice, list) {
		struct spg_buf line = SPG_BUF_NULL;
		bool more = json_array_size(list) > NAMES_SHOWN_MAX;

		if (more)
			json_array_remove(list, NAMES_SHOWN_MAX);
		spg_describe_list(&line, list, ", ");
		spg_buf_printf(&line, "%s: %s", more ? ", ..." : "", advice);
		spg_output_wrap(out, "  ", 2, spg_buf_text(&line));
		spg_buf_finish(&line);
	}
	json_decref(names);
}

static void tell_again(struct spg_output *out, const struct spg_check_options *options,
	const json_t *answer)
{
	const char *product = spg_json_text(answer, "product");
	bool blocked = strcmp(spg_json_text(answer, "verdict"), "blocked") == 0;
	struct spg_buf command = SPG_BUF_NULL;
	json_t *step;

	spg_buf_puts(&command, "spguard check");
	if (options->product && product) {
		spg_buf_puts(&command, " --product ");
		spg_text_shell_quote(&command, product);
	}
	if (options->payload || options->files) {
		spg_buf_puts(&command, options->payload ? " --payload " : " --files ");
		spg_text_shell_quote(
			&command, options->payload ? options->payload : options->files);
	}
	if (blocked)
		spg_buf_puts(&command, " --wait");
	step = spg_command_step(spg_buf_text(&command),
		blocked ? "asks again until it is safe" : "asks again");
	spg_describe_step(out, step);
	json_decref(step);
	spg_buf_finish(&command);
}

static void tell_next(struct spg_output *out, const struct spg_check_options *options,
	const json_t *answer)
{
	const json_t *next = spg_json_list(answer, "next");
	const json_t *coverage =
		spg_json_list(json_object_get(answer, "proof"), "coverage");
	bool asks_again = false;
	size_t i;
	json_t *step;

	if (strcmp(spg_json_text(answer, "verdict"), "safe") == 0)
		return;
	spg_output_raw(out, "\nWhat to do:\n");
	json_array_foreach (next, i, step) {
		if (spg_note_is(step, SPG_STEP_REMEDY))
			continue;
		asks_again = asks_again || spg_note_is(step, SPG_STEP_CHECK_AGAIN);
		spg_describe_step(out, step);
	}
	tell_advice(out, answer, next);
	if (spg_coverage_blinds(coverage) &&
		strcmp(spg_json_text(answer, "verdict"), "unknown") == 0)
		spg_output_wrap(out, "  ", 2,
			"Mend what could not be looked at (the remedies above).");
	if (!asks_again)
		tell_again(out, options, answer);
}

/* ---- the service pack ---- */

static const struct {
	const char *key, *one, *many;
} offers[] = {
	{"update", "update", "updates"},
	{"same", "already installed", "already installed"},
	{"new", "new", "new"},
	{"different", "with another content", "with another content"},
	{"unknown", "that cannot be compared", "that cannot be compared"},
	{"older", "older", "older"},
	{"variant", "other variant", "other variants"},
};

#define N_OFFERS (sizeof(offers) / sizeof(offers[0]))

/* Counts are the peer's numbers: keep them small enough to be added. */
static int64_t count_offer(const json_t *payload, const char *key)
{
	int64_t n = spg_json_number(payload, key);

	return n > 0 && n < INT32_MAX ? n : 0;
}

static bool has_offer(const json_t *file, const char *key)
{
	const char *offer = spg_json_text(file, "offer");

	return offer && strcmp(offer, key) == 0;
}

/* " 5.5.2650.24 -> 5.5.2448.0", as far as they are known. */
static void put_versions(struct spg_buf *line, const json_t *file)
{
	const char *from = spg_json_text(file, "installed_version");
	const char *to = spg_json_text(file, "offered_version");

	if (from || to)
		spg_buf_printf(line, " %s -> %s", from ? from : "?", to ? to : "?");
}

/* A step back is easily overlooked: those files by name. */
static void tell_steps_back(struct spg_output *out, const json_t *answer)
{
	int64_t n = count_offer(json_object_get(answer, "payload"), "older");
	struct spg_buf line = SPG_BUF_NULL;
	int64_t shown = 0;
	size_t i;
	json_t *file;

	if (n == 0)
		return;
	spg_output_count(&line, n);
	spg_buf_puts(&line, " older than what is installed:");
	json_array_foreach (spg_json_list(answer, "files"), i, file) {
		const char *path = spg_json_text(file, "path");

		if (!path || !has_offer(file, "older"))
			continue;
		if (shown == NAMES_SHOWN_MAX) {
			spg_buf_puts(&line, ", ...");
			break;
		}
		spg_buf_printf(&line, "%s %s", shown++ ? "," : "", spg_path_base(path));
		put_versions(&line, file);
	}
	spg_output_marked(
		out, SPG_STYLE_CARE, "Caution: ", 9, NULL, spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

static void tell_payload(struct spg_output *out, const json_t *answer)
{
	const json_t *payload = json_object_get(answer, "payload");
	struct spg_buf line = SPG_BUF_NULL;
	int64_t total = 0;
	bool first = true;

	for (size_t i = 0; i < N_OFFERS; i++)
		total += count_offer(payload, offers[i].key);
	if (total == 0)
		return;
	spg_buf_puts(&line, "Service pack: ");
	spg_describe_count(&line, total, "file");
	for (size_t i = 0; i < N_OFFERS; i++) {
		int64_t n = count_offer(payload, offers[i].key);

		if (n == 0)
			continue;
		spg_buf_puts(&line, first ? ": " : ", ");
		first = false;
		spg_output_count(&line, n);
		spg_buf_printf(&line, " %s", n == 1 ? offers[i].one : offers[i].many);
	}
	spg_describe_by_name(&line, payload);
	spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
	tell_steps_back(out, answer);
}

static const struct spg_table_column offer_columns[] = {
	{"FILE", false, SPG_TABLE_MIDDLE, 14},
	{"IS", false, SPG_TABLE_KEEP, 0},
	{"INSTALLED", false, SPG_TABLE_END, 9},
	{"SERVICE PACK", false, SPG_TABLE_END, 9},
};

/* Every file with its versions. */
static void tell_offers(struct spg_output *out, const json_t *answer)
{
	struct spg_file_table table;
	size_t i;
	json_t *file;

	if (!json_is_object(json_object_get(answer, "payload")))
		return;
	spg_file_table_init(&table, out, offer_columns,
		sizeof(offer_columns) / sizeof(offer_columns[0]));
	json_array_foreach (spg_json_list(answer, "files"), i, file) {
		const char *path = spg_json_text(file, "path");
		const char *offer = spg_json_text(file, "offer");
		const char *from = spg_json_text(file, "installed_version");
		const char *to = spg_json_text(file, "offered_version");

		if (out->terminal && i >= FILES_SHOWN_MAX)
			break;
		spg_file_table_add_path(&table, path ? path : "?", NULL);
		spg_table_add(&table.table,
			has_offer(file, "older") ? SPG_STYLE_CARE : NULL,
			offer ? offer : "?");
		spg_table_add(&table.table, NULL, from ? from : "-");
		spg_table_add(&table.table, NULL, to ? to : "-");
	}
	spg_output_raw(out, "\n");
	spg_file_table_print(&table, out);
}

static void tell_proof(struct spg_output *out, const json_t *answer)
{
	const json_t *proof = json_object_get(answer, "proof");
	const char *tier = spg_json_text(proof, "tier");
	bool complete = !json_is_false(json_object_get(proof, "complete"));
	int64_t files = spg_json_number(proof, "files");
	int64_t took_us = spg_json_number(proof, "took_us");
	struct spg_buf line = SPG_BUF_NULL;

	if (took_us < 0 || took_us > INT64_MAX / 1000)
		took_us = 0;
	spg_buf_puts(&line, complete ? "proved " : "not fully proved, asked ");
	spg_output_time(out, &line, spg_json_text(answer, "at"), true);
	spg_buf_puts(&line, ", ");
	spg_output_count(&line, files);
	spg_buf_puts(&line, files == 1 ? " file in " : " files in ");
	spg_output_duration(out, &line, took_us * 1000);
	spg_buf_printf(&line, ", tier %s", tier ? tier : "?");
	spg_output_marked(out, NULL, "", 0, SPG_STYLE_WEAK, spg_buf_text(&line));
	spg_buf_finish(&line);
}

/* How the wait ended: "Free for 2.1 s; in the way again 3 times before that." */
static void tell_waited(struct spg_output *out, const json_t *answer)
{
	const json_t *waited = json_object_get(answer, "waited");
	double free_s = json_number_value(json_object_get(waited, "free"));
	int64_t returns = spg_json_number(waited, "returns");
	struct spg_buf line = SPG_BUF_NULL;

	if (free_s > 0 && free_s < INT32_MAX) {
		spg_buf_puts(&line, "Free for ");
		spg_output_duration(out, &line, (int64_t)(free_s * 1e9));
	}
	if (returns > 0) {
		spg_buf_puts(&line, line.len ? "; before that, in the way again "
					     : "In the way again ");
		spg_describe_count(&line, returns, "time");
		spg_buf_puts(&line, " after being free");
	}
	if (line.len) {
		spg_buf_puts(&line, ".");
		spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	}
	spg_buf_finish(&line);
}

static void tell_answer(struct spg_output *out, const struct spg_check_options *options,
	const json_t *answer)
{
	bool safe = strcmp(spg_json_text(answer, "verdict"), "safe") == 0 &&
	            json_array_size(spg_json_list(answer, "remarks")) == 0;

	tell_headline(out, answer);
	tell_waited(out, answer);
	tell_files(out, answer, options->all);
	if (options->all)
		tell_offers(out, answer);
	tell_reasons(out, answer);
	tell_remarks(out, answer);
	tell_next(out, options, answer);
	if (!safe)
		spg_output_raw(out, "\n");
	if (!options->all) {
		tell_names(out, answer, "missing", "product", "");
		tell_names(out, answer, "new", "service pack",
			" in the product's directories");
	}
	tell_payload(out, answer);
	tell_proof(out, answer);
}

void spg_check_tell(struct spg_output *out, const struct spg_check_options *options,
	const json_t *result, const char *worst)
{
	json_t *answers = spg_answers_split(result), *answer;
	size_t n = json_array_size(answers), i;
	struct spg_buf line = SPG_BUF_NULL;

	json_array_foreach (answers, i, answer) {
		tell_answer(out, options, answer);
		if (n > 1)
			spg_output_raw(out, "\n");
	}
	spg_buf_printf(&line, "all %zu products together", n);
	if (n != 1)
		spg_describe_verdict(out, "", worst, spg_buf_text(&line));
	spg_buf_finish(&line);
	json_decref(answers);
}
