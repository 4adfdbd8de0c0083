/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/events.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/text.h"
#include "common/work.h"
#include "daemon/watch/linux/events/raw_event.h"

/* A few hundred events: what was read is delivered in one go. */
#define BUFFER_BYTES (32 * 1024)
/* So long events are read before other handles of the loop get their turn. */
#define TURN_NS      (5 * SPG_NS_PER_MS)

/* How much of a group's queue is still to be read until all is that was there when the
 * drain began. */
struct undrained {
	int fd;
	size_t n;
};

struct spg_events {
	uv_poll_t poll;
	struct spg_groups *groups;
	struct spg_marks *marks;
	struct spg_deleted_inodes *deleted_inodes;
	struct spg_processes *processes;
	struct spg_watch_listener listener;
	struct spg_product **products; /* whose layout is watched */
	size_t n_products;
	int32_t self;
	bool read_failed;     /* and it was told */
	bool is_delivering;   /* from the buffer: nothing may be read into it */
	int64_t last_read_ns; /* when the queue was last found empty, UTC */
	struct undrained undrained[SPG_GROUPS_MAX];
	size_t n_undrained;
	void (*on_closed)(void *user);
	void *user;
	char *buffer;
};

static uint32_t kinds_of(uint64_t mask)
{
	static const struct {
		uint64_t mask;
		enum spg_event_kind kind;
	} map[] = {
		{FAN_OPEN, SPG_EVENT_OPEN},
		{FAN_OPEN_EXEC, SPG_EVENT_EXEC},
		{FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE, SPG_EVENT_CLOSE},
		{FAN_MODIFY, SPG_EVENT_MODIFY},
		{FAN_CREATE, SPG_EVENT_CREATE},
		{FAN_DELETE | FAN_DELETE_SELF, SPG_EVENT_DELETE},
		{FAN_RENAME, SPG_EVENT_RENAME},
	};
	uint32_t kinds = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (mask & map[i].mask)
			kinds |= SPG_EVENT_BIT(map[i].kind);
	/* Every execution is an open too (fs/exec.c). */
	if (kinds & SPG_EVENT_BIT(SPG_EVENT_EXEC))
		kinds &= ~SPG_EVENT_BIT(SPG_EVENT_OPEN);
	return kinds;
}

/* The kind that says most, for a reader who sees only one. */
static enum spg_event_kind main_kind(uint32_t kinds)
{
	static const enum spg_event_kind order[] = {SPG_EVENT_RENAME, SPG_EVENT_DELETE,
		SPG_EVENT_CREATE, SPG_EVENT_EXEC, SPG_EVENT_MODIFY, SPG_EVENT_OPEN};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (kinds & SPG_EVENT_BIT(order[i]))
			return order[i];
	return SPG_EVENT_CLOSE;
}

/* Paths are collected under the table's lock and used after. */
struct places {
	struct {
		char path[PATH_MAX];
		unsigned role;
	} at[SPG_MARK_PATHS_MAX];
	size_t n;
	const char *name;
};

static void collect(void *user, const char *path, unsigned role)
{
	struct places *places = user;
	const char *name = places->name;

	/* A file's own mark has the whole path; a directory's "." is itself. */
	if ((role & ~SPG_MARK_LINKED) == SPG_MARK_FILE || !name[0] ||
		strcmp(name, ".") == 0)
		snprintf(places->at[places->n].path, PATH_MAX, "%s", path);
	else
		snprintf(places->at[places->n].path, PATH_MAX, "%s/%s",
			strcmp(path, "/") == 0 ? "" : path, name);
	places->at[places->n++].role = role;
}

static void look_up(struct spg_events *events, const struct spg_fid *fid,
	const char *name, struct places *places)
{
	places->n = 0;
	places->name = name;
	(void)spg_marks_lookup(events->marks, fid, collect, places);
}

/* True when a product's directory is @path, or lies below it, by any of its names; or
 * when a link that leads there is or does. */
