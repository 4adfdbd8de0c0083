/* SPDX-License-Identifier: MIT */
#include "daemon/proof/prover.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/work.h"
#include "daemon/model/judge.h"
#include "daemon/model/verdict_text.h"
#include "daemon/proof/barriers.h"
#include "daemon/proof/queue.h"
#include "daemon/proof/worker.h"

/* A question that waits for "safe" is asked again at least this often: not every
 * end of a use is an event (a descriptor in flight, an overlay's mapping). */
#define WAIT_TICK_MS 1000
/* So long are questions answered in one turn of the loop, and one more. */
#define ANSWER_NS    (5 * SPG_NS_PER_MS)
/* A reconcile may use this share of one processor: 1 / (1 + REST_RATIO). */
#define REST_RATIO   4

struct spg_prover {
	uv_loop_t *loop;
	struct spg_prover_config config;
	struct spg_model *model;
	struct spg_watch *watch;
	spg_prover_on_changes *on_changes;
	void *user;
	void (*listener)(void *user, const struct spg_observation *obs); /* or NULL */
	void *listener_user;

	struct spg_worker *worker;
	bool running, late;
	/* What happened before the survey ended, or before the pass began, is being
	 * delivered, in several turns of the loop; then it goes on with that. */
	enum { DRAINS_NOTHING, DRAINS_AFTER_SURVEY, DRAINS_BEFORE_PASS } drains;
	struct spg_observation *surveyed; /* owned until then */
	int survey_err;
	int64_t surveyed_ns, surveyed_utc_ns; /* monotonic, and UTC: when it ended */
	char *running_product;
	uint64_t running_generation;
	enum spg_survey_depth running_depth;

	uv_timer_t debounce, lock_poll, deadline, tick;
	uv_idle_t pump; /* answers never come from within the call that asked */
	bool reconcile_due;
	/* A reconcile is one pass over the products; the next one to look at, or
	 * SIZE_MAX between passes. What is dirty again already waits for another
	 * pass, or a storm in one product would let nobody else have a turn. */
	size_t reconcile_next;
	size_t locks_next;     /* product whose locks are to be read next */
	bool asked_last;       /* the last survey was for a question */
	int64_t rest_until_ns; /* monotonic */
	struct spg_queue queue;
	/* A look that has ended, until all that waited for it are answered; its
	 * observation is owned. No other survey begins meanwhile. */
	struct spg_observation *answering; /* NULL: none */
	struct spg_look_result result;
	struct spg_barriers barriers;

	bool stopping;
	unsigned n_closing;
	bool hangs;
	void (*on_stopped)(void *user, bool hangs);
	void *stop_user;
};

static void on_pump(uv_idle_t *idle);

static void wake(struct spg_prover *p)
{
	if (!p->stopping)
		uv_idle_start(&p->pump, on_pump);
}

const struct spg_histogram *spg_prover_durations(const struct spg_prover *prover)
{
	return &prover->queue.durations;
}

static void publish(struct spg_prover *p, struct spg_event_list *changes)
{
	if (changes->n > 0)
		p->on_changes(p->user, changes);
	spg_event_list_finish(changes);
}

static void on_lock_poll(uv_timer_t *timer)
{
	struct spg_prover *p = timer->data;

	/* Reading very many locks must not take all the time there is. */
	if (spg_clock_mono_ns() < p->rest_until_ns)
		return;
	p->locks_next = 0;
	wake(p);
}

/* Not all locks have events; none has where no file is in use. */
static void schedule_lock_poll(struct spg_prover *p)
{
	bool wanted = !p->stopping && spg_model_any_needs_polling(p->model);

	if (wanted && !uv_is_active((uv_handle_t *)&p->lock_poll))
		uv_timer_start(&p->lock_poll, on_lock_poll, p->config.lock_poll_ms,
			p->config.lock_poll_ms);
	else if (!wanted)
		uv_timer_stop(&p->lock_poll);
}

