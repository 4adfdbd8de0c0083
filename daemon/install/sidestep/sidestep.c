/* SPDX-License-Identifier: MIT */
#include "daemon/install/sidestep/sidestep.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/text.h"
#include "daemon/install/sidestep/journal.h"
#include "daemon/install/sidestep/judge.h"
#include "daemon/install/sidestep/rename.h"
#include "daemon/proof/worker.h"
#include "daemon/store/records.h"

/* What is done to one file; the steps of an action are done one after the other. */
struct step {
	struct spg_sidestep record; /* ->state REFUSED: nothing is to be done */
	bool unjudged;              /* its product is to be proved still */
	bool may;                   /* judged, and nothing speaks against it */
};

/* One request on its way: judged by proofs, then carried out step by step. */
struct action {
	struct spg_background_job job;
	struct action *next;
	struct spg_sidesteps *sidesteps;
	enum spg_sidestep_verb verb;
	bool dry_run;
	bool named; /* APPLY: the new names are chosen */
	uint32_t uid;
	int64_t id; /* of the step asked about; 0: all */
	struct step *steps;
	size_t n_steps, size_steps;
	size_t at; /* the step in hand */
	int err;
	/* The worker thread writes these; they are read when the background job is done. */
	int disk_err;
	enum spg_aside_place found;
	spg_sidesteps_done *done;
	const void *user;
};

struct spg_sidesteps {
	struct spg_sidesteps_host host;
	int64_t last;
	struct spg_sidestep_journal journal;
	struct action *actions;
	bool begun;
	struct action
		*repair; /* puts right what a crash left; nothing else is done before */
};

static void advance(struct action *action);
static void prove_next(struct action *action);

static void tell_standing(const struct spg_sidesteps *sidesteps, const char *product)
{
	sidesteps->host.on_standing(sidesteps->host.user, product);
}

/* The watch leaves out what the daemon itself does. */
static void look_again(const struct spg_sidesteps *sidesteps, const char *product)
{
	int index = spg_model_find_product(sidesteps->host.model, product);

	if (index >= 0)
		spg_model_distrust(sidesteps->host.model, (size_t)index);
}

static void record_event(
	struct spg_sidesteps *sidesteps, const struct spg_sidestep *record)
{
	struct spg_event *event = spg_sidestep_event(record, spg_clock_wall_ns());

	if (event)
		sidesteps->host.record(sidesteps->host.record_user, event);
	spg_event_unref(event);
}

/* ---- the life of an action ---- */

static void action_destroy(struct action *action)
{
	for (size_t i = 0; i < action->n_steps; i++)
		spg_sidestep_finish(&action->steps[i].record);
	free(action->steps);
	free(action);
}

static void conclude(struct action *action)
{
	struct action **link = &action->sidesteps->actions;
	struct spg_sidestep *records = calloc(action->n_steps + 1, sizeof(*records));

	while (*link != action)
		link = &(*link)->next;
	*link = action->next;
	if (action->sidesteps->repair == action)
		action->sidesteps->repair = NULL;
	for (size_t i = 0; records && i < action->n_steps; i++)
		records[i] = action->steps[i].record;
	if (action->done && !records)
		action->done((void *)action->user, SPG_ERR_NOMEM, NULL, 0);
	else if (action->done)
		action->done(
			(void *)action->user, action->err, records, action->n_steps);
	free(records);
	action_destroy(action);
}

/* Why nothing (more) is done to the step's file. */
static void set_detail(struct step *step, const char *text)
{
	free(step->record.detail);
	step->record.detail = strdup(text);
}

static void on_journaled(void *user, int err);

static void write_journal(struct action *action, enum spg_sidestep_state state)
{
	struct spg_sidestep *record = &action->steps[action->at].record;

	record->state = state;
	record->changed_ns = spg_clock_wall_ns();
	spg_store_put_sidestep(
		action->sidesteps->host.store, record, on_journaled, action);
}

static bool is_chosen(const struct action *action, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(action->steps[i].record.old_path, name) == 0)
			return true;
	return false;
}

/* x.dll and x.exe would both become x.old: the second keeps its whole name. */
static char *choose_name(struct action *action, size_t at)
{
	const char *path = action->steps[at].record.path;
	char *name = spg_aside_choose_name(path, false, &action->disk_err);

	if (name && is_chosen(action, at, name)) {
		free(name);
		name = spg_aside_choose_name(path, true, &action->disk_err);
	}
	return name;
}

