/* SPDX-License-Identifier: MIT */
#include "daemon/proof/worker.h"

#include <limits.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"

#define STOP_WAIT_NS (2 * SPG_NS_PER_S)
/* A step that takes longer than this is not waited for: it waits for somebody. */
#define STEP_WAIT_NS SPG_NS_PER_S

struct spg_worker {
	uv_thread_t thread, background_thread;
	uv_mutex_t lock;
	uv_cond_t changed;
	uv_async_t async;
	struct spg_watch *watch;
	spg_worker_done *done;
	void *user;
	atomic_bool cancel;

	/* Under the lock. */
	struct spg_survey_job job;
	bool has_job, quit, abandoned;
	bool surveys_ended, background_ended; /* the two threads */
	bool surveying; /* a survey waits or runs: begin no step */
	struct spg_background_job *background, *background_done;
	struct spg_background_job *at; /* the background job whose step runs */
	bool hold_background;          /* no step begins */
	bool at_late;                  /* and it does not end */
	bool has_result;
	int err;
	struct spg_observation *result;

	void (*on_stopped)(void *user, bool hangs);
	void *stop_user;
};

void spg_survey_job_finish(struct spg_survey_job *job)
{
	spg_survey_scope_finish(&job->scope);
	for (size_t i = 0; i < job->n_extra_names; i++)
		free(job->extra_names[i]);
	free(job->extra_names);
	job->extra_names = NULL;
	job->n_extra_names = 0;
}

static struct spg_survey_request request_of(const struct spg_survey_job *job)
{
	return (struct spg_survey_request){.product = job->product,
		.scope = &job->scope,
		.extra_names = job->extra_names,
		.n_extra_names = job->n_extra_names,
		.find_users = job->find_users};
}

bool spg_worker_try_at_once(struct spg_worker *worker, const struct spg_survey_job *job,
	struct spg_observation **ret)
{
	struct spg_survey_request request = request_of(job);
	bool may, found;

	if (job->scope.depth != SPG_SURVEY_FULL)
		return false;
	uv_mutex_lock(&worker->lock);
	may = worker->surveying = !worker->at;
	uv_mutex_unlock(&worker->lock);
	if (!may)
		return false;
	request.instant = true;
	found = worker->watch->ops->survey(worker->watch, &request, ret) == 0;
	uv_mutex_lock(&worker->lock);
	worker->surveying = false;
	if (worker->background)
		uv_cond_broadcast(&worker->changed);
	uv_mutex_unlock(&worker->lock);
	return found;
}

static void append(
	struct spg_background_job **list, struct spg_background_job *background)
{
	while (*list)
		list = &(*list)->next;
	background->next = NULL;
	*list = background;
}

void spg_worker_add_job(
	struct spg_worker *worker, struct spg_background_job *background)
{
	uv_mutex_lock(&worker->lock);
	append(&worker->background, background);
	uv_cond_broadcast(&worker->changed);
	uv_mutex_unlock(&worker->lock);
}

void spg_worker_hold_jobs(struct spg_worker *worker, bool hold)
{
	uv_mutex_lock(&worker->lock);
	if (worker->hold_background && !hold && worker->background)
		uv_cond_broadcast(&worker->changed);
	worker->hold_background = hold;
	uv_mutex_unlock(&worker->lock);
}

int spg_worker_tell_late(struct spg_worker *worker, struct spg_product *product,
	unsigned deadline_ms, struct spg_observation **ret)
{
	struct spg_observation *obs = spg_observation_create(product, SPG_SURVEY_FULL);
	char place[300];
	int r;

	if (!obs)
		return SPG_ERR_NOMEM;
	worker->watch->ops->survey_place(worker->watch, place, sizeof(place));
	obs->began_ns = obs->looked_ns = obs->ended_ns = spg_clock_wall_ns();
	obs->unlisted = true;
	r = spg_observation_add_lack(obs,
		&(struct spg_lack){.kind = SPG_LACK_DEADLINE,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = place[0] ? place : NULL,
			.remedy = {"see whether the disk or server behind it is "
				   "there: mount, dmesg",
				NULL}},
		"%s has not answered for more than %u s",
		place[0] ? place : "the survey", deadline_ms / 1000);
	if (r < 0)
		spg_observation_destroy(obs);
	else
		*ret = obs;
	return r;
}

