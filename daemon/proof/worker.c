/* SPDX-License-Identifier: MIT */
#include "daemon/proof/worker.h"

#include <limits.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"

#define STOP_WAIT_NS (2 * SPG_NS_PER_S)
/* A step that takes longer than this is not waited for. Reading a file of some hundred
 * megabytes does not. */
#define STEP_WAIT_NS SPG_NS_PER_S

struct spg_surveyor_thread {
	uv_thread_t thread, chores_thread;
	uv_mutex_t lock;
	uv_cond_t changed;
	uv_async_t async;
	struct spg_watch *watch;
	spg_surveyor_done *done;
	void *user;
	atomic_bool cancel;

	/* Under the lock. */
	struct spg_survey_job job;
	bool has_job, quit, abandoned;
	bool surveys_ended, chores_ended; /* the two threads */
	bool surveying;                   /* a survey waits or runs: begin no step */
	struct spg_chore *chores, *chores_done;
	struct spg_chore *at; /* the chore whose step runs */
	bool hold_chores;     /* no step begins */
	bool at_late;         /* and it does not end */
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
		.attribute = job->attribute};
}

bool spg_surveyor_try_at_once(struct spg_surveyor_thread *surveyor,
	const struct spg_survey_job *job, struct spg_observation **ret)
{
	struct spg_survey_request request = request_of(job);
	bool may, found;

	if (job->scope.depth != SPG_SURVEY_FULL)
		return false;
	uv_mutex_lock(&surveyor->lock);
	may = surveyor->surveying = !surveyor->at;
	uv_mutex_unlock(&surveyor->lock);
	if (!may)
		return false;
	request.instant = true;
	found = surveyor->watch->ops->survey(surveyor->watch, &request, ret) == 0;
	uv_mutex_lock(&surveyor->lock);
	surveyor->surveying = false;
	if (surveyor->chores)
		uv_cond_broadcast(&surveyor->changed);
	uv_mutex_unlock(&surveyor->lock);
	return found;
}

static void append(struct spg_chore **list, struct spg_chore *chore)
{
	while (*list)
		list = &(*list)->next;
	chore->next = NULL;
	*list = chore;
}

void spg_surveyor_add_chore(
	struct spg_surveyor_thread *surveyor, struct spg_chore *chore)
{
	uv_mutex_lock(&surveyor->lock);
	append(&surveyor->chores, chore);
	uv_cond_broadcast(&surveyor->changed);
	uv_mutex_unlock(&surveyor->lock);
}

void spg_surveyor_hold_chores(struct spg_surveyor_thread *surveyor, bool hold)
{
	uv_mutex_lock(&surveyor->lock);
	if (surveyor->hold_chores && !hold && surveyor->chores)
		uv_cond_broadcast(&surveyor->changed);
	surveyor->hold_chores = hold;
	uv_mutex_unlock(&surveyor->lock);
}

int spg_surveyor_tell_late(struct spg_surveyor_thread *surveyor,
	struct spg_product *product, unsigned deadline_ms, struct spg_observation **ret)
{
	struct spg_observation *obs = spg_observation_create(product, SPG_SURVEY_FULL);
	char place[300];
	int r;

