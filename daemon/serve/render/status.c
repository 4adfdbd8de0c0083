/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/render.h"

#include "common/clock.h"
#include "daemon/serve/render/parts.h"

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? spg_render_text(text) : json_null();
}

static json_t *render_directories(
	const struct spg_service *service, const struct spg_product *product)
{
	static const char *const states[] = {
		[SPG_DIRECTORY_WATCHED] = "watched",
		[SPG_DIRECTORY_MISSING] = "missing",
		[SPG_DIRECTORY_BLIND] = "blind",
	};
	const struct spg_watched_directory *directories;
	size_t n =
		service->watch->ops->directories(service->watch, product, &directories);
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const struct spg_watched_directory *directory = &directories[i];
		json_t *row = json_object();

		r |= json_object_set_new(row, "path", spg_render_text(directory->path));
		r |= json_object_set_new(
			row, "state", json_string(states[directory->state]));
		r |= json_object_set_new(row, "why", text_or_null(directory->why));
		r |= json_object_set_new(
			row, "marks", json_integer((json_int_t)directory->n_marks));
		r |= json_array_append_new(out, row);
	}
	return spg_render_done(out, r);
}

static json_t *id_of(const struct spg_install *install)
{
	return install ? json_integer(install->id) : json_null();
}

/* What runs, what the last one left, and how many ended how since the start. */
static json_t *render_installs(
	const struct spg_service *service, const struct spg_product *product)
{
	const struct spg_tracker *tracker = service->tracker;
	json_t *out = json_object(), *ended = json_object();
	int r = 0;

	for (int i = 0; i < SPG_INSTALL_OUTCOMES; i++)
		if (i != SPG_INSTALL_RUNNING)
			r |= json_object_set_new(ended,
				spg_install_outcome_name((enum spg_install_outcome)i),
				json_integer((json_int_t)spg_tracker_count(tracker,
					product->name, (enum spg_install_outcome)i)));
	r |= json_object_set_new(
		out, "running", id_of(spg_tracker_running(tracker, product->name)));
	r |= json_object_set_new(out, "unresolved",
		id_of(spg_tracker_unresolved(tracker, product->name)));
	r |= json_object_set_new(out, "ended", ended);
	return spg_render_done(out, r);
}

static json_t *render_product(const struct spg_service *service, size_t index)
{
	const struct spg_product *product = spg_model_product(service->model, index);
	struct spg_model_summary s;
	json_t *out = json_object();
	int r = 0;

	spg_model_summarise(service->model, index, &s);
	r |= json_object_set_new(out, "name", spg_render_text(product->name));
	r |= json_object_set_new(out, "title", spg_render_text(product->title));
	r |= json_object_set_new(
		out, "verdict", json_string(spg_verdict_name(s.verdict)));
	r |= json_object_set_new(out, "verdict_at", spg_render_time(s.verdict_ns));
	r |= json_object_set_new(
		out, "verdict_since", spg_render_time(s.verdict_since_ns));
	r |= json_object_set_new(
		out, "generation", json_integer((json_int_t)s.generation));
	r |= json_object_set_new(out, "files", json_integer((json_int_t)s.n_files));
	r |= json_object_set_new(out, "uses", json_integer((json_int_t)s.n_uses));
	r |= json_object_set_new(out, "locks", json_integer((json_int_t)s.n_locks));
	r |= json_object_set_new(
		out, "blocked", json_integer((json_int_t)s.counts.blocked));
	r |= json_object_set_new(out, "installs", render_installs(service, product));
	r |= json_object_set_new(
		out, "directories", render_directories(service, product));
	return spg_render_done(out, r);
}

static json_t *render_products(const struct spg_service *service)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < spg_model_n_products(service->model); i++)
		r |= json_array_append_new(out, render_product(service, i));
	return spg_render_done(out, r);
}

static json_t *render_mechanisms(struct spg_watch *watch)
{
	const struct spg_mechanism *mechanisms;
	size_t n = watch->ops->mechanisms(watch, &mechanisms);
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const struct spg_mechanism *m = &mechanisms[i];

		r |= json_array_append_new(
			out, json_pack("{s:s, s:o, s:b, s:o, s:o, s:o}", "kind",
				     spg_mechanism_kind_name(m->kind), "name",
				     spg_render_text(m->name), "works", m->works,
				     "detail", text_or_null(m->detail), "remedy",
				     text_or_null(m->remedy), "command",
				     text_or_null(m->command)));
	}
	return spg_render_done(out, r);
}

