/* SPDX-License-Identifier: MIT */
#include "daemon/install/installs.h"

#include "common/err.h"
#include "common/log.h"

/* What blocks or asks for attention has changed: have the product judged anew. */
static void on_standing(void *user, const char *product)
{
	struct spg_installs *installs = user;
	struct spg_model *model = installs->host.model;
	struct spg_standing standing = SPG_STANDING_NULL;
	int index = spg_model_find_product(model, product);

	if (index < 0)
		return;
	if (installs->sidesteps && !spg_tracker_running(installs->tracker, product))
		spg_sidesteps_review(installs->sidesteps, product);
	if (spg_tracker_add_standing(installs->tracker, product, &standing) < 0 ||
		(installs->sidesteps && spg_sidesteps_add_standing(installs->sidesteps,
						product, &standing) < 0))
		spg_error("a verdict about %s may be wrong: out of memory", product);
	spg_model_set_standing(model, (size_t)index, &standing);
	spg_model_look_again(model, (size_t)index);
	spg_prover_kick(installs->host.prover, true);
}

int spg_installs_init(struct spg_installs *installs,
	const struct spg_installs_host *host, const struct spg_store_origin *origin,
	const struct spg_config *config)
{
	installs->host = *host;
	installs->catalog = spg_catalog_create(host->prover);
	installs->owners = spg_owners_create(host->prover, host->model);
	if (!installs->catalog || !installs->owners)
		return SPG_ERR_NOMEM;
	installs->tracker =
		spg_tracker_create(&(struct spg_tracker_host){.loop = host->loop,
			.model = host->model,
			.prover = host->prover,
			.catalog = installs->catalog,
			.owners = installs->owners,
			.store = host->store,
			.watch = host->watch,
			.record = host->record,
			.record_user = host->user,
			.on_standing = on_standing,
			.user = installs,
			.records = origin->records,
			.last_install = origin->last_install,
			.quiet_ns = config->install_quiet_ns});
	if (!installs->tracker)
		return SPG_ERR_NOMEM;
	installs->sidesteps =
		spg_sidesteps_create(&(struct spg_sidesteps_host){.model = host->model,
			.prover = host->prover,
			.store = host->store,
			.tracker = installs->tracker,
			.record = host->record,
			.record_user = host->user,
			.on_standing = on_standing,
			.user = installs,
			.records = origin->records,
			.last_sidestep = origin->last_sidestep});
	return installs->sidesteps ? 0 : SPG_ERR_NOMEM;
}

void spg_installs_set_products(struct spg_installs *installs)
{
	const struct spg_model *model = installs->host.model;

	for (size_t i = 0; installs->tracker && i < spg_model_n_products(model); i++)
		on_standing(installs, spg_model_product(model, i)->name);
}

void spg_installs_begin(struct spg_installs *installs)
{
	spg_tracker_begin(installs->tracker);
	spg_sidesteps_begin(installs->sidesteps);
}

void spg_installs_configure(
	struct spg_installs *installs, const struct spg_config *config)
{
	spg_tracker_configure(installs->tracker, config->install_quiet_ns);
}

void spg_installs_note(struct spg_installs *installs, const struct spg_event *event)
{
	if (installs->tracker)
		spg_tracker_note(installs->tracker, event);
}

void spg_installs_note_changes(
	struct spg_installs *installs, const struct spg_event_list *changes)
{
	for (size_t i = 0; installs->tracker && i < changes->n; i++)
		spg_tracker_note_use(installs->tracker, changes->events[i]);
}

void spg_installs_note_survey(
	struct spg_installs *installs, const struct spg_observation *obs)
{
	if (installs->tracker)
		spg_tracker_note_survey(installs->tracker, obs);
}

void spg_installs_note_moved(
	struct spg_installs *installs, const char *path, struct spg_process *process)
{
	if (installs->tracker)
		spg_tracker_note_moved(installs->tracker, path, process);
}

void spg_installs_look(struct spg_installs *installs, const struct spg_product *product)
{
	if (installs->tracker)
		spg_tracker_look(installs->tracker, product ? product->name : NULL);
}

void spg_installs_note_exit(struct spg_installs *installs, struct spg_proc_id id)
{
	if (installs->tracker)
		spg_tracker_note_exit(installs->tracker, id);
}

static void on_sessions_stopped(void *user)
{
	struct spg_installs *installs = user;

	installs->on_stopped(installs->stop_user);
}

void spg_installs_stop(struct spg_installs *installs, bool hangs,
	void (*on_stopped)(void *user), void *user)
{
	installs->hangs = hangs;
	installs->on_stopped = on_stopped;
	installs->stop_user = user;
	spg_tracker_stop(installs->tracker, on_sessions_stopped, installs);
}

void spg_installs_finish(struct spg_installs *installs)
{
	if (installs->hangs)
		return;
	spg_sidesteps_destroy(installs->sidesteps);
	spg_tracker_destroy(installs->tracker);
	spg_catalog_destroy(installs->catalog);
	spg_owners_destroy(installs->owners);
	installs->sidesteps = NULL;
	installs->tracker = NULL;
	installs->catalog = NULL;
	installs->owners = NULL;
}
