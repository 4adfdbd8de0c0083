/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/guard.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/model/guard.h"
#include "daemon/watch/linux/guard/area.h"
#include "daemon/watch/linux/guard/reports.h"
#include "daemon/watch/linux/guard/tree.h"
#include "daemon/watch/linux/guard/wire.h"
#include "daemon/watch/watch.h"

/* Since Linux 6.14 an answer may name the error (include/uapi/linux/fanotify.h,
 * FAN_DENY_ERRNO); before, it is EPERM. */
#define REFUSE_BUSY (FAN_DENY | ((uint32_t)EBUSY << 24))
/* Events taken at once: each comes with a descriptor. */
#define EVENTS_MAX  64

struct guard {
	struct spg_guard_profile profile;
	struct spg_guard_area area;
	struct spg_guard_reports reports;
	struct spg_tree tree;
	timer_t watchman;
	int group;
	uint32_t refusal;
	int64_t deadline_ns, heard_ns, beat_ns; /* monotonic */
	bool walk_wanted;
	int end; /* an enum spg_guard_end; -1: goes on */
};

/* Without another call within @ms the kernel ends this process. */
static int stay_alive(struct guard *g, unsigned ms)
{
	const struct itimerspec in = {.it_value = {
					      .tv_sec = ms / 1000,
					      .tv_nsec = ms % 1000 * SPG_NS_PER_MS,
				      }};

	return timer_settime(g->watchman, 0, &in, NULL);
}

static int start_watchman(struct guard *g)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

	/* The monotonic clock stands still while the machine sleeps. */
	if (timer_create(CLOCK_MONOTONIC, &event, &g->watchman) < 0)
		return SPG_ERR_IO;
	return stay_alive(g, SPG_GUARD_FIRST_MS) < 0 ? SPG_ERR_IO : 0;
}

/* --- answering ------------------------------------------------------------- */

static void answer(struct guard *g, int fd, bool refuse)
{
	struct fanotify_response response = {
		.fd = fd, .response = refuse ? g->refusal : FAN_ALLOW};

	if (write(g->group, &response, sizeof(response)) >= 0 || !refuse)
		return;
	/* An older kernel takes no error number. */
	if (errno == EINVAL) {
		g->refusal = response.response = FAN_DENY;
		if (write(g->group, &response, sizeof(response)) >= 0)
			return;
	}
	/* ENOENT: the opener was killed, and waits no longer. */
}

static bool must_refuse(struct guard *g, const struct fanotify_event_metadata *event)
{
	struct spg_tree_stat stat;
	struct spg_guard_id file;
	char path[PATH_MAX];

	/* Asked for by itself it would wait for itself. */
	if (event->pid == getpid() ||
		!spg_guard_area_has(&g->area, event->fd, path, &file))
		return false;
	if (spg_tree_ask(&g->tree, event->pid, &stat) == SPG_TREE_MEMBER)
		return false;
	spg_guard_reports_note(
		&g->reports, &(struct spg_guard_opener){.pid = event->pid,
				     .stat = &stat,
				     .file = file,
				     .path = path,
				     .executes = event->mask & FAN_OPEN_EXEC_PERM});
	return true;
}

/* Answer those who wait; how many there were. */
static size_t serve(struct guard *g)
{
	struct fanotify_event_metadata events[EVENTS_MAX];
	const struct fanotify_event_metadata *event = events;
	ssize_t left = read(g->group, events, sizeof(events));
	size_t n = 0;
	bool refuse;

	if (left <= 0)
		return 0;
	for (; FAN_EVENT_OK(event, left); event = FAN_EVENT_NEXT(event, left), n++) {
		if (event->fd < 0)
			continue;
		refuse = must_refuse(g, event);
		/* First of all this: who goes on finds nobody at the file. The number
		 * alone names the event (fs/notify/fanotify/fanotify_user.c,
		 * process_access_response()), and nothing is opened in between. */
		close(event->fd);
		answer(g, event->fd, refuse);
	}
	return n;
}

