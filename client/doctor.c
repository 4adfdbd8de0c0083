/* SPDX-License-Identifier: MIT */
/*
 * spguard doctor: what works, what does not, why it matters, what to do.
 *
 * The findings are collected first, so that a person and a script get the same.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/describe.h"
#include "client/rights.h"
#include "common/kind.h"
#include "common/text.h"

#define MARK_WIDTH  6
#define LABEL_WIDTH 21

static const char help[] =
	"spguard doctor: does everything work that a proof needs?\n"
	"\n"
	"Usage: spguard doctor [--all]\n"
	"\n"
	"Goes through the daemon's means of looking, its configuration, the\n"
	"directories of all products, what could not be looked at, what keeps setup "
	"from\n"
	"replacing files that nobody uses, and the history.\n"
	"What is fine takes one line; for each lack it says what that means for the\n"
	"verdicts, what to do, and the command.\n"
	"\n"
	"      --all         tell about what is fine one by one, too\n"
	"      --json        {\"healthy\": BOOL, \"findings\": [{\"subject\", "
	"\"works\",\n"
	"                    \"detail\", \"matters\", \"remedy\", \"command\"}]}\n"
	"      --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Exit code: 0 all is well, 1 something lacks, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard doctor\n"
	"  spguard doctor --json | jq -r '.findings[] | select(.works | not) | "
	".remedy'\n";

static const struct option long_options[] = {
	{"all", no_argument, NULL, 'a'},
	{NULL, 0, NULL, 0},
};

/* One finding. @matters, @remedy and @command (which does it, or its last step) only
 * when it does not work, or is @noted: worth knowing, and no verdict depends on it. */
struct finding {
	const char *subject;
	bool works;
	const char *detail, *matters, *remedy;
	bool noted;
	const char *command;
};

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static void add(json_t *findings, const struct finding *finding)
{
	bool fine = finding->works && !finding->noted;
	json_t *object = json_object();

	json_object_set_new(object, "subject", json_string(finding->subject));
	json_object_set_new(object, "works", json_boolean(finding->works));
	json_object_set_new(object, "detail", text_or_null(finding->detail));
	json_object_set_new(
		object, "matters", fine ? json_null() : text_or_null(finding->matters));
	json_object_set_new(
		object, "remedy", fine ? json_null() : text_or_null(finding->remedy));
	json_object_set_new(
		object, "command", fine ? json_null() : text_or_null(finding->command));
	json_array_append_new(findings, object);
}

static void examine_daemon(json_t *findings, const json_t *status)
{
	const char *version = spg_json_text(status, "version");
	const char *tier = spg_json_text(status, "tier");
	bool same = version && strcmp(version, SPG_VERSION) == 0;
	struct spg_buf detail = SPG_BUF_NULL;

	spg_buf_printf(&detail, "spguardd %s answers, tier %s", version ? version : "?",
		tier ? tier : "?");
	if (!same)
		spg_buf_puts(&detail, "; this client is " SPG_VERSION);
	add(findings, &(struct finding){"daemon", same, spg_buf_text(&detail),
			      "Client and daemon of two versions may not understand "
			      "each other.",
			      "Restart the daemon after an upgrade.",
			      .command = SPG_LOCAL_RESTART});
	spg_buf_finish(&detail);
}

#define CHECK_AND_RELOAD "spguardd --check-config && spguard reload"

