/* SPDX-License-Identifier: MIT */
/*
 * Runs the watch backend of Windows on one directory, without a daemon, and says what it
 * finds, one JSON object a line:
 *
 *   survey DIRECTORY SCRATCH
 *
 * First the mechanisms; then, for each line of standard input:
 *   survey       a full survey
 *   files PATH   one of that file
 *   drain        deliver all events that happened before
 *   exit PID     report the end of the process
 *   wait MS      turn the loop for so long
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uv.h>
#include <windows.h>

#include "common/err.h"
#include "common/log.h"
#include "daemon/watch/watch.h"

struct state {
	uv_loop_t loop;
	struct spg_watch *watch;
	struct spg_product *product;
	struct spg_file **known; /* of the last full survey */
	size_t n_known;
	bool stopped;
};

static void say(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	printf("%s\n", text ? text : "{}");
	fflush(stdout);
	free(text);
	json_decref(object);
}

static bool wants(void *user, const char *path)
{
	struct state *s = user;

	return spg_product_has_path(s->product, path);
}

static void on_event(void *user, struct spg_event *event)
{
	(void)user;
	say(json_pack("{ss ss ss ss* si}", "say", "event", "kind",
		spg_event_kind_name(event->kind), "path", event->file->path, "detail",
		event->detail, "pid",
		event->process ? (int)event->process->id.pid : 0));
}

static void on_gap(void *user, enum spg_gap_reason reason, int64_t since_ns,
	int64_t until_ns, uint64_t count, const char *detail)
{
	(void)user;
	(void)since_ns;
	(void)until_ns;
	(void)count;
	say(json_pack("{ss ss ss}", "say", "gap", "reason", spg_gap_reason_name(reason),
		"detail", detail));
}

static void on_layout(void *user, const struct spg_product *product)
{
	(void)user;
	(void)product;
	say(json_pack("{ss}", "say", "layout"));
}

static void on_mounts(void *user)
{
	(void)user;
}

static void on_exit_of(void *user, struct spg_proc_id id)
{
	(void)user;
	say(json_pack("{ss si}", "say", "exit", "pid", (int)id.pid));
}

static json_t *uses_of(const struct spg_observation *obs, size_t file)
{
	json_t *uses = json_array();

	for (size_t i = 0; i < obs->n_uses; i++) {
		const struct spg_seen_use *use = &obs->uses[i];
		const struct spg_process *p = use->process;
		json_t *how = json_array();

		if (use->file != file) {
			json_decref(how);
			continue;
		}
		for (int bit = 0; bit < SPG_USE_HOWS; bit++)
			if (use->how & (1U << bit))
				json_array_append_new(
					how, json_string(spg_use_how_name(
						     (enum spg_use_how)(1U << bit))));
		json_array_append_new(uses,
			json_pack("{si ss* ss* ss* ss* ss* so}", "pid", (int)p->id.pid,
				"name", p->name, "exe", p->exe, "user", p->user,
				"cmdline", p->cmdline, "unit", p->unit, "how", how));
	}
	return uses;
}

static json_t *locks_of(const struct spg_observation *obs, size_t file)
{
	json_t *locks = json_array();

	for (size_t i = 0; i < obs->n_locks; i++)
		if (obs->locks[i].file == file)
			json_array_append_new(locks,
				json_pack("{sI sI si}", "start",
					(json_int_t)obs->locks[i].start, "end",
					(json_int_t)obs->locks[i].end, "pid",
					obs->locks[i].process
						? (int)obs->locks[i].process->id.pid
						: 0));
	return locks;
}

static json_t *files_of(const struct spg_observation *obs)
{
	static const char *const presence[] = {"present", "replaced", "gone"};
	static const char *const in_use[] = {"no", "yes", "unknown"};
	json_t *files = json_array();

	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_seen_file *seen = &obs->files[i];

		json_array_append_new(files,
			json_pack("{ss ss ss sb sb so so}", "path", seen->file->path,
				"presence", presence[seen->presence], "in_use",
				in_use[seen->in_use], "unattributed",
				(int)seen->unattributed, "locks_unread",
				(int)seen->locks_unread, "uses", uses_of(obs, i),
				"locks", locks_of(obs, i)));
	}
	return files;
}

static json_t *lacks_of(const struct spg_observation *obs)
{
	json_t *lacks = json_array();

	for (size_t i = 0; i < obs->n_lacks; i++)
		json_array_append_new(lacks,
			json_pack("{ss sb ss}", "kind",
				spg_lack_kind_name(obs->lacks[i].kind), "blinds",
				(int)obs->lacks[i].blinds, "why", obs->lacks[i].why));
	return lacks;
}

static void keep_known(struct state *s, const struct spg_observation *obs)
{
	struct spg_file **known = calloc(obs->n_files + 1, sizeof(struct spg_file *));
	size_t n = 0;

	for (size_t i = 0; known && i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_GONE)
			known[n++] = spg_file_ref(obs->files[i].file);
	while (s->n_known > 0)
		spg_file_unref(s->known[--s->n_known]);
	free(s->known);
	s->known = known;
	s->n_known = n;
}

