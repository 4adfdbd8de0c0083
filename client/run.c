/* SPDX-License-Identifier: MIT */
/*
 * spguard run: check, hold, run, wait for quiet, verify.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/foretell.h"
#include "client/holding.h"
#include "client/payload_params.h"
#include "client/rights.h"
#include "client/run_again.h"
#include "client/start_types.h"
#include "common/clock.h"

#define FOR_DEFAULT_NS (60 * 60 * SPG_NS_PER_S)
/* For the daemon to find that the install has ended. */
#define QUIET_S        60
/* A thousand modules, cold, from a slow disk. */
#define VERIFY_NS      (120 * SPG_NS_PER_S)

#define EXIT_MIXED     2
#define EXIT_UNTOLD    3

/* A setup that never finishes clean is not run for ever. */
#define RUNS_MAX       10

static const char help[] =
	"spguard run: apply a service pack: check, hold, run, verify\n"
	"\n"
	"Usage: spguard run [--payload PACK | --files LIST] [--for TIME]\n"
	"                   [--product P] [--allow PID]... [--yes]\n"
	"                   [--retry[=ask|wait|sidestep]]\n"
	"                   -- COMMAND [ARGUMENT...]\n"
	"\n"
	"      --payload PACK the service pack, a folder or an archive\n"
	"      --files LIST   its files as a list, see spguard check --help\n"
	"      --for TIME     the hold lasts so long at most (1h)\n"
	"  -p, --product P    this product; needed when there are several\n"
	"      --allow PID    this process counts as the installer too; may repeat\n"
	"      --retry[=HOW]  when files were left out, name who held them, and run\n"
	"                     COMMAND again until it finishes clean: after asking "
	"what\n"
	"                     to do (a terminal), wait until they let go, or sidestep\n"
	"                     (spguard sidestep --help)\n"
	"  -y, --yes          do not ask; needed without a terminal\n"
	"      --json         at the end what each step answered, as JSON, on stderr\n"
	"      --utc --no-color --socket PATH --timeout TIME -h\n"
	"                     as for every command: spguard --help\n"
	"\n"
	"1. check: goes on when nothing is in the way, and you may write to the\n"
	"directories yourself, unless COMMAND is set-user-ID. 2. hold: opens are "
	"refused "
	"to\n"
	"others; then it checks again. 3. COMMAND runs. 4. The hold ends when the "
	"install\n"
	"has. 5. verify: do the installed files fit together, and are they those of "
	"the\n"
	"service pack? When COMMAND fails, it is verified all the same.\n"
	"spguard hold --help says what a hold stops and what not.\n"
	"\n"
	"Messages go to stderr. Exit code, of the first step that fails: 2 blocked or "
	"3\n"
	"unknown, and COMMAND was not run; 125 nothing was held and nothing was run;\n"
	"that of COMMAND (126 or 127 when it cannot be run); 2 when the files are "
	"mixed,\n"
	"3 when that cannot be told; 0 when all went well.\n"
	"\n"
	"Examples:\n"
	"  spguard run --payload /mnt/sp4 -- /mnt/sp4/setup --silent\n"
	"  spguard run --yes --for 2h -p exchange55 -- wine update.exe\n";

static const struct option long_options[] = {
	{"payload", required_argument, NULL, 'd'},
	{"files", required_argument, NULL, 'l'},
	{"for", required_argument, NULL, 'f'},
	{"product", required_argument, NULL, 'p'},
	{"allow", required_argument, NULL, 'a'},
	{"yes", no_argument, NULL, 'y'},
	{"retry", optional_argument, NULL, 'r'},
	{NULL, 0, NULL, 0},
};

struct course {
	struct spg_client *client;
	struct spg_holding holding;
	const char *payload, *files;
	bool yes;
	enum spg_retry retry;
	bool mixed; /* the install that was just run */
	bool foretold;
	struct spg_start_types start_types;
	bool has_start_types;
	json_t *told; /* what each step answered */
};