/* With the lock: let the step that runs come to its end; if it does not, the file that
 * it is at is in @place. */
static void await_step(struct spg_worker *t, char *place, size_t size)
{
	int64_t until_ns = spg_clock_mono_ns() + STEP_WAIT_NS;

	place[0] = '\0';
	while (t->at && !t->at_late) {
		int64_t left_ns = until_ns - spg_clock_mono_ns();

		if (left_ns <= 0)
			t->at_late = true;
		else
			(void)uv_cond_timedwait(
				&t->changed, &t->lock, (uint64_t)left_ns);
	}
	if (t->at && t->at->place)
		t->at->place(t->at, place, size);
}

/* Without the lock. */
static int run_job(struct spg_worker *t, struct spg_survey_job *job,
	const char *own_read, struct spg_observation **ret)
{
	struct spg_survey_request request = request_of(job);
	int r;

	request.cancel = &t->cancel;
	request.own_read = own_read[0] ? own_read : NULL;
	r = t->watch->ops->survey(t->watch, &request, ret);

	spg_survey_job_finish(job);
	spg_product_unref(job->product);
	return r;
}

/* With the lock, which is given up meanwhile: one step of the first job. */
static void do_background(struct spg_worker *t)
{
	struct spg_background_job *background = t->background;
	bool more;

	t->background = background->next;
	t->at = background;
	uv_mutex_unlock(&t->lock);
	more = background->step(background);
	uv_mutex_lock(&t->lock);
	t->at = NULL;
	t->at_late = false;
	uv_cond_broadcast(&t->changed);
	/* Behind the others: a long one keeps nobody waiting. */
	if (more) {
		append(&t->background, background);
		return;
	}
	append(&t->background_done, background);
	if (!t->abandoned)
		uv_async_send(&t->async);
}

/* With the lock, which is given up. */
static void end_thread(struct spg_worker *t, bool *ended)
{
	*ended = true;
	uv_cond_broadcast(&t->changed);
	uv_mutex_unlock(&t->lock);
}

static void run_background(void *arg)
{
	struct spg_worker *t = arg;

	uv_mutex_lock(&t->lock);
	while (!t->quit) {
		if (t->background && !t->surveying && !t->hold_background)
			do_background(t);
		else
			uv_cond_wait(&t->changed, &t->lock);
	}
	end_thread(t, &t->background_ended);
}

static void run(void *arg)
{
	struct spg_worker *t = arg;

	uv_mutex_lock(&t->lock);
	while (!t->quit) {
		struct spg_survey_job job;
		struct spg_observation *result = NULL;
		char own_read[PATH_MAX];
		int err;

		if (!t->has_job) {
			uv_cond_wait(&t->changed, &t->lock);
			continue;
		}
		job = t->job;
		t->has_job = false;
		await_step(t, own_read, sizeof(own_read));
		uv_mutex_unlock(&t->lock);
		err = run_job(t, &job, own_read, &result);
		uv_mutex_lock(&t->lock);
		t->surveying = false;
		uv_cond_broadcast(&t->changed);
		t->err = err;
		t->result = result;
		t->has_result = true;
		/* Left behind: the handle is closed, nobody listens. */
		if (!t->abandoned)
			uv_async_send(&t->async);
	}
	end_thread(t, &t->surveys_ended);
}

static void end_background(struct spg_background_job *list, bool complete)
{
	while (list) {
		struct spg_background_job *first = list;

		list = first->next;
		first->done(first, complete);
	}
}

static void on_async(uv_async_t *async)
{
	struct spg_worker *t = async->data;
	struct spg_observation *result;
	struct spg_background_job *background;
	bool has_result;
	int err;

	uv_mutex_lock(&t->lock);
	background = t->background_done;
	t->background_done = NULL;
	has_result = t->has_result;
	result = t->result;
	err = t->err;
	t->has_result = false;
	t->result = NULL;
	uv_mutex_unlock(&t->lock);
	end_background(background, true);
	if (has_result)
		t->done(t->user, err, result);
}