/* What a broken means of looking leads to. */
static const char *what_it_leads_to(const json_t *mechanism)
{
	static const char *const matters[SPG_MECHANISM_N_KINDS] = {
		[SPG_MECHANISM_COUNTERS] =
			"The tier is procfs: a second holder that no process shows can "
			"hide behind one that setup stops, so such files are "
			"\"unknown\", and short locks may be missing from the "
			"history.",
		[SPG_MECHANISM_FILE_EVENTS] =
			"Opens, closes and changes are not noticed as they happen: the "
			"history has gaps, and every check has to look at everything "
			"again.",
		[SPG_MECHANISM_IN_USE] =
			"Without it nobody can say that a file is free: such files are "
			"\"unknown\".",
		[SPG_MECHANISM_LOCKED] =
			"Locks of other programs may go unseen; a file that is only "
			"locked is what breaks an installation.",
		[SPG_MECHANISM_LOCK_EVENTS] =
			"Locks that last less than a moment may be missing from the "
			"history.",
		[SPG_MECHANISM_MAPPED] =
			"Files that are only mapped, their descriptor closed, may have "
			"no visible holder.",
		[SPG_MECHANISM_EVERYBODY] =
			"Who holds a file cannot be told for all processes.",
		[SPG_MECHANISM_PROCESS_TABLE] =
			"Processes that end at once may have no name in the history.",
		[SPG_MECHANISM_USER_LIST] =
			"Processes that are protected cannot be looked into: while one "
			"runs, files that nobody else has are \"unknown\".",
		[SPG_MECHANISM_WRITE_PROBE] = "While not every process can be looked "
					      "into, no other way tells "
					      "whether a library is loaded.",
		[SPG_MECHANISM_SERVICES] =
			"Processes are named without their services, and setup-stops "
			"does not find those.",
	};
	int kind = spg_mechanism_kind_from_name(spg_json_text(mechanism, "kind"));

	if (kind >= 0 && matters[kind])
		return matters[kind];
	return "One of the ways to look is missing; another may take its place, more "
	       "slowly or less completely.";
}

static void examine_mechanisms(json_t *findings, const json_t *status)
{
	size_t i;
	json_t *mechanism;

	json_array_foreach (spg_json_list(status, "mechanisms"), i, mechanism) {
		const char *name = spg_json_text(mechanism, "name");

		if (!name)
			continue;
		add(findings, &(struct finding){name, spg_json_true(mechanism, "works"),
				      spg_json_text(mechanism, "detail"),
				      what_it_leads_to(mechanism),
				      spg_json_text(mechanism, "remedy"),
				      .command = spg_json_text(mechanism, "command")});
	}
}

/* True when a row of coverage is about @path: then it says more. */
static bool coverage_names(const json_t *status, const char *path)
{
	size_t i;
	json_t *lack;

	json_array_foreach (spg_json_list(status, "coverage"), i, lack) {
		const char *about = spg_json_text(lack, "path");

		if (about && strcmp(about, path) == 0)
			return true;
	}
	return false;
}

static void examine_directory(json_t *findings, const json_t *status,
	const char *product, const json_t *directory)
{
	const char *path = spg_json_text(directory, "path");
	const char *state = spg_json_text(directory, "state");
	const char *why = spg_json_text(directory, "why");
	struct spg_buf detail = SPG_BUF_NULL, remedy = SPG_BUF_NULL;
	struct finding finding = {.subject = path};

	if (!path || !state)
		return;
	spg_buf_printf(&detail, "%s, of product %s", state, product);
	if (why && *why)
		spg_buf_printf(&detail, ": %s", why);
	finding.works = strcmp(state, "watched") == 0;
	finding.detail = spg_buf_text(&detail);
	if (strcmp(state, "missing") == 0) {
		finding.matters = "No verdict is about what belongs there. It is "
				  "waited for: when it "
				  "appears, it is watched at once.";
		spg_buf_printf(&remedy,
			"If the product is not installed here, or elsewhere, correct "
			"\"directory\" in [product %s], and have it read again.",
			product);
		finding.command = CHECK_AND_RELOAD;
	} else {
		finding.matters = "What happens there is not seen, so files in it can "
				  "never be called safe.";
		spg_buf_puts(&remedy,
			"See the reason; the daemon needs to be root, and "
			"the directory on a local filesystem.");
		finding.command = SPG_LOCAL_LOG;
	}
	finding.remedy = spg_buf_text(&remedy);
	if (!coverage_names(status, path))
		add(findings, &finding);
	spg_buf_finish(&detail);
	spg_buf_finish(&remedy);
}

