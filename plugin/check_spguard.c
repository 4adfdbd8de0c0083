/* SPDX-License-Identifier: MIT */
/*
 * check_spguard: the verdict as a service's state, for Nagios, Icinga and their like.
 *
 * By the Monitoring Plugins Development Guidelines: one line on standard output with
 * performance data, exit codes 0 to 3, ranges, no operands, an end in time. Needs
 * nothing but the socket, by its group.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/answers.h"
#include "client/connection.h"
#include "client/output.h"
#include "client/rank.h"
#include "common/clock.h"
#include "common/defaults.h"
#include "common/err.h"
#include "common/platform.h"
#include "plugin/judge.h"
#include "plugin/say.h"

#define TIMEOUT_DEFAULT_S 10
#define TIMEOUT_MAX_S     3600
#define PRODUCTS_MAX      4096

static const char usage[] =
	"Usage: check_spguard [-s SOCKET] [-p PRODUCT] [-t SEC] [-w RANGE] [-c RANGE]\n"
	"                     [--proof-age-warning RANGE] [--proof-age-critical "
	"RANGE]\n"
	"                     [--timeout-state STATE] [--down-state STATE] [-v]\n"
	"       check_spguard -h | -V\n";

static const char help[] =
	"\n"
	"Asks spguardd whether a service pack can be applied safely, and tells it as "
	"the\n"
	"state of a service:\n"
	"\n"
	"  safe       OK        attention  WARNING (a mixed install, a step aside)\n"
	"  blocked    CRITICAL  unknown    UNKNOWN (also: no daemon, no permission)\n"
	"\n"
	"  -s, --socket SOCKET    where the daemon listens (else SPGUARD_SOCKET, else\n"
	"                         " SPG_DEFAULT_SOCKET ")\n"
	"  -p, --product PRODUCT  about this product; without it about all of them, "
	"the\n"
	"                         worst decides, and labels begin with the product's "
	"name\n"
	"  -t, --timeout SEC      give up after SEC seconds, connecting included (10)\n"
	"  -w, --warning RANGE    how many blocked files are not worth a WARNING\n"
	"  -c, --critical RANGE   how many are not worth a CRITICAL\n"
	"      --proof-age-warning RANGE, --proof-age-critical RANGE\n"
	"                         how old, in seconds, the proof of the verdict may "
	"be\n"
	"      --timeout-state STATE\n"
	"                         what a time-out is: warning, critical, unknown, or "
	"1\n"
	"                         to 3 (unknown)\n"
	"      --down-state STATE what it is when there is no daemon (unknown)\n"
	"  -v, --verbose          below the line: why, and what to do; -vv: the files "
	"and\n"
	"                         their users too; -vvv: the proof, the daemon\n"
	"  -V, --version          the version\n"
	"  -h, --help             this help\n"
	"\n"
	"With -w or -c their number decides what is wrong with blocked files: a "
	"number\n"
	"within the ranges is OK, although the verdict is blocked. \"-w 0 -c 5\" is "
	"OK\n"
	"without, WARNING with 1 to 5, CRITICAL with more of them; \"-w 0\" is never "
	"more\n"
	"than WARNING. What is wrong besides stays what it is: an install that runs "
	"is\n"
	"CRITICAL, files that could not be looked at UNKNOWN, a mixed install "
	"WARNING.\n"
	"\n"
	"RANGE: 10 (alert outside of 0 to 10), 10: (below 10), ~:10 (above 10),\n"
	"10:20 (outside of 10 to 20), @10:20 (inside of 10 to 20).\n"
	"\n"
	"It needs no root: put the user that runs it into the group of the socket.\n"
	"\n"
	"Examples:\n"
	"  check_spguard -p exchange55\n"
	"  check_spguard -p exchange55 -w 0 -c 5 --proof-age-critical 60 -v\n";

enum {
	OPTION_AGE_WARNING = 1000,
	OPTION_AGE_CRITICAL,
	OPTION_TIMEOUT_STATE,
	OPTION_DOWN_STATE
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"product", required_argument, NULL, 'p'},
	{"timeout", required_argument, NULL, 't'},
	{"warning", required_argument, NULL, 'w'},
	{"critical", required_argument, NULL, 'c'},
	{"proof-age-warning", required_argument, NULL, OPTION_AGE_WARNING},
	{"proof-age-critical", required_argument, NULL, OPTION_AGE_CRITICAL},
	{"timeout-state", required_argument, NULL, OPTION_TIMEOUT_STATE},
	{"down-state", required_argument, NULL, OPTION_DOWN_STATE},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct plugin {
	const char *socket_path, *product;
	unsigned timeout_s;
	struct spg_limits limits;
	enum spg_state timeout_state, down_state;
	int verbosity;
};

/* ---- an end in time, whatever happens ---- */