static void tell_to_quit(struct spg_worker *t)
{
	uv_mutex_lock(&t->lock);
	t->quit = true;
	uv_cond_broadcast(&t->changed);
	uv_mutex_unlock(&t->lock);
}

int spg_worker_start(struct spg_worker **ret, uv_loop_t *loop, struct spg_watch *watch,
	spg_worker_done *done, void *user)
{
	struct spg_worker *t = calloc(1, sizeof(*t));

	if (!t)
		return SPG_ERR_NOMEM;
	t->watch = watch;
	t->done = done;
	t->user = user;
	atomic_init(&t->cancel, false);
	if (uv_mutex_init(&t->lock) < 0)
		goto free_thread;
	if (uv_cond_init(&t->changed) < 0)
		goto destroy_lock;
	/* The handle last: it can only be taken back through the loop. */
	if (uv_thread_create(&t->thread, run, t) < 0)
		goto destroy_cond;
	if (uv_thread_create(&t->background_thread, run_background, t) < 0)
		goto join_one;
	if (uv_async_init(loop, &t->async, on_async) < 0)
		goto join_both;
	t->async.data = t;
	*ret = t;
	return 0;
join_both:
	tell_to_quit(t);
	uv_thread_join(&t->background_thread);
join_one:
	tell_to_quit(t);
	uv_thread_join(&t->thread);
destroy_cond:
	uv_cond_destroy(&t->changed);
destroy_lock:
	uv_mutex_destroy(&t->lock);
free_thread:
	free(t);
	return SPG_ERR_NOMEM;
}

void spg_worker_submit(struct spg_worker *worker, const struct spg_survey_job *job)
{
	atomic_store(&worker->cancel, false);
	uv_mutex_lock(&worker->lock);
	worker->job = *job;
	worker->has_job = true;
	worker->surveying = true;
	uv_cond_broadcast(&worker->changed);
	uv_mutex_unlock(&worker->lock);
}

void spg_worker_cancel(struct spg_worker *worker)
{
	atomic_store(&worker->cancel, true);
}

static void on_async_closed(uv_handle_t *handle)
{
	struct spg_worker *t = handle->data;
	void (*on_stopped)(void *user, bool hangs) = t->on_stopped;
	void *user = t->stop_user;
	bool hangs = t->abandoned;

	if (!hangs) {
		if (t->has_job) {
			spg_survey_job_finish(&t->job);
			spg_product_unref(t->job.product);
		}
		spg_observation_destroy(t->result);
		end_background(t->background_done, true);
		end_background(t->background, false);
		uv_cond_destroy(&t->changed);
		uv_mutex_destroy(&t->lock);
		free(t);
	}
	on_stopped(user, hangs);
}

void spg_worker_stop(struct spg_worker *worker,
	void (*on_stopped)(void *user, bool hangs), void *user)
{
	int64_t until_ns = spg_clock_mono_ns() + STOP_WAIT_NS;
	bool surveys_ended, background_ended;

	worker->on_stopped = on_stopped;
	worker->stop_user = user;
	atomic_store(&worker->cancel, true);
	uv_mutex_lock(&worker->lock);
	worker->quit = true;
	uv_cond_broadcast(&worker->changed);
	/* The one place where the loop waits: nothing else is left to do. */
	while (!worker->surveys_ended || !worker->background_ended) {
		int64_t left_ns = until_ns - spg_clock_mono_ns();

		if (left_ns <= 0 || uv_cond_timedwait(&worker->changed, &worker->lock,
					    (uint64_t)left_ns) != 0)
			break;
	}
	surveys_ended = worker->surveys_ended;
	background_ended = worker->background_ended;
	worker->abandoned = !surveys_ended || !background_ended;
	uv_mutex_unlock(&worker->lock);
	if (surveys_ended)
		uv_thread_join(&worker->thread);
	if (background_ended)
		uv_thread_join(&worker->background_thread);
	uv_close((uv_handle_t *)&worker->async, on_async_closed);
}