static void examine_products(json_t *findings, const json_t *status)
{
	const json_t *products = spg_json_list(status, "products");
	size_t i, j;
	json_t *product, *directory;

	if (json_array_size(products) == 0)
		add(findings,
			&(struct finding){"products", false, "there is none",
				"There is nothing to watch and nothing to answer "
				"about.",
				"Add a [product NAME] to the configuration, and have "
				"it read again.",
				.command = CHECK_AND_RELOAD});
	json_array_foreach (products, i, product) {
		const char *name = spg_json_text(product, "name");
		int64_t files = spg_json_number(product, "files");
		struct spg_buf detail = SPG_BUF_NULL;

		if (!name)
			continue;
		spg_output_count(&detail, files);
		spg_buf_puts(&detail, files == 1 ? " file found" : " files found");
		add(findings, &(struct finding){name, files > 0, spg_buf_text(&detail),
				      "Without files the verdict is \"unknown\".",
				      "See whether \"directory\" and \"files\" of the "
				      "product fit "
				      "the installation (upper and lower case: "
				      "ignore-case).",
				      .command = CHECK_AND_RELOAD});
		spg_buf_finish(&detail);
		json_array_foreach (spg_json_list(product, "directories"), j, directory)
			examine_directory(findings, status, name, directory);
	}
}

static void examine_configuration(json_t *findings, const json_t *status)
{
	const json_t *refusal = json_object_get(status, "reload_refused");
	const json_t *problems = spg_json_list(refusal, "problems");
	const char *path = spg_json_text(status, "config");
	const char *first = json_string_value(json_array_get(problems, 0));
	struct spg_buf detail = SPG_BUF_NULL;
	size_t n = json_array_size(problems);

	if (json_is_object(refusal)) {
		spg_buf_puts(&detail, "the last reload was refused");
		if (first)
			spg_buf_printf(&detail, ": %s", first);
		if (n > 1)
			spg_buf_printf(&detail, "; and %zu more", n - 1);
	} else {
		spg_buf_puts(&detail, path ? path : "built-in defaults");
	}
	add(findings, &(struct finding){"configuration", !json_is_object(refusal),
			      spg_buf_text(&detail),
			      "What was in force before goes on: nothing that was "
			      "changed since then is looked at.",
			      "Correct what is bad, and have it read again.",
			      .command = CHECK_AND_RELOAD});
	spg_buf_finish(&detail);
}

static bool is_of_kind(const json_t *lack, enum spg_lack_kind kind)
{
	return spg_lack_kind_from_name(spg_json_text(lack, "kind")) == (int)kind;
}

static void examine_coverage(json_t *findings, const json_t *status)
{
	size_t i;
	json_t *lack;

	json_array_foreach (spg_json_list(status, "coverage"), i, lack) {
		const char *what = spg_json_text(lack, "what");
		const char *product = spg_json_text(lack, "product");
		bool blinds = json_object_get(lack, "blinds") != json_false();
		struct spg_buf detail = SPG_BUF_NULL;

		/* That was told of the mechanism. */
		if (is_of_kind(lack, SPG_LACK_MECHANISM))
			continue;
		spg_buf_printf(&detail, "could not be looked at: %s",
			spg_json_text(lack, "why") ? spg_json_text(lack, "why") : "?");
		if (product)
			spg_buf_printf(&detail, " (product %s)", product);
		add(findings, &(struct finding){what ? what : "something", !blinds,
				      spg_buf_text(&detail),
				      blinds ? "What could not be looked at is never "
					       "called safe."
					     : "Verdicts stay right; a holder may go "
					       "without a "
					       "name.",
				      spg_json_text(lack, "remedy"), !blinds,
				      spg_json_text(lack, "command")});
		spg_buf_finish(&detail);
	}
}

/* The step that ends the obstacle @reason; NULL: there is none. */
static const json_t *find_step(const json_t *next, const json_t *reason)
{
	static const char *const keys[] = {"obstacle", "file", "place", "product"};
	size_t i;
	json_t *step;

	json_array_foreach (next, i, step) {
		bool same = spg_note_is(step, SPG_STEP_CLEAR_OBSTACLE);

		for (size_t k = 0; same && k < sizeof(keys) / sizeof(keys[0]); k++)
			same = json_object_get(step, keys[k]) ==
			               json_object_get(reason, keys[k]) ||
			       json_equal(json_object_get(step, keys[k]),
				       json_object_get(reason, keys[k]));
		if (same)
			return step;
	}
	return NULL;
}

