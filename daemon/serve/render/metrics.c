/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/metrics.h"

#include "common/clock.h"
#include "daemon/serve/render/exposition.h"

void spg_metrics_take(struct spg_metrics_product *ret, const struct spg_proof *proof)
{
	const struct spg_observation *obs = proof->observation;
	const struct spg_verdict *verdict = proof->verdict;

	ret->proved = true;
	ret->verdict = verdict->kind;
	ret->at_ns = proof->at_ns;
	for (size_t i = 0; i < verdict->n_files; i++)
		ret->n_files[verdict->files[i].state]++;
	for (size_t i = 0; i < obs->n_uses; i++)
		for (int bit = 0; bit < SPG_USE_HOWS; bit++)
			if (obs->uses[i].how & 1u << bit)
				ret->n_uses[bit]++;
	for (size_t i = 0; i < obs->n_keepers; i++)
		for (int bit = 0; bit < SPG_USE_HOWS; bit++)
			if (spg_keeper_how(obs->keepers[i].kind) == 1u << bit)
				ret->n_uses[bit]++;
	ret->n_unattributed = verdict->counts.unattributed;
	ret->n_lacks = obs->n_lacks;
}

/* What the families of one exposition share. */
struct metrics {
	struct spg_exposition e;
	const struct spg_service *service;
	const struct spg_server_counts *counts;
	const struct spg_metrics_product *products;
	size_t n;
};

static void gauge(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	spg_exposition_family(&m->e, name, SPG_METRIC_GAUGE, help);
	spg_exposition_sample(&m->e, NULL, 0, value);
}

static void counter(
	struct metrics *m, const char *name, const char *help, uint64_t value)
{
	spg_exposition_family(&m->e, name, SPG_METRIC_COUNTER, help);
	spg_exposition_sample(&m->e, NULL, 0, value);
}

/* A sample with the labels "product" and @name. */
static void sample_of(struct metrics *m, const struct spg_metrics_product *p,
	const char *name, const char *value, uint64_t number)
{
	const struct spg_metric_label labels[] = {
		{"product", p->product->name}, {name, value}};

	spg_exposition_sample(&m->e, labels, name ? 2 : 1, number);
}

static void put_daemon(struct metrics *m)
{
	const struct spg_metric_label labels[] = {
		{"version", SPG_VERSION}, {"tier", m->service->watch->tier}};

	gauge(m, "spguard_up", "1: the daemon answers.", 1);
	spg_exposition_family(&m->e, "spguard_build", SPG_METRIC_INFO,
		"Version, and the tier that watches.");
	spg_exposition_sample(&m->e, labels, 2, 1);
	spg_exposition_family(&m->e, "spguard_start_timestamp_seconds",
		SPG_METRIC_GAUGE, "When the daemon started, Unix time.");
	spg_exposition_seconds(&m->e, NULL, 0, m->service->started_ns);
	gauge(m, "spguard_reload_refused",
		"1: the configuration was changed and is bad; the old one goes on.",
		m->service->refused_ns != 0);
}

static void put_verdicts(struct metrics *m)
{
	spg_exposition_family(&m->e, "spguard_verdict", SPG_METRIC_STATESET,
		"Can a service pack be applied safely? Proved for this answer.");
	for (size_t i = 0; i < m->n; i++)
		for (int kind = 0; kind < SPG_VERDICT_KINDS; kind++)
			sample_of(m, &m->products[i], "spguard_verdict",
				spg_verdict_name(kind),
				(int)m->products[i].verdict == kind);
	spg_exposition_family(&m->e, "spguard_census_timestamp_seconds",
		SPG_METRIC_GAUGE, "The moment the verdict holds for, Unix time.");
	for (size_t i = 0; i < m->n; i++) {
		const struct spg_metric_label product = {
			"product", m->products[i].product->name};

		spg_exposition_seconds(&m->e, &product, 1, m->products[i].at_ns);
	}
	spg_exposition_family(&m->e, "spguard_lacks", SPG_METRIC_GAUGE,
		"Things that could not be looked at; spguard doctor names them.");
	for (size_t i = 0; i < m->n; i++)
		sample_of(m, &m->products[i], NULL, NULL, m->products[i].n_lacks);
}

static void put_files(struct metrics *m)
{
	spg_exposition_family(&m->e, "spguard_files", SPG_METRIC_GAUGE,
		"Files of the product by state.");
	for (size_t i = 0; i < m->n; i++)
		for (int state = 0; state < SPG_FILE_STATES; state++)
			sample_of(m, &m->products[i], "state",
				spg_file_state_name(state),
				m->products[i].n_files[state]);
	spg_exposition_family(&m->e, "spguard_uses", SPG_METRIC_GAUGE,
		"Uses of files, by how: one use can be of several kinds.");
	for (size_t i = 0; i < m->n; i++)
		for (int bit = 0; bit < SPG_USE_HOWS; bit++)
			sample_of(m, &m->products[i], "how",
				spg_use_how_name((enum spg_use_how)(1 << bit)),
				m->products[i].n_uses[bit]);
	spg_exposition_family(&m->e, "spguard_unattributed_files", SPG_METRIC_GAUGE,
		"Files that are held by something that no process shows.");
	for (size_t i = 0; i < m->n; i++)
		sample_of(
			m, &m->products[i], NULL, NULL, m->products[i].n_unattributed);
}

