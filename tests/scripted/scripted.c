/* SPDX-License-Identifier: MIT */
#include "tests/scripted/scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"

struct scripted {
	struct spg_watch base;
	uv_async_t handle; /* only so that stop() has something to close */
	bool started;
	void (*on_stopped)(void *user);
	void *stop_user;
	struct spg_proc_id *watched, *ended;
	size_t n_watched, size_watched, n_ended, size_ended;
	size_t drain_budget;
	uint64_t taken, delivered;

	uv_mutex_t lock;
	uv_cond_t changed;
	/* Under the lock. */
	struct spg_observation *world;
	bool held;
	unsigned n_standing, n_releases;
	int fail;
	char place[256];
	struct spg_event_list queue;
	unsigned n_disturb;
	struct spg_event *disturb; /* as a pattern */
	struct spg_scripted_seen seen;
};

static struct scripted *of(struct spg_watch *watch)
{
	return (struct scripted *)watch;
}

/* A test cannot go on without its script. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

static int start(struct spg_watch *watch)
{
	struct scripted *s = of(watch);

	if (uv_async_init(watch->loop, &s->handle, NULL) < 0)
		return SPG_ERR_IO;
	s->handle.data = s;
	s->started = true;
	watch->tier = "scripted";
	return 0;
}

static int set_products(
	struct spg_watch *watch, struct spg_product *const *products, size_t n)
{
	struct scripted *s = of(watch);

	(void)products;
	(void)n;
	s->seen.n_set_products++;
	return 0;
}

static int drain(struct spg_watch *watch, bool begin)
{
	struct scripted *s = of(watch);
	struct spg_event_list taken = SPG_EVENT_LIST_NULL;
	size_t n;
	bool more;

	(void)begin;
	uv_mutex_lock(&s->lock);
	s->seen.n_drains++;
	n = s->queue.n;
	if (s->drain_budget > 0 && n > s->drain_budget)
		n = s->drain_budget;
	for (size_t i = 0; i < n; i++)
		must(spg_event_list_add(&taken, s->queue.events[i]) == 0);
	s->queue.n -= n;
	for (size_t i = 0; i < s->queue.n; i++)
		s->queue.events[i] = s->queue.events[i + n];
	more = s->queue.n > 0;
	uv_mutex_unlock(&s->lock);
	for (size_t i = 0; i < taken.n; i++) {
		const struct spg_event *event = taken.events[i];

		if (watch->listener.wants(watch->listener.user, event->file->path))
			watch->listener.on_event(watch->listener.user, taken.events[i]);
	}
	spg_event_list_finish(&taken);
	return more ? SPG_WATCH_MORE : 0;
}

static bool is_extra(const struct spg_survey_request *request, const char *path)
{
	for (size_t i = 0; i < request->n_extra_names; i++) {
		const char *name = request->extra_names[i];

		if (spg_name_equal(name, name[0] == '/' ? path : spg_path_base(path),
			    request->product->ignore_case))
			return true;
	}
	return false;
}

static bool is_asked(const struct spg_survey_request *request, const char *path)
{
	const struct spg_survey_scope *scope = request->scope;

	switch (scope->depth) {
	case SPG_SURVEY_FULL:
		return spg_product_has_path(request->product, path) ||
		       (spg_product_covers(request->product, path) &&
			       is_extra(request, path));
	case SPG_SURVEY_FILES:
		for (size_t i = 0; i < scope->n_paths; i++)
			if (strcmp(scope->paths[i], path) == 0)
				return true;
		break;
	case SPG_SURVEY_LOCKS:
		for (size_t i = 0; i < scope->n_known; i++)
			if (strcmp(scope->known[i]->path, path) == 0)
				return true;
		break;
	}
	return false;
}

/* Copy what is asked for. @map: the world's file to the copy's, or SPG_NO_FILE. */
static int copy_files(const struct spg_observation *world,
	const struct spg_survey_request *request, struct spg_observation *to,
	size_t *map)
{
	for (size_t i = 0; i < world->n_files; i++) {
		const struct spg_seen_file *seen = &world->files[i];
		int r;

		map[i] = SPG_NO_FILE;
		if (!is_asked(request, seen->file->path))
			continue;
		r = spg_observation_add_file(
			to, seen->file, seen->presence, seen->in_use);
		if (r < 0)
			return r;
		map[i] = to->n_files - 1;
		to->files[map[i]].unattributed = seen->unattributed;
	}
	return 0;
}

static int copy_rest(const struct spg_observation *world, struct spg_observation *to,
	const size_t *map)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < world->n_uses; i++) {
		const struct spg_seen_use *use = &world->uses[i];

		if (to->depth != SPG_SURVEY_LOCKS && map[use->file] != SPG_NO_FILE)
			r = spg_observation_add_use(
				to, map[use->file], use->process, use->how);
	}
	for (size_t i = 0; r == 0 && i < world->n_locks; i++) {
		struct spg_seen_lock lock = world->locks[i];

		lock.file = map[lock.file];
		if (lock.file != SPG_NO_FILE)
			r = spg_observation_add_lock(to, &lock);
	}
	for (size_t i = 0; r == 0 && i < world->n_lacks; i++) {
		struct spg_lack lack = world->lacks[i];
		bool whole = lack.file == SPG_NO_FILE;

		if (!whole)
			lack.file = map[lack.file];
		if (whole || lack.file != SPG_NO_FILE)
			r = spg_observation_add_lack(to, &lack, "%s", lack.why);
	}
	to->counted = world->counted;
	if (r == 0 && world->hidden_why) {
		to->hidden_why = strdup(world->hidden_why);
		r = to->hidden_why ? 0 : SPG_ERR_NOMEM;
	}
	return r;
}

