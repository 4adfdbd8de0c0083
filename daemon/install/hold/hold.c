/* SPDX-License-Identifier: MIT */
#include "daemon/install/hold/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/text.h"

struct spg_holds {
	struct spg_hold_host host;
	struct spg_hold *list;
	uint64_t last_id;
	bool stopping;
};

struct spg_holds *spg_holds_create(const struct spg_hold_host *host)
{
	struct spg_holds *holds = calloc(1, sizeof(*holds));

	if (holds)
		holds->host = *host;
	return holds;
}

/* --- one hold -------------------------------------------------------------- */

static void destroy(struct spg_hold *hold)
{
	for (size_t i = 0; i < hold->n_who; i++) {
		spg_process_unref(hold->who[i].process);
		spg_file_unref(hold->who[i].file);
	}
	for (size_t i = 0; i < hold->n_strays; i++)
		free(hold->strays[i]);
	free(hold->who);
	spg_product_unref(hold->product);
	spg_process_unref(hold->process);
	free(hold);
}

void spg_hold_forget(struct spg_hold *hold)
{
	if (hold->prev)
		hold->prev->next = hold->next;
	else
		hold->holds->list = hold->next;
	if (hold->next)
		hold->next->prev = hold->prev;
	destroy(hold);
}

void spg_holds_destroy(struct spg_holds *holds)
{
	if (!holds)
		return;
	while (holds->list)
		spg_hold_forget(holds->list);
	free(holds);
}

/* --- history --------------------------------------------------------------- */

/* @detail is taken over. */
static void record(
	struct spg_hold *hold, struct spg_event *event, struct spg_buf *detail)
{
	struct spg_holds *holds = hold->holds;