/* What keeps setup out although nobody uses the files. */
static void examine_obstacles(json_t *findings, const json_t *answer)
{
	size_t i;
	json_t *reason;

	json_array_foreach (spg_json_list(answer, "reasons"), i, reason) {
		const char *place = spg_json_text(reason, "place");
		const char *file = spg_json_text(reason, "file");
		const json_t *step = find_step(spg_json_list(answer, "next"), reason);
		const char *command = spg_json_text(step, "command");

		if (!spg_note_is(reason, SPG_REASON_OBSTACLE) || (!place && !file))
			continue;
		add(findings,
			&(struct finding){place ? place : file, false,
				spg_json_text(reason, "text"),
				"Setup cannot do its work there, though nobody is in "
				"the "
				"way.",
				command ? "End that before setup, and see what it was "
					  "good for."
					: spg_json_text(step, "text"),
				.command = command});
	}
}

/* The verdicts are about who installs: that may be somebody else than who asks. */
static void examine_rights(json_t *findings, const json_t *status)
{
	size_t i, k;
	json_t *product, *directory;

	json_array_foreach (spg_json_list(status, "products"), i, product)
		json_array_foreach (
			spg_json_list(product, "directories"), k, directory) {
			const char *path = spg_json_text(directory, "path");
			const char *fault =
				geteuid() != 0 && path ? spg_rights_fault(path) : NULL;
			struct spg_buf detail = SPG_BUF_NULL;

			if (!fault)
				continue;
			spg_buf_printf(&detail, "you cannot write to it: %s", fault);
			add(findings,
				&(struct finding){path, true, spg_buf_text(&detail),
					"A setup that you start yourself cannot "
					"replace files there.",
					"Start setup as root, or as who may write "
					"there.",
					true});
			spg_buf_finish(&detail);
		}
}

/* What to do, and the command for it, which takes the database's path. */
struct store_remedy {
	const char *remedy, *command;
};

static const struct store_remedy *remedy_of(const json_t *store)
{
	static const struct store_remedy remedies[SPG_STORE_N_FAULTS] = {
		[SPG_STORE_FAULT_FULL] = {"Make room on its filesystem, or lower "
					  "retain-size; writing is tried again by "
					  "itself.",
			"df -h"},
		[SPG_STORE_FAULT_LOCKED] =
			{"See which programs have the database open, "
			 "and let the one that locked it finish, or "
			 "end it.",
				"fuser -v"},
		[SPG_STORE_FAULT_DENIED] = {"Make the file and its directory writable "
					    "for the daemon; writing is tried again by "
					    "itself.",
			"ls -ld"},
		[SPG_STORE_FAULT_DAMAGED] = {"Move it away by hand, with its -wal and "
					     "-shm; a new one is begun by itself.",
			"ls -l"},
		[SPG_STORE_FAULT_MEMORY] =
			{"Free some memory; writing is tried again by "
			 "itself.",
				NULL},
		[SPG_STORE_FAULT_DISK] =
			{"See what the kernel says of its disk; writing "
			 "is tried again by itself.",
				NULL},
	};
	int fault = spg_store_fault_from_name(spg_json_text(store, "fault"));

	return &remedies[fault >= 0 ? fault : SPG_STORE_FAULT_DISK];
}

/* What was lost and is over: the log lacks it, and nothing is to be mended. */
static void note_losses(struct spg_output *out, json_t *findings, const json_t *store)
{
	const char *since = spg_json_text(store, "dropped_since");
	const char *until = spg_json_text(store, "dropped_until");
	struct spg_buf detail = SPG_BUF_NULL;

	if (spg_json_number(store, "dropped") <= 0)
		return;
	spg_output_count(&detail, spg_json_number(store, "dropped"));
	spg_buf_puts(&detail, " events were not stored");
	if (since && until) {
		spg_buf_puts(&detail, ", between ");
		spg_output_time(out, &detail, since, false);
		spg_buf_puts(&detail, " and ");
		spg_output_time(out, &detail, until, false);
	}
	add(findings, &(struct finding){"history", true, spg_buf_text(&detail),
			      "They are missing from the log. Answers about now do not "
			      "rest on it.",
			      "See why; when it was that events came too fast, put "
			      "\"database\" on a faster disk.",
			      true, "spguard log --kind gap"});
	spg_buf_finish(&detail);
}