static bool read_options(struct course *course, int argc, char **argv, int *ret_exit)
{
	struct spg_client *client = course->client;
	struct spg_holding *holding = &course->holding;
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:y", ret_exit)) > 0) {
		if (option == 'd')
			course->payload = optarg;
		else if (option == 'l')
			course->files = optarg;
		else if (option == 'p')
			holding->product = optarg;
		else if (option == 'y')
			course->yes = true;
		else if (option == 'r' && !optarg)
			course->retry = SPG_RETRY_ASK;
		else if (option == 'r' && !spg_retry_parse(optarg, &course->retry)) {
			*ret_exit = spg_client_usage(client,
				"--retry takes ask, wait or sidestep, not '%s'",
				optarg);
			return false;
		} else if (option == 'f' && !spg_client_duration(client, "for", optarg,
						    &holding->for_ns, ret_exit))
			return false;
		else if (option == 'a' && !spg_holding_allow(holding, optarg)) {
			*ret_exit = spg_client_usage(client,
				"--allow takes the number of a process, not '%s'",
				optarg);
			return false;
		}
	}
	if (option == SPG_OPTIONS_EXIT)
		return false;
	if (course->payload && course->files) {
		*ret_exit = spg_client_usage(client,
			"--payload and --files exclude each other: give one of them");
		return false;
	}
	if (optind >= argc || strcmp(argv[optind - 1], "--") != 0) {
		*ret_exit = spg_client_usage(
			client, "which command? Write it behind --, at the end");
		return false;
	}
	return true;
}

static void keep(struct course *course, const char *step, const json_t *result)
{
	json_object_set(course->told, step, (json_t *)result);
}

/* Say the texts of the notes in @array, one a line. */
static void say_all(const char *mark, const json_t *array)
{
	size_t i;
	json_t *note;

	json_array_foreach (array, i, note)
		if (spg_json_text(note, "text"))
			spg_holding_say(mark, spg_json_text(note, "text"), "");
}

/* The product and the service pack, as parameters of @method. NULL after the
 * complaint was printed. */
static json_t *make_params(const struct course *course, const char *method)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	const struct spg_payload_options payload = {.folder = course->payload,
		.list = strcmp(method, "check") == 0 ? course->files : NULL,
		.method = method,
		.names_suffice = strcmp(method, "check") == 0};
	const char *product = spg_json_text(course->holding.begun, "product");
	json_t *params = json_object();

	if (!product)
		product = course->holding.product;
	if (product)
		json_object_set_new(params, "product", json_string(product));
	if ((payload.folder || payload.list) &&
		!spg_payload_params_add(&payload, params, &why)) {
		spg_client_failed(course->client, &why);
		json_decref(params);
		params = NULL;
	}
	spg_complaint_finish(&why);
	return params;
}

static void tell_check(const json_t *answer)
{
	say_all("  ", spg_json_list(answer, "reasons"));
	say_all("  do: ", spg_json_list(answer, "next"));
}

static void say_foretold(void *user, const char *sentence)
{
	(void)user;
	spg_holding_say("  ", sentence, "");
}

static void foretell(struct course *course, const json_t *params, const json_t *checked)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	struct spg_buf fault = SPG_BUF_NULL;
	json_t *foretold = spg_foretell_ask(
		course->client, params, course->payload, checked, &why);

	course->foretold = true;
	if (why.why.len > 0 && spg_foretell_fault(&fault, &why))
		spg_holding_say("after the service pack: ", spg_buf_text(&fault), "");
	if (json_array_size(foretold) > 0) {
		keep(course, "foretold", foretold);
		spg_holding_say("after the service pack:", "", "");
		spg_foretell_each(foretold, say_foretold, NULL);
	}
	json_decref(foretold);
	spg_buf_finish(&fault);
	spg_complaint_finish(&why);
}

/* Returns 0 to go on, else the exit code. */
static int check(struct course *course, const char *step)
{
	json_t *params = make_params(course, "check");
	json_t *result =
		params ? spg_client_ask(course->client, "check", json_incref(params), 0)
		       : NULL;
	const char *verdict = spg_json_text(result, "verdict");
	int code = SPG_EXIT_UNKNOWN;

	if (!result) {
		json_decref(params);
		return SPG_EXIT_NOT_HELD;
	}
	keep(course, step, result);
	spg_holding_say("check: ", verdict ? verdict : "unknown", "");
	tell_check(result);
	/* Before somebody agrees; what is held then nobody can be asked about any more. */
	if (course->payload && !course->foretold)
		foretell(course, params, result);
	json_decref(params);
	/* With attention nobody is in the way: it may be this that mends it. */
	if (verdict &&
		(strcmp(verdict, "safe") == 0 || strcmp(verdict, "attention") == 0))
		code = 0;
	else if (verdict && strcmp(verdict, "blocked") == 0)
		code = SPG_EXIT_BLOCKED;
	json_decref(result);
	return code;
}