	if (event) {
		event->product = strdup(hold->product->name);
		event->detail = spg_buf_take(detail);
	}
	if (event && event->product && event->detail)
		holds->host.record(holds->host.user, event);
	else
		spg_error("a hold is not in the history: %s",
			spg_err_text(SPG_ERR_NOMEM));
	spg_buf_finish(detail);
	spg_event_unref(event);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void record_begin(struct spg_hold *hold)
{
	struct spg_event *event = spg_event_create(
		SPG_EVENT_HOLD_BEGIN, spg_clock_wall_ns(), NULL, hold->process);
	struct spg_buf detail = SPG_BUF_NULL;

	if (event)
		event->durable = true;
	spg_buf_printf(&detail, "new opens of %zu file%s are refused to others for ",
		hold->n_files, plural(hold->n_files));
	spg_buf_printf(&detail, "%" PRId64 " s",
		(hold->until_ns - spg_clock_wall_ns() + SPG_NS_PER_S / 2) /
			SPG_NS_PER_S);
	record(hold, event, &detail);
}

static void record_end(struct spg_hold *hold)
{
	struct spg_event *event = spg_event_create(
		SPG_EVENT_HOLD_END, hold->ended_ns, NULL, hold->process);
	struct spg_buf detail = SPG_BUF_NULL;

	if (event)
		event->durable = true;
	spg_buf_printf(&detail, "%s; %" PRIu64 " open%s refused", hold->words,
		hold->n_refused, plural(hold->n_refused));
	if (hold->n_untold > 0)
		spg_buf_printf(&detail, ", of which %" PRIu64 " are not in the history",
			hold->n_untold);
	record(hold, event, &detail);
}

static void record_refusal(struct spg_hold *hold, const struct spg_refusal *refusal)
{
	const char *unit = refusal->process->unit;
	struct spg_event *event = spg_event_create(
		SPG_EVENT_HOLD_REFUSE, refusal->at_ns, refusal->file, refusal->process);
	struct spg_buf detail = SPG_BUF_NULL;

	spg_buf_puts(&detail, refusal->executes ? "execution refused" : "open refused");
	if (refusal->times > 1)
		spg_buf_printf(&detail, " %" PRIu64 " times", refusal->times);
	if (unit)
		spg_buf_printf(&detail, ", %s", unit);
	record(hold, event, &detail);
}

/* --- from the guard -------------------------------------------------------- */

static void on_begun(void *user, size_t n_files, size_t n_directories)
{
	struct spg_hold *hold = user;

	hold->n_files = n_files;
	hold->n_directories = n_directories;
	if (hold->state == SPG_HOLD_STARTING)
		hold->state = SPG_HOLD_ACTIVE;
	hold->began_ns = spg_clock_wall_ns();
	record_begin(hold);
	if (hold->on_begun)
		hold->on_begun(hold->begun_user, hold);
	hold->on_begun = NULL;
}

static void count(struct spg_hold *hold, const struct spg_refusal *refusal)
{
	struct spg_hold_who *row;

	for (size_t i = 0; i < hold->n_who; i++) {
		row = &hold->who[i];
		if (spg_proc_id_equal(row->process->id, refusal->process->id) &&
			row->executes == refusal->executes &&
			strcmp(row->file->path, refusal->file->path) == 0) {
			row->times += refusal->times;
			return;
		}
	}
	/* The report has the first ones, the history has all. */
	if (hold->n_who == SPG_HOLD_WHO ||
		spg_array_reserve(&hold->who, hold->n_who, &hold->size_who,
			sizeof(*hold->who)) < 0)
		return;
	hold->who[hold->n_who++] =
		(struct spg_hold_who){.process = spg_process_ref(refusal->process),
			.file = spg_file_ref(refusal->file),
			.executes = refusal->executes,
			.times = refusal->times};
}

static void on_refused(void *user, const struct spg_refusal *refusal)
{
	struct spg_hold *hold = user;

	count(hold, refusal);
	record_refusal(hold, refusal);
}

static void give_cause(
	struct spg_hold *hold, enum spg_hold_cause cause, const char *words)
{
	if (hold->cause != SPG_HOLD_CAUSE_NONE)
		return;
	hold->cause = cause;
	snprintf(hold->words, sizeof(hold->words), "%s", words);
}

/* Whoever asked for its end has said why. */
static void explain(struct spg_hold *hold, enum spg_guard_end end, const char *why)
{
	char words[400];

	switch (end) {
	case SPG_GUARD_ENDED:
		give_cause(hold, SPG_HOLD_CAUSE_ENDED, "it was ended");
		break;
	case SPG_GUARD_TIME_OVER:
		give_cause(hold, SPG_HOLD_CAUSE_TIME_OVER, "its time was over");
		break;
	case SPG_GUARD_HUNG:
		give_cause(hold, SPG_HOLD_CAUSE_GUARD_HUNG,
			"the guard did not answer and was ended");
		break;
	case SPG_GUARD_DAEMON_SILENT:
		give_cause(hold, SPG_HOLD_CAUSE_DAEMON_HUNG,
			"the daemon did not answer, and the guard ended itself");
		break;
	case SPG_GUARD_NOT_BEGUN:
		give_cause(hold, SPG_HOLD_CAUSE_NOT_BEGUN, why);
		break;
	case SPG_GUARD_DIED:
	case SPG_GUARD_ENDS:
		snprintf(words, sizeof(words), "the guard died (%s)", why);
		give_cause(hold, SPG_HOLD_CAUSE_GUARD_DIED, words);
		break;
	}
}

static void on_ended(void *user, enum spg_guard_end end, const char *why,
	uint64_t n_refused, uint64_t n_untold)
{
	struct spg_hold *hold = user;
	/* n_files would be set too late for a product without files. */
	bool begun = hold->n_directories > 0;

	hold->guard = NULL;
	hold->n_refused = n_refused;
	hold->n_untold = n_untold;
	hold->ended_ns = spg_clock_wall_ns();
	explain(hold, end, why);
	hold->state = SPG_HOLD_ENDED;
	if (begun)
		record_end(hold);
	if (hold->on_begun)
		hold->on_begun(hold->begun_user, hold);
	else if (hold->on_ended)
		hold->on_ended(hold->ended_user, hold);
	else if (!hold->owner)
		spg_hold_forget(hold);
}

/* --- begin, renew, end ----------------------------------------------------- */

static struct spg_hold *find_of(const struct spg_holds *holds, const char *name)
{
	for (struct spg_hold *at = holds->list; at; at = at->next)
		if (at->state != SPG_HOLD_ENDED && strcmp(at->product->name, name) == 0)
			return at;
	return NULL;
}

/* Reports that nobody asked for; the next hold of the owner replaces them. */
static void forget_ended(
	struct spg_holds *holds, const struct spg_hold_request *request)
{
	for (struct spg_hold *at = holds->list, *next; at; at = next) {
		next = at->next;
		if (at->state == SPG_HOLD_ENDED && at->owner == request->owner &&
			strcmp(at->product->name, request->product->name) == 0)
			spg_hold_forget(at);
	}
}

int spg_holds_begin(struct spg_holds *holds, const struct spg_hold_request *request,
	struct spg_hold **ret)
{
	struct spg_watch *watch = holds->host.watch;
	const struct spg_guard_request ask = {.product = request->product,
		.pids = request->pids,
		.n_pids = request->n_pids,
		.duration_ns = request->for_ns};
	struct spg_guard_listener listener = {
		.on_begun = on_begun, .on_refused = on_refused, .on_ended = on_ended};
	struct spg_hold *hold = find_of(holds, request->product->name);
	int r;