/* What the signal handler writes: the deadline of the connection has passed a second
 * ago, and yet the program runs. Name services, or who reads the output, can hang. */
static char late_text[128];
static size_t late_len;
static volatile sig_atomic_t late_state = SPG_STATE_UNKNOWN;
static volatile sig_atomic_t is_writing;

static void on_late(void)
{
	if (!is_writing && write(STDOUT_FILENO, late_text, late_len) < 0)
		_exit(SPG_STATE_UNKNOWN);
	_exit(late_state);
}

static void end_in_time(const struct plugin *plugin)
{
	int n = snprintf(late_text, sizeof(late_text),
		"SPGUARD %s: no answer within %u s\n",
		spg_state_name(plugin->timeout_state), plugin->timeout_s);

	late_len = n > 0 && (size_t)n < sizeof(late_text) ? (size_t)n : 0;
	late_state = plugin->timeout_state;
	spg_platform_after(plugin->timeout_s + 1, on_late);
}

/* ---- the end ---- */

static int print(const struct spg_buf *out, enum spg_state state)
{
	if (out->failed) {
		fputs("SPGUARD UNKNOWN: out of memory\n", stdout);
		state = SPG_STATE_UNKNOWN;
	}
	is_writing = 1;
	fputs(spg_buf_text(out), stdout);
	if (fflush(stdout) == 0)
		return (int)state;
	fprintf(stderr, "check_spguard: cannot write the result: %s\n",
		errno == EBADF ? "standard output is closed" : strerror(errno));
	return SPG_STATE_UNKNOWN;
}

static int fail(enum spg_state state, const struct spg_complaint *why)
{
	struct spg_buf out = SPG_BUF_NULL;
	int code;

	spg_report_failure(&out, state, why);
	code = print(&out, state);
	spg_buf_finish(&out);
	return code;
}

static int bad_usage(const char *name, const char *wants, const char *value)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	int code;

	spg_complain(&why, "%s %s%s%s%s", name, wants, value ? ", not '" : "",
		value ? value : "", value ? "'" : "");
	spg_complaint_hint(&why, "See check_spguard --help");
	code = fail(SPG_STATE_UNKNOWN, &why);
	spg_complaint_finish(&why);
	return code;
}

/* ---- the command line ---- */

static bool read_timeout(const char *text, unsigned *ret)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || number < 1 ||
		number > TIMEOUT_MAX_S)
		return false;
	*ret = (unsigned)number;
	return true;
}

static bool read_range(
	const char *name, const char *text, struct spg_range *ret, int *ret_exit)
{
	if (spg_range_parse(text, ret) == 0)
		return true;
	*ret_exit = bad_usage(name,
		"takes a range such as 10, 10:, ~:10, 10:20 or @10:20, its start not "
		"behind its end",
		text);
	return false;
}

static bool read_state(
	const char *name, const char *text, enum spg_state *ret, int *ret_exit)
{
	/* Who could not ask cannot say that all is well. */
	if (spg_state_parse(text, ret) && *ret != SPG_STATE_OK)
		return true;
	*ret_exit = bad_usage(name, "takes warning, critical or unknown", text);
	return false;
}