/* Say which directories of @product this user cannot write to; true: there are some. */
static bool tell_faults(const json_t *product)
{
	bool told = false;
	size_t i;
	json_t *directory;

	json_array_foreach (spg_json_list(product, "directories"), i, directory) {
		const char *path = spg_json_text(directory, "path");
		const char *fault = path ? spg_rights_fault(path) : NULL;
		char words[128];

		if (!fault)
			continue;
		snprintf(words, sizeof(words), ": %s", fault);
		spg_holding_say("you cannot write to ", path, words);
		told = true;
	}
	return told;
}

/* May COMMAND write where it has to? The daemon judges for who installs, which this user
 * may not be. Returns 0 to go on, else the exit code. */
static int check_rights(const struct course *course, char *const *argv)
{
	const char *name = course->holding.product;
	json_t *status = spg_rights_changes(argv[0])
	                         ? NULL
	                         : spg_client_ask(course->client, "status", NULL, 0);
	bool told = false;
	size_t i;
	json_t *product;

	json_array_foreach (spg_json_list(status, "products"), i, product) {
		const char *other = spg_json_text(product, "name");

		if (!name || (other && strcmp(other, name) == 0))
			told |= tell_faults(product);
	}
	json_decref(status);
	if (!told)
		return 0;
	spg_holding_say("  do: run this as root, or as who may write there", "", "");
	return SPG_EXIT_BLOCKED;
}

/* Let the daemon find that the install has ended, and say what came of it. */
static void wait_for_quiet(struct course *course)
{
	json_t *result = spg_client_ask(course->client, "installs",
		json_pack("{s:s, s:i, s:b, s:i}", "product",
			spg_json_text(course->holding.begun, "product"), "wait",
			QUIET_S, "ended", 1, "limit", 1),
		QUIET_S * SPG_NS_PER_S);
	const json_t *install = json_array_get(spg_json_list(result, "installs"), 0);
	const char *outcome = spg_json_text(install, "outcome");

	if (result)
		keep(course, "installs", result);
	/* The newest may be of last year: then nothing was installed now. */
	if (spg_json_time(install, "began") >= course->client->out.now_ns) {
		spg_holding_say("install: ", outcome ? outcome : "unknown", "");
		course->mixed = outcome && strcmp(outcome, "mixed") == 0;
		say_all("  ", spg_json_list(install, "reasons"));
	} else if (result) {
		spg_holding_say("install: no file of the product was changed", "", "");
	}
	json_decref(result);
}

static void tell_findings(const json_t *answer)
{
	json_t *product;
	size_t i;

	json_array_foreach (spg_json_list(answer, "products"), i, product)
		say_all("  ", spg_json_list(product, "findings"));
	say_all("  do: ", spg_json_list(answer, "next"));
}

static int verify(struct course *course)
{
	json_t *params = make_params(course, "verify"), *result;
	int code = EXIT_UNTOLD;
	const char *verdict;

	if (!params)
		return code;
	json_object_set_new(params, "applied", json_true());
	result = spg_client_ask(course->client, "verify", params, VERIFY_NS);
	if (!result)
		return code;
	verdict = spg_json_text(result, "verdict");
	keep(course, "verify", result);
	spg_holding_say("verify: ", verdict ? verdict : "unknown", "");
	tell_findings(result);
	/* Nothing to look into: what became of each file the install said. */
	if (verdict &&
		(strcmp(verdict, "fits") == 0 || strcmp(verdict, "not-checked") == 0))
		code = 0;
	else if (verdict && strcmp(verdict, "mixed") == 0)
		code = EXIT_MIXED;
	json_decref(result);
	return code;
}

