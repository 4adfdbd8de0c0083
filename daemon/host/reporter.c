/* SPDX-License-Identifier: MIT */
#include "daemon/host/reporter.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/log.h"
#include "daemon/host/notify.h"

#define PAUSE_MS      1000
/* A status is one line for people: the worst products by name, the rest counted. */
#define STATUS_NAMES  6
/* So much of the reasons fits a line of a log; `spguard check` has all. */
#define REASONS_BYTES 400

/* What is to be told of a product, and what was. */
struct tale {
	char *product;
	enum spg_verdict_kind verdict;
	char *reasons; /* NULL: as told */
	int told;      /* spg_verdict_kind; -1: nothing yet */
};

struct gaps {
	uint64_t n;
	char *detail; /* of the last one */
};

struct spg_reporter {
	uv_timer_t pause; /* runs after something was told */
	const struct spg_model *model;
	struct tale *tales;
	size_t n_tales, size_tales;
	struct gaps gaps[SPG_GAP_REASONS];
	bool ready, refused, stopped;
};

struct spg_reporter *spg_reporter_create(uv_loop_t *loop)
{
	struct spg_reporter *reporter = calloc(1, sizeof(*reporter));

	if (!reporter)
		return NULL;
	uv_timer_init(loop, &reporter->pause);
	reporter->pause.data = reporter;
	return reporter;
}

/* --- the status line ------------------------------------------------------- */

/* Worst first: what somebody has to do something about. */
static int badness(enum spg_verdict_kind verdict)
{
	static const int of[SPG_VERDICT_KINDS] = {[SPG_VERDICT_SAFE] = 0,
		[SPG_VERDICT_ATTENTION] = 1,
		[SPG_VERDICT_UNKNOWN] = 2,
		[SPG_VERDICT_BLOCKED] = 3};

	return of[verdict];
}

static void add_products(struct spg_buf *out, const struct spg_model *model)
{
	size_t n = spg_model_n_products(model), told = 0;
	struct spg_model_summary sum;

	spg_buf_printf(out, "Watching %zu product%s", n, n == 1 ? "" : "s");
	for (int bad = SPG_VERDICT_KINDS - 1; bad >= 0; bad--) {
		for (size_t i = 0; i < n; i++) {
			spg_model_summarise(model, i, &sum);
			if (badness(sum.verdict) != bad || told == STATUS_NAMES)
				continue;
			spg_buf_printf(out, "%s%s %s", told++ == 0 ? ": " : ", ",
				spg_model_product(model, i)->name,
				spg_verdict_name(sum.verdict));
		}
	}
	if (told < n)
		spg_buf_printf(out, ", and %zu more", n - told);
}

/* @state: a line to send along, or "". */
static void tell_manager(const struct spg_reporter *reporter, const char *state)
{
	struct spg_buf out = SPG_BUF_NULL;

	spg_buf_printf(&out, "%sSTATUS=", state);
	if (!reporter->ready)
		spg_buf_puts(&out, "Looking at everything for the first time");
	else
		add_products(&out, reporter->model);
	if (reporter->refused)
		spg_buf_puts(&out, "; the configuration as it is now was refused");
	if (!out.failed)
		spg_notify(spg_buf_text(&out));
	spg_buf_finish(&out);
}

/* --- verdicts and gaps ----------------------------------------------------- */

static enum spg_log_level level_of_verdict(enum spg_verdict_kind verdict)
{
	return verdict == SPG_VERDICT_SAFE      ? SPG_LOG_INFO
	       : verdict == SPG_VERDICT_UNKNOWN ? SPG_LOG_WARNING
	                                        : SPG_LOG_NOTICE;
}

/* Stops, reloads and merges are ordinary; of the others somebody should know. Where a
 * damaged database is set aside, that is said. */
static enum spg_log_level level_of_gap(enum spg_gap_reason reason)
{
	return reason == SPG_GAP_DOWNTIME || reason == SPG_GAP_WATCH ? SPG_LOG_INFO
	       : reason == SPG_GAP_MERGED || reason == SPG_GAP_DAMAGED
	               ? SPG_LOG_DEBUG
	               : SPG_LOG_WARNING;
}