static void choose_names(struct action *action)
{
	for (size_t i = 0; i < action->n_steps && action->disk_err == 0; i++)
		action->steps[i].record.old_path = choose_name(action, i);
}

/* Worker  thread: the one thing that the step does to the disk. */
static bool do_disk(struct spg_background_job *job)
{
	struct action *action = (struct action *)job;
	const struct spg_sidestep *record = &action->steps[action->at].record;

	if (!action->named) {
		choose_names(action);
		return false;
	}
	switch (action->verb) {
	case SPG_SIDESTEP_APPLY:
		action->disk_err =
			spg_aside_rename(record->path, record->old_path, record->file);
		break;
	case SPG_SIDESTEP_UNDO:
		action->disk_err =
			spg_aside_rename(record->old_path, record->path, record->file);
		break;
	case SPG_SIDESTEP_CLEAN:
		action->disk_err = spg_aside_remove(record->old_path, record->file);
		break;
	case SPG_SIDESTEP_LIST:
		action->found =
			spg_aside_find(record->path, record->old_path, record->file);
		if (action->found == SPG_ASIDE_AT_BOTH)
			(void)spg_aside_remove(record->old_path, record->file);
		break;
	}
	return false;
}

static enum spg_sidestep_state state_after(const struct action *action)
{
	static const enum spg_sidestep_state done[] = {
		[SPG_SIDESTEP_APPLY] = SPG_SIDESTEP_RENAMED,
		[SPG_SIDESTEP_UNDO] = SPG_SIDESTEP_UNDONE,
		[SPG_SIDESTEP_CLEAN] = SPG_SIDESTEP_CLEANED,
	};
	const struct spg_sidestep *record = &action->steps[action->at].record;

	/* Found in the journal at the start, half done or not. */
	if (action->verb == SPG_SIDESTEP_LIST)
		return action->found == SPG_ASIDE_AT_OLD ? SPG_SIDESTEP_RENAMED
		                                         : SPG_SIDESTEP_FAILED;
	if (action->disk_err == 0)
		return done[action->verb];
	/* One that was not undone or removed stays what it was. */
	return action->verb == SPG_SIDESTEP_APPLY ? SPG_SIDESTEP_FAILED : record->state;
}

static void on_disk_done(struct spg_background_job *job, bool complete)
{
	struct action *action = (struct action *)job;
	struct step *step = &action->steps[action->at];

	if (!complete) {
		/* The journal says "planned"; the next start finds out. */
		action->err = SPG_ERR_BUSY;
		conclude(action);
		return;
	}
	if (!action->named) {
		action->named = true;
		action->err = action->disk_err;
		prove_next(action);
		return;
	}
	step->may = false;
	if (action->verb == SPG_SIDESTEP_LIST && action->found != SPG_ASIDE_AT_OLD)
		set_detail(step, "the daemon ended before it was renamed");
	else if (action->verb != SPG_SIDESTEP_LIST)
		set_detail(step,
			action->disk_err < 0 ? spg_aside_why(action->disk_err) : "");
	write_journal(action, state_after(action));
}

static void start_disk(struct action *action)
{
	action->job = (struct spg_background_job){
		.step = do_disk,
		.done = on_disk_done,
	};
	/* The daemon stops: as when it ends while the step is done. */
	if (spg_prover_add_job(action->sidesteps->host.prover, &action->job) < 0)
		on_disk_done(&action->job, false);
}

/* The journal is on disk: with the plan, now do it; with the outcome, go on. */
static void on_journaled(void *user, int err)
{
	struct action *action = user;
	struct spg_sidesteps *sidesteps = action->sidesteps;
	struct step *step = &action->steps[action->at];

	if (err < 0) {
		action->err = err;
		if (step->may)
			step->record.state = SPG_SIDESTEP_REFUSED;
		set_detail(step, "the journal could not be written");
		conclude(action);
		return;
	}
	if (spg_sidestep_journal_note(&sidesteps->journal, &step->record) < 0)
		spg_error("a step aside is not remembered: out of memory");
	if (step->may) {
		start_disk(action);
		return;
	}
	record_event(sidesteps, &step->record);
	look_again(sidesteps, step->record.product);
	tell_standing(sidesteps, step->record.product);
	action->at++;
	advance(action);
}