static void on_tick(uv_timer_t *timer);

/* Who waits for "safe" is to be asked about again when its time is over, and at times. */
static void schedule_tick(struct spg_prover *p)
{
	int64_t delay_ms = spg_queue_due_ms(&p->queue, WAIT_TICK_MS);

	if (delay_ms < 0)
		uv_timer_stop(&p->tick);
	else if (!uv_is_active((uv_handle_t *)&p->tick) ||
		 uv_timer_get_due_in(&p->tick) > (uint64_t)delay_ms)
		uv_timer_start(&p->tick, on_tick, (uint64_t)delay_ms, WAIT_TICK_MS);
}

/* Whoever waits for this product (NULL: any) wants to know again. */
static void unpark(struct spg_prover *p, const char *product)
{
	spg_queue_unpark(&p->queue, product);
	schedule_tick(p);
}

static void on_tick(uv_timer_t *timer)
{
	struct spg_prover *p = timer->data;

	unpark(p, NULL);
	wake(p);
}

static void on_debounce(uv_timer_t *timer)
{
	struct spg_prover *p = timer->data;

	p->reconcile_due = true;
	wake(p);
}

void spg_prover_kick(struct spg_prover *prover, bool at_once)
{
	int64_t rest_ms = (prover->rest_until_ns - spg_clock_mono_ns()) / SPG_NS_PER_MS;
	uint64_t delay_ms = prover->config.debounce_ms;

	if (prover->stopping)
		return;
	if (at_once) {
		prover->reconcile_due = true;
		wake(prover);
		return;
	}
	if (rest_ms > (int64_t)delay_ms)
		delay_ms = (uint64_t)rest_ms;
	/* From the first event, so that a stream of them cannot put it off. */
	if (!uv_is_active((uv_handle_t *)&prover->debounce))
		uv_timer_start(&prover->debounce, on_debounce, delay_ms, 0);
}

/* Be told when the users end. */
static void watch_exits(struct spg_prover *p, const struct spg_observation *obs)
{
	for (size_t i = 0; i < obs->n_uses; i++) {
		struct spg_process *process = obs->uses[i].process;

		if (p->watch->ops->watch_exit(p->watch, process) == SPG_WATCH_GONE) {
			spg_model_note_exit(p->model, process->id);
			spg_prover_kick(p, false);
		}
	}
}

/* What has happened since the survey that runs, or ran, began. */
static bool is_disturbed(const struct spg_prover *p, size_t index)
{
	return spg_model_generation(p->model, index) != p->running_generation;
}

/* Record the verdict about the product as a whole, if it is proved. */
static void conclude(struct spg_prover *p, size_t index,
	const struct spg_observation *obs, struct spg_event_list *changes)
{
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	bool disturbed = is_disturbed(p, index);
	int r = spg_verdict_judge(
		obs, NULL, spg_model_standing(p->model, index), &verdict);

	if (r == 0 && disturbed && verdict.kind != SPG_VERDICT_BLOCKED) {
		/* A reconcile is due anyway; say so when that goes on and on. */
		if (spg_model_count_disturbed(p->model, index) < SPG_PROOF_TRIES) {
			spg_verdict_finish(&verdict);
			return;
		}
		r = spg_verdict_make_unknown(obs, &verdict);
	}
	if (r == 0)
		r = spg_model_conclude(
			p->model, index, &verdict, p->surveyed_utc_ns, changes);
	if (r < 0)
		spg_error("the verdict about %s is not recorded: %s",
			obs->product->name, spg_err_text(r));
	spg_verdict_finish(&verdict);
}