static json_t *render_store(const struct spg_service *service)
{
	struct spg_store_status s;
	json_t *out = json_object();
	int r = 0;

	spg_store_status(service->store, &s);
	r |= json_object_set_new(out, "path", text_or_null(service->database_path));
	r |= json_object_set_new(out, "rows", json_integer((json_int_t)s.rows));
	r |= json_object_set_new(out, "bytes", json_integer((json_int_t)s.bytes));
	r |= json_object_set_new(
		out, "queue_rows", json_integer((json_int_t)s.queue_rows));
	r |= json_object_set_new(out, "dropped", json_integer((json_int_t)s.dropped));
	r |= json_object_set_new(
		out, "dropped_since", spg_render_time(s.dropped_since_ns));
	r |= json_object_set_new(
		out, "dropped_until", spg_render_time(s.dropped_until_ns));
	r |= json_object_set_new(out, "stopped", json_boolean(s.stopped));
	r |= json_object_set_new(out, "fault",
		s.faulty ? json_string(spg_store_fault_name(s.fault)) : json_null());
	r |= json_object_set_new(out, "why", text_or_null(s.why));
	r |= json_object_set_new(out, "oldest", spg_render_time(s.oldest_ns));
	return spg_render_done(out, r);
}

static json_t *render_coverage(const struct spg_service *service)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < spg_model_n_products(service->model); i++) {
		const char *product = spg_model_product(service->model, i)->name;
		size_t n;
		const struct spg_lack *lacks = spg_model_lacks(service->model, i, &n);

		for (size_t k = 0; k < n; k++)
			r |= json_array_append_new(
				out, spg_render_lack(&lacks[k], product));
	}
	return spg_render_done(out, r);
}

/* Why what is in force is not what the files say; null: it is, as far as is known. */
static json_t *render_refusal(const struct spg_service *service)
{
	json_t *out;
	int r = 0;

	if (service->refused_ns == 0)
		return json_null();
	out = json_object();
	r |= json_object_set_new(out, "at", spg_render_time(service->refused_ns));
	r |= json_object_set_new(
		out, "problems", spg_render_lines(service->refused_for));
	return spg_render_done(out, r);
}

static json_t *render_event_counts(const struct spg_service *service)
{
	json_t *out = json_object();
	int r = 0;

	for (int i = 0; i < SPG_EVENT_KINDS; i++)
		r |= json_object_set_new(out, spg_event_kind_name(i),
			json_integer((json_int_t)service->counters->events[i]));
	return spg_render_done(out, r);
}

static json_t *render_gap_counts(const struct spg_service *service)
{
	json_t *out = json_object();
	int r = 0;

	for (int i = 0; i < SPG_GAP_REASONS; i++)
		r |= json_object_set_new(out, spg_gap_reason_name(i),
			json_integer((json_int_t)service->counters->gaps[i]));
	return spg_render_done(out, r);
}

json_t *spg_render_status(
	const struct spg_service *service, const struct spg_server_counts *counts)
{
	int64_t uptime_s = (spg_clock_wall_ns() - service->started_ns) / SPG_NS_PER_S;
	json_t *out = json_object();
	char host[UV_MAXHOSTNAMESIZE];
	size_t size = sizeof(host);
	int r = 0;

	if (uv_os_gethostname(host, &size) < 0)
		host[0] = '\0';
	r |= json_object_set_new(
		out, "host", host[0] ? spg_render_text(host) : json_null());
	r |= json_object_set_new(out, "version", json_string(SPG_VERSION));
	r |= json_object_set_new(out, "pid", json_integer(uv_os_getpid()));
	r |= json_object_set_new(out, "started", spg_render_time(service->started_ns));
	r |= json_object_set_new(
		out, "uptime", json_integer(uptime_s < 0 ? 0 : uptime_s));
	r |= json_object_set_new(out, "tier", text_or_null(service->watch->tier));
	r |= json_object_set_new(out, "socket", text_or_null(service->socket_path));
	r |= json_object_set_new(out, "config", text_or_null(service->config_path));
	r |= json_object_set_new(out, "reload_refused", render_refusal(service));
	r |= json_object_set_new(out, "products", render_products(service));
	r |= json_object_set_new(out, "mechanisms", render_mechanisms(service->watch));
	r |= json_object_set_new(out, "store", render_store(service));
	r |= json_object_set_new(
		out, "sessions", json_integer((json_int_t)counts->sessions));
	r |= json_object_set_new(
		out, "subscribers", json_integer((json_int_t)counts->subscribers));
	r |= json_object_set_new(
		out, "subscriber_drops", json_integer((json_int_t)counts->drops));
	r |= json_object_set_new(out, "events", render_event_counts(service));
	r |= json_object_set_new(out, "gaps", render_gap_counts(service));
	r |= json_object_set_new(out, "coverage", render_coverage(service));
	return spg_render_done(out, r);
}
