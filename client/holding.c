/* SPDX-License-Identifier: MIT */
#include "client/holding.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kind.h"
#include "common/text.h"
#include "common/time_text.h"

void spg_holding_say(const char *first, const char *foreign, const char *last)
{
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_printf(&line, "spguard: %s", first);
	spg_text_escape(&line, foreign, false);
	spg_buf_printf(&line, "%s\n", last);
	fputs(spg_buf_text(&line), stderr);
	spg_buf_finish(&line);
}

bool spg_holding_allow(struct spg_holding *holding, const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end || pid <= 0 || pid > INT_MAX)
		return false;
	if (!holding->pids)
		holding->pids = json_array();
	return json_array_append_new(holding->pids, json_integer(pid)) == 0;
}

/* --- asking ---------------------------------------------------------------- */

static const json_t *find_product(const json_t *status, const char *name)
{
	const json_t *products = spg_json_list(status, "products");
	size_t i;
	json_t *product;

	json_array_foreach (products, i, product) {
		const char *its_name = spg_json_text(product, "name");

		if (json_array_size(products) == 1 && !name)
			return product;
		if (name && its_name && strcmp(its_name, name) == 0)
			return product;
	}
	return NULL;
}

static void ask_about(const struct spg_holding *holding, const json_t *status)
{
	const json_t *product = find_product(status, holding->product), *directory;
	const json_t *directories = spg_json_list(product, "directories");
	char length[SPG_TIME_TEXT_BYTES];
	struct spg_buf line = SPG_BUF_NULL;
	size_t i;

	spg_duration_format(holding->for_ns, length);
	spg_buf_puts(&line, "Refuse new opens of ");
	spg_output_count(&line, spg_json_number(product, "files"));
	spg_buf_puts(&line, " files");
	json_array_foreach (directories, i, directory) {
		const char *path = spg_json_text(directory, "path");

		spg_buf_puts(&line, i == 0 ? " in " : ", ");
		spg_text_escape(&line, path ? path : "?", false);
	}
	spg_buf_printf(&line, " to everyone else for %s? [y/N] ", length);
	fputs(spg_buf_text(&line), stderr);
	spg_buf_finish(&line);
}

bool spg_holding_agree(struct spg_holding *holding, bool yes, int *ret_exit)
{
	char answer[16] = "";
	json_t *status;

	if (yes)
		return true;
	*ret_exit = SPG_EXIT_NOT_HELD;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		*ret_exit = spg_client_usage(
			holding->client, "without a terminal to ask at, say --yes");
		return false;
	}
	status = spg_client_ask(holding->client, "status", NULL, 0);
	if (!status)
		return false;
	ask_about(holding, status);
	json_decref(status);
	if (fgets(answer, sizeof(answer), stdin) &&
		(strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0))
		return true;
	spg_holding_say("nothing was held, and nothing was run", "", "");
	return false;
}

/* --- beginning ------------------------------------------------------------- */

static void tell_begun(const struct spg_holding *holding)
{
	const char *product = spg_json_text(holding->begun, "product");
	char length[SPG_TIME_TEXT_BYTES];
	struct spg_buf line = SPG_BUF_NULL;

	spg_duration_format(holding->for_ns, length);
	spg_output_count(&line, spg_json_number(holding->begun, "files"));
	spg_buf_puts(&line, " files of ");
	spg_buf_puts(&line, product ? product : "?");
	spg_buf_printf(&line,
		" are held for %s at most: new opens are refused to others", length);
	spg_holding_say("", spg_buf_text(&line), "");
	spg_buf_finish(&line);
}