/* Who started those that are remembered, and are they still there? */
static void find_starters(struct spg_prover *p, struct spg_observation *obs)
{
	for (size_t i = 0; p->watch->ops->process && i < obs->n_pasts; i++) {
		struct spg_seen_past *past = &obs->pasts[i];
		const struct spg_process *child = past->process;
		struct spg_process *now =
			p->watch->ops->process(p->watch, child->id.pid);
		struct spg_process *parent =
			child->ppid > 0 ? p->watch->ops->process(p->watch, child->ppid)
					: NULL;

		past->running = now && spg_proc_id_equal(now->id, child->id);
		spg_process_unref(now);
		/* Its number may be somebody else's by now, who is younger: without
		 * both their times nobody knows. */
		if (parent && (parent->id.start == 0 || child->id.start == 0 ||
				      parent->id.start > child->id.start)) {
			spg_process_unref(parent);
			parent = NULL;
		}
		past->starter = parent;
	}
}

/* Answer some of those that waited for the look that has ended, and go on in the next
 * turn. */
static void answer_some(struct spg_prover *p)
{
	enum spg_work before = spg_work_begin(SPG_WORK_ANSWERS);
	struct spg_observation *obs = p->answering;
	int index = spg_model_find_product(p->model, obs->product->name);
	bool more = false;

	if (index >= 0 && spg_model_product(p->model, (size_t)index) == obs->product) {
		p->result.index = (size_t)index;
		more = spg_queue_judge(&p->queue, p->model, &p->result,
			spg_clock_mono_ns() + ANSWER_NS);
	} else {
		/* A reload came in between: asked again, about the new one. */
		spg_queue_ask_again(&p->queue);
	}
	spg_work_end(before);
	if (more)
		return;
	if (!p->stopping)
		schedule_tick(p);
	p->answering = NULL;
	spg_observation_destroy(obs);
}

/* Takes @obs over when it returns true: it is to be answered from. */
static bool take_over(struct spg_prover *p, struct spg_observation *obs)
{
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;
	int index = spg_model_find_product(p->model, obs->product->name);
	bool current = index >= 0 &&
	               spg_model_product(p->model, (size_t)index) == obs->product;
	int r = spg_model_apply(p->model, obs, &changes);

	if (!current || r < 0) {
		/* A reload came in between: asked again, about the new one. */
		spg_queue_ask_again(&p->queue);
		publish(p, &changes);
		return false;
	}
	find_starters(p, obs);
	if (obs->depth != SPG_SURVEY_LOCKS && p->listener)
		p->listener(p->listener_user, obs);
	if (obs->depth == SPG_SURVEY_FULL)
		conclude(p, (size_t)index, obs, &changes);
	watch_exits(p, obs);
	if (obs->depth == SPG_SURVEY_FULL) {
		bool changed = changes.n > 0;

		p->answering = obs;
		p->result = (struct spg_look_result){.obs = obs,
			.disturbed = is_disturbed(p, (size_t)index),
			.generation = p->running_generation,
			.ended_ns = p->surveyed_ns,
			.ended_utc_ns = p->surveyed_utc_ns};
		publish(p, &changes);
		if (changed)
			unpark(p, obs->product->name);
		answer_some(p);
		return true;
	}
	publish(p, &changes);
	return false;
}

/* The survey has ended, and all is known that happened before. */
static void end_survey(struct spg_prover *p)
{
	struct spg_observation *obs = p->surveyed;
	int err = p->survey_err;
	enum spg_work before;
	bool kept = false;

	p->running = false;
	p->surveyed = NULL;
	if (p->late) {
		spg_notice("the survey that did not answer has ended; surveys go on");
		unpark(p, NULL);
	}
	if (err == 0) {
		int64_t rest_ns = obs->took_ns * REST_RATIO;

		p->rest_until_ns = spg_clock_mono_ns() + rest_ns;
		before = spg_work_begin(SPG_WORK_SURVEYS);
		kept = take_over(p, obs);
		spg_work_end(before);
	} else {
		int index = spg_model_find_product(p->model, p->running_product);

		if (index >= 0 && p->running_depth != SPG_SURVEY_LOCKS)
			spg_model_distrust(p->model, (size_t)index);
		if (err != SPG_ERR_TIMEOUT)
			spg_error("a survey of %s failed: %s", p->running_product,
				spg_err_text(err));
		spg_queue_fail(&p->queue, err);
	}
	if (!kept)
		spg_observation_destroy(obs);
	p->late = false;
	free(p->running_product);
	p->running_product = NULL;
	schedule_lock_poll(p);
	wake(p);
}