static bool is_layout(const struct spg_events *events, const char *path)
{
	for (size_t i = 0; i < events->n_products; i++) {
		const struct spg_product *product = events->products[i];

		for (size_t d = 0; d < product->n_directories; d++)
			if (spg_path_below(product->directories[d].path, path, true))
				return true;
	}
	return spg_marks_is_way(events->marks, path);
}

static struct spg_process *process_of(
	struct spg_events *events, const struct spg_raw_event *event)
{
	if (event->anonymous)
		return NULL;
	return spg_processes_resolve(events->processes, event->pid, event->pidfd,
		(event->mask & FAN_OPEN_EXEC) != 0);
}

/* What this process does too, when it looks at a file. */
#define USING_KINDS                                                                    \
	(SPG_EVENT_BIT(SPG_EVENT_OPEN) | SPG_EVENT_BIT(SPG_EVENT_EXEC) |               \
		SPG_EVENT_BIT(SPG_EVENT_CLOSE))

/* A file's last name went before, which is an event of its own where its directory is
 * watched (FAN_DELETE, FAN_RENAME); now nobody uses it any more either. Whoever was the
 * last did not delete it. */
static bool is_end_of_past(uint64_t mask, unsigned role)
{
	return (mask & FAN_DELETE_SELF) && !(role & SPG_MARK_LINKED) &&
	       !(mask & (FAN_DELETE | FAN_CREATE | FAN_RENAME | FAN_MODIFY));
}

/* Deliver one event about the file at @path. */
static void deliver(struct spg_events *events, const struct spg_raw_event *parsed,
	const char *path, unsigned role, const char *new_path,
	struct spg_process *process)
{
	uint32_t kinds = kinds_of(parsed->mask);
	struct spg_file *file = spg_file_create(path, (struct spg_file_id){0, 0});
	struct spg_event *event = NULL;

	if (file)
		event = spg_event_create(
			main_kind(kinds), spg_clock_wall_ns(), file, process);
	if (event) {
		event->kinds = kinds;
		event->unattributed = parsed->anonymous && !(kinds & ~USING_KINDS);
		event->past = is_end_of_past(parsed->mask, role);
		if (new_path)
			event->detail = strdup(new_path);
	}
	if (event && (!new_path || event->detail))
		events->listener.on_event(events->listener.user, event);
	else
		events->listener.on_gap(events->listener.user, SPG_GAP_DROPPED,
			spg_clock_wall_ns(), spg_clock_wall_ns(), 1,
			"out of memory while an event came in");
	spg_event_unref(event);
	spg_file_unref(file);
}

/* Something about directories changed: forget their paths, survey again. */
static void change_layout(
	struct spg_events *events, const struct spg_raw_event *parsed, const char *path)
{
	struct spg_process *process =
		events->listener.on_moved ? process_of(events, parsed) : NULL;

	spg_marks_forget(events->marks, path);
	if (process)
		events->listener.on_moved(events->listener.user, path, process);
	spg_process_unref(process);
	events->listener.on_layout(events->listener.user, NULL);
}

static void handle_directory_event(struct spg_events *events,
	const struct spg_raw_event *parsed, struct places *places)
{
	static const uint64_t changing =
		FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_DELETE_SELF | FAN_MOVE_SELF;

	if (!(parsed->mask & changing))
		return;
	for (int pass = 0; pass < 2; pass++) {
		const struct spg_fid *fid =
			pass ? &parsed->new_name.fid : &parsed->old_name.fid;

		if (!(pass ? parsed->new_name.has : parsed->old_name.has))
			continue;
		look_up(events, fid,
			pass ? parsed->new_name.name : parsed->old_name.name, places);
		for (size_t i = 0; i < places->n; i++)
			if ((places->at[i].role & SPG_MARK_DIRECTORY) ||
				is_layout(events, places->at[i].path))
				change_layout(events, parsed, places->at[i].path);
	}
}

static bool is_wanted(
	const struct spg_events *events, const char *path, const char *new_path)
{
	const struct spg_watch_listener *listener = &events->listener;

	return listener->wants(listener->user, path) ||
	       (new_path[0] && listener->wants(listener->user, new_path));
}

static bool has_file_place(const struct places *places)
{
	for (size_t i = 0; i < places->n; i++)
		if (places->at[i].role & (SPG_MARK_DIRECTORY | SPG_MARK_FILE))
			return true;
	return false;
}