/* --- the daemon ------------------------------------------------------------ */

static void tell(struct guard *g, struct spg_guard_message *message)
{
	/* When it does not read, it is stuck, and that shows in other ways. */
	if (spg_guard_send(SPG_GUARD_SOCKET, message) == SPG_ERR_IO && g->end < 0)
		g->end = SPG_GUARD_DAEMON_SILENT;
}

static void obey(struct guard *g, const struct spg_guard_message *message)
{
	g->heard_ns = spg_clock_mono_ns();
	switch ((enum spg_guard_kind)message->kind) {
	case SPG_GUARD_SAY_RENEW:
		g->deadline_ns = g->heard_ns + (int64_t)message->number;
		break;
	case SPG_GUARD_SAY_WALK:
		g->walk_wanted = true;
		break;
	case SPG_GUARD_SAY_END:
		if (g->end < 0)
			g->end = SPG_GUARD_ENDED;
		break;
	default:
		break;
	}
}

static void listen_to_daemon(struct guard *g)
{
	static struct spg_guard_message message; /* too large for the stack */
	int r;

	while ((r = spg_guard_receive(SPG_GUARD_SOCKET, &message)) == 0)
		obey(g, &message);
	if (r != SPG_ERR_NOT_FOUND && g->end < 0)
		g->end = SPG_GUARD_DAEMON_SILENT;
}

static void beat(struct guard *g)
{
	static struct spg_guard_message message;

	spg_guard_reports_send(&g->reports, false);
	spg_guard_message_init(&message, SPG_GUARD_TELL_BEAT);
	message.number = g->reports.n_refused;
	message.more = g->reports.n_untold;
	tell(g, &message);
}

/* Everything that is due: true while it goes on. */
static bool look_around(struct guard *g)
{
	int64_t now_ns;

	(void)stay_alive(g,
		g->area.directories.n > 0 ? SPG_GUARD_SILENCE_MS : SPG_GUARD_FIRST_MS);
	listen_to_daemon(g);
	now_ns = spg_clock_mono_ns();
	if (g->end < 0 && now_ns >= g->deadline_ns)
		g->end = SPG_GUARD_TIME_OVER;
	if (g->end < 0 && now_ns - g->heard_ns > SPG_GUARD_SILENCE_MS * SPG_NS_PER_MS)
		g->end = SPG_GUARD_DAEMON_SILENT;
	if (g->end < 0 && now_ns >= g->beat_ns) {
		g->beat_ns = now_ns + SPG_GUARD_BEAT_MS * SPG_NS_PER_MS;
		beat(g);
	}
	return g->end < 0;
}

/* During a walk. */
static bool breathe(void *user)
{
	struct guard *g = user;

	while (serve(g) == EVENTS_MAX)
		;
	return look_around(g);
}

static void wait_for_something(struct guard *g)
{
	struct pollfd fds[2] = {{.fd = g->group, .events = POLLIN},
		{.fd = SPG_GUARD_SOCKET, .events = POLLIN}};
	int64_t until_ns = g->beat_ns < g->deadline_ns ? g->beat_ns : g->deadline_ns;
	int64_t ms = (until_ns - spg_clock_mono_ns()) / SPG_NS_PER_MS + 1;

	(void)poll(fds, 2, ms < 0 ? 0 : (int)ms);
}

/* --- begin and end --------------------------------------------------------- */

static int read_profile(struct guard *g)
{
	struct stat st;
	char *bytes;
	int r;

	if (fstat(SPG_GUARD_PROFILE, &st) < 0 || st.st_size <= 0)
		return SPG_ERR_INVALID;
	bytes = mmap(
		NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, SPG_GUARD_PROFILE, 0);
	if (bytes == MAP_FAILED)
		return SPG_ERR_IO;
	r = spg_guard_profile_read(bytes, (size_t)st.st_size, &g->profile);
	munmap(bytes, (size_t)st.st_size);
	close(SPG_GUARD_PROFILE);
	return r;
}

