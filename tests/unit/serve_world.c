/* SPDX-License-Identifier: MIT */
#include "tests/unit/serve_world.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/model/judge.h"
#include "daemon/store/intervals.h"

/* The fakes: one idle handle answers for prover and store. */

enum { ASK_PROOF, ASK_SETTLE, ASK_QUERY, ASK_INTERVALS, ASK_FLUSH };

struct ask {
	int what;
	size_t index;
	union {
		spg_proof_done *proof;
		void (*err)(void *user, int err);
		void (*page)(void *user, int err, struct spg_store_page *page);
		void (*intervals)(void *user, int err, void *data);
	} done;
	struct spg_store_intervals_question question; /* without its product */
	void *user;
};

static struct {
	struct world *world;
	uv_idle_t idle;
	struct ask asks[2048];
	size_t n;
} queue;

static bool is_held(const struct ask *ask)
{
	const struct fake *fake = queue.world->fake;

	return ask->what == ASK_PROOF || ask->what == ASK_SETTLE ? fake->hold_prover
	                                                         : fake->hold_store;
}

static struct spg_process *make_holder(void)
{
	struct spg_process_info info = {
		.id = {2113, 77},
		.started_ns = INT64_C(1795352281000000000),
		.name = "perf\nmon",
		.exe = "/usr/bin/perfmon",
		.user = "root",
		.unit = "perfmon.service",
	};

	return spg_process_create(&info);
}

static struct spg_observation *observe(struct spg_product *product, bool used)
{
	struct spg_observation *obs = spg_observation_create(product, SPG_SURVEY_FULL);
	char path[256];

	for (int i = 0; i < 2; i++) {
		struct spg_file_id id = {1, (uint64_t)i + 1};
		struct spg_file *file;

		snprintf(path, sizeof(path), "%s/%s", product->directories[0].path,
			i ? "Edbbcli.dll" : "Mdbperf.dll");
		file = spg_file_create(path, id);
		ck_assert_int_eq(spg_observation_add_file(obs, file, SPG_PRESENT,
					 used && !i ? SPG_IN_USE_YES : SPG_IN_USE_NO),
			0);
		spg_file_unref(file);
	}
	if (used) {
		struct spg_process *process = make_holder();
		struct spg_seen_lock lock = {.file = 0,
			.kind = SPG_LOCK_POSIX,
			.mode = SPG_LOCK_WRITE,
			.end = SPG_LOCK_EOF,
			.process = process};

		spg_observation_add_use(obs, 0, process, SPG_USE_MAPPED);
		obs->uses[0].since_ns = INT64_C(1795352282500000000);
		spg_observation_add_lock(obs, &lock);
		spg_process_unref(process);
	}
	return obs;
}

static void answer_proof(const struct ask *ask)
{
	struct fake *fake = queue.world->fake;
	struct spg_product *product = fake->products[ask->index];
	struct spg_observation *obs = observe(product, ask->index == 0);
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_proof proof = {.observation = obs,
		.verdict = &verdict,
		.at_ns = INT64_C(1795352400123456000) + (int64_t)ask->index,
		.took_ns = 212000,
		.generation = 4711,
		.tries = 1,
		.complete = fake->complete};

	ck_assert_int_eq(spg_verdict_judge(obs, NULL, NULL, &verdict), 0);
	fake->n_answered++;
	ask->done.proof(
		ask->user, fake->proof_result, fake->proof_result ? NULL : &proof);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
}

static void answer_query(const struct ask *ask)
{
	struct spg_store_page page = {.events = SPG_EVENT_LIST_NULL, .more = true};
	struct spg_event *event = spg_event_create(
		SPG_EVENT_GAP, INT64_C(1795352400000000000), NULL, NULL);

	event->id = 7;
	event->gap.reason = SPG_GAP_OVERFLOW;
	spg_event_list_add(&page.events, event);
	if (queue.world->fake->store_result)
		ask->done.page(ask->user, queue.world->fake->store_result, NULL);
	else
		ask->done.page(ask->user, 0, &page);
	spg_event_list_finish(&page.events);
}

/* Somebody for the last hour, somebody whom setup stops for ever; the first day
 * unseen. */
static void answer_intervals(const struct ask *ask)
{
	const struct spg_store_intervals_question *q = &ask->question;
	const int64_t hour_ns = INT64_C(3600000000000);
	struct spg_store_interval by[] = {
		{q->until_ns - hour_ns, q->until_ns, "perf\nmon", "/usr/bin/perfmon",
			"perfmon.service", true, false},
		{0, q->until_ns, "dsamain.exe", NULL, NULL, true, false},
	};
	int r = queue.world->fake->store_result;

	for (size_t i = 0; r == 0 && i < 2; i++)
		r = q->on_interval(q->data, &by[i]);
	if (r == 0)
		r = q->on_unseen(q->data, q->since_ns, q->since_ns + 24 * hour_ns, -1);
	if (r == 0)
		r = q->on_end(q->data);
	ask->done.intervals(ask->user, r, q->data);
	q->release(q->data);
}