static bool has_wanted_place(const struct spg_events *events,
	const struct places *places, const char *new_path)
{
	for (size_t i = 0; i < places->n; i++)
		if ((places->at[i].role & (SPG_MARK_DIRECTORY | SPG_MARK_FILE)) &&
			is_wanted(events, places->at[i].path, new_path))
			return true;
	return false;
}

/* A symbolic link on the way to a product's directory came, went, or was renamed into
 * its place or out of it. */
static void handle_turn(struct spg_events *events, const struct spg_raw_event *parsed,
	struct places *places)
{
	if (!(parsed->mask & (FAN_CREATE | FAN_DELETE | FAN_RENAME)))
		return;
	for (int pass = 0; pass < 2; pass++) {
		const struct spg_raw_name *at =
			pass ? &parsed->new_name : &parsed->old_name;

		if (!at->has)
			continue;
		look_up(events, &at->fid, at->name, places);
		for (size_t i = 0; i < places->n; i++)
			if ((places->at[i].role & SPG_MARK_ANCESTOR) &&
				is_layout(events, places->at[i].path))
				change_layout(events, parsed, places->at[i].path);
	}
}

/* A file has left the name @path, for @new_path where that is known; inotify does not
 * tell which file. */
static void note_suspect(struct spg_events *events, const struct spg_raw_event *parsed,
	const char *path, const char *new_path)
{
	struct spg_handle handle = {0};

	if (parsed->has_target)
		handle = parsed->target.handle;
	else if (new_path)
		spg_handle_of(AT_FDCWD, new_path, 0, &handle);
	if (handle.n_bytes > 0)
		spg_deleted_inodes_add(events->deleted_inodes, path, &handle);
	else
		spg_deleted_inodes_add_unnamed(events->deleted_inodes);
}

/* A file in a watched directory, or one with a mark of its own. */
static void handle_file_event(struct spg_events *events,
	const struct spg_raw_event *parsed, struct places *places)
{
	struct spg_process *process = NULL;
	struct spg_raw_event by_inode;
	char new_path[PATH_MAX] = "", moved_to[PATH_MAX] = "";
	bool resolved = false;

	handle_turn(events, parsed, places);
	if (parsed->new_name.has) {
		look_up(events, &parsed->new_name.fid, parsed->new_name.name, places);
		if (places->n > 0)
			snprintf(moved_to, sizeof(moved_to), "%s", places->at[0].path);
		if (places->n > 0 && (places->at[0].role & SPG_MARK_DIRECTORY))
			snprintf(new_path, sizeof(new_path), "%s", moved_to);
	}
	places->n = 0;
	if (parsed->old_name.has)
		look_up(events, &parsed->old_name.fid, parsed->old_name.name, places);
	/* From a directory that is watched for its layout only, or not at all. */
	if (new_path[0] && !has_file_place(places))
		look_up(events, &parsed->new_name.fid, parsed->new_name.name, places);
	/* By a name that is none of a product's: go by the inode. What becomes of that
	 * name is not the file's affair. */
	if (!has_wanted_place(events, places, new_path) && parsed->has_target) {
		by_inode = *parsed;
		by_inode.mask &= ~(uint64_t)(FAN_CREATE | FAN_DELETE | FAN_RENAME);
		parsed = &by_inode;
		look_up(events, &parsed->target, "", places);
	}
	for (size_t i = 0; i < places->n; i++) {
		const char *path = places->at[i].path;
		unsigned role = places->at[i].role;

		if (!(role & (SPG_MARK_DIRECTORY | SPG_MARK_FILE)))
			continue;
		/* Ownership, mode, or the number of names changed. */
		if ((parsed->mask & FAN_ATTRIB) && is_wanted(events, path, new_path))
			events->listener.on_layout(events->listener.user, NULL);
		if (kinds_of(parsed->mask) == 0 || !is_wanted(events, path, new_path))
			continue;
		if (parsed->mask & (FAN_DELETE | FAN_RENAME))
			note_suspect(
				events, parsed, path, moved_to[0] ? moved_to : NULL);
		if (!resolved)
			process = process_of(events, parsed);
		resolved = true;
		deliver(events, parsed, path, role,
			new_path[0] && strcmp(new_path, path) != 0 ? new_path : NULL,
			process);
	}
	spg_process_unref(process);
}