bool spg_holding_begin(struct spg_holding *holding)
{
	json_t *params = json_object(), *result;

	/* Before the daemon asks whose children are whose. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		spg_holding_say("what the command leaves behind may be refused: ",
			strerror(errno), "");
	/* Before it begins, so that its end is not missed. */
	result = spg_client_ask(holding->client, "subscribe",
		json_pack("{s:[s]}", "kinds", "hold-end"), 0);
	if (!result) {
		json_decref(params);
		return false;
	}
	json_decref(result);
	if (holding->product)
		json_object_set_new(params, "product", json_string(holding->product));
	if (holding->pids)
		json_object_set(params, "pids", holding->pids);
	json_object_set_new(params, "for",
		json_real((double)holding->for_ns / (double)SPG_NS_PER_S));
	holding->begun = spg_client_ask(holding->client, "hold.begin", params, 0);
	if (!holding->begun)
		return false;
	tell_begun(holding);
	return true;
}

/* --- the command ----------------------------------------------------------- */

static void collect_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

/* In the child. */
static void execute(char **argv, const sigset_t *mask, int report)
{
	int errnum;

	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	errnum = errno;
	if (write(report, &errnum, sizeof(errnum)) < 0)
		_exit(SPG_EXIT_NOT_RUN);
	_exit(errnum == ENOENT ? SPG_EXIT_NOT_FOUND : SPG_EXIT_NOT_RUN);
}

/* Returns the child, or -1 after the complaint was printed. */
static pid_t start(char **argv, const sigset_t *mask)
{
	int report[2], errnum = 0;
	pid_t child;

	if (pipe2(report, O_CLOEXEC) < 0) {
		spg_holding_say("cannot run the command: ", strerror(errno), "");
		return -1;
	}
	fflush(NULL);
	child = fork();
	if (child == 0)
		execute(argv, mask, report[1]);
	close(report[1]);
	if (child < 0)
		spg_holding_say("cannot run the command: ", strerror(errno), "");
	else if (read(report[0], &errnum, sizeof(errnum)) == sizeof(errnum))
		spg_holding_say("cannot run ", argv[0],
			errnum == ENOENT ? ": there is no such command"
					 : ": it cannot be executed");
	close(report[0]);
	return child;
}

/* Take in all that ended: orphans of the command come here too. Returns true when
 * @child was among them. */
static bool reap(pid_t child, int *ret_status)
{
	bool found = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		*ret_status = status;
		found = true;
	}
	return found;
}

/* Returns true when @child has ended. */
static bool take_signals(int signals, pid_t child, int *ret_status)
{
	struct signalfd_siginfo info;
	bool ended = false;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			ended = reap(child, ret_status) || ended;
		/* The terminal sends to all that run on it, the command included. */
		else if (!ended && info.ssi_code != SI_KERNEL)
			(void)kill(child, (int)info.ssi_signo);
	}
	return ended;
}

/* Left for take_signals() to collect. */
static bool has_ended(pid_t child)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == child;
}

/* Is it the end of our hold? */
static void take_notice(struct spg_holding *holding, const json_t *message, pid_t child)
{
	const json_t *event = json_object_get(message, "params");
	const char *kind = spg_json_text(event, "kind");
	const char *product = spg_json_text(event, "product");
	const char *ours = spg_json_text(holding->begun, "product");
	const char *detail = spg_json_text(event, "detail");

	if (!kind || strcmp(kind, "hold-end") != 0 || !product || !ours ||
		strcmp(product, ours) != 0 || holding->over)
		return;
	holding->over = true;
	/* The daemon may hear of the command's end before we do. */
	if (has_ended(child))
		return;
	spg_holding_say("the hold is over, the command goes on without it: ",
		detail ? detail : "?", "");
}

