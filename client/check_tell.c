/* SPDX-License-Identifier: MIT */
#include "client/check_tell.h"

#include <string.h>

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

static void tell_headline(struct spg_output *out, const json_t *answer)
{
	const json_t *counts = json_object_get(answer, "counts");
	const char *verdict = spg_json_text(answer, "verdict");
	const char *title = spg_json_text(answer, "title");
	int64_t files = spg_json_number(counts, "files");
	int64_t blocked = spg_json_number(counts, "blocked");
	struct spg_buf line = SPG_BUF_NULL;

	if (!title)
		title = spg_json_text(answer, "product");
	spg_buf_printf(&line, "%s: ", title ? title : "product without a name");
	if (strcmp(verdict, "safe") == 0 && files == 1) {
		spg_buf_puts(&line, "its file is not in use");
	} else if (strcmp(verdict, "safe") == 0) {
		spg_buf_puts(&line, "none of the ");
		spg_output_count(&line, files);
		spg_buf_puts(&line, " files is in the way");
	} else if (strcmp(verdict, "blocked") == 0) {
		spg_output_count(&line, blocked);
		spg_buf_puts(&line, " of ");
		spg_output_count(&line, files);
		spg_buf_puts(&line, files == 1 ? " file" : " files");
		spg_buf_puts(
			&line, blocked == 1 ? " is in the way" : " are in the way");
	} else if (strcmp(verdict, "attention") == 0) {
		spg_buf_puts(&line, "nobody holds a file, but read this first");
	} else {
		spg_buf_puts(&line, "its files could not be proved free");
	}
	spg_describe_verdict(out, "", verdict, spg_buf_text(&line));
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
			spg_lock_table_add(&locks, spg_json_text(file, "path"), lock);
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

static bool list_has(const json_t *array, const char *text)
{
	size_t i;
	json_t *value;

	json_array_foreach (array, i, value)
		if (json_is_string(value) &&
			strcmp(json_string_value(value), text) == 0)
			return true;
	return false;
}

/* True when a row of @coverage says what @text says. */
static bool coverage_says(const json_t *coverage, const char *text)
{
	size_t i;
	json_t *lack;

	json_array_foreach (coverage, i, lack) {
		const char *why = spg_json_text(lack, "why");
		const char *remedy = spg_json_text(lack, "remedy");

		if (remedy && strcmp(remedy, text) == 0)
			return true;
		if (why && strncmp(text, "could not look at ", 18) == 0 &&
			strstr(text, why))
			return true;
	}
	return false;
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
		const char *text = json_string_value(reason);

		if (!text || coverage_says(coverage, text))
			continue;
		/* Users are in the table; what no process shows has its clue here. */
		if (blocked && !strstr(text, "no process shows"))
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

/* Commands are not wrapped, so that they can be copied. */
static bool is_command(const char *text)
{
	static const char *const programs[] = {"systemctl ", "kill ", "spguard ",
		"mount ", "umount ", "loginctl ", "sysctl ", "usermod ", "/"};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strncmp(text, programs[i], strlen(programs[i])) == 0)
			return true;
	return false;
}

static void tell_command(struct spg_output *out, const char *text)
{
	spg_output_raw(out, "  ");
	spg_output_text(out, SPG_STYLE_STRONG, text);
	spg_output_raw(out, "\n");
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
		if (!advice || !path || list_has(next, advice) ||
			!is_shown(file, false))
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
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_puts(&line, "spguard check");
	if (options->product && product) {
		spg_buf_puts(&line, " --product ");
		spg_text_shell_quote(&line, product);
	}
	if (options->payload || options->files) {
		spg_buf_puts(&line, options->payload ? " --payload " : " --files ");
		spg_text_shell_quote(
			&line, options->payload ? options->payload : options->files);
	}
	if (strcmp(spg_json_text(answer, "verdict"), "blocked") == 0)
		spg_buf_puts(&line, " --wait   # asks again until it is safe");
	else
		spg_buf_puts(&line, "   # asks again");
	tell_command(out, spg_buf_text(&line));
	spg_buf_finish(&line);
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
		const char *text = json_string_value(step);

		if (!text || coverage_says(coverage, text))
			continue;
		asks_again = asks_again || strncmp(text, "spguard check", 13) == 0;
		if (is_command(text))
			tell_command(out, text);
		else
			spg_output_wrap(out, "  ", 2, text);
	}
	tell_advice(out, answer, next);
	if (spg_coverage_blinds(coverage) &&
		strcmp(spg_json_text(answer, "verdict"), "unknown") == 0)
		spg_output_wrap(out, "  ", 2,
			"Mend what could not be looked at (the remedies above).");
	if (!asks_again)
		tell_again(out, options, answer);
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

static void tell_answer(struct spg_output *out, const struct spg_check_options *options,
	const json_t *answer)
{
	bool safe = strcmp(spg_json_text(answer, "verdict"), "safe") == 0;

	tell_headline(out, answer);
	tell_files(out, answer, options->all);
	tell_reasons(out, answer);
	tell_next(out, options, answer);
	if (!safe)
		spg_output_raw(out, "\n");
	if (!options->all) {
		tell_names(out, answer, "missing", "product", "");
		tell_names(out, answer, "new", "service pack", " yet");
	}
	tell_proof(out, answer);
}

void spg_check_tell(struct spg_output *out, const struct spg_check_options *options,
	const json_t *result, const char *worst)
{
	const json_t *products = spg_json_list(result, "products");
	struct spg_buf line = SPG_BUF_NULL;
	size_t i;
	json_t *answer;

	if (!products) {
		tell_answer(out, options, result);
		return;
	}
	json_array_foreach (products, i, answer) {
		tell_answer(out, options, answer);
		spg_output_raw(out, "\n");
	}
	spg_buf_printf(&line, "all %zu products together", json_array_size(products));
	spg_describe_verdict(out, "", worst, spg_buf_text(&line));
	spg_buf_finish(&line);
}
