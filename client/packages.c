/* SPDX-License-Identifier: MIT */
/*
 * spguard packages: is somebody in the way of what a package manager is about to do?
 * Its hook asks before the first file is touched, and stops the package manager by an
 * exit code that is not 0. Everything it says goes to stderr.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/answers.h"
#include "client/check_print.h"
#include "client/client.h"
#include "client/describe.h"
#include "client/rank.h"
#include "client/touched.h"
#include "client/transaction.h"
#include "common/clock.h"
#include "common/err.h"

#define WITHIN_DEFAULT_NS (10 * 60 * SPG_NS_PER_S)
#define INSTALLING_S      60 /* for the daemon to find that an install has ended */
#define LABELS_SHOWN_MAX  10
/* What fits into one question. */
#define NAMES_MAX         5000
#define NAMES_BYTES_MAX   (512U << 10)

static const char help[] =
	"spguard packages: is somebody in the way of these packages?\n"
	"\n"
	"Usage: spguard packages --apt | --dnf [--on-blocked DO] [--on-failure DO]\n"
	"                        [--within TIME]\n"
	"\n"
	"      --apt            standard input is what apt writes to a hook: see\n"
	"                       apt.conf(5), DPkg::Pre-Install-Pkgs, version 3\n"
	"      --dnf            standard input is \"install PATH\" and \"remove "
	"NAME\",\n"
	"                       one a line, as the plugin for dnf writes it\n"
	"      --on-blocked DO  refuse (the default) or warn, when a file that they\n"
	"                       replace or remove is in use, or nobody knows whether\n"
	"      --on-failure DO  refuse or warn (the default), when there is no "
	"answer:\n"
	"                       the daemon does not run, a package cannot be read\n"
	"      --within TIME    no answer after so long is a failure (default: 10m)\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                       as for every command: spguard --help\n"
	"\n"
	"Asks about those files of the packages that a product watches; without any "
	"it\n"
	"says nothing. To go on this once, set SPGUARD_ON_BLOCKED=warn.\n"
	"\n"
	"Exit code: 0 go on, 2 refused since blocked, 3 refused since unknown or\n"
	"without an answer, and when the command line is wrong.\n"
	"\n"
	"Examples:\n"
	"  env SPGUARD_ON_BLOCKED=warn apt-get upgrade\n"
	"  echo install /tmp/app_2_amd64.deb | spguard packages --dnf\n";

static const struct option long_options[] = {
	{"apt", no_argument, NULL, 'a'},
	{"dnf", no_argument, NULL, 'd'},
	{"on-blocked", required_argument, NULL, 'b'},
	{"on-failure", required_argument, NULL, 'f'},
	{"within", required_argument, NULL, 'w'},
	{NULL, 0, NULL, 0},
};

struct guard {
	struct spg_client *client;
	bool has_source;
	enum spg_transaction_source source;
	bool warn_blocked, refuse_failed;
	int64_t within_ns;
	struct spg_transaction transaction;
	struct spg_touched touched;
	int worst; /* index of spg_check_ranks[]; of all answers */
};

/* ---- the command line ---- */

/* False after the complaint; @name is the option, or the variable. */
static bool read_action(struct spg_client *client, const char *name, const char *text,
	bool *ret_warn, int *ret_exit)
{
	*ret_warn = strcmp(text, "warn") == 0;
	if (*ret_warn || strcmp(text, "refuse") == 0)
		return true;
	*ret_exit = spg_client_usage(
		client, "%s takes refuse or warn, not '%s'", name, text);
	return false;
}

/* True when it was read. */
static bool take_option(struct guard *guard, int option, int *ret_exit)
{
	bool warn = false;

	switch (option) {
	case 'b':
		return read_action(guard->client, "--on-blocked", optarg,
			&guard->warn_blocked, ret_exit);
	case 'f':
		if (!read_action(
			    guard->client, "--on-failure", optarg, &warn, ret_exit))
			return false;
		guard->refuse_failed = !warn;
		return true;
	case 'w':
		return spg_client_duration(
			guard->client, "within", optarg, &guard->within_ns, ret_exit);
	default:
		if (guard->has_source) {
			*ret_exit = spg_client_usage(
				guard->client, "give one of --apt and --dnf");
			return false;
		}
		guard->has_source = true;
		guard->source = option == 'a' ? SPG_FROM_APT : SPG_FROM_DNF;
		return true;
	}
}