static void examine_store(
	struct spg_output *out, json_t *findings, const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	const char *path = spg_json_text(store, "path");
	const char *why = spg_json_text(store, "why");
	const struct store_remedy *remedy = remedy_of(store);
	bool stopped = spg_json_true(store, "stopped");
	bool works = !stopped && !spg_json_text(store, "fault");
	struct spg_buf detail = SPG_BUF_NULL, command = SPG_BUF_NULL;

	if (path && remedy->command) {
		spg_buf_printf(&command, "%s ", remedy->command);
		spg_text_shell_quote(&command, path);
	} else {
		spg_buf_puts(&command, SPG_LOCAL_DISK_LOG);
	}
	if (works) {
		spg_output_count(&detail, spg_json_number(store, "rows"));
		spg_buf_puts(&detail, " events");
		if (path)
			spg_buf_printf(&detail, " in %s", path);
	} else {
		spg_buf_printf(&detail, "%s: %s", stopped ? "stopped" : "waits",
			why ? why : "no reason was given");
	}
	add(findings, &(struct finding){"history", works, spg_buf_text(&detail),
			      stopped ? "Answers about now stay right, but what "
					"happens meanwhile will be missing from the "
					"log; the gap is recorded."
				      : "Answers about now stay right, and what "
					"happens meanwhile is kept in memory, as long "
					"as there is room.",
			      remedy->remedy, .command = spg_buf_text(&command)});
	note_losses(out, findings, store);
	spg_buf_finish(&detail);
	spg_buf_finish(&command);
}

/* ---- telling ---- */

static bool is_healthy(const json_t *findings)
{
	size_t i;
	json_t *finding;

	json_array_foreach (findings, i, finding)
		if (!spg_json_true(finding, "works"))
			return false;
	return true;
}

/* What a finding is: fine, a lack, or worth a note. */
enum sort { SORT_LACK, SORT_NOTE, SORT_FINE, SORTS };

static enum sort sort_of(const json_t *finding)
{
	if (!spg_json_true(finding, "works"))
		return SORT_LACK;
	return spg_json_text(finding, "remedy") ? SORT_NOTE : SORT_FINE;
}

static void tell_part(struct spg_output *out, const char *label, const char *text)
{
	struct spg_buf lines = SPG_BUF_NULL;

	if (!text)
		return;
	spg_buf_printf(&lines, "      %s", label);
	spg_output_wrap(out, spg_buf_text(&lines), LABEL_WIDTH, text);
	if (lines.failed)
		out->text.failed = true;
	spg_buf_finish(&lines);
}