static int look(struct scripted *s, const struct spg_survey_request *request,
	struct spg_observation **ret)
{
	struct spg_observation *obs =
		spg_observation_create(request->product, request->scope->depth);
	size_t *map = NULL;
	int r = obs ? 0 : SPG_ERR_NOMEM;

	if (r == 0 && s->world) {
		map = calloc(s->world->n_files + 1, sizeof(*map));
		r = map ? copy_files(s->world, request, obs, map) : SPG_ERR_NOMEM;
		if (r == 0)
			r = copy_rest(s->world, obs, map);
	}
	free(map);
	if (r < 0) {
		spg_observation_destroy(obs);
		return r;
	}
	obs->began_ns = obs->ended_ns = spg_clock_wall_ns();
	obs->attributed = true;
	*ret = obs;
	return 0;
}

static struct spg_event *copy_event(const struct spg_event *of_event)
{
	struct spg_event *event = spg_event_create(
		of_event->kind, spg_clock_wall_ns(), of_event->file, of_event->process);

	must(event);
	return event;
}

static void note_request(
	struct spg_scripted_seen *seen, const struct spg_survey_request *request)
{
	seen->n_surveys[request->scope->depth]++;
	seen->n_extra_names = request->n_extra_names;
	seen->n_known = request->scope->n_known;
	seen->n_holders = request->scope->n_holders;
	seen->n_paths = request->scope->n_paths;
	seen->find_users = request->find_users;
	seen->scope_attribute = request->scope->find_users;
	snprintf(seen->product, sizeof(seen->product), "%s", request->product->name);
}

static int survey(struct spg_watch *watch, const struct spg_survey_request *request,
	struct spg_observation **ret)
{
	struct scripted *s = of(watch);
	int r = 0;

	if (request->instant)
		return SPG_WATCH_LATER;
	uv_mutex_lock(&s->lock);
	note_request(&s->seen, request);
	if (s->held) {
		unsigned was = s->n_releases;

		s->n_standing++;
		uv_cond_broadcast(&s->changed);
		while (s->n_releases == was)
			uv_cond_wait(&s->changed, &s->lock);
		s->n_standing--;
		if (atomic_load(request->cancel))
			r = SPG_ERR_TIMEOUT;
	}
	if (s->n_disturb > 0) {
		s->n_disturb--;
		must(spg_event_list_add(&s->queue, copy_event(s->disturb)) == 0);
	}
	if (r == 0) {
		r = s->fail;
		s->fail = 0;
	}
	if (r == 0)
		r = look(s, request, ret);
	uv_mutex_unlock(&s->lock);
	return r;
}

static int confine(struct spg_watch *watch)
{
	(void)watch;
	return 0;
}

static void survey_place(struct spg_watch *watch, char *ret, size_t size)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	snprintf(ret, size, "%s", s->place);
	uv_mutex_unlock(&s->lock);
}

static size_t find_id(const struct spg_proc_id *ids, size_t n, struct spg_proc_id id)
{
	size_t i = 0;

	while (i < n && !spg_proc_id_equal(ids[i], id))
		i++;
	return i;
}

static int watch_exit(struct spg_watch *watch, struct spg_process *process)
{
	struct scripted *s = of(watch);

	if (find_id(s->ended, s->n_ended, process->id) < s->n_ended)
		return SPG_WATCH_GONE;
	if (find_id(s->watched, s->n_watched, process->id) < s->n_watched)
		return 0;
	if (spg_array_reserve(&s->watched, s->n_watched, &s->size_watched,
		    sizeof(*s->watched)) < 0)
		return SPG_ERR_NOMEM;
	s->watched[s->n_watched++] = process->id;
	uv_mutex_lock(&s->lock);
	s->seen.n_exits_watched++;
	uv_mutex_unlock(&s->lock);
	return 0;
}

static size_t mechanisms(struct spg_watch *watch, const struct spg_mechanism **ret)
{
	static const struct spg_mechanism only = {
		.name = "script", .works = true, .detail = "the test says so"};

	(void)watch;
	*ret = &only;
	return 1;
}

static size_t directories(struct spg_watch *watch, const struct spg_product *product,
	const struct spg_watched_directory **ret)
{
	(void)watch;
	(void)product;
	*ret = NULL;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct scripted *s = handle->data;

	s->started = false;
	s->on_stopped(s->stop_user);
}

static void stop(struct spg_watch *watch, void (*on_stopped)(void *user), void *user)
{
	struct scripted *s = of(watch);

	s->on_stopped = on_stopped;
	s->stop_user = user;
	uv_close((uv_handle_t *)&s->handle, on_closed);
}