static void on_idle(uv_idle_t *idle)
{
	struct ask ask;
	size_t i = 0;

	while (i < queue.n && is_held(&queue.asks[i]))
		i++;
	if (i == queue.n) {
		uv_idle_stop(idle);
		return;
	}
	ask = queue.asks[i];
	memmove(queue.asks + i, queue.asks + i + 1, (--queue.n - i) * sizeof(ask));
	switch (ask.what) {
	case ASK_PROOF:
		answer_proof(&ask);
		break;
	case ASK_SETTLE:
		queue.world->fake->n_settled++;
		ask.done.err(ask.user, queue.world->fake->settle_result);
		break;
	case ASK_QUERY:
		answer_query(&ask);
		break;
	case ASK_INTERVALS:
		answer_intervals(&ask);
		break;
	default:
		queue.world->fake->n_flushed++;
		ask.done.err(ask.user, queue.world->fake->store_result);
	}
}

static void push(struct ask ask)
{
	ck_assert_uint_lt(queue.n, sizeof(queue.asks) / sizeof(queue.asks[0]));
	queue.asks[queue.n++] = ask;
	uv_idle_start(&queue.idle, on_idle);
}

void fake_release(struct world *world)
{
	world->fake->hold_prover = world->fake->hold_store = false;
	uv_idle_start(&queue.idle, on_idle);
}

void fake_answer_now(struct world *world, size_t n)
{
	(void)world;
	while (n-- > 0) {
		struct ask ask = queue.asks[0];

		memmove(queue.asks, queue.asks + 1, --queue.n * sizeof(ask));
		answer_proof(&ask);
	}
}

int spg_prover_ask(struct spg_prover *prover, size_t index,
	const struct spg_selection *selection, bool find_users, spg_proof_done *done,
	void *user)
{
	struct fake *fake = queue.world->fake;

	(void)prover;
	fake->n_asked++;
	fake->last_attribute = find_users;
	fake->last_n_names = selection ? selection->n_names : SIZE_MAX;
	push((struct ask){
		.what = ASK_PROOF, .index = index, .done.proof = done, .user = user});
	return 0;
}

int spg_prover_wait(struct spg_prover *prover, size_t index,
	const struct spg_selection *selection, const struct spg_wait *wait,
	spg_proof_done *done, void *user)
{
	queue.world->fake->n_waited++;
	queue.world->fake->last_wait_ns = wait->wait_ns;
	return spg_prover_ask(prover, index, selection, false, done, user);
}

const struct spg_histogram *spg_prover_durations(const struct spg_prover *prover)
{
	static const struct spg_histogram none;

	(void)prover;
	return &none;
}

void spg_prover_forget(struct spg_prover *prover, void *user)
{
	(void)prover;
	for (size_t i = 0; i < queue.n; i++) {
		if (queue.asks[i].what != ASK_PROOF || queue.asks[i].user != user)
			continue;
		memmove(queue.asks + i, queue.asks + i + 1,
			(--queue.n - i) * sizeof(queue.asks[0]));
		queue.world->fake->n_forgotten++;
		i--;
	}
}

int spg_prover_sync(
	struct spg_prover *prover, void (*done)(void *user, int err), void *user)
{
	(void)prover;
	push((struct ask){.what = ASK_SETTLE, .done.err = done, .user = user});
	return 0;
}

void spg_store_query(struct spg_store *store, const struct spg_store_query *query,
	void (*done)(void *user, int err, struct spg_store_page *page), void *user)
{
	(void)store;
	snprintf(queue.world->fake->last_query, sizeof(queue.world->fake->last_query),
		"since %lld until %lld kinds %x paths %zu %s name %s pid %d product %s "
		"before %lld limit %zu",
		(long long)query->since_ns, (long long)query->until_ns, query->kinds,
		query->n_paths, query->n_paths ? query->paths[0] : "-",
		query->process_name ? query->process_name : "-", query->pid,
		query->product ? query->product : "-", (long long)query->before_id,
		query->limit);
	push((struct ask){.what = ASK_QUERY, .done.page = done, .user = user});
}

void spg_store_read_intervals(struct spg_store *store,
	const struct spg_store_intervals_question *question,
	void (*done)(void *user, int err, void *data), void *user)
{
	(void)store;
	push((struct ask){.what = ASK_INTERVALS,
		.done.intervals = done,
		.question = *question,
		.user = user});
}

