/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "daemon/watch/linux/guard/tree.h"
#include "daemon/watch/linux/guard/wire.h"

struct spg_guard {
	struct spg_guard *prev, *next;
	struct spg_guards *guards;
	struct spg_guard_listener listener;
	struct spg_product *product;
	struct spg_tree tree;
	uv_process_t process;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned n_handles; /* not closed yet */
	int socket;
	int64_t heard_ns; /* monotonic */
	bool begun;
	bool killed; /* by us: it was silent */
	bool exited;
	int cause; /* what it said at its end; -1 nothing */
	char why[300];
	uint64_t n_refused, n_untold;
	struct spg_guard_message message; /* the last one read or sent */
};

static int64_t ms_since(int64_t mono_ns)
{
	return (spg_clock_mono_ns() - mono_ns) / SPG_NS_PER_MS;
}

/* --- its end --------------------------------------------------------------- */

static void leave(struct spg_guard *guard)
{
	struct spg_guards *guards = guard->guards;

	if (guard->prev)
		guard->prev->next = guard->next;
	else
		guards->list = guard->next;
	if (guard->next)
		guard->next->prev = guard->prev;
}

static void destroy(struct spg_guard *guard)
{
	if (guard->socket >= 0)
		close(guard->socket);
	spg_tree_finish(&guard->tree);
	spg_product_unref(guard->product);
	free(guard);
}

static enum spg_guard_end cause_of(const struct spg_guard *guard)
{
	if (guard->cause >= 0 && guard->cause < SPG_GUARD_ENDS)
		return (enum spg_guard_end)guard->cause;
	return guard->killed ? SPG_GUARD_HUNG : SPG_GUARD_DIED;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spg_guard *guard = handle->data;
	struct spg_guards *guards = guard->guards;

	if (--guard->n_handles > 0)
		return;
	leave(guard);
	/* One that never ran has nobody who waits for its end. */
	if (guard->exited)
		guard->listener.on_ended(guard->listener.user, cause_of(guard),
			guard->why, guard->n_refused, guard->n_untold);
	destroy(guard);
	if (!guards->list && guards->on_stopped)
		guards->on_stopped(guards->user);
}

static void close_handles(struct spg_guard *guard)
{
	uv_close((uv_handle_t *)&guard->poll, on_handle_closed);
	uv_close((uv_handle_t *)&guard->timer, on_handle_closed);
	uv_close((uv_handle_t *)&guard->process, on_handle_closed);
}

/* --- what it tells --------------------------------------------------------- */

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static struct spg_process *process_of(
	struct spg_guard *guard, const struct spg_guard_message *message)
{
	struct spg_process_info info = {.id = message->process,
		.uid = message->uid,
		.name = or_null(spg_guard_message_text(message, 1)),
		.exe = or_null(spg_guard_message_text(message, 2)),
		.unit = or_null(spg_guard_message_text(message, 3))};
	uint64_t tick_ns = SPG_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), ticks;
	char user[64], manager[64];

	if (info.id.start > 0)
		spg_proc_started(info.id.start * tick_ns, &ticks, &info.started_ns);
	if (info.uid != SPG_UID_UNKNOWN) {
		spg_users_name(
			guard->guards->users, info.uid, false, user, sizeof(user));
		info.user = user;
	}
	if (info.unit && message->manager_uid != SPG_UID_UNKNOWN) {
		spg_users_name(guard->guards->users, message->manager_uid, false,
			manager, sizeof(manager));
		info.unit_user = manager;
	}
	return spg_process_create(&info);
}

static void on_refused(struct spg_guard *guard, const struct spg_guard_message *message)
{
	struct spg_refusal refusal = {.at_ns = message->at_ns,
		.process = process_of(guard, message),
		.file = spg_file_create(
			spg_guard_message_text(message, 0), message->file),
		.executes = message->more != 0,
		.times = message->number};

	if (refusal.process && refusal.file)
		guard->listener.on_refused(guard->listener.user, &refusal);
	else
		guard->n_untold += refusal.times;
	spg_process_unref(refusal.process);
	spg_file_unref(refusal.file);
}

static void take(struct spg_guard *guard, const struct spg_guard_message *message)
{
	guard->heard_ns = spg_clock_mono_ns();
	switch ((enum spg_guard_kind)message->kind) {
	case SPG_GUARD_TELL_BEAT:
		guard->n_refused = message->number;
		guard->n_untold = message->more;
		break;
	case SPG_GUARD_TELL_BEGUN:
		guard->begun = true;
		guard->listener.on_begun(
			guard->listener.user, message->number, (size_t)message->more);
		break;
	case SPG_GUARD_TELL_FAILED:
		guard->cause = SPG_GUARD_NOT_BEGUN;
		snprintf(guard->why, sizeof(guard->why), "%s",
			spg_guard_message_text(message, 0));
		break;
	case SPG_GUARD_TELL_REFUSED:
		on_refused(guard, message);
		break;
	case SPG_GUARD_TELL_ENDED:
		guard->cause = (int)message->cause;
		guard->n_refused = message->number;
		guard->n_untold = message->more;
		break;
	default:
		break;
	}
}