static void destroy(struct spg_watch *watch)
{
	struct scripted *s = of(watch);

	must(!s->started);
	spg_observation_destroy(s->world);
	spg_event_list_finish(&s->queue);
	spg_event_unref(s->disturb);
	free(s->watched);
	free(s->ended);
	uv_cond_destroy(&s->changed);
	uv_mutex_destroy(&s->lock);
	free(s);
}

static void backlog(struct spg_watch *watch, uint64_t *taken, uint64_t *delivered)
{
	*taken = of(watch)->taken;
	*delivered = of(watch)->delivered;
}

static const struct spg_watch_ops ops = {.start = start,
	.set_products = set_products,
	.drain = drain,
	.backlog = backlog,
	.survey = survey,
	.confine = confine,
	.survey_place = survey_place,
	.watch_exit = watch_exit,
	.mechanisms = mechanisms,
	.directories = directories,
	.stop = stop,
	.destroy = destroy};

struct spg_watch *spg_scripted_create(
	uv_loop_t *loop, const struct spg_watch_listener *listener)
{
	struct scripted *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = (struct spg_watch){.ops = &ops, .listener = *listener, .loop = loop};
	must(uv_mutex_init(&s->lock) == 0 && uv_cond_init(&s->changed) == 0);
	return &s->base;
}

void spg_scripted_set_world(struct spg_watch *watch, struct spg_observation *world)
{
	struct scripted *s = of(watch);
	struct spg_observation *old;

	uv_mutex_lock(&s->lock);
	old = s->world;
	s->world = world;
	uv_mutex_unlock(&s->lock);
	spg_observation_destroy(old);
}

void spg_scripted_hold(struct spg_watch *watch)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	s->held = true;
	uv_mutex_unlock(&s->lock);
}

void spg_scripted_wait_held(struct spg_watch *watch)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	while (s->n_standing == 0)
		uv_cond_wait(&s->changed, &s->lock);
	uv_mutex_unlock(&s->lock);
}

void spg_scripted_release(struct spg_watch *watch)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	s->held = false;
	s->n_releases++;
	uv_cond_broadcast(&s->changed);
	uv_mutex_unlock(&s->lock);
}

void spg_scripted_fail(struct spg_watch *watch, int err)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	s->fail = err;
	uv_mutex_unlock(&s->lock);
}

void spg_scripted_set_place(struct spg_watch *watch, const char *place)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	snprintf(s->place, sizeof(s->place), "%s", place);
	uv_mutex_unlock(&s->lock);
}

void spg_scripted_queue(struct spg_watch *watch, struct spg_event *event)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	must(spg_event_list_add(&s->queue, event) == 0);
	uv_mutex_unlock(&s->lock);
}

void spg_scripted_disturb(struct spg_watch *watch, unsigned n, enum spg_event_kind kind,
	const char *path, int32_t pid)
{
	struct scripted *s = of(watch);
	struct spg_process_info info = {.id = {pid, 1}, .name = "disturber"};
	struct spg_file *file = spg_file_create(path, (struct spg_file_id){9, 9});
	struct spg_process *process = spg_process_create(&info);
	struct spg_event *event, *old;

	must(file && process);
	event = spg_event_create(kind, 0, file, process);
	must(event);
	uv_mutex_lock(&s->lock);
	old = s->disturb;
	s->disturb = event;
	s->n_disturb = n;
	uv_mutex_unlock(&s->lock);
	spg_event_unref(old);
	spg_file_unref(file);
	spg_process_unref(process);
}

void spg_scripted_set_drain_budget(struct spg_watch *watch, size_t budget)
{
	of(watch)->drain_budget = budget;
}

void spg_scripted_set_backlog(
	struct spg_watch *watch, uint64_t taken, uint64_t delivered)
{
	of(watch)->taken = taken;
	of(watch)->delivered = delivered;
}

void spg_scripted_gap(struct spg_watch *watch, enum spg_gap_reason reason)
{
	int64_t now_ns = spg_clock_wall_ns();

	watch->listener.on_gap(
		watch->listener.user, reason, now_ns, now_ns, 0, "the test says so");
}

void spg_scripted_layout(struct spg_watch *watch, const struct spg_product *product)
{
	watch->listener.on_layout(watch->listener.user, product);
}

bool spg_scripted_exit(struct spg_watch *watch, struct spg_proc_id id)
{
	struct scripted *s = of(watch);
	size_t i = find_id(s->watched, s->n_watched, id);

	must(spg_array_reserve(
		     &s->ended, s->n_ended, &s->size_ended, sizeof(*s->ended)) == 0);
	s->ended[s->n_ended++] = id;
	if (i >= s->n_watched)
		return false;
	s->watched[i] = s->watched[--s->n_watched];
	watch->listener.on_exit(watch->listener.user, id);
	return true;
}

void spg_scripted_seen(struct spg_watch *watch, struct spg_scripted_seen *ret)
{
	struct scripted *s = of(watch);

	uv_mutex_lock(&s->lock);
	*ret = s->seen;
	uv_mutex_unlock(&s->lock);
}