/* Help and version are no OK: a service that runs them is set up wrongly. */
static int print_texts(const char *first, const char *second)
{
	fputs(first, stdout);
	fputs(second, stdout);
	fflush(stdout);
	return SPG_STATE_UNKNOWN;
}

/* One option; false: exit with *@ret_exit. */
static bool take_option(struct plugin *plugin, int option, char **argv, int *ret_exit)
{
	struct spg_limits *limits = &plugin->limits;

	switch (option) {
	case 's':
		plugin->socket_path = optarg;
		return true;
	case 'p':
		plugin->product = optarg;
		return true;
	case 't':
		if (read_timeout(optarg, &plugin->timeout_s))
			return true;
		*ret_exit = bad_usage("-t", "takes 1 to 3600 seconds", optarg);
		return false;
	case 'w':
		return read_range("-w", optarg, &limits->blocked_warning, ret_exit);
	case 'c':
		return read_range("-c", optarg, &limits->blocked_critical, ret_exit);
	case OPTION_AGE_WARNING:
		return read_range(
			"--proof-age-warning", optarg, &limits->age_warning, ret_exit);
	case OPTION_AGE_CRITICAL:
		return read_range("--proof-age-critical", optarg, &limits->age_critical,
			ret_exit);
	case OPTION_TIMEOUT_STATE:
		return read_state(
			"--timeout-state", optarg, &plugin->timeout_state, ret_exit);
	case OPTION_DOWN_STATE:
		return read_state(
			"--down-state", optarg, &plugin->down_state, ret_exit);
	case 'v':
		plugin->verbosity++;
		return true;
	case 'V':
		*ret_exit = print_texts("check_spguard " SPG_VERSION "\n", "");
		return false;
	case 'h':
		*ret_exit = print_texts(usage, help);
		return false;
	case ':':
		*ret_exit = bad_usage(argv[optind - 1], "needs a value", NULL);
		return false;
	default:
		*ret_exit = bad_usage(
			argv[optind - 1], "is no option of check_spguard", NULL);
		return false;
	}
}

static bool read_options(struct plugin *plugin, int argc, char **argv, int *ret_exit)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(
			argc, argv, ":s:p:t:w:c:vVh", long_options, NULL)) != -1)
		if (!take_option(plugin, option, argv, ret_exit))
			return false;
	if (optind == argc)
		return true;
	*ret_exit = bad_usage(argv[optind], "belongs to no option", NULL);
	return false;
}

/* ---- the question ---- */

static enum spg_state state_of_error(const struct plugin *plugin, int err)
{
	switch (err) {
	case SPG_ERR_TIMEOUT:
		return plugin->timeout_state;
	case SPG_ERR_NOT_FOUND: /* nobody listens */
	case SPG_ERR_IO:        /* it hung up */
		return plugin->down_state;
	default:
		return SPG_STATE_UNKNOWN;
	}
}

/* Returns 0 and the answer, a reference; else as spg_connection_call(). */
static int ask(const struct plugin *plugin, struct spg_connection *connection,
	json_t **ret, struct spg_complaint *why)
{
	int64_t timeout_ns = plugin->timeout_s * SPG_NS_PER_S;
	int64_t start = spg_clock_mono_ns();
	json_t *params = json_object();
	int err;

	if (plugin->product && json_object_set_new(params, "product",
				       json_string(plugin->product)) < 0) {
		spg_complain(why, "the name of the product is no valid UTF-8");
		json_decref(params);
		return SPG_ERR_INVALID;
	}
	err = spg_connection_open(connection, plugin->socket_path, timeout_ns, why);
	if (err != 0) {
		json_decref(params);
		return err;
	}
	return spg_connection_call(connection, "check", params,
		timeout_ns - (spg_clock_mono_ns() - start), ret, why);
}

/* ---- the answer ---- */