static bool tell_verdict(struct tale *tale)
{
	const struct spg_log_about about = {.id = SPG_LOG_ID_VERDICT,
		.product = tale->product,
		.verdict = spg_verdict_name(tale->verdict)};
	bool news = tale->told != (int)tale->verdict;

	if (news)
		spg_log_about(level_of_verdict(tale->verdict), &about, "%s is %s%s%s",
			tale->product, about.verdict, tale->reasons[0] ? ": " : "",
			tale->reasons);
	free(tale->reasons);
	tale->reasons = NULL;
	tale->told = (int)tale->verdict;
	return news;
}

static bool tell_gap(struct gaps *gaps, enum spg_gap_reason reason)
{
	const struct spg_log_about about = {
		.id = SPG_LOG_ID_GAP, .gap = spg_gap_reason_name(reason)};

	if (gaps->n > 1)
		spg_log_about(level_of_gap(reason), &about,
			"the history has %llu gaps (%s), the last: %s",
			(unsigned long long)gaps->n, about.gap, gaps->detail);
	else
		spg_log_about(level_of_gap(reason), &about,
			"the history has a gap (%s): %s", about.gap, gaps->detail);
	free(gaps->detail);
	*gaps = (struct gaps){.n = 0};
	return true;
}

static void on_pause(uv_timer_t *timer);

static void tell(struct spg_reporter *reporter)
{
	bool told = false;

	for (size_t i = 0; i < reporter->n_tales; i++)
		if (reporter->tales[i].reasons)
			told = tell_verdict(&reporter->tales[i]) || told;
	for (int i = 0; i < SPG_GAP_REASONS; i++)
		if (reporter->gaps[i].n > 0)
			told = tell_gap(&reporter->gaps[i], (enum spg_gap_reason)i) ||
			       told;
	if (!told)
		return;
	tell_manager(reporter, "");
	uv_timer_start(&reporter->pause, on_pause, PAUSE_MS, 0);
}

static void on_pause(uv_timer_t *timer)
{
	tell(timer->data);
}

static void tell_unless_paused(struct spg_reporter *reporter)
{
	if (reporter->ready && !uv_is_active((uv_handle_t *)&reporter->pause))
		tell(reporter);
}

/* NULL: out of memory. */
static struct tale *tale_of(struct spg_reporter *reporter, const char *product)
{
	struct tale *tale;

	for (size_t i = 0; i < reporter->n_tales; i++)
		if (strcmp(reporter->tales[i].product, product) == 0)
			return &reporter->tales[i];
	if (spg_array_reserve(&reporter->tales, reporter->n_tales,
		    &reporter->size_tales, sizeof(*reporter->tales)) < 0)
		return NULL;
	tale = &reporter->tales[reporter->n_tales];
	*tale = (struct tale){.product = strdup(product), .told = -1};
	if (!tale->product)
		return NULL;
	reporter->n_tales++;
	return tale;
}

static const char *detail_of(const struct spg_event *event)
{
	return event->detail ? event->detail : "";
}

/* What fits; the first, where that is not all of them. */
static char *reasons_of(const struct spg_event *event)
{
	const char *all = detail_of(event);
	struct spg_buf buf = SPG_BUF_NULL;

	if (strlen(all) <= REASONS_BYTES || event->reasons.n == 0) {
		spg_buf_puts(&buf, all);
	} else {
		spg_buf_puts(&buf, event->reasons.items[0].text);
		spg_buf_puts(&buf, "; and more");
	}
	return spg_buf_take(&buf);
}

static void note_verdict(struct spg_reporter *reporter, const struct spg_event *event)
{
	struct tale *tale = event->product ? tale_of(reporter, event->product) : NULL;
	char *reasons = tale ? reasons_of(event) : NULL;

	/* Without memory the history and the answers have it still. */
	if (!reasons)
		return;
	free(tale->reasons);
	tale->reasons = reasons;
	tale->verdict = event->verdict;
	tell_unless_paused(reporter);
}