void spg_store_flush(
	struct spg_store *store, void (*done)(void *user, int err), void *user)
{
	(void)store;
	push((struct ask){.what = ASK_FLUSH, .done.err = done, .user = user});
}

void spg_store_status(struct spg_store *store, struct spg_store_status *ret)
{
	(void)store;
	memset(ret, 0, sizeof(*ret));
	ret->rows = 12;
	ret->stopped = queue.world->fake->store_result != 0;
	if (ret->stopped)
		snprintf(ret->why, sizeof(ret->why), "the disk is full");
}

size_t spg_model_n_products(const struct spg_model *model)
{
	(void)model;
	return queue.world->fake->n_products;
}

struct spg_product *spg_model_product(const struct spg_model *model, size_t index)
{
	(void)model;
	return queue.world->fake->products[index];
}

const struct spg_standing *spg_model_standing(
	const struct spg_model *model, size_t index)
{
	(void)model, (void)index;
	return NULL;
}

int spg_model_find_product(const struct spg_model *model, const char *name)
{
	(void)model;
	for (size_t i = 0; i < queue.world->fake->n_products; i++) {
		if (strcmp(queue.world->fake->products[i]->name, name) == 0)
			return (int)i;
	}
	return -1;
}

void spg_model_summarise(
	const struct spg_model *model, size_t index, struct spg_model_summary *ret)
{
	(void)model;
	memset(ret, 0, sizeof(*ret));
	ret->verdict = index ? SPG_VERDICT_SAFE : SPG_VERDICT_BLOCKED;
	ret->counts.blocked = index ? 0 : 1;
	ret->n_files = 2;
}

const struct spg_lack *spg_model_lacks(
	const struct spg_model *model, size_t index, size_t *ret_n)
{
	static const struct spg_lack lack = {.kind = SPG_LACK_USERS_ELSEWHERE,
		.file = SPG_NO_FILE,
		.blinds = true,
		.why = "it is \x1b NFS",
		.remedy = {"look there", NULL}};

	(void)model;
	*ret_n = index ? 0 : 1;
	return &lack;
}

static size_t fake_mechanisms(struct spg_watch *watch, const struct spg_mechanism **ret)
{
	static const struct spg_mechanism mechanisms[] = {
		{.kind = SPG_MECHANISM_FILE_EVENTS,
			.name = "file events",
			.works = true,
			.detail = "seen"},
		{.kind = SPG_MECHANISM_IN_USE,
			.name = "lease probe",
			.detail = "EPERM",
			.remedy = "give CAP_LEASE"},
	};

	(void)watch;
	*ret = mechanisms;
	return 2;
}

static size_t fake_directories(struct spg_watch *watch,
	const struct spg_product *product, const struct spg_watched_directory **ret)
{
	static struct spg_watched_directory directory;

	(void)watch;
	directory = (struct spg_watched_directory){
		product->directories[0].path, SPG_DIRECTORY_WATCHED, "", 1};
	*ret = &directory;
	return 1;
}

static const struct spg_watch_ops watch_ops = {
	.mechanisms = fake_mechanisms,
	.directories = fake_directories,
};

static struct spg_watch fake_watch = {.ops = &watch_ops, .tier = "scripted"};

static int on_reload(void *user, struct spg_buf *problems)
{
	struct fake *fake = user;

	if (fake->reload_problems)
		spg_buf_puts(problems, fake->reload_problems);
	return fake->reload_result;
}

static bool on_is_admin(void *user, uint32_t uid, uint32_t gid, int32_t pid)
{
	struct fake *fake = user;

	ck_assert_uint_eq(uid, getuid());
	ck_assert_uint_eq(gid, getgid());
	ck_assert_int_eq(pid, getpid());
	return fake->admin;
}

/* The world. */

