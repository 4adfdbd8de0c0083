/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/reports.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/linux/proc/control_group.h"
#include "daemon/watch/linux/proc/proc.h"

#define WINDOW_NS SPG_NS_PER_S

int spg_guard_reports_init(struct spg_guard_reports *reports, int socket)
{
	*reports = (struct spg_guard_reports){.socket = socket};
	reports->pending = calloc(SPG_GUARD_PENDING, sizeof(*reports->pending));
	return reports->pending ? 0 : SPG_ERR_NOMEM;
}

void spg_guard_reports_finish(struct spg_guard_reports *reports)
{
	free(reports->pending);
	reports->pending = NULL;
	reports->n = 0;
}

static struct spg_guard_pending *find(
	struct spg_guard_reports *reports, const struct spg_guard_opener *opener)
{
	for (size_t i = 0; i < reports->n; i++) {
		struct spg_guard_pending *at = &reports->pending[i];

		if (at->message.process.pid == opener->pid &&
			at->message.process.start == opener->stat->start &&
			memcmp(&at->file, &opener->file, sizeof(at->file)) == 0 &&
			at->message.more == opener->executes)
			return at;
	}
	return NULL;
}

static void send_one(struct spg_guard_reports *reports)
{
	if (spg_guard_send(reports->socket, &reports->pending[0].message) < 0)
		reports->n_untold += reports->pending[0].message.number;
	reports->n--;
	memmove(reports->pending, reports->pending + 1,
		reports->n * sizeof(*reports->pending));
}

/* Who it is, from /proc and nothing that could block: an opener may hold locks of
 * its address space, which its command line would wait for. */
static void describe(
	struct spg_guard_message *message, const struct spg_guard_opener *opener)
{
	char exe[PATH_MAX] = "", cgroup[4096], status[2048];
	char name[SPG_PROC_NAME];
	struct spg_control_group group = {.manager_uid = SPG_UID_UNKNOWN};
	int fd = spg_proc_open(opener->pid);
	const char *uid;
	ssize_t n = -1;

	snprintf(name, sizeof(name), "%s", opener->stat->name);
	if (fd >= 0) {
		n = readlinkat(fd, "exe", exe, sizeof(exe) - 1);
		if (spg_proc_slurp(fd, "status", status, sizeof(status)) > 0) {
			uid = strstr(status, "\nUid:");
			if (uid)
				(void)sscanf(uid + 5, "%*u %u", &message->uid);
		}
		if (spg_proc_slurp(fd, "cgroup", cgroup, sizeof(cgroup)) > 0)
			spg_control_group_parse(cgroup, &group);
		close(fd);
	}
	exe[n > 0 ? n : 0] = '\0';
	spg_proc_complete_name(name, exe[0] ? exe : NULL, NULL);
	message->process.pid = opener->pid;
	message->process.start = opener->stat->start;
	message->manager_uid = group.manager_uid;
	spg_guard_message_add(message, opener->path);
	spg_guard_message_add(message, name);
	/* The path is what counts: the rest gets the room that is left. */
	spg_guard_message_add(message, strlen(exe) < 1500 ? exe : "");
	spg_guard_message_add(message, group.unit);
}

void spg_guard_reports_note(
	struct spg_guard_reports *reports, const struct spg_guard_opener *opener)
{
	struct spg_guard_pending *at = find(reports, opener);

	reports->n_refused++;
	if (at) {
		at->message.number++;
		return;
	}
	if (reports->n == SPG_GUARD_PENDING)
		send_one(reports);
	at = &reports->pending[reports->n++];
	at->file = opener->file;
	at->since_ns = spg_clock_mono_ns();
	spg_guard_message_init(&at->message, SPG_GUARD_TELL_REFUSED);
	at->message.at_ns = spg_clock_wall_ns();
	at->message.number = 1;
	at->message.more = opener->executes;
	at->message.file = (struct spg_file_id){opener->file.a, opener->file.b};
	describe(&at->message, opener);
}

void spg_guard_reports_send(struct spg_guard_reports *reports, bool all)
{
	int64_t old_ns = spg_clock_mono_ns() - WINDOW_NS;

	while (reports->n > 0 && (all || reports->pending[0].since_ns <= old_ns))
		send_one(reports);
}