static void handle_overflow(struct spg_events *events, bool by_inotify)
{
	events->listener.on_gap(events->listener.user, SPG_GAP_OVERFLOW,
		events->last_read_ns, spg_clock_wall_ns(), 0,
		by_inotify ? "the kernel's event queue overflowed; raise "
			     "fs.inotify.max_queued_events if this repeats"
			   : "the kernel's event queue overflowed; raise "
			     "fs.fanotify.max_queued_events if this repeats");
}

static void handle(struct spg_events *events, const struct spg_raw_event *parsed)
{
	struct places places;

	if (parsed->mask & FAN_Q_OVERFLOW) {
		handle_overflow(events, parsed->anonymous);
		return;
	}
	/* Our own probes; they change nothing. */
	if (parsed->pid != events->self) {
		if (parsed->mask & FAN_ONDIR)
			handle_directory_event(events, parsed, &places);
		else
			handle_file_event(events, parsed, &places);
	}
	if (parsed->mark_gone)
		spg_marks_lost(events->marks, &parsed->old_name.fid);
	if (parsed->pidfd >= 0)
		close(parsed->pidfd);
	if (parsed->fd >= 0)
		close(parsed->fd);
}

/* Read one buffer of one group. Returns how many events it had. */
static int read_group(struct spg_events *events, const struct spg_group *group)
{
	const char *at = events->buffer;
	enum spg_work before = spg_work_begin(SPG_WORK_FILE_EVENTS);
	struct spg_raw_event parsed;
	int n = 0;
	ssize_t len;
	size_t used;

	do
		len = read(group->fd, events->buffer, BUFFER_BYTES);
	while (len < 0 && errno == EINTR);
	if (len < 0 && errno != EAGAIN && !events->read_failed) {
		/* Once: as long as it lasts, it comes back at every turn. */
		spg_log_as(SPG_LOG_ERROR, SPG_LOG_ID_WATCH_LOST,
			"reading file events: %s", strerror(errno));
		events->read_failed = true;
		events->listener.on_gap(events->listener.user, SPG_GAP_DROPPED,
			events->last_read_ns, spg_clock_wall_ns(), 0,
			"file events could not be read");
	}
	if (len > 0)
		events->read_failed = false;
	events->is_delivering = true;
	for (; len > 0; len -= (ssize_t)used, at += used, n++) {
		used = group->is_inotify ? spg_raw_inotify(at, (size_t)len, &parsed)
		                         : spg_raw_fanotify(at, (size_t)len, &parsed);
		if (used == 0)
			break;
		handle(events, &parsed);
	}
	events->is_delivering = false;
	spg_work_end(before);
	return n;
}

static void begin_drain(struct spg_events *events)
{
	struct spg_group groups[SPG_GROUPS_MAX];

	events->n_undrained = spg_groups_list(events->groups, groups);
	for (size_t i = 0; i < events->n_undrained; i++)
		events->undrained[i] = (struct undrained){
			.fd = groups[i].fd, .n = groups[i].queue_max + 1};
}

/* Returns false when the time is over before the queue has been read. */
static bool drain_group(struct spg_events *events, const struct spg_group *group,
	struct undrained *left, int64_t until_ns)
{
	while (left->n > 0) {
		size_t got = (size_t)read_group(events, group);

		if (got == 0) {
			left->n = 0;
			return true;
		}
		left->n -= got < left->n ? got : left->n;
		if (spg_clock_mono_ns() >= until_ns)
			return left->n == 0;
	}
	return true;
}

/*
 * A queue is read in order and holds only so many events: after that many, all
 * that were there at the beginning have been delivered, whatever came since. So
 * a storm cannot hold up an answer for ever.
 */