	if (!obs)
		return SPG_ERR_NOMEM;
	surveyor->watch->ops->survey_place(surveyor->watch, place, sizeof(place));
	obs->began_ns = obs->looked_ns = obs->ended_ns = spg_clock_wall_ns();
	obs->unlisted = true;
	r = spg_observation_add_lack(obs, SPG_NO_FILE, true, "the files in time",
		"see whether the disk or server behind it is there: mount, dmesg",
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
static void await_step(struct spg_surveyor_thread *t, char *place, size_t size)
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
static int run_job(struct spg_surveyor_thread *t, struct spg_survey_job *job,
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

/* With the lock, which is given up meanwhile: one step of the first chore. */
static void do_chore(struct spg_surveyor_thread *t)
{
	struct spg_chore *chore = t->chores;
	bool more;

	t->chores = chore->next;
	t->at = chore;
	uv_mutex_unlock(&t->lock);
	more = chore->step(chore);
	uv_mutex_lock(&t->lock);
	t->at = NULL;
	t->at_late = false;
	uv_cond_broadcast(&t->changed);
	/* Behind the others: a long one keeps nobody waiting. */
	if (more) {
		append(&t->chores, chore);
		return;
	}
	append(&t->chores_done, chore);
	if (!t->abandoned)
		uv_async_send(&t->async);
}

/* With the lock, which is given up. */
static void end_thread(struct spg_surveyor_thread *t, bool *ended)
{
	*ended = true;
	uv_cond_broadcast(&t->changed);
	uv_mutex_unlock(&t->lock);
}

static void run_chores(void *arg)
{
	struct spg_surveyor_thread *t = arg;

	uv_mutex_lock(&t->lock);
	while (!t->quit) {
		if (t->chores && !t->surveying && !t->hold_chores)
			do_chore(t);
		else
			uv_cond_wait(&t->changed, &t->lock);
	}
	end_thread(t, &t->chores_ended);
}

static void run(void *arg)
{
	struct spg_surveyor_thread *t = arg;

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

static void end_chores(struct spg_chore *chores, bool complete)
{
	while (chores) {
		struct spg_chore *chore = chores;

		chores = chore->next;
		chore->done(chore, complete);
	}
}

static void on_async(uv_async_t *async)
{
	struct spg_surveyor_thread *t = async->data;
	struct spg_observation *result;
	struct spg_chore *chores;
	bool has_result;
	int err;

	uv_mutex_lock(&t->lock);
	chores = t->chores_done;
	t->chores_done = NULL;
	has_result = t->has_result;
	result = t->result;
	err = t->err;
	t->has_result = false;
	t->result = NULL;
	uv_mutex_unlock(&t->lock);
	end_chores(chores, true);
	if (has_result)
		t->done(t->user, err, result);
}

static void tell_to_quit(struct spg_surveyor_thread *t)
{
	uv_mutex_lock(&t->lock);
	t->quit = true;
	uv_cond_broadcast(&t->changed);
	uv_mutex_unlock(&t->lock);
}

int spg_surveyor_start(struct spg_surveyor_thread **ret, uv_loop_t *loop,
	struct spg_watch *watch, spg_surveyor_done *done, void *user)
{
	struct spg_surveyor_thread *t = calloc(1, sizeof(*t));

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
	if (uv_thread_create(&t->chores_thread, run_chores, t) < 0)
		goto join_one;
	if (uv_async_init(loop, &t->async, on_async) < 0)
		goto join_both;
	t->async.data = t;
	*ret = t;
	return 0;
join_both:
	tell_to_quit(t);
	uv_thread_join(&t->chores_thread);
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

void spg_surveyor_submit(
	struct spg_surveyor_thread *surveyor, const struct spg_survey_job *job)
{
	atomic_store(&surveyor->cancel, false);
	uv_mutex_lock(&surveyor->lock);
	surveyor->job = *job;
	surveyor->has_job = true;
	surveyor->surveying = true;
	uv_cond_broadcast(&surveyor->changed);
	uv_mutex_unlock(&surveyor->lock);
}

void spg_surveyor_cancel(struct spg_surveyor_thread *surveyor)
{
	atomic_store(&surveyor->cancel, true);
}

static void on_async_closed(uv_handle_t *handle)
{
	struct spg_surveyor_thread *t = handle->data;
	void (*on_stopped)(void *user, bool hangs) = t->on_stopped;
	void *user = t->stop_user;
	bool hangs = t->abandoned;

	if (!hangs) {
		if (t->has_job) {
			spg_survey_job_finish(&t->job);
			spg_product_unref(t->job.product);
		}
		spg_observation_destroy(t->result);
		end_chores(t->chores_done, true);
		end_chores(t->chores, false);
		uv_cond_destroy(&t->changed);
		uv_mutex_destroy(&t->lock);
		free(t);
	}
	on_stopped(user, hangs);
}

void spg_surveyor_stop(struct spg_surveyor_thread *surveyor,
	void (*on_stopped)(void *user, bool hangs), void *user)
{
	int64_t until_ns = spg_clock_mono_ns() + STOP_WAIT_NS;
	bool surveys_ended, chores_ended;

	surveyor->on_stopped = on_stopped;
	surveyor->stop_user = user;
	atomic_store(&surveyor->cancel, true);
	uv_mutex_lock(&surveyor->lock);
	surveyor->quit = true;
	uv_cond_broadcast(&surveyor->changed);
	/* The one place where the loop waits: nothing else is left to do. */
	while (!surveyor->surveys_ended || !surveyor->chores_ended) {
		int64_t left_ns = until_ns - spg_clock_mono_ns();

		if (left_ns <= 0 || uv_cond_timedwait(&surveyor->changed,
					    &surveyor->lock, (uint64_t)left_ns) != 0)
			break;
	}
	surveys_ended = surveyor->surveys_ended;
	chores_ended = surveyor->chores_ended;
	surveyor->abandoned = !surveys_ended || !chores_ended;
	uv_mutex_unlock(&surveyor->lock);
	if (surveys_ended)
		uv_thread_join(&surveyor->thread);
	if (chores_ended)
		uv_thread_join(&surveyor->chores_thread);
	uv_close((uv_handle_t *)&surveyor->async, on_async_closed);
}