/* The next step that may be done, or the end. */
static void advance(struct action *action)
{
	while (action->at < action->n_steps && !action->steps[action->at].may)
		action->at++;
	if (action->at == action->n_steps || action->dry_run || action->err < 0) {
		conclude(action);
		return;
	}
	if (action->verb == SPG_SIDESTEP_APPLY) {
		struct spg_sidestep *record = &action->steps[action->at].record;

		record->id = ++action->sidesteps->last;
		write_journal(action, SPG_SIDESTEP_PLANNED);
		return;
	}
	start_disk(action);
}

/* ---- judging ---- */

/* The first product that is to be proved still; action->n_steps: none. */
static size_t next_unjudged(const struct action *action)
{
	size_t i = 0;

	while (i < action->n_steps && !action->steps[i].unjudged)
		i++;
	return i;
}

/* What is over stays what it is; what was only planned is not begun. */
static void refuse(struct step *step, const char *why)
{
	step->may = false;
	if (step->record.state == SPG_SIDESTEP_PLANNED && step->record.id == 0)
		step->record.state = SPG_SIDESTEP_REFUSED;
	set_detail(step, why);
}

static void judge_step(
	struct action *action, struct step *step, const struct spg_proof *proof)
{
	struct spg_buf why = SPG_BUF_NULL;
	const struct spg_tracker *tracker = action->sidesteps->host.tracker;

	if (action->verb == SPG_SIDESTEP_APPLY)
		step->may = spg_sidestep_may_apply(&step->record, proof->observation,
			spg_tracker_expected(tracker, step->record.product), &why);
	else if (action->verb == SPG_SIDESTEP_UNDO)
		step->may =
			spg_sidestep_may_undo(&step->record, proof->observation, &why);
	else
		step->may =
			spg_sidestep_may_clean(&step->record, proof->observation, &why);
	if (!step->may && action->verb == SPG_SIDESTEP_APPLY)
		step->record.state = SPG_SIDESTEP_REFUSED;
	set_detail(step, spg_buf_text(&why));
	spg_buf_finish(&why);
}

/* The steps of the product in hand, which @proof is about; NULL: it has gone. */
static void judge_steps(struct action *action, const struct spg_proof *proof)
{
	const char *product = action->steps[next_unjudged(action)].record.product;

	for (size_t i = 0; i < action->n_steps; i++) {
		struct step *step = &action->steps[i];

		if (!step->unjudged || strcmp(step->record.product, product) != 0)
			continue;
		step->unjudged = false;
		if (proof)
			judge_step(action, step, proof);
		else
			refuse(step, "its product has gone in a reload of the "
				     "configuration");
	}
}

static void on_proof(void *user, int err, const struct spg_proof *proof)
{
	struct action *action = user;

	if (err == SPG_ERR_NOT_FOUND)
		proof = NULL;
	else if (err < 0)
		action->err = err;
	judge_steps(action, err < 0 ? NULL : proof);
	prove_next(action);
}

static void prove_next(struct action *action)
{
	size_t i = next_unjudged(action);
	int index;

	if (i == action->n_steps || action->err < 0) {
		advance(action);
		return;
	}
	index = spg_model_find_product(
		action->sidesteps->host.model, action->steps[i].record.product);
	if (index < 0) {
		judge_steps(action, NULL);
		prove_next(action);
		return;
	}
	if (spg_prover_ask(action->sidesteps->host.prover, (size_t)index, NULL, true,
		    on_proof, action) < 0) {
		action->err = SPG_ERR_NOMEM;
		conclude(action);
	}
}

/* ---- requests ---- */

static struct step *add_step(struct action *action)
{
	struct step *step;

	if (spg_array_reserve(&action->steps, action->n_steps, &action->size_steps,
		    sizeof(*action->steps)) < 0)
		return NULL;
	step = &action->steps[action->n_steps++];
	*step = (struct step){.unjudged = false};
	return step;
}

static int add_path(struct action *action, size_t product, const char *path)
{
	const struct spg_model *model = action->sidesteps->host.model;
	struct step *step = add_step(action);
	struct spg_sidestep *record = step ? &step->record : NULL;

	if (!step)
		return SPG_ERR_NOMEM;
	step->unjudged = true;
	record->product = strdup(spg_model_product(model, product)->name);
	record->path = strdup(path);
	record->state = SPG_SIDESTEP_PLANNED;
	record->at_ns = record->changed_ns = spg_clock_wall_ns();
	record->uid = action->uid;
	return record->product && record->path ? 0 : SPG_ERR_NOMEM;
}