static bool read_options(struct guard *guard, int argc, char **argv, int *ret_exit)
{
	struct spg_client *client = guard->client;
	const char *once = getenv("SPGUARD_ON_BLOCKED");
	int option;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "", ret_exit)) > 0)
		if (!take_option(guard, option, ret_exit))
			return false;
	if (option == SPG_OPTIONS_EXIT)
		return false;
	if (!guard->has_source) {
		*ret_exit = spg_client_usage(client, "give one of --apt and --dnf");
		return false;
	}
	if (once && *once &&
		!read_action(client, "SPGUARD_ON_BLOCKED", once, &guard->warn_blocked,
			ret_exit))
		return false;
	return spg_client_no_operands(client, argc, argv, ret_exit);
}

/* ---- the time limit ---- */

/* A package on a dead mount, or whatever else hangs: a signal ends it. */
static char late_text[256];
static int late_code;

static void on_late(int number)
{
	ssize_t n = write(STDERR_FILENO, late_text, strlen(late_text));

	(void)number;
	(void)n;
	_exit(late_code);
}

static void begin_limit(const struct guard *guard)
{
	const struct sigaction action = {.sa_handler = on_late};
	struct itimerval limit = {
		.it_value = {.tv_sec = guard->within_ns / SPG_NS_PER_S,
			.tv_usec = guard->within_ns % SPG_NS_PER_S / 1000}};

	/* 0 would be no limit. */
	if (limit.it_value.tv_sec == 0 && limit.it_value.tv_usec == 0)
		limit.it_value.tv_usec = 1;
	late_code = guard->refuse_failed ? SPG_EXIT_UNKNOWN : SPG_EXIT_OK;
	snprintf(late_text, sizeof(late_text),
		"\nspguard: whether somebody is in the way of these packages could not "
		"be found out in time (--within); %s\n",
		guard->refuse_failed ? "refused, nothing was changed" : "going on");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
}

static void end_limit(void)
{
	const struct itimerval none = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, &none, NULL);
}

/* ---- what is about to be done ---- */

static bool read_input(struct spg_buf *ret, struct spg_complaint *why)
{
	char block[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			spg_complain(why, "standard input: %s", strerror(errno));
			return false;
		}
		spg_buf_add(ret, block, (size_t)n);
		if (ret->failed || ret->len > SPG_TRANSACTION_BYTES_MAX)
			break;
	}
	if (ret->failed)
		spg_complain(why, "out of memory");
	else if (n > 0)
		spg_complain(why, "the package manager writes more than 64 MiB");
	else if (ret->len && memchr(ret->data, '\0', ret->len))
		spg_complain(why, "the package manager writes a NUL");
	else
		return true;
	return false;
}

static bool read_transaction(struct guard *guard, struct spg_complaint *why)
{
	struct spg_buf text = SPG_BUF_NULL;
	char nothing[1] = "";
	bool good = read_input(&text, why) &&
	            spg_transaction_parse(&guard->transaction,
			    text.len ? text.data : nothing, guard->source, why) == 0;

	spg_buf_finish(&text);
	return good;
}

/* ---- telling ---- */

/* "libfoo1 1.2-1 to 1.2-2, ...": those that bring or remove one of the files that are not
 * free, or else that any of the product's files are of. */
static void put_labels(const struct guard *guard, struct spg_buf *line,
	const json_t *answer, bool only_blocked)
{
	bool *named = calloc(guard->transaction.n + 1, sizeof(*named));
	size_t n = 0, i;
	json_t *file;

	json_array_foreach (spg_json_list(answer, "files"), i, file) {
		const char *path = spg_json_text(file, "path");
		const char *state = spg_json_text(file, "state");
		const struct spg_touched_file *of =
			path ? spg_touched_find(&guard->touched, path) : NULL;

		if (!named || !of || named[of->change] ||
			(only_blocked && state && strcmp(state, "blocked") != 0 &&
				strcmp(state, "unknown") != 0))
			continue;
		named[of->change] = true;
		if (n++ < LABELS_SHOWN_MAX)
			spg_buf_printf(line, "%s%s", line->len ? ", " : "",
				guard->transaction.changes[of->change].label);
	}
	if (n > LABELS_SHOWN_MAX)
		spg_buf_puts(line, ", ...");
	free(named);
}