static void listen_to(struct spg_guard *guard)
{
	int r;

	while ((r = spg_guard_receive(guard->socket, &guard->message)) == 0)
		take(guard, &guard->message);
	/* Its end follows. */
	if (r != SPG_ERR_NOT_FOUND)
		uv_poll_stop(&guard->poll);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	listen_to(poll->data);
}

static void on_exit_of_guard(uv_process_t *process, int64_t status, int signal)
{
	struct spg_guard *guard = process->data;

	listen_to(guard);
	guard->exited = true;
	spg_heart_remove(&guard->guards->heart, guard->socket);
	spg_own_pids_drop(guard->guards->own_pids, process->pid);
	if (guard->cause < 0 && guard->killed)
		snprintf(guard->why, sizeof(guard->why), "it was silent for %d ms",
			SPG_GUARD_SILENCE_MS);
	else if (guard->cause < 0 && signal)
		snprintf(guard->why, sizeof(guard->why), "signal %d", signal);
	else if (guard->cause < 0)
		snprintf(guard->why, sizeof(guard->why), "exit code %d", (int)status);
	close_handles(guard);
}

/* --- what it is told ------------------------------------------------------- */

static void say(struct spg_guard *guard, enum spg_guard_kind kind, uint64_t number)
{
	if (guard->exited)
		return;
	spg_guard_message_init(&guard->message, kind);
	guard->message.number = number;
	/* One that does not read is silent as well, and is ended for that. */
	(void)spg_guard_send(guard->socket, &guard->message);
}

static void on_beat(uv_timer_t *timer)
{
	struct spg_guard *guard = timer->data;
	int64_t limit_ms = guard->begun ? SPG_GUARD_SILENCE_MS : SPG_GUARD_FIRST_MS;

	spg_heart_loop_lives(&guard->guards->heart);
	/* Who was stopped himself has not heard what was said meanwhile. */
	listen_to(guard);
	if (guard->exited || guard->killed || ms_since(guard->heard_ns) <= limit_ms)
		return;
	guard->killed = true;
	/* It is our child and not waited for yet: the pid is still its own. */
	uv_process_kill(&guard->process, SIGKILL);
}

void spg_guard_renew(struct spg_guard *guard, int64_t duration_ns)
{
	say(guard, SPG_GUARD_SAY_RENEW, (uint64_t)duration_ns);
}

void spg_guard_end(struct spg_guard *guard)
{
	say(guard, SPG_GUARD_SAY_END, 0);
}

void spg_guards_walk(struct spg_guards *guards, const struct spg_product *product)
{
	for (struct spg_guard *at = guards->list; at; at = at->next)
		if (!product || strcmp(product->name, at->product->name) == 0)
			say(at, SPG_GUARD_SAY_WALK, 0);
}

int spg_guard_knows(struct spg_guard *guard, const struct spg_process *process)
{
	struct spg_tree_stat stat;
	enum spg_tree_answer answer;

	if (process->id.pid <= 0)
		return SPG_ERR_NOT_FOUND;
	answer = spg_tree_ask(&guard->tree, process->id.pid, &stat);
	if (stat.start == process->id.start && answer != SPG_TREE_UNKNOWN)
		return answer == SPG_TREE_MEMBER;
	/* It has ended; its parent may live. */
	if (process->ppid <= 0)
		return SPG_ERR_NOT_FOUND;
	answer = spg_tree_ask(&guard->tree, process->ppid, &stat);
	if (answer == SPG_TREE_UNKNOWN || stat.start > process->id.start)
		return SPG_ERR_NOT_FOUND;
	return answer == SPG_TREE_MEMBER;
}

/* --- its beginning --------------------------------------------------------- */