/* All files of a product that @name means. */
static int add_named(struct action *action, const char *name, const char *of)
{
	const struct spg_model *model = action->sidesteps->host.model;
	size_t before = action->n_steps;
	int r = 0;

	for (size_t p = 0; p < spg_model_n_products(model); p++) {
		const struct spg_product *product = spg_model_product(model, p);
		size_t n;
		struct spg_file *const *files = spg_model_files(model, p, &n);

		for (size_t i = 0; r == 0 && i < n; i++) {
			const char *path = files[i]->path;

			if (of && strcmp(of, product->name) != 0)
				continue;
			if (!spg_name_equal(spg_path_is_absolute(name)
						    ? path
						    : spg_path_base(path),
				    name, product->ignore_case))
				continue;
			if (action->n_steps > before &&
				strcmp(action->steps[action->n_steps - 1].record.path,
					path) == 0)
				continue; /* an old version of it */
			r = add_path(action, p, path);
		}
	}
	return r == 0 && action->n_steps == before ? SPG_ERR_NOT_FOUND : r;
}

static int add_known(struct action *action, const struct spg_sidestep *record)
{
	struct step *step = add_step(action);

	if (!step)
		return SPG_ERR_NOMEM;
	step->unjudged = action->verb != SPG_SIDESTEP_LIST;
	return spg_sidestep_copy(record, &step->record);
}

static int add_journal(struct action *action, int64_t id)
{
	const struct spg_sidesteps *sidesteps = action->sidesteps;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sidesteps->journal.n; i++)
		if (!id || sidesteps->journal.rows[i].id == id)
			r = add_known(action, &sidesteps->journal.rows[i]);
	return r == 0 && id && action->n_steps == 0 ? SPG_ERR_NOT_FOUND : r;
}

static int add_paths(struct action *action, const struct spg_sidestep_request *request)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->n_paths; i++)
		r = add_named(action, request->paths[i], request->product);
	return r;
}

static struct action *new_action(
	struct spg_sidesteps *sidesteps, enum spg_sidestep_verb verb)
{
	struct action *action = calloc(1, sizeof(*action));

	if (!action)
		return NULL;
	action->sidesteps = sidesteps;
	action->verb = verb;
	action->next = sidesteps->actions;
	sidesteps->actions = action;
	return action;
}

/* The history's callbacks come later, and in any case: so does the answer. */
static void on_turn(void *user, int err, const struct spg_sidestep *rows, size_t n)
{
	struct action *action = user;
	struct spg_sidesteps *sidesteps = action->sidesteps;

	(void)rows;
	(void)n;
	if (err == 0 && sidesteps->repair) {
		spg_store_get_sidesteps(sidesteps->host.store, 1, on_turn, action);
		return;
	}
	if (action->verb != SPG_SIDESTEP_APPLY && action->err == 0)
		action->err = add_journal(action, action->id);
	if (err < 0 && action->err == 0)
		action->err = err;
	action->named = action->verb != SPG_SIDESTEP_APPLY;
	if (action->err < 0 || action->verb == SPG_SIDESTEP_LIST)
		conclude(action);
	else if (!action->named)
		start_disk(action);
	else
		prove_next(action);
}

int spg_sidesteps_ask(struct spg_sidesteps *sidesteps,
	const struct spg_sidestep_request *request, spg_sidesteps_done *done,
	void *user)
{
	struct action *action = new_action(sidesteps, request->verb);

	if (!action)
		return SPG_ERR_NOMEM;
	action->dry_run = request->dry_run;
	action->uid = request->uid;
	action->done = done;
	action->user = user;
	action->id = request->id;
	if (request->verb == SPG_SIDESTEP_APPLY)
		action->err = add_paths(action, request);
	spg_store_get_sidesteps(sidesteps->host.store, 1, on_turn, action);
	return 0;
}

void spg_sidesteps_forget(struct spg_sidesteps *sidesteps, const void *user)
{
	for (struct action *a = sidesteps->actions; a; a = a->next)
		if (a->user == user)
			a->done = NULL;
}

/* ---- start ---- */

/* Looks what became of steps that the journal has as planned only. */
static struct action *new_repair(struct spg_sidesteps *sidesteps)
{
	struct action *action = new_action(sidesteps, SPG_SIDESTEP_LIST);