static void tell_packages(struct guard *guard, const json_t *answer)
{
	struct spg_output *out = &guard->client->out;
	struct spg_buf labels = SPG_BUF_NULL, line = SPG_BUF_NULL;

	put_labels(guard, &labels, answer, true);
	if (labels.len == 0)
		put_labels(guard, &labels, answer, false);
	spg_buf_puts(&line, "the packages would replace or remove watched files");
	if (labels.len)
		spg_buf_printf(&line, ": %s", spg_buf_text(&labels));
	spg_output_wrap(out, "spguard:", 9, spg_buf_text(&line));
	spg_output_raw(out, "\n");
	out->text.failed |= labels.failed || line.failed;
	spg_buf_finish(&labels);
	spg_buf_finish(&line);
}

/* What matters to the set as it is, and does not keep it from being replaced. */
static void tell_attention(struct guard *guard, const json_t *result)
{
	json_t *answers = spg_answers_split(result), *answer;
	size_t i;

	json_array_foreach (answers, i, answer) {
		const char *verdict = spg_json_text(answer, "verdict");
		struct spg_buf line = SPG_BUF_NULL;

		if (!verdict || strcmp(verdict, "attention") != 0)
			continue;
		spg_check_headline(&line, answer);
		spg_buf_puts(&line, " (spguard check tells more)");
		spg_output_wrap(
			&guard->client->out, "spguard:", 9, spg_buf_text(&line));
		spg_buf_finish(&line);
	}
	json_decref(answers);
}

static void tell_answer(struct guard *guard, const json_t *result, int worst)
{
	struct spg_check_options options = {
		.product = spg_json_text(result, "product")};

	if (guard->client->json) {
		spg_output_json_line(&guard->client->out, result);
	} else if (spg_check_ranks[worst].code == SPG_EXIT_ATTENTION) {
		tell_attention(guard, result);
	} else if (spg_check_ranks[worst].code != SPG_EXIT_SAFE) {
		tell_packages(guard, result);
		spg_check_tell(&guard->client->out, &options, result,
			spg_check_ranks[worst].name);
		spg_output_raw(&guard->client->out, "\n");
	}
}

/* ---- asking ---- */

/* The next names from *@at on, as many as fit into a question. NULL: out of memory, or
 * what cannot be asked about. */
static json_t *take_names(const struct spg_touched *touched, size_t *at)
{
	json_t *names = json_array();
	size_t bytes = 0;
	int r = names ? 0 : -1;

	while (r == 0 && *at < touched->n && json_array_size(names) < NAMES_MAX &&
		bytes < NAMES_BYTES_MAX) {
		const char *path = touched->files[(*at)++].path;

		bytes += strlen(path) + 4;
		r = json_array_append_new(names, json_string(path));
	}
	if (r == 0)
		return names;
	json_decref(names);
	return NULL;
}

static json_t *check(struct guard *guard, json_t *names, struct spg_complaint *why)
{
	return spg_client_try(guard->client, "check",
		json_pack("{s:O, s:b}", "names", names, "watched", 1), 0, why);
}

static bool is_installing(const json_t *result)
{
	return spg_notes_have(spg_json_list(result, "reasons"), SPG_REASON_INSTALLING);
}

/* What the package manager did a moment ago counts as an install that runs until its
 * files have been quiet for a while: that is waited for. */
static json_t *check_at_rest(
	struct guard *guard, json_t *names, struct spg_complaint *why)
{
	json_t *result = check(guard, names, why), *installs;

	if (!result || !is_installing(result))
		return result;
	fputs("spguard: waiting for the end of an install that runs\n", stderr);
	json_decref(result);
	installs = spg_client_try(guard->client, "installs",
		json_pack("{s:i, s:i}", "wait", INSTALLING_S, "limit", 1),
		INSTALLING_S * SPG_NS_PER_S, why);
	if (!installs)
		return NULL;
	json_decref(installs);
	return check(guard, names, why);
}

static bool ask_about(struct guard *guard, json_t *names, struct spg_complaint *why)
{
	json_t *result = check_at_rest(guard, names, why);
	int worst;

	if (!result)
		return false;
	worst = spg_rank_worst(spg_check_ranks, SPG_N_CHECK_RANKS, result);
	if (worst < 0)
		spg_complain(why, "the daemon's answer has no verdict");
	else
		tell_answer(guard, result, worst);
	if (worst > guard->worst)
		guard->worst = worst;
	json_decref(result);
	return worst >= 0;
}