static void end_hold(struct course *course)
{
	json_t *report = spg_holding_end(&course->holding);

	if (report) {
		keep(course, "hold", report);
		spg_holding_tell(&course->holding, report);
	}
	json_decref(report);
}

/* What the setup did to how services are started, which nobody else tells. */
static void tell_start_types(struct course *course)
{
	struct spg_start_types now = SPG_START_TYPES_NULL;
	struct spg_texts changes = SPG_TEXTS_NULL;
	json_t *told = json_array();

	if (course->has_start_types && spg_start_types_read(&now))
		spg_start_types_compare(&course->start_types, &now, &changes);
	for (size_t i = 0; i < changes.n; i++) {
		spg_holding_say("service: ", changes.items[i], "");
		json_array_append_new(told, json_string(changes.items[i]));
	}
	keep(course, "services", told);
	json_decref(told);
	spg_texts_finish(&changes);
	spg_start_types_finish(&now);
}

/* Once it holds. */
static int apply(struct course *course, char **argv)
{
	char text[16];
	int code = check(course, "check_held"), fit;

	course->mixed = false;

	if (code != 0) {
		end_hold(course);
		return code;
	}
	code = spg_holding_run(&course->holding, argv);
	snprintf(text, sizeof(text), "%d", code);
	spg_holding_say("the command has ended with exit code ", text, "");
	wait_for_quiet(course);
	end_hold(course);
	tell_start_types(course);
	fit = verify(course);
	course->mixed = course->mixed || fit == EXIT_MIXED;
	/* Verified without a service pack, what was left out may fit all the same. */
	if (fit == 0 && course->mixed)
		fit = EXIT_MIXED;
	return code != 0 ? code : fit;
}

/* The hold, and everything within it. */
static int hold_and_apply(struct course *course, char **argv)
{
	if (!spg_holding_begin(&course->holding))
		return SPG_EXIT_NOT_HELD;
	return apply(course, argv);
}

/* After a mixed install: again, until it finishes clean or nobody wants to. */
static int run_again(struct course *course, char **argv, int code)
{
	for (int i = 1; i < RUNS_MAX && course->mixed; i++) {
		const char *product = spg_json_text(course->holding.begun, "product");
		char *name = product ? strdup(product) : NULL;
		json_t *payload = make_params(course, "check");
		bool ready = name && payload &&
		             spg_retry_prepare(course->client, course->retry, name,
				     payload, course->holding.for_ns);

		json_decref(payload);
		free(name);
		if (!ready)
			break;
		spg_holding_say("running it again", "", "");
		spg_holding_renew(&course->holding);
		code = hold_and_apply(course, argv);
	}
	return code;
}

/* The steps up to the hold, and then the others. */
static int go_through(struct course *course, char **argv)
{
	int code = check(course, "check");

	if (code == 0)
		code = check_rights(course, argv);
	if (code != 0)
		spg_holding_say("nothing was run, and nothing is held", "", "");
	if (code != 0 || !spg_holding_agree(&course->holding, course->yes, &code))
		return code;
	course->has_start_types = spg_start_types_read(&course->start_types);
	code = hold_and_apply(course, argv);
	return course->retry == SPG_RETRY_NEVER ? code : run_again(course, argv, code);
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct course course = {
		.client = client, .holding = SPG_HOLDING_NULL, .told = json_object()};
	int code = SPG_EXIT_NOT_HELD;

	course.holding.client = client;
	course.holding.for_ns = FOR_DEFAULT_NS;
	if (read_options(&course, argc, argv, &code)) {
		code = go_through(&course, argv + optind);
		if (client->json) {
			json_object_set_new(course.told, "exit", json_integer(code));
			json_dumpf(course.told, stderr, JSON_COMPACT);
			fputc('\n', stderr);
		}
	}
	spg_holding_finish(&course.holding);
	spg_start_types_finish(&course.start_types);
	json_decref(course.told);
	return code;
}

const struct spg_command spg_command_run = {
	.name = "run",
	.summary = "apply a service pack: check, hold, run, verify",
	.purpose = SPG_PURPOSE_INSTALL,
	.help = help,
	.run = run,
	.lends_stdout = true,
	.exit_usage = SPG_EXIT_NOT_HELD,
	.exit_failed = SPG_EXIT_NOT_HELD,
};