static void tell_finding(struct spg_output *out, const json_t *finding)
{
	static const struct {
		const char *mark, *style;
	} marks[SORTS] = {{"LACK", SPG_STYLE_BAD}, {"note", SPG_STYLE_CARE},
		{"ok", SPG_STYLE_GOOD}};
	enum sort sort = sort_of(finding);
	const char *detail = spg_json_text(finding, "detail");
	const char *command = spg_json_text(finding, "command");
	struct spg_buf line = SPG_BUF_NULL;

	if (sort != SORT_FINE)
		spg_output_raw(out, "\n");
	spg_buf_puts(&line, spg_json_text(finding, "subject"));
	if (detail)
		spg_buf_printf(&line, ": %s", detail);
	spg_output_marked(out, marks[sort].style, marks[sort].mark, MARK_WIDTH,
		sort == SORT_LACK ? SPG_STYLE_STRONG : NULL, spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
	tell_part(out, "What it means:", spg_json_text(finding, "matters"));
	tell_part(out, "What to do:", spg_json_text(finding, "remedy"));
	if (!command)
		return;
	/* On a line of its own, never broken, so that it can be copied. */
	spg_output_raw(out, "%*s", LABEL_WIDTH, "");
	spg_output_text(out, SPG_STYLE_STRONG, command);
	spg_output_raw(out, "\n");
}

/* All that is fine, in one line. The first is the daemon: what it is, is said. */
static void tell_fine(struct spg_output *out, const json_t *findings)
{
	struct spg_buf line = SPG_BUF_NULL;
	size_t i;
	json_t *finding;

	json_array_foreach (findings, i, finding)
		if (sort_of(finding) == SORT_FINE)
			spg_buf_printf(&line, "%s%s", line.len ? ", " : "",
				spg_json_text(finding, i == 0 ? "detail" : "subject"));
	if (line.len)
		spg_output_marked(out, SPG_STYLE_GOOD, "ok", MARK_WIDTH, NULL,
			spg_buf_text(&line));
	if (line.failed)
		out->text.failed = true;
	spg_buf_finish(&line);
}

/* Those of one sort; how many. */
static size_t tell_sort(struct spg_output *out, const json_t *findings, enum sort sort)
{
	size_t n = 0, i;
	json_t *finding;

	json_array_foreach (findings, i, finding) {
		if (sort_of(finding) != sort)
			continue;
		n++;
		tell_finding(out, finding);
	}
	return n;
}

static void tell(struct spg_output *out, const json_t *findings, bool all)
{
	size_t lacks;

	if (all)
		tell_sort(out, findings, SORT_FINE);
	else
		tell_fine(out, findings);
	tell_sort(out, findings, SORT_NOTE);
	lacks = tell_sort(out, findings, SORT_LACK);
	spg_output_raw(out, "\n");
	if (lacks == 0)
		spg_output_text(out, SPG_STYLE_GOOD,
			"All is well: nothing that a proof needs is missing.");
	else if (lacks == 1)
		spg_output_text(out, SPG_STYLE_CARE,
			"One thing lacks. When it is mended: spguard doctor");
	else
		spg_output_raw(out,
			"%zu things lack. When they are mended: spguard doctor", lacks);
	spg_output_raw(out, "\n");
}

/* That there is no daemon to ask is a finding too. */
static void examine_silence(json_t *findings, struct spg_complaint *why)
{
	for (char *c = why->hint.data; c && *c; c++)
		if (*c == '\n')
			*c = ' ';
	add(findings, &(struct finding){"daemon", false, spg_buf_text(&why->why),
			      "Nobody watches: there is no verdict and no history.",
			      spg_buf_text(&why->hint)});
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *findings, *status, *answer = NULL, *report;
	bool all = false;
	int code, option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "", &code)) > 0)
		all = true;
	if (option == SPG_OPTIONS_EXIT)
		return code;
	if (!spg_client_no_operands(client, argc, argv, &code))
		return code;
	findings = json_array();
	status = spg_client_try(client, "status", NULL, 0, &why);
	if (status) {
		examine_daemon(findings, status);
		examine_mechanisms(findings, status);
		examine_configuration(findings, status);
		examine_products(findings, status);
		examine_coverage(findings, status);
		examine_rights(findings, status);
		answer = spg_client_try(client, "check", NULL, 0, &why);
		examine_obstacles(findings, answer);
		examine_store(&client->out, findings, status);
	} else {
		examine_silence(findings, &why);
	}
	code = is_healthy(findings) ? SPG_EXIT_OK : SPG_EXIT_FAILED;
	if (client->json) {
		report = json_pack("{s:b, s:O}", "healthy", code == SPG_EXIT_OK,
			"findings", findings);
		code = spg_client_pass(client, report, code);
		json_decref(report);
	} else {
		tell(&client->out, findings, all);
		code = spg_client_finish(client, code);
	}
	json_decref(findings);
	json_decref(status);
	json_decref(answer);
	spg_complaint_finish(&why);
	return code;
}

const struct spg_command spg_command_doctor = {
	.name = "doctor",
	.summary = "what works, what does not, and the remedy for each lack",
	.purpose = SPG_PURPOSE_DAEMON,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