/* What is left to do: look into every process, and into every directory. */
static void give_up_privileges(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	(void)capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
		CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, -1);
	(void)capng_apply(CAPNG_SELECT_CAPS);
}

/* On failure area.why says it. */
static int begin(struct guard *g)
{
	static struct spg_guard_message message;
	int r = 0;

	for (size_t i = 0; i < g->profile.n_roots; i++)
		r = r == 0 ? spg_tree_add_root(&g->tree, g->profile.roots[i]) : r;
	if (r == 0)
		r = spg_tree_add_root(&g->tree, g->profile.daemon);
	g->group = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK |
					 FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
		O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NOATIME);
	if (r < 0 || g->group < 0) {
		snprintf(g->area.why, sizeof(g->area.why),
			"the kernel does not ask for permission here "
			"(fanotify_init: %s)",
			strerror(errno));
		return SPG_ERR_UNSUPPORTED;
	}
	g->area.product = g->profile.product;
	g->area.group = g->group;
	g->area.breathe = breathe;
	g->area.user = g;
	r = spg_guard_area_walk(&g->area);
	if (r < 0)
		return r;
	give_up_privileges();
	spg_guard_message_init(&message, SPG_GUARD_TELL_BEGUN);
	message.number = g->area.n_files;
	message.more = g->area.directories.n;
	tell(g, &message);
	return 0;
}

static void fail(struct guard *g)
{
	static struct spg_guard_message message;

	if (g->group >= 0)
		close(g->group);
	spg_guard_message_init(&message, SPG_GUARD_TELL_FAILED);
	spg_guard_message_add(&message, g->area.why);
	tell(g, &message);
}

static void take_leave(struct guard *g)
{
	static struct spg_guard_message message;

	/* First of all those who wait go on. */
	close(g->group);
	spg_guard_reports_send(&g->reports, true);
	spg_guard_message_init(&message, SPG_GUARD_TELL_ENDED);
	message.cause = (uint32_t)g->end;
	message.number = g->reports.n_refused;
	message.more = g->reports.n_untold;
	tell(g, &message);
}

static void run(struct guard *g)
{
	while (look_around(g)) {
		if (g->walk_wanted) {
			g->walk_wanted = false;
			/* What it did not find is not guarded, as before. */
			(void)spg_guard_area_walk(&g->area);
		}
		wait_for_something(g);
		(void)serve(g);
	}
}

/* As the daemon's loop left them. */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < 32; number++)
		if (number != SIGKILL && number != SIGSTOP)
			(void)signal(number, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int spg_guard_main(void)
{
	static struct guard g = {.profile = SPG_GUARD_PROFILE_NULL,
		.tree = SPG_TREE_NULL,
		.group = -1,
		.refusal = REFUSE_BUSY,
		.end = -1};
	int r;

	reset_signals();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, SPG_GUARD_NAME);
	(void)fcntl(SPG_GUARD_SOCKET, F_SETFD, FD_CLOEXEC);
	r = start_watchman(&g);
	if (r == 0)
		r = read_profile(&g);
	if (r == 0)
		r = spg_guard_reports_init(&g.reports, SPG_GUARD_SOCKET);
	g.heard_ns = spg_clock_mono_ns();
	g.deadline_ns = g.heard_ns + g.profile.duration_ns;
	if (r < 0)
		snprintf(g.area.why, sizeof(g.area.why), "%s", spg_err_text(r));
	else
		r = begin(&g);
	if (r < 0) {
		fail(&g);
	} else {
		run(&g);
		take_leave(&g);
	}
	spg_guard_reports_finish(&g.reports);
	spg_guard_area_finish(&g.area);
	spg_tree_finish(&g.tree);
	spg_guard_profile_finish(&g.profile);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int spg_watch_helper(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[0], SPG_GUARD_NAME) != 0 ||
		strcmp(argv[1], SPG_GUARD_ARGUMENT) != 0)
		return -1;
	return spg_guard_main();
}