/* From best to worst, as client/check.c. */
static const struct spg_rank ranks[] = {
	{"safe", SPG_STATE_OK},
	{"attention", SPG_STATE_WARNING},
	{"unknown", SPG_STATE_UNKNOWN},
	{"blocked", SPG_STATE_CRITICAL},
};

/* Why @answer as a whole cannot be judged; NULL: it can. @n: its products. */
static const char *find_fault(
	const struct plugin *plugin, const json_t *answer, const json_t *products)
{
	size_t n = json_array_size(products), i;
	int worst = spg_rank_worst(ranks, sizeof(ranks) / sizeof(ranks[0]), answer);
	const char *name = spg_json_text(json_array_get(products, 0), "product");
	json_t *product;

	if (n == 0)
		return "the daemon watches no product: add a [product NAME] to its "
		       "configuration";
	if (worst < 0 || n > PRODUCTS_MAX)
		return "the daemon's answer has no verdict, or one this version does "
		       "not know: do they belong together?";
	if (plugin->product && n > 1)
		return "the daemon answered about several products, asked for one";
	if (plugin->product && (!name || strcmp(name, plugin->product) != 0))
		return "the daemon answered about another product";
	/* The whole must not be worse than what can be told of its parts. */
	json_array_foreach (products, i, product) {
		const char *verdict = spg_json_text(product, "verdict");

		if (verdict && strcmp(verdict, ranks[worst].name) == 0)
			return NULL;
	}
	return "the daemon's answer contradicts itself";
}

static int tell(const struct plugin *plugin, const struct spg_connection *connection,
	json_t *answer, struct spg_complaint *why)
{
	json_t *list = spg_answers_split(answer);
	size_t n = json_array_size(list);
	const char *fault = find_fault(plugin, answer, list);
	struct spg_report report = {.limits = &plugin->limits,
		.n_products = n,
		.named = plugin->product != NULL,
		.verbosity = plugin->verbosity,
		.connection = connection};
	struct spg_judgement *judgements;
	struct spg_buf out = SPG_BUF_NULL;
	int code;

	if (fault) {
		json_decref(list);
		spg_complain(why, "%s", fault);
		return fail(SPG_STATE_UNKNOWN, why);
	}
	judgements = calloc(n, sizeof(*judgements));
	if (!judgements) {
		json_decref(list);
		spg_complain(why, "out of memory");
		return fail(SPG_STATE_UNKNOWN, why);
	}
	for (size_t i = 0; i < n; i++) {
		spg_judge(json_array_get(list, i), &plugin->limits, spg_clock_wall_ns(),
			&judgements[i]);
		report.state = spg_state_worse(report.state, judgements[i].state);
	}
	report.products = judgements;
	spg_report_say(&out, &report);
	code = print(&out, report.state);
	spg_buf_finish(&out);
	free(judgements);
	json_decref(list);
	return code;
}

int main(int argc, char **argv)
{
	struct plugin plugin = {
		.socket_path = getenv("SPGUARD_SOCKET"),
		.timeout_s = TIMEOUT_DEFAULT_S,
		.timeout_state = SPG_STATE_UNKNOWN,
		.down_state = SPG_STATE_UNKNOWN,
	};
	struct spg_connection connection = SPG_CONNECTION_NULL;
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *answer = NULL;
	int code, err;

	if (spg_platform_fill_descriptors() < 0 ||
		spg_platform_arguments(&argc, &argv) < 0)
		return SPG_STATE_UNKNOWN;
	if (!plugin.socket_path || !*plugin.socket_path)
		plugin.socket_path = SPG_DEFAULT_SOCKET;
	if (!read_options(&plugin, argc, argv, &code))
		return code;
	end_in_time(&plugin);
	err = ask(&plugin, &connection, &answer, &why);
	code = err == 0 ? tell(&plugin, &connection, answer, &why)
	                : fail(state_of_error(&plugin, err), &why);
	json_decref(answer);
	spg_connection_close(&connection);
	spg_complaint_finish(&why);
	return code;
}