	if (action)
		action->named = true;
	sidesteps->repair = action;
	return action;
}

static void take_records(
	struct spg_sidesteps *sidesteps, const struct spg_store_records *records)
{
	for (size_t i = 0; records && i < records->n_sidesteps; i++)
		if (spg_sidestep_journal_note(
			    &sidesteps->journal, &records->sidesteps[i]) < 0)
			spg_error("a step aside is not remembered: out of memory");
}

void spg_sidesteps_begin(struct spg_sidesteps *sidesteps)
{
	struct action *action = NULL;

	if (sidesteps->begun)
		return;
	sidesteps->begun = true;
	for (size_t i = 0; i < sidesteps->journal.n; i++) {
		const struct spg_sidestep *record = &sidesteps->journal.rows[i];

		if (record->state != SPG_SIDESTEP_PLANNED)
			continue;
		spg_notice("step aside %lld was planned when the daemon ended: "
			   "finding out what became of it",
			(long long)record->id);
		if (!action)
			action = new_repair(sidesteps);
		if (action && add_known(action, record) == 0)
			action->steps[action->n_steps - 1].may = true;
	}
	if (action)
		advance(action);
}

/* ---- what is left ---- */

static bool has_new_file(
	const struct spg_sidesteps *sidesteps, const struct spg_sidestep *record)
{
	const struct spg_model *model = sidesteps->host.model;
	int product = spg_model_find_product(model, record->product);
	struct spg_file *const *files;
	size_t n = 0;

	if (product < 0)
		return false;
	files = spg_model_files(model, (size_t)product, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(files[i]->path, record->path) == 0 &&
			!spg_file_id_equal(files[i]->id, record->file))
			return true;
	return false;
}

static void on_reviewed(void *user, int err)
{
	(void)user;
	if (err < 0)
		spg_error("the journal of steps aside could not be written: %s",
			spg_err_text(err));
}

void spg_sidesteps_review(struct spg_sidesteps *sidesteps, const char *product)
{
	for (size_t i = 0; i < sidesteps->journal.n; i++) {
		struct spg_sidestep *record = &sidesteps->journal.rows[i];

		if (record->state != SPG_SIDESTEP_RENAMED ||
			strcmp(record->product, product) != 0 ||
			!has_new_file(sidesteps, record))
			continue;
		record->state = SPG_SIDESTEP_FINISHED;
		record->changed_ns = spg_clock_wall_ns();
		record_event(sidesteps, record);
		spg_store_put_sidestep(
			sidesteps->host.store, record, on_reviewed, NULL);
	}
}

int spg_sidesteps_add_standing(const struct spg_sidesteps *sidesteps,
	const char *product, struct spg_standing *standing)
{
	/* Planned by this daemon: nothing has happened yet. */
	bool repairing = !sidesteps->begun || sidesteps->repair;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sidesteps->journal.n; i++) {
		const struct spg_sidestep *record = &sidesteps->journal.rows[i];
		const struct spg_stepped_aside aside = {.id = record->file,
			.unsure = record->state == SPG_SIDESTEP_PLANNED,
			.path = record->path,
			.old_path = record->old_path,
			.number = record->id,
			.missing = record->state == SPG_SIDESTEP_RENAMED &&
		                   !has_new_file(sidesteps, record)};

		if (strcmp(record->product, product) == 0 &&
			(repairing || !aside.unsure))
			r = spg_standing_add_aside(standing, &aside);
	}
	return r;
}

/* ---- life ---- */

struct spg_sidesteps *spg_sidesteps_create(const struct spg_sidesteps_host *host)
{
	struct spg_sidesteps *sidesteps = calloc(1, sizeof(*sidesteps));

	if (!sidesteps)
		return NULL;
	sidesteps->host = *host;
	sidesteps->last = host->last_sidestep;
	take_records(sidesteps, host->records);
	sidesteps->host.records = NULL;
	return sidesteps;
}

void spg_sidesteps_destroy(struct spg_sidesteps *sidesteps)
{
	if (!sidesteps)
		return;
	while (sidesteps->actions) {
		struct action *action = sidesteps->actions;

		sidesteps->actions = action->next;
		action_destroy(action);
	}
	spg_sidestep_journal_finish(&sidesteps->journal);
	free(sidesteps);
}