static void begin_pass_now(struct spg_prover *p);

/* Deliver what has happened, and then go on with what waits for that. */
static void drain(struct spg_prover *p, bool begin)
{
	int after = p->drains;

	if (p->watch->ops->drain(p->watch, begin) == SPG_WATCH_MORE) {
		wake(p);
		return;
	}
	p->drains = DRAINS_NOTHING;
	if (after == DRAINS_AFTER_SURVEY)
		end_survey(p);
	else
		begin_pass_now(p);
}

static void on_surveyed(void *user, int err, struct spg_observation *obs)
{
	struct spg_prover *p = user;

	uv_timer_stop(&p->deadline);
	p->surveyed = obs;
	p->survey_err = err;
	/* What comes after this moment need not be delivered with the rest. */
	p->surveyed_ns = spg_clock_mono_ns();
	p->surveyed_utc_ns = spg_clock_wall_ns();
	p->drains = DRAINS_AFTER_SURVEY;
	drain(p, true);
}

/* An answer about what could not be looked at in time. */
static void answer_late(struct spg_prover *p, struct spg_question *q)
{
	int index = spg_model_find_product(p->model, q->product);
	struct spg_observation *obs = NULL;
	int r = SPG_ERR_NOT_FOUND;

	if (index >= 0)
		r = spg_worker_tell_late(p->worker,
			spg_model_product(p->model, (size_t)index),
			p->config.deadline_ms, &obs);
	if (r == 0)
		spg_queue_answer_late(&p->queue, q, p->model, (size_t)index, obs);
	else
		spg_queue_answer(&p->queue, q, r);
	spg_observation_destroy(obs);
}

static void on_deadline(uv_timer_t *timer)
{
	struct spg_prover *p = timer->data;

	p->late = true;
	spg_worker_cancel(p->worker);
	spg_log_about(SPG_LOG_WARNING,
		&(struct spg_log_about){
			.id = SPG_LOG_ID_SURVEY_HANGS, .product = p->running_product},
		"a survey of %s has not ended in %u ms; answers are \"unknown\" until "
		"it "
		"does",
		p->running_product, p->config.deadline_ms);
	wake(p);
}

static int start_survey(struct spg_prover *p, size_t index, enum spg_survey_depth depth)
{
	struct spg_survey_job job = {
		.product = spg_model_product(p->model, index), .scope.depth = depth};
	struct spg_observation *obs = NULL;
	int r = 0;

	p->running_product = strdup(job.product->name);
	if (!p->running_product)
		return SPG_ERR_NOMEM;
	/* What was before is not to disturb it; what is left may. */
	(void)p->watch->ops->drain(p->watch, true);
	if (depth == SPG_SURVEY_FULL)
		r = spg_queue_launch(&p->queue, job.product->name, &job.extra_names,
			&job.n_extra_names, &job.find_users);
	if (r == 0)
		r = spg_model_begin_survey(p->model, index, depth, &job.scope);
	if (r < 0) {
		spg_survey_job_finish(&job);
		free(p->running_product);
		p->running_product = NULL;
		spg_queue_fail(&p->queue, r);
		return r;
	}
	p->running_generation = spg_model_generation(p->model, index);
	p->running_depth = job.scope.depth;
	p->running = true;
	if (spg_worker_try_at_once(p->worker, &job, &obs)) {
		spg_survey_job_finish(&job);
		on_surveyed(p, 0, obs);
		return 0;
	}
	spg_product_ref(job.product);
	spg_worker_submit(p->worker, &job);
	uv_timer_start(&p->deadline, on_deadline, p->config.deadline_ms, 0);
	return 0;
}