static int write_profile(const struct spg_guard_profile *profile, int *ret_fd)
{
	struct spg_buf text = SPG_BUF_NULL;
	int fd = memfd_create(SPG_GUARD_NAME, MFD_CLOEXEC), r = 0;

	if (fd < 0)
		return SPG_ERR_IO;
	spg_guard_profile_write(profile, &text);
	if (text.failed)
		r = SPG_ERR_NOMEM;
	for (size_t done = 0; r == 0 && done < text.len;) {
		ssize_t n = write(fd, text.data + done, text.len - done);

		if (n < 0 && errno != EINTR)
			r = SPG_ERR_IO;
		done += n > 0 ? (size_t)n : 0;
	}
	spg_buf_finish(&text);
	if (r < 0)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

/* Who may open: the request's processes, and this one. */
static int know_installer(struct spg_guard *guard,
	const struct spg_guard_request *request, struct spg_guard_profile *profile)
{
	struct spg_tree_stat stat;

	if (request->n_pids > SPG_GUARD_ROOTS)
		return SPG_ERR_LIMIT;
	for (size_t i = 0; i < request->n_pids; i++) {
		struct spg_proc_id id = {.pid = request->pids[i]};

		if (spg_tree_read(NULL, id.pid, &stat) < 0)
			return SPG_ERR_NOT_FOUND;
		id.start = stat.start;
		profile->roots[profile->n_roots++] = id;
		(void)spg_tree_add_root(&guard->tree, id);
	}
	if (spg_tree_read(NULL, getpid(), &stat) < 0)
		return SPG_ERR_IO;
	profile->daemon = (struct spg_proc_id){.pid = getpid(), .start = stat.start};
	(void)spg_tree_add_root(&guard->tree, profile->daemon);
	return 0;
}

/* The program again, that was started: whatever has replaced its file since. */
static int spawn(struct spg_guard *guard, int its_socket, int profile)
{
	char *args[] = {SPG_GUARD_NAME, SPG_GUARD_ARGUMENT, NULL};
	uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		[SPG_GUARD_SOCKET] = {.flags = UV_INHERIT_FD, .data.fd = its_socket},
		[SPG_GUARD_PROFILE] = {.flags = UV_INHERIT_FD, .data.fd = profile}};
	const uv_process_options_t options = {.exit_cb = on_exit_of_guard,
		.file = "/proc/self/exe",
		.args = args,
		.stdio_count = sizeof(stdio) / sizeof(stdio[0]),
		.stdio = stdio};
	int r = uv_spawn(guard->guards->loop, &guard->process, &options);

	if (r < 0) {
		spg_error("a guard cannot be started: %s", uv_strerror(r));
		return r == UV_ENOMEM ? SPG_ERR_NOMEM : SPG_ERR_IO;
	}
	(void)spg_own_pids_add(guard->guards->own_pids, guard->process.pid);
	return 0;
}

static void enter(struct spg_guard *guard)
{
	struct spg_guards *guards = guard->guards;

	guard->next = guards->list;
	if (guard->next)
		guard->next->prev = guard;
	guards->list = guard;
}

/* Handles are closed by on_exit_of_guard(), or here when there is no process. */
static int start(struct spg_guard *guard, const struct spg_guard_profile *profile)
{
	uv_loop_t *loop = guard->guards->loop;
	int pair[2] = {-1, -1}, file = -1, r;

	r = write_profile(profile, &file);
	if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
			      0, pair) < 0)
		r = SPG_ERR_IO;
	guard->socket = pair[0];
	if (r == 0)
		r = spg_heart_add(&guard->guards->heart, guard->socket);
	if (r == 0 && uv_poll_init(loop, &guard->poll, pair[0]) < 0) {
		spg_heart_remove(&guard->guards->heart, guard->socket);
		r = SPG_ERR_IO;
	}
	if (r < 0) {
		if (file >= 0)
			close(file);
		if (pair[1] >= 0)
			close(pair[1]);
		destroy(guard);
		return r;
	}
	uv_timer_init(loop, &guard->timer);
	guard->poll.data = guard->timer.data = guard->process.data = guard;
	guard->n_handles = 3;
	guard->heard_ns = spg_clock_mono_ns();
	enter(guard);
	r = spawn(guard, pair[1], file);
	close(pair[1]);
	close(file);
	if (r == 0) {
		uv_poll_start(&guard->poll, UV_READABLE, on_readable);
		uv_timer_start(
			&guard->timer, on_beat, SPG_GUARD_BEAT_MS, SPG_GUARD_BEAT_MS);
	} else {
		spg_heart_remove(&guard->guards->heart, guard->socket);
		guard->process.exit_cb = NULL;
		close_handles(guard);
	}
	return r;
}

int spg_guards_begin(struct spg_guards *guards, const struct spg_guard_request *request,
	const struct spg_guard_listener *listener, struct spg_guard **ret)
{
	struct spg_guard_profile profile = SPG_GUARD_PROFILE_NULL;
	struct spg_guard *guard;
	size_t n = 0;
	int r;

	for (guard = guards->list; guard; guard = guard->next)
		n++;
	if (n >= SPG_OWN_PIDS_MAX)
		return SPG_ERR_LIMIT;
	guard = calloc(1, sizeof(*guard));
	if (!guard)
		return SPG_ERR_NOMEM;
	guard->guards = guards;
	guard->listener = *listener;
	guard->product = spg_product_ref(request->product);
	guard->socket = -1;
	guard->cause = -1;
	profile.product = request->product;
	profile.duration_ns = request->duration_ns;
	r = know_installer(guard, request, &profile);
	if (r < 0) {
		destroy(guard);
		return r;
	}
	r = start(guard, &profile);
	if (r == 0)
		*ret = guard;
	return r;
}

int spg_guards_init(struct spg_guards *guards)
{
	return spg_heart_init(&guards->heart);
}

void spg_guards_finish(struct spg_guards *guards)
{
	spg_heart_finish(&guards->heart);
}

void spg_guards_stop(
	struct spg_guards *guards, void (*on_stopped)(void *user), void *user)
{
	guards->on_stopped = on_stopped;
	guards->user = user;
	if (!guards->list) {
		on_stopped(user);
		return;
	}
	for (struct spg_guard *at = guards->list; at; at = at->next)
		spg_guard_end(at);
}