/* Wait for the child, and listen to the daemon meanwhile. */
static int attend(struct spg_holding *holding, pid_t child, int signals)
{
	struct spg_connection *connection = &holding->client->connection;
	struct pollfd alone = {.fd = signals, .events = POLLIN};
	bool connected = true;
	int status = 0;

	for (;;) {
		struct spg_complaint why = SPG_COMPLAINT_NULL;
		json_t *message = NULL;
		int r = SPG_CONNECTION_WOKEN;

		if (connected)
			r = spg_connection_next(connection, signals, &message, &why);
		else
			(void)poll(&alone, 1, -1);
		if (r == 0)
			take_notice(holding, message, child);
		json_decref(message);
		if (r < 0) {
			connected = false;
			if (!holding->over)
				spg_holding_say(
					"the hold is over, the command goes on without "
					"it: ",
					spg_buf_text(&why.why), "");
			holding->over = true;
			spg_connection_close(connection);
		}
		spg_complaint_finish(&why);
		if (r == SPG_CONNECTION_WOKEN && take_signals(signals, child, &status))
			break;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int spg_holding_run(struct spg_holding *holding, char **argv)
{
	sigset_t set, before;
	int signals, code = SPG_EXIT_NOT_RUN;
	pid_t child;

	collect_signals(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0) {
		spg_holding_say("cannot wait for a command: ", strerror(errno), "");
	} else {
		child = start(argv, &before);
		if (child > 0)
			code = attend(holding, child, signals);
		close(signals);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

/* --- the end --------------------------------------------------------------- */

json_t *spg_holding_end(struct spg_holding *holding)
{
	/* With the connection the hold has gone. */
	if (!spg_local_is_open(&holding->client->connection.local)) {
		spg_holding_say(
			"there is no report: the connection to the daemon was lost", "",
			"");
		return NULL;
	}
	return spg_client_ask(holding->client, "hold.end",
		json_pack("{s:I}", "hold", spg_json_number(holding->begun, "hold")), 0);
}

static void tell_refused(const json_t *row)
{
	const char *name = spg_json_text(row, "name"),
		   *unit = spg_json_text(row, "unit");
	const char *path = spg_json_text(row, "path");
	int64_t times = spg_json_number(row, "times");
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_printf(&line, "%s (pid %lld)", name ? name : "?",
		(long long)spg_json_number(row, "pid"));
	if (unit)
		spg_buf_printf(&line, ", %s", unit);
	spg_buf_printf(&line, ": %s", path ? path : "?");
	if (spg_json_true(row, "executes"))
		spg_buf_puts(&line, ", to execute it");
	if (times > 1)
		spg_buf_printf(&line, ", %lld times", (long long)times);
	spg_holding_say("  refused: ", spg_buf_text(&line), "");
	spg_buf_finish(&line);
}

void spg_holding_tell(const struct spg_holding *holding, const json_t *report)
{
	int64_t refused = spg_json_number(report, "refused");
	const json_t *not_stopped = spg_json_list(report, "not_stopped");
	const char *text = spg_json_text(report, "text");
	const char *cause = spg_json_text(report, "cause");
	bool as_meant =
		cause && strcmp(cause, spg_hold_cause_name(SPG_HOLD_CAUSE_ENDED)) == 0;
	struct spg_buf line = SPG_BUF_NULL;
	size_t i;
	json_t *row;

	spg_buf_puts(&line, "the hold has ended");
	/* Another end than the command's was told when it came, if anybody saw it. */
	if (text && !holding->over && !as_meant)
		spg_buf_printf(&line, " (%s)", text);
	spg_buf_puts(&line, ": ");
	spg_output_count(&line, refused);
	spg_buf_puts(&line, refused == 1 ? " open was refused" : " opens were refused");
	spg_holding_say("", spg_buf_text(&line), "");
	spg_buf_finish(&line);
	json_array_foreach (spg_json_list(report, "who"), i, row)
		tell_refused(row);
	json_array_foreach (not_stopped, i, row)
		if (json_is_string(row))
			spg_holding_say("  not stopped: ", json_string_value(row), "");
}

void spg_holding_renew(struct spg_holding *holding)
{
	json_decref(holding->begun);
	holding->begun = NULL;
	holding->over = false;
}

void spg_holding_finish(struct spg_holding *holding)
{
	json_decref(holding->begun);
	json_decref(holding->pids);
	*holding = (struct spg_holding)SPG_HOLDING_NULL;
}