/* Answer what can be answered without a survey. Returns the first question that
 * needs one, or NULL. */
static struct spg_question *next_question(struct spg_prover *p)
{
	int64_t now_ns = spg_clock_mono_ns();
	struct spg_question *q = p->queue.first;

	while (q) {
		struct spg_question *next = q->next;

		if (q->parked && q->due_ns <= now_ns)
			q->parked = false;
		if (p->late && !q->parked && q->until_ns > now_ns) {
			q->in_flight = false;
			spg_question_park(q, q->until_ns);
			schedule_tick(p);
		}
		if (p->late && !q->parked) {
			answer_late(p, q);
			/* The callback may have changed the list. */
			q = p->queue.first;
			continue;
		}
		if (!q->parked && !q->in_flight) {
			if (spg_model_find_product(p->model, q->product) >= 0)
				return q;
			spg_queue_answer(&p->queue, q, SPG_ERR_NOT_FOUND);
			q = p->queue.first;
			continue;
		}
		q = next;
	}
	return NULL;
}

static bool is_anything_dirty(const struct spg_prover *p)
{
	for (size_t i = 0; i < spg_model_n_products(p->model); i++)
		if (spg_model_is_dirty(p->model, i))
			return true;
	return false;
}

static void backlog(const struct spg_prover *p, uint64_t *taken, uint64_t *delivered)
{
	*taken = *delivered = 0;
	if (p->watch->ops->backlog)
		p->watch->ops->backlog(p->watch, taken, delivered);
}

/* What happened before somebody began to wait has made its product dirty. */
static void begin_pass_now(struct spg_prover *p)
{
	uint64_t taken, delivered;

	backlog(p, &taken, &delivered);
	p->reconcile_due = false;
	p->reconcile_next = 0;
	spg_barriers_pass(&p->barriers, taken);
}

/* Start the pass's next survey; false when it has ended. */
static bool go_on_with_pass(struct spg_prover *p)
{
	while (p->reconcile_next < spg_model_n_products(p->model)) {
		size_t index = p->reconcile_next++;

		if (spg_model_is_dirty(p->model, index) &&
			start_survey(p, index, SPG_SURVEY_FILES) == 0)
			return true;
	}
	p->reconcile_next = SIZE_MAX;
	return false;
}

static void start_lock_reading(struct spg_prover *p)
{
	while (p->locks_next < spg_model_n_products(p->model)) {
		size_t index = p->locks_next++;

		if (spg_model_needs_polling(p->model, index) &&
			start_survey(p, index, SPG_SURVEY_LOCKS) == 0)
			return;
	}
}

/* Clients that ask back to back must not keep the rest from being looked at: it
 * gets every other turn. */
static bool has_other_work(const struct spg_prover *p)
{
	return p->reconcile_due || p->barriers.first || p->reconcile_next != SIZE_MAX ||
	       p->locks_next < spg_model_n_products(p->model);
}

/* After a pass: who waited for it has what it asked for, or waits on. */
static void settle_what_is_done(struct spg_prover *p)
{
	bool dirty = is_anything_dirty(p);
	uint64_t taken, delivered;

	backlog(p, &taken, &delivered);
	spg_barriers_finish(&p->barriers, dirty ? SPG_PROOF_TRIES : 0, delivered);
	if (dirty || spg_barriers_need_events(&p->barriers, delivered))
		spg_prover_kick(p, false);
	if (spg_barriers_need_pass(&p->barriers, delivered))
		wake(p);
}

static void hold_jobs(struct spg_prover *p)
{
	bool hold = false;

	for (const struct spg_question *q = p->queue.first; q && !hold; q = q->next)
		hold = !q->parked;
	spg_worker_hold_jobs(p->worker, hold);
}