static void note_gap(struct spg_reporter *reporter, const struct spg_event *event)
{
	struct gaps *gaps = &reporter->gaps[event->gap.reason];
	char *detail = strdup(detail_of(event));

	if (!detail)
		return;
	free(gaps->detail);
	gaps->detail = detail;
	gaps->n++;
	tell_unless_paused(reporter);
}

static void note_hold(const struct spg_event *event)
{
	bool begins = event->kind == SPG_EVENT_HOLD_BEGIN;
	const struct spg_log_about about = {
		.id = begins ? SPG_LOG_ID_HOLD_BEGUN : SPG_LOG_ID_HOLD_ENDED,
		.product = event->product};

	spg_log_about(SPG_LOG_NOTICE, &about, "%s: a hold has %s: %s", event->product,
		begins ? "begun" : "ended", detail_of(event));
}

void spg_reporter_note(struct spg_reporter *reporter, const struct spg_event *event)
{
	if (reporter->stopped)
		return;
	if (event->kind == SPG_EVENT_VERDICT)
		note_verdict(reporter, event);
	else if (event->kind == SPG_EVENT_GAP)
		note_gap(reporter, event);
	else if (event->kind == SPG_EVENT_HOLD_BEGIN ||
		 event->kind == SPG_EVENT_HOLD_END)
		note_hold(event);
}

/* --- states ---------------------------------------------------------------- */

void spg_reporter_started(
	struct spg_reporter *reporter, const struct spg_model *model, const char *tier)
{
	size_t n = spg_model_n_products(model);

	reporter->model = model;
	spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_STARTED,
		"started: version " SPG_VERSION ", %zu product%s, tier %s", n,
		n == 1 ? "" : "s", tier);
	tell_manager(reporter, "");
}

void spg_reporter_ready(struct spg_reporter *reporter)
{
	const struct spg_log_about about = {.id = SPG_LOG_ID_READY};

	reporter->ready = true;
	tell(reporter);
	spg_log_always(&about, "ready");
	tell_manager(reporter, "READY=1\n");
}

void spg_reporter_reloading(struct spg_reporter *reporter)
{
	(void)reporter;
	spg_notify_reloading();
}

/* Before the first look it is not ready, whatever was reloaded. */
static void end_reload(struct spg_reporter *reporter, bool refused)
{
	reporter->refused = refused;
	tell_manager(reporter, reporter->ready ? "READY=1\n" : "");
}

void spg_reporter_reloaded(struct spg_reporter *reporter)
{
	size_t n = spg_model_n_products(reporter->model);

	spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_RELOADED,
		"configuration reloaded: %zu product%s", n, n == 1 ? "" : "s");
	end_reload(reporter, false);
}

void spg_reporter_refused(struct spg_reporter *reporter, const struct spg_buf *problems)
{
	const struct spg_log_about about = {.id = SPG_LOG_ID_RELOAD_REFUSED};

	spg_log_about(SPG_LOG_ERROR, &about,
		"the configuration is not reloaded, the old one goes on:");
	spg_log_lines(SPG_LOG_ERROR, spg_buf_text(problems));
	end_reload(reporter, true);
}

void spg_reporter_stop(struct spg_reporter *reporter)
{
	if (!reporter || reporter->stopped)
		return;
	reporter->stopped = true;
	spg_notify("STOPPING=1\nSTATUS=Stopping");
	uv_close((uv_handle_t *)&reporter->pause, NULL);
}

void spg_reporter_destroy(struct spg_reporter *reporter)
{
	if (!reporter)
		return;
	for (size_t i = 0; i < reporter->n_tales; i++) {
		free(reporter->tales[i].product);
		free(reporter->tales[i].reasons);
	}
	for (int i = 0; i < SPG_GAP_REASONS; i++)
		free(reporter->gaps[i].detail);
	free(reporter->tales);
	free(reporter);
}