int spg_events_drain(struct spg_events *events, bool begin)
{
	int64_t until_ns = spg_clock_mono_ns() + TURN_NS;
	struct spg_group groups[SPG_GROUPS_MAX];
	size_t n_groups = spg_groups_list(events->groups, groups);

	if (events->is_delivering)
		return SPG_WATCH_MORE;
	if (begin)
		begin_drain(events);
	for (; events->n_undrained > 0; events->n_undrained--) {
		struct undrained *left = &events->undrained[events->n_undrained - 1];

		/* One that is gone has no events. */
		for (size_t i = 0; i < n_groups; i++)
			if (groups[i].fd == left->fd &&
				!drain_group(events, &groups[i], left, until_ns))
				return SPG_WATCH_MORE;
	}
	return 0;
}

static void on_readable(uv_poll_t *poll, int status, int mask)
{
	int64_t until_ns = spg_clock_mono_ns() + TURN_NS;
	struct spg_events *events = poll->data;
	struct spg_group groups[SPG_GROUPS_MAX];
	size_t n_groups = spg_groups_list(events->groups, groups);
	int n;

	(void)status;
	(void)mask;
	/* What is left keeps the descriptor readable. */
	do {
		n = 0;
		for (size_t i = 0; i < n_groups; i++)
			n += read_group(events, &groups[i]);
	} while (n > 0 && spg_clock_mono_ns() < until_ns);
	if (n == 0)
		events->last_read_ns = spg_clock_wall_ns();
}

int spg_events_start(struct spg_events **ret, uv_loop_t *loop,
	struct spg_groups *groups, struct spg_marks *marks,
	struct spg_deleted_inodes *deleted_inodes, struct spg_processes *processes,
	const struct spg_watch_listener *listener)
{
	struct spg_events *events = calloc(1, sizeof(*events));

	if (!events)
		return SPG_ERR_NOMEM;
	*events = (struct spg_events){.groups = groups,
		.marks = marks,
		.deleted_inodes = deleted_inodes,
		.processes = processes,
		.listener = *listener,
		.self = getpid(),
		.last_read_ns = spg_clock_wall_ns(),
		.buffer = malloc(BUFFER_BYTES)};
	if (!events->buffer ||
		uv_poll_init(loop, &events->poll, spg_groups_poll_fd(groups)) < 0) {
		free(events->buffer);
		free(events);
		return SPG_ERR_NOMEM;
	}
	events->poll.data = events;
	*ret = events;
	return uv_poll_start(&events->poll, UV_READABLE, on_readable) < 0 ? SPG_ERR_IO
	                                                                  : 0;
}

static void drop_products(struct spg_events *events)
{
	for (size_t i = 0; i < events->n_products; i++)
		spg_product_unref(events->products[i]);
	free(events->products);
	events->products = NULL;
	events->n_products = 0;
}

int spg_events_set_layout(
	struct spg_events *events, struct spg_product *const *products, size_t n)
{
	struct spg_product **copy = calloc(n + 1, sizeof(struct spg_product *));

	if (!copy)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		copy[i] = spg_product_ref(products[i]);
	drop_products(events);
	events->products = copy;
	events->n_products = n;
	return 0;
}

static bool has_directory(
	struct spg_product *const *products, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		for (size_t d = 0; d < products[i]->n_directories; d++)
			if (strcmp(products[i]->directories[d].path, path) == 0)
				return true;
	return false;
}

bool spg_events_layout_stays(
	const struct spg_events *events, struct spg_product *const *products, size_t n)
{
	for (size_t i = 0; i < events->n_products; i++)
		for (size_t d = 0; d < events->products[i]->n_directories; d++)
			if (!has_directory(products, n,
				    events->products[i]->directories[d].path))
				return false;
	return true;
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct spg_events *events = handle->data;
	void (*on_closed)(void *user) = events->on_closed;
	void *user = events->user;

	drop_products(events);
	free(events->buffer);
	free(events);
	on_closed(user);
}

void spg_events_stop(
	struct spg_events *events, void (*on_closed)(void *user), void *user)
{
	if (!events) {
		on_closed(user);
		return;
	}
	events->on_closed = on_closed;
	events->user = user;
	uv_close((uv_handle_t *)&events->poll, on_poll_closed);
}