static void take_a_turn(struct spg_prover *p)
{
	const struct spg_question *q;

	if (p->drains != DRAINS_NOTHING) {
		drain(p, false);
		wake(p);
		return;
	}
	if (p->answering) {
		answer_some(p);
		wake(p);
		return;
	}
	q = next_question(p);
	if (p->late)
		spg_barriers_fail(&p->barriers, SPG_ERR_TIMEOUT);
	if (p->running)
		return;
	if (q && !(p->asked_last && has_other_work(p))) {
		int index = spg_model_find_product(p->model, q->product);

		p->asked_last = true;
		if (start_survey(p, (size_t)index, SPG_SURVEY_FULL) < 0)
			wake(p);
		return;
	}
	p->asked_last = false;
	if (p->reconcile_next == SIZE_MAX && (p->reconcile_due || p->barriers.first)) {
		spg_barriers_begin_pass(&p->barriers);
		p->drains = DRAINS_BEFORE_PASS;
		drain(p, true);
	}
	if (p->drains != DRAINS_NOTHING)
		return;
	if (p->reconcile_next != SIZE_MAX && go_on_with_pass(p))
		return;
	settle_what_is_done(p);
	/* Whatever came due while the pass was under way. */
	if (p->reconcile_due)
		wake(p);
	start_lock_reading(p);
	/* It was not its turn, and then nothing else ran. */
	if (q && !p->running)
		wake(p);
}

static void on_pump(uv_idle_t *idle)
{
	struct spg_prover *p = idle->data;

	uv_idle_stop(idle);
	hold_jobs(p);
	take_a_turn(p);
	hold_jobs(p);
}

static int ask(struct spg_prover *p, size_t index,
	const struct spg_selection *selection, const struct spg_question *like)
{
	int r = p->stopping ? SPG_ERR_BUSY
	                    : spg_queue_add(&p->queue,
				      spg_model_product(p->model, index)->name,
				      selection, like);

	if (r == 0)
		wake(p);
	return r;
}

int spg_prover_ask(struct spg_prover *prover, size_t index,
	const struct spg_selection *selection, bool find_users, spg_proof_done *done,
	void *user)
{
	return ask(prover, index, selection,
		&(struct spg_question){
			.find_users = find_users, .done = done, .user = user});
}

int spg_prover_wait(struct spg_prover *prover, size_t index,
	const struct spg_selection *selection, const struct spg_wait *wait,
	spg_proof_done *done, void *user)
{
	struct spg_question like = {.done = done,
		.user = user,
		.waits = true,
		.learns = wait->learns,
		.waited.settle_ns = wait->settle_ns};
	struct spg_model_summary summary;

	if (__builtin_add_overflow(spg_clock_mono_ns(),
		    wait->wait_ns > 0 ? wait->wait_ns : 0, &like.until_ns))
		like.until_ns = INT64_MAX;
	/* What was before this question is known of the product as a whole. */
	spg_model_summarise(prover->model, index, &summary);
	like.is_free = !selection && summary.verdict == SPG_VERDICT_SAFE;
	like.since_ns = spg_model_unsafe_ns(prover->model, index);
	return ask(prover, index, selection, &like);
}

void spg_prover_forget(struct spg_prover *prover, void *user)
{
	struct spg_question *next;

	for (struct spg_question *q = prover->queue.first; q; q = next) {
		next = q->next;
		if (q->user == user) {
			spg_queue_take(&prover->queue, q);
			spg_question_destroy(q);
		}
	}
	wake(prover); /* nothing may wait for it any more */
}

int spg_prover_sync(
	struct spg_prover *prover, void (*done)(void *user, int err), void *user)
{
	int r;