static bool ask_all(struct guard *guard, struct spg_complaint *why)
{
	bool good = true;

	for (size_t at = 0; good && at < guard->touched.n;) {
		json_t *names = take_names(&guard->touched, &at);

		if (!names)
			spg_complain(why, "the name of a watched file is no UTF-8");
		good = names && ask_about(guard, names, why);
		json_decref(names);
	}
	return good;
}

/* False after the complaint: it is not known. */
static bool find_out(struct guard *guard, struct spg_complaint *why)
{
	json_t *status, *who;
	bool good;

	if (!read_transaction(guard, why))
		return false;
	if (guard->transaction.n == 0)
		return true;
	status = spg_client_try(guard->client, "status", NULL, 0, why);
	good = status && spg_touched_take_status(&guard->touched, status, why);
	json_decref(status);
	if (!good || guard->touched.n_directories == 0)
		return good;
	who = spg_client_try(
		guard->client, "who", json_pack("{s:b}", "all", 1), 0, why);
	good = who && spg_touched_take_files(&guard->touched, who, why);
	json_decref(who);
	if (!good)
		return false;
	guard->touched.limit_ns = guard->client->timeout_ns;
	return spg_touched_read(
		       &guard->touched, &guard->transaction, guard->source, why) &&
	       ask_all(guard, why);
}

/* ---- deciding ---- */

static int decide_failed(const struct guard *guard, const struct spg_complaint *why)
{
	spg_complaint_print(why, "spguard");
	fprintf(stderr,
		"spguard: whether somebody is in the way of these packages is not "
		"known; "
		"%s\n",
		guard->refuse_failed
			? "refused, nothing was changed (--on-failure=refuse)"
			: "going on (--on-failure=warn)");
	return guard->refuse_failed ? SPG_EXIT_UNKNOWN : SPG_EXIT_OK;
}

static int decide(const struct guard *guard)
{
	int code = spg_check_ranks[guard->worst].code;

	if (code == SPG_EXIT_SAFE || code == SPG_EXIT_ATTENTION)
		return SPG_EXIT_OK;
	if (guard->warn_blocked) {
		fputs("spguard: going on all the same, as configured "
		      "(--on-blocked=warn)\n",
			stderr);
		return SPG_EXIT_OK;
	}
	fprintf(stderr,
		"spguard: refused, nothing was changed. To go on all the same, this "
		"once, "
		"put\n"
		"  env SPGUARD_ON_BLOCKED=warn\n"
		"in front of the command, behind sudo: env SPGUARD_ON_BLOCKED=warn "
		"%s\n",
		guard->source == SPG_FROM_APT ? "apt-get ..." : "dnf ...");
	return code;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct guard guard = {.client = client,
		.within_ns = WITHIN_DEFAULT_NS,
		.transaction = SPG_TRANSACTION_NULL,
		.touched = SPG_TOUCHED_NULL};
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	int code = SPG_EXIT_UNKNOWN;
	bool known;

	if (!read_options(&guard, argc, argv, &code))
		return code;
	/* The package manager's own output goes to stdout. */
	if (!client->json && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
		spg_output_finish(&client->out);
		spg_output_init(&client->out, !client->no_color, client->utc);
	}
	begin_limit(&guard);
	known = find_out(&guard, &why);
	end_limit();
	/* What was found in the way counts, whatever could not be asked after it. */
	code = spg_client_finish(client, SPG_EXIT_OK);
	if (!known)
		code = decide_failed(&guard, &why);
	if (known || spg_check_ranks[guard.worst].code >= SPG_EXIT_BLOCKED)
		code = code ? code : decide(&guard);
	spg_complaint_finish(&why);
	spg_touched_finish(&guard.touched);
	spg_transaction_finish(&guard.transaction);
	return code;
}

const struct spg_command spg_command_packages = {
	.name = "packages",
	.summary = "is somebody in the way of these packages: apt and dnf ask it",
	.purpose = SPG_PURPOSE_INSTALL,
	.help = help,
	.run = run,
	.lends_stdout = true,
	.exit_usage = SPG_EXIT_UNKNOWN,
	.exit_failed = SPG_EXIT_UNKNOWN,
};