static void survey(struct state *s, char *path)
{
	struct spg_survey_scope scope = {
		.depth = path ? SPG_SURVEY_FILES : SPG_SURVEY_FULL,
		.known = s->known,
		.n_known = s->n_known,
		.paths = &path,
		.n_paths = path ? 1 : 0};
	struct spg_survey_request request = {.product = s->product, .scope = &scope};
	struct spg_observation *obs = NULL;
	int r = s->watch->ops->survey(s->watch, &request, &obs);

	if (r != 0) {
		say(json_pack("{ss si}", "say", "error", "code", r));
		return;
	}
	say(json_pack("{ss so so sb sI sb}", "say", "survey", "files", files_of(obs),
		"lacks", lacks_of(obs), "complete", (int)obs->counted, "took_ms",
		(json_int_t)(obs->took_ns / 1000000), "unlisted", (int)obs->unlisted));
	if (!path)
		keep_known(s, obs);
	spg_observation_destroy(obs);
}

static void on_wait_over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
	uv_close((uv_handle_t *)timer, NULL);
}

static void wait_for(struct state *s, unsigned ms)
{
	static uv_timer_t timer;

	uv_timer_init(&s->loop, &timer);
	uv_timer_start(&timer, on_wait_over, ms, 0);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	say(json_pack("{ss}", "say", "waited"));
}

static void drain(struct state *s)
{
	int tries = 0;

	while (s->watch->ops->drain(s->watch, tries == 0) == SPG_WATCH_MORE &&
		tries < 100)
		tries++;
	say(json_pack("{ss si}", "say", "drained", "tries", tries));
}

static void watch_exit(struct state *s, int32_t pid)
{
	struct spg_process *process = s->watch->ops->process(s->watch, pid);
	int r = process ? s->watch->ops->watch_exit(s->watch, process) : SPG_WATCH_GONE;

	say(json_pack("{ss si ss*}", "say", "watching", "code", r, "name",
		process ? process->name : NULL));
	spg_process_unref(process);
}

static void obey(struct state *s, char *line)
{
	line[strcspn(line, "\r\n")] = '\0';
	if (strcmp(line, "survey") == 0)
		survey(s, NULL);
	else if (strncmp(line, "files ", 6) == 0)
		survey(s, line + 6);
	else if (strcmp(line, "drain") == 0)
		drain(s);
	else if (strncmp(line, "exit ", 5) == 0)
		watch_exit(s, atoi(line + 5));
	else if (strncmp(line, "wait ", 5) == 0)
		wait_for(s, (unsigned)atoi(line + 5));
	else
		say(json_pack("{ss}", "say", "what?"));
}

static void say_mechanisms(struct state *s)
{
	const struct spg_mechanism *rows;
	size_t n = s->watch->ops->mechanisms(s->watch, &rows);

	for (size_t i = 0; i < n; i++)
		say(json_pack("{ss ss sb sb ss}", "say", "mechanism", "name",
			rows[i].name, "works", (int)rows[i].works, "spared",
			(int)rows[i].spared, "detail", rows[i].detail));
}

static void on_stopped(void *user)
{
	struct state *s = user;

	s->stopped = true;
}

static void run(struct state *s)
{
	char line[4096];

	say_mechanisms(s);
	say(json_pack("{ss}", "say", "ready"));
	while (fgets(line, sizeof(line), stdin))
		obey(s, line);
}

int main(int argc, char **argv)
{
	int r = spg_watch_helper(argc, argv);
	struct state s = {.watch = NULL};
	const struct spg_watch_listener listener = {.wants = wants,
		.on_event = on_event,
		.on_gap = on_gap,
		.on_layout = on_layout,
		.on_mounts = on_mounts,
		.on_exit = on_exit_of,
		.user = &s};

	if (r >= 0)
		return r;
	if (argc != 3)
		return 2;
	spg_log_init("survey", SPG_LOG_WARNING);
	uv_loop_init(&s.loop);
	s.product = spg_product_create("test");
	s.product->recursive = true;
	s.product->ignore_case = true;
	if (spg_product_add_directory(s.product, argv[1], "argv") < 0 ||
		spg_product_add_pattern(s.product, "*.dll") < 0 ||
		spg_product_add_pattern(s.product, "*.exe") < 0)
		return 1;
	s.watch = spg_watch_create(&s.loop, &listener, SPG_TIER_AUTO, argv[2]);
	r = s.watch->ops->start(s.watch);
	if (r == 0)
		r = s.watch->ops->set_products(s.watch, &s.product, 1);
	if (r == 0)
		run(&s);
	s.watch->ops->stop(s.watch, on_stopped, &s);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	s.watch->ops->destroy(s.watch);
	while (s.n_known > 0)
		spg_file_unref(s.known[--s.n_known]);
	free(s.known);
	spg_product_unref(s.product);
	return r < 0 || !s.stopped || uv_loop_close(&s.loop) != 0;
}