	if (prover->stopping)
		return SPG_ERR_BUSY;
	/* What no event tells has to be looked at, to be settled. */
	for (size_t i = 0; i < spg_model_n_products(prover->model); i++)
		if (prover->watch->lock_events &&
			spg_model_needs_polling(prover->model, i))
			spg_model_look_again(prover->model, i);
	r = spg_barriers_add(&prover->barriers, done, user);
	if (r == 0)
		wake(prover);
	return r;
}

void spg_prover_configure(
	struct spg_prover *prover, const struct spg_prover_config *config)
{
	prover->config = *config;
	uv_timer_stop(&prover->lock_poll);
	schedule_lock_poll(prover);
}

int spg_prover_start(struct spg_prover **ret, uv_loop_t *loop,
	const struct spg_prover_config *config, struct spg_model *model,
	struct spg_watch *watch, spg_prover_on_changes *on_changes, void *user)
{
	struct spg_prover *p = calloc(1, sizeof(*p));
	uv_timer_t *timers[4];
	int r;

	if (!p)
		return SPG_ERR_NOMEM;
	*p = (struct spg_prover){.loop = loop,
		.config = *config,
		.model = model,
		.watch = watch,
		.on_changes = on_changes,
		.user = user,
		.reconcile_next = SIZE_MAX,
		.locks_next = SIZE_MAX};
	r = spg_worker_start(&p->worker, loop, watch, on_surveyed, p);
	if (r < 0) {
		free(p);
		return r;
	}
	timers[0] = &p->debounce;
	timers[1] = &p->lock_poll;
	timers[2] = &p->deadline;
	timers[3] = &p->tick;
	/* These cannot fail: they allocate nothing (docs.libuv.org, timer, idle). */
	for (int i = 0; i < 4; i++) {
		uv_timer_init(loop, timers[i]);
		timers[i]->data = p;
	}
	uv_idle_init(loop, &p->pump);
	p->pump.data = p;
	*ret = p;
	return 0;
}

void spg_prover_listen(struct spg_prover *prover,
	void (*listener)(void *user, const struct spg_observation *obs), void *user)
{
	prover->listener = listener;
	prover->listener_user = user;
}

static void finish_stop(struct spg_prover *p)
{
	void (*on_stopped)(void *user, bool hangs) = p->on_stopped;
	void *user = p->stop_user;

	on_stopped(user, p->hangs);
}

void spg_prover_destroy(struct spg_prover *p)
{
	if (!p)
		return;
	spg_observation_destroy(p->answering);
	spg_observation_destroy(p->surveyed);
	free(p->running_product);
	free(p);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spg_prover *p = handle->data;

	if (--p->n_closing == 0)
		finish_stop(p);
}

static void on_worker_stopped(void *user, bool hangs)
{
	struct spg_prover *p = user;
	uv_handle_t *handles[5] = {(uv_handle_t *)&p->debounce,
		(uv_handle_t *)&p->lock_poll, (uv_handle_t *)&p->deadline,
		(uv_handle_t *)&p->tick, (uv_handle_t *)&p->pump};

	p->hangs = hangs;
	p->n_closing = 5;
	for (int i = 0; i < 5; i++)
		uv_close(handles[i], on_handle_closed);
}

void spg_prover_stop(struct spg_prover *prover,
	void (*on_stopped)(void *user, bool hangs), void *user)
{
	prover->stopping = true;
	prover->on_stopped = on_stopped;
	prover->stop_user = user;
	uv_idle_stop(&prover->pump);
	while (prover->queue.first)
		spg_queue_answer(&prover->queue, prover->queue.first, SPG_ERR_BUSY);
	spg_barriers_fail(&prover->barriers, SPG_ERR_BUSY);
	spg_worker_stop(prover->worker, on_worker_stopped, prover);
}

int spg_prover_add_job(struct spg_prover *prover, struct spg_background_job *job)
{
	if (prover->stopping)
		return SPG_ERR_BUSY;
	spg_worker_add_job(prover->worker, job);
	return 0;
}