void world_init(struct world *world)
{
	static const char *const names[] = {"exchange55", "tools"};

	memset(world, 0, sizeof(*world));
	world->limits = (struct spg_limits)SPG_LIMITS_DEFAULT;
	world->fake = calloc(1, sizeof(*world->fake));
	world->fake->admin = world->fake->complete = true;
	world->fake->n_products = 2;
	for (int i = 0; i < 2; i++) {
		struct spg_product *product = spg_product_create(names[i]);

		spg_product_add_directory(
			product, i ? "/srv/tools" : "/srv/bin", "t:1");
		spg_product_add_pattern(product, "*.dll");
		spg_product_add_setup_stop(product, "dsamain.exe");
		product->ignore_case = true;
		world->fake->products[i] = product;
	}
	ck_assert_int_eq(uv_loop_init(&world->loop), 0);
	snprintf(world->dir, sizeof(world->dir), "/tmp/serve-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(world->dir));
	snprintf(world->path, sizeof(world->path), "%s/s", world->dir);
	world->counters.last_id = 41;
	world->service = (struct spg_service){
		.loop = &world->loop,
		.watch = &fake_watch,
		.socket_path = world->path,
		.database_path = "/var/lib/spguard/spguard.db",
		.config_path = "",
		.started_ns = 1,
		.counters = &world->counters,
		.turns = &world->turns,
		.reload = on_reload,
		.is_admin = on_is_admin,
		.user = world->fake,
	};
	queue.world = world;
	queue.n = 0;
	uv_idle_init(&world->loop, &queue.idle);
}

void world_start(struct world *world)
{
	struct spg_server_config config = {.socket_path = world->path,
		.fd = -1,
		.gid = SPG_GID_NONE,
		.limits = &world->limits};

	ck_assert_int_eq(spg_server_start(&world->server, &world->service, &config), 0);
}

static void on_closed(void *user)
{
	*(bool *)user = true;
}

void world_finish(struct world *world)
{
	spg_server_stop(world->server, on_closed, &world->closed);
	while (!world->closed)
		uv_run(&world->loop, UV_RUN_ONCE);
	/* The history's answers come even after the server has gone. */
	fake_release(world);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&queue.idle, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&world->loop), 0);
	/* Neither socket nor lock file is left. */
	ck_assert_int_eq(rmdir(world->dir), 0);
	for (int i = 0; i < 2; i++)
		spg_product_unref(world->fake->products[i]);
	free(world->fake);
}

void world_spin(struct world *world)
{
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

/* Clients. */

void client_connect(struct client *client, struct world *world)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*client = (struct client){.world = world};
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", world->path);
	ck_assert_int_eq(
		connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

void client_close(struct client *client)
{
	close(client->fd);
	spg_buf_finish(&client->in);
}

size_t client_send_some(struct client *client, const char *bytes, size_t n)
{
	ssize_t k = send(client->fd, bytes, n, MSG_NOSIGNAL);

	return k > 0 ? (size_t)k : 0;
}

void client_send(struct client *client, const char *text)
{
	ck_assert_uint_eq(client_send_some(client, text, strlen(text)), strlen(text));
}

char *client_line(struct client *client)
{
	for (;;) {
		char *end = client->in.len
		                    ? memchr(client->in.data, '\n', client->in.len)
		                    : NULL;
		char bytes[65536];
		ssize_t n;

		if (end) {
			size_t len = (size_t)(end - client->in.data);
			char *line = strndup(client->in.data, len);

			memmove(client->in.data, end + 1, client->in.len - len - 1);
			client->in.len -= len + 1;
			return line;
		}
		if (client->ended)
			return NULL;
		n = recv(client->fd, bytes, sizeof(bytes), 0);
		if (n > 0)
			spg_buf_add(&client->in, bytes, (size_t)n);
		else if (n == 0 || errno == ECONNRESET)
			client->ended = true;
		else
			uv_run(&client->world->loop, UV_RUN_ONCE);
	}
}

json_t *client_json(struct client *client)
{
	char *line = client_line(client);
	json_t *value = line ? json_loads(line, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (line)
		ck_assert_msg(value != NULL, "no JSON: %s", line);
	free(line);
	return value;
}

static bool matches(const json_t *value, json_t *pattern)
{
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_object(pattern)) {
		json_object_foreach (pattern, name, member) {
			if (!matches(json_object_get(value, name), member))
				return false;
		}
		return json_is_object(value);
	}
	if (json_is_array(pattern)) {
		if (!json_is_array(value) ||
			json_array_size(value) != json_array_size(pattern))
			return false;
		json_array_foreach (pattern, i, member) {
			if (!matches(json_array_get(value, i), member))
				return false;
		}
		return true;
	}
	return json_equal(value, pattern);
}

void check_matches(const json_t *value, const char *pattern)
{
	json_t *expected = json_loads(pattern, 0, NULL);
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	ck_assert_msg(expected != NULL, "bad pattern: %s", pattern);
	/* Check ends the program at a message of more than 4 KiB. */
	ck_assert_msg(matches(value, expected), "got %.1500s\nnot %.1500s",
		text ? text : "(the end)", pattern);
	free(text);
	json_decref(expected);
}

void client_expect(struct client *client, const char *request, const char *pattern)
{
	json_t *answer;

	client_send(client, request);
	client_send(client, "\n");
	answer = client_json(client);
	check_matches(answer, pattern);
	json_decref(answer);
}

void client_expect_line(struct client *client, const char *pattern)
{
	json_t *line = client_json(client);

	check_matches(line, pattern);
	json_decref(line);
}