/* Files that the last install left as they were, while it was not mended. */
static size_t n_mixed(const struct metrics *m, const struct spg_metrics_product *p)
{
	const struct spg_install *install =
		spg_tracker_unresolved(m->service->tracker, p->product->name);

	return install ? spg_install_count(install, SPG_CHANGE_SKIPPED) : 0;
}

static void put_installs(struct metrics *m)
{
	const struct spg_tracker *tracker = m->service->tracker;

	spg_exposition_family(&m->e, "spguard_installs", SPG_METRIC_COUNTER,
		"Installs that ended since the start, by outcome.");
	for (size_t i = 0; i < m->n; i++)
		for (int outcome = 0; outcome < SPG_INSTALL_OUTCOMES; outcome++)
			if (outcome != SPG_INSTALL_RUNNING)
				sample_of(m, &m->products[i], "outcome",
					spg_install_outcome_name(outcome),
					spg_tracker_count(tracker,
						m->products[i].product->name, outcome));
	spg_exposition_family(&m->e, "spguard_install_running", SPG_METRIC_GAUGE,
		"1: the product is being installed now.");
	for (size_t i = 0; i < m->n; i++)
		sample_of(m, &m->products[i], NULL, NULL,
			spg_tracker_running(tracker, m->products[i].product->name) !=
				NULL);
	spg_exposition_family(&m->e, "spguard_install_unresolved", SPG_METRIC_GAUGE,
		"1: the last install was not clean; run the service pack again.");
	for (size_t i = 0; i < m->n; i++)
		sample_of(m, &m->products[i], NULL, NULL,
			spg_tracker_unresolved(tracker, m->products[i].product->name) !=
				NULL);
	spg_exposition_family(&m->e, "spguard_mixed_files", SPG_METRIC_GAUGE,
		"Files that the last install left out, until a clean one.");
	for (size_t i = 0; i < m->n; i++)
		sample_of(m, &m->products[i], NULL, NULL, n_mixed(m, &m->products[i]));
	spg_exposition_family(&m->e, "spguard_hold_active", SPG_METRIC_GAUGE,
		"1: new opens of the product's files are refused now.");
	for (size_t i = 0; i < m->n; i++)
		sample_of(m, &m->products[i], NULL, NULL,
			spg_holds_of(m->service->holds, m->products[i].product->name) !=
				NULL);
}

static void put_events(struct metrics *m)
{
	spg_exposition_family(&m->e, "spguard_events", SPG_METRIC_COUNTER,
		"Events since the start, by kind.");
	for (int kind = 0; kind < SPG_EVENT_KINDS; kind++) {
		const struct spg_metric_label label = {
			"kind", spg_event_kind_name(kind)};

		spg_exposition_sample(
			&m->e, &label, 1, m->service->counters->events[kind]);
	}
	spg_exposition_family(&m->e, "spguard_gaps", SPG_METRIC_COUNTER,
		"Stretches in which events may be missing, by reason.");
	for (int reason = 0; reason < SPG_GAP_REASONS; reason++) {
		const struct spg_metric_label label = {
			"reason", spg_gap_reason_name(reason)};

		spg_exposition_sample(
			&m->e, &label, 1, m->service->counters->gaps[reason]);
	}
}

static void put_store(struct metrics *m)
{
	struct spg_store_status s;

	spg_store_status(m->service->store, &s);
	counter(m, "spguard_store_rows", "Events written since the start.", s.written);
	counter(m, "spguard_store_dropped",
		"Events that could not be written since the start.", s.dropped);
	gauge(m, "spguard_store_bytes", "Size of the database and its log.", s.bytes);
	gauge(m, "spguard_store_events", "Events in the database.", s.rows);
	gauge(m, "spguard_store_queue_rows", "Events that wait to be written.",
		s.queue_rows);
	gauge(m, "spguard_store_stopped",
		"1: history is not written; spguard status says why.", s.stopped);
}

void spg_metrics_write(struct spg_buf *out, bool openmetrics,
	const struct spg_service *service, const struct spg_server_counts *counts,
	const struct spg_metrics_product *products, size_t n_products)
{
	struct metrics m = {.e = {.out = out, .openmetrics = openmetrics},
		.service = service,
		.counts = counts,
		.products = products,
		.n = n_products};

	put_daemon(&m);
	put_verdicts(&m);
	put_files(&m);
	put_installs(&m);
	put_events(&m);
	spg_exposition_family(&m.e, "spguard_check_duration_seconds",
		SPG_METRIC_HISTOGRAM, "From a question to its proof.");
	spg_exposition_histogram(&m.e, spg_prover_durations(service->prover));
	spg_exposition_family(&m.e, "spguard_loop_turn_seconds", SPG_METRIC_HISTOGRAM,
		"What everybody waits for: a turn of the daemon's loop.");
	spg_exposition_histogram(&m.e, service->turns);
	put_store(&m);
	gauge(&m, "spguard_sessions", "Connections to the local socket.",
		counts->sessions);
	gauge(&m, "spguard_subscribers", "Of which are told of events.",
		counts->subscribers);
	counter(&m, "spguard_subscriber_drops",
		"Notifications that slow subscribers did not get.", counts->drops);
	spg_exposition_end(&m.e);
}