	if (!watch->guards)
		return SPG_ERR_UNSUPPORTED;
	if (hold) {
		*ret = hold;
		return SPG_ERR_BUSY;
	}
	forget_ended(holds, request);
	hold = calloc(1, sizeof(*hold));
	if (!hold)
		return SPG_ERR_NOMEM;
	listener.user = hold;
	r = watch->guards->begin(watch, &ask, &listener, &hold->guard);
	if (r < 0) {
		free(hold);
		return r;
	}
	hold->holds = holds;
	hold->id = ++holds->last_id;
	hold->owner = request->owner;
	hold->product = spg_product_ref(request->product);
	hold->process = watch->ops->process(watch, request->pids[0]);
	hold->until_ns = spg_clock_wall_ns() + request->for_ns;
	hold->next = holds->list;
	if (hold->next)
		hold->next->prev = hold;
	holds->list = hold;
	*ret = hold;
	return 0;
}

struct spg_hold *spg_holds_find(struct spg_holds *holds, uint64_t id, const void *owner)
{
	for (struct spg_hold *at = holds->list; at; at = at->next)
		if (at->id == id && at->owner == owner)
			return at;
	return NULL;
}

void spg_hold_renew(struct spg_hold *hold, int64_t for_ns)
{
	struct spg_watch *watch = hold->holds->host.watch;

	if (hold->state != SPG_HOLD_ACTIVE)
		return;
	watch->guards->renew(hold->guard, for_ns);
	hold->until_ns = spg_clock_wall_ns() + for_ns;
}

static void end(struct spg_hold *hold, enum spg_hold_cause cause, const char *words)
{
	struct spg_watch *watch = hold->holds->host.watch;

	if (hold->state == SPG_HOLD_ENDED || hold->state == SPG_HOLD_ENDING)
		return;
	hold->state = SPG_HOLD_ENDING;
	give_cause(hold, cause, words);
	watch->guards->end(hold->guard);
}

void spg_hold_end(struct spg_hold *hold)
{
	if (hold->state == SPG_HOLD_ENDED)
		hold->on_ended(hold->ended_user, hold);
	else
		end(hold, SPG_HOLD_CAUSE_ENDED, "its command ended");
}

void spg_holds_drop_owner(struct spg_holds *holds, const void *owner)
{
	struct spg_hold *next;

	for (struct spg_hold *at = holds ? holds->list : NULL; at; at = next) {
		next = at->next;
		if (at->owner != owner)
			continue;
		at->owner = NULL;
		at->on_begun = NULL;
		at->on_ended = NULL;
		if (at->state == SPG_HOLD_ENDED)
			spg_hold_forget(at);
		else if (holds->stopping)
			end(at, SPG_HOLD_CAUSE_DAEMON_STOPPED, "spguardd was stopped");
		else
			end(at, SPG_HOLD_CAUSE_CONNECTION_ENDED,
				"the client's connection ended");
	}
}

bool spg_holds_has_owner(const struct spg_holds *holds, const void *owner)
{
	for (const struct spg_hold *at = holds ? holds->list : NULL; at; at = at->next)
		if (at->owner == owner && at->state != SPG_HOLD_ENDED)
			return true;
	return false;
}

const struct spg_hold *spg_holds_of(const struct spg_holds *holds, const char *name)
{
	return holds ? find_of(holds, name) : NULL;
}

void spg_holds_stop(struct spg_holds *holds)
{
	if (holds)
		holds->stopping = true;
}

/* --- what was not stopped -------------------------------------------------- */

static void add_stray(struct spg_hold *hold, const struct spg_event *event)
{
	const struct spg_process *process = event->process;
	struct spg_buf line = SPG_BUF_NULL;
	bool known = false;
	char *text;

	spg_buf_printf(&line, "%s of ", spg_event_kind_name(event->kind));
	spg_text_escape(&line, event->file->path, false);
	spg_buf_puts(&line, " by ");
	spg_text_escape(&line, process->name ? process->name : "a process", false);
	spg_buf_printf(&line, " (pid %" PRId32 ")", process->id.pid);
	text = spg_buf_take(&line);
	for (size_t i = 0; text && i < hold->n_strays; i++)
		known = known || strcmp(hold->strays[i], text) == 0;
	if (text && !known)
		hold->strays[hold->n_strays++] = text;
	else
		free(text);
}

void spg_holds_note_event(struct spg_holds *holds, const struct spg_event *event)
{
	const uint32_t changes =
		SPG_EVENT_BIT(SPG_EVENT_MODIFY) | SPG_EVENT_BIT(SPG_EVENT_CREATE) |
		SPG_EVENT_BIT(SPG_EVENT_DELETE) | SPG_EVENT_BIT(SPG_EVENT_RENAME);

	if (!holds || !(SPG_EVENT_BIT(event->kind) & changes) || !event->file ||
		!event->process)
		return;
	for (struct spg_hold *at = holds->list; at; at = at->next) {
		struct spg_watch *watch = holds->host.watch;
		bool concerns =
			spg_product_has_path(at->product, event->file->path) ||
			(event->kind == SPG_EVENT_RENAME && event->detail &&
				spg_product_has_path(at->product, event->detail));

		if (at->state == SPG_HOLD_ACTIVE && concerns &&
			at->n_strays < SPG_HOLD_STRAYS &&
			watch->guards->knows(at->guard, event->process) == 0)
			add_stray(at, event);
	}
}
