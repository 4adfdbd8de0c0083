/* SPDX-License-Identifier: MIT */
#include "daemon/model/visits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

#define SLOT_NS     (10 * SPG_NS_PER_S)
/* Fewer starts in a minute are no habit. */
#define STARTS_MIN  5
/* A return is told of while the program is there, or for so long after it has gone. */
#define RETURN_NS   (10 * 60 * SPG_NS_PER_S)
/* Who stays away longer is brought back by something else than a supervisor. */
#define AWAY_MAX_NS (30 * SPG_NS_PER_S)

#define COMING      (SPG_EVENT_BIT(SPG_EVENT_OPEN) | SPG_EVENT_BIT(SPG_EVENT_EXEC))

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_program(const struct spg_process *a, const struct spg_process *b)
{
	return a->uid == b->uid && same_text(a->name, b->name) &&
	       same_text(a->exe, b->exe);
}

static void forget_visitor(struct spg_visitor *visitor)
{
	spg_process_unref(visitor->process);
	spg_file_unref(visitor->file);
	*visitor = (struct spg_visitor){0};
}

static void forget_opener(struct spg_visit_opener *opener)
{
	spg_process_unref(opener->process);
	spg_file_unref(opener->file);
	*opener = (struct spg_visit_opener){0};
}

void spg_visits_finish(struct spg_visits *visits)
{
	for (size_t i = 0; i < SPG_VISITORS; i++)
		forget_visitor(&visits->visitors[i]);
	for (size_t i = 0; i < SPG_VISIT_OPENERS; i++)
		forget_opener(&visits->openers[i]);
}

/* True when @a, rather than @b (NULL: none), makes room for another program: a free place,
 * else whoever has gone, the longest first. */
static bool makes_room(const struct spg_visitor *a, const struct spg_visitor *b)
{
	if (a->n_uses > 0 || (b && !b->process))
		return false;
	return !b || !a->process || a->seen_ns < b->seen_ns;
}

/* The program of @process, which is remembered from now on if there is room; else NULL. */
static struct spg_visitor *find_visitor(
	struct spg_visits *visits, struct spg_process *process, int64_t now_ns)
{
	struct spg_visitor *room = NULL;

	for (size_t i = 0; i < SPG_VISITORS; i++) {
		struct spg_visitor *v = &visits->visitors[i];

		if (v->process && same_program(v->process, process))
			return v;
		if (makes_room(v, room))
			room = v;
	}
	if (!room)
		return NULL;
	forget_visitor(room);
	room->process = spg_process_ref(process);
	room->slot = now_ns / SLOT_NS;
	return room;
}

static void take_latest(struct spg_visitor *visitor, struct spg_process *process,
	struct spg_file *file, int64_t now_ns)
{
	spg_process_ref(process);
	spg_process_unref(visitor->process);
	visitor->process = process;
	spg_file_ref(file);
	spg_file_unref(visitor->file);
	visitor->file = file;
	visitor->seen_ns = now_ns;
}

/* Forget the starts of slots that lie more than a minute back. */
static void move_on(struct spg_visitor *visitor, int64_t now_ns)
{
	int64_t slot = now_ns / SLOT_NS;

	if (slot - visitor->slot >= SPG_VISIT_SLOTS)
		memset(visitor->starts, 0, sizeof(visitor->starts));
	else
		while (visitor->slot < slot)
			visitor->starts[++visitor->slot % SPG_VISIT_SLOTS] = 0;
	visitor->slot = slot;
}

/* Only one that began after all others counts: two that take turns started once. */
static void count_start(
	struct spg_visitor *visitor, const struct spg_process *process, int64_t now_ns)
{
	uint64_t born = process->id.start ? process->id.start : process->key;

	move_on(visitor, now_ns);
	if (born <= visitor->youngest)
		return;
	visitor->youngest = born;
	visitor->starts[visitor->slot % SPG_VISIT_SLOTS]++;
}

static bool is_by(const struct spg_visit_opener *opener, const struct spg_event *event)
{
	return opener->file && opener->process->id.pid == event->process->id.pid &&
	       strcmp(opener->file->path, event->file->path) == 0;
}

static void note_opener(
	struct spg_visits *visits, const struct spg_event *event, int64_t now_ns)
{
	bool closed = event->kinds & SPG_EVENT_BIT(SPG_EVENT_CLOSE);
	struct spg_visit_opener *at = NULL;

	for (size_t i = 0; i < SPG_VISIT_OPENERS && !at; i++)
		if (is_by(&visits->openers[i], event))
			at = &visits->openers[i];
	if (closed) {
		if (at)
			forget_opener(at);
		return;
	}
	if (!at)
		at = &visits->openers[visits->next_opener++ % SPG_VISIT_OPENERS];
	forget_opener(at);
	at->file = spg_file_ref(event->file);
	at->process = spg_process_ref(event->process);
	at->at_ns = now_ns;
}

void spg_visits_note(
	struct spg_visits *visits, const struct spg_event *event, int64_t now_ns)
{
	struct spg_visitor *visitor;

	if (!event->process || !event->file || event->unattributed)
		return;
	if (event->kinds & (COMING | SPG_EVENT_BIT(SPG_EVENT_CLOSE)))
		note_opener(visits, event, now_ns);
	if (!(event->kinds & COMING))
		return;
	visitor = find_visitor(visits, event->process, now_ns);
	if (!visitor)
		return;
	take_latest(visitor, event->process, event->file, now_ns);
	count_start(visitor, event->process, now_ns);
}

/* What one survey says of one program. */
struct change {
	size_t n_before, n_ended, n_begun;
	bool fresh;                 /* another process than the last one began */
	int64_t begun_ns, ended_ns; /* UTC: the first and the last of them */
};

static void apply_change(
	struct spg_visitor *visitor, const struct change *change, int64_t now_ns)
{
	/* One after the other: not two that used it at one time. */
	bool all_gone =
		change->n_before == 0 || (change->n_ended >= change->n_before &&
						 change->begun_ns >= change->ended_ns);
	bool was_there = change->n_before > 0 || visitor->gone_ns > 0;
	int64_t away_ns = change->n_before > 0 ? 0 : now_ns - visitor->gone_ns;

	if (change->fresh && all_gone && was_there) {
		visitor->n_returns++;
		if (away_ns > visitor->away_ns)
			visitor->away_ns = away_ns;
	}
	visitor->n_uses = change->n_before + change->n_begun;
	visitor->n_uses -=
		change->n_ended < visitor->n_uses ? change->n_ended : visitor->n_uses;
	if (visitor->n_uses == 0 && change->n_ended > 0)
		visitor->gone_ns = now_ns;
}

void spg_visits_note_changes(struct spg_visits *visits, struct spg_event *const *events,
	size_t n, int64_t now_ns)
{
	struct change changes[SPG_VISITORS] = {0};

	for (size_t i = 0; i < SPG_VISITORS; i++)
		changes[i].n_before = visits->visitors[i].n_uses;
	for (size_t i = 0; i < n; i++) {
		const struct spg_event *event = events[i];
		bool begins = event->kind == SPG_EVENT_USE_BEGIN;
		struct spg_visitor *visitor;
		struct change *change;

		if ((!begins && event->kind != SPG_EVENT_USE_END) || !event->process ||
			!event->file)
			continue;
		visitor = find_visitor(visits, event->process, now_ns);
		if (!visitor)
			continue;
		change = &changes[visitor - visits->visitors];
		if (!begins) {
			change->n_ended++;
			if (event->at_ns > change->ended_ns)
				change->ended_ns = event->at_ns;
			continue;
		}
		if (change->n_begun++ == 0 || event->at_ns < change->begun_ns)
			change->begun_ns = event->at_ns;
		/* A place that was given to another program has nothing before. */
		if (!visitor->file)
			change->n_before = 0;
		change->fresh = change->fresh ||
		                !spg_proc_id_equal(visitor->user, event->process->id);
		visitor->user = event->process->id;
		take_latest(visitor, event->process, event->file, now_ns);
	}
	for (size_t i = 0; i < SPG_VISITORS; i++)
		if (changes[i].n_begun > 0 || changes[i].n_ended > 0)
			apply_change(&visits->visitors[i], &changes[i], now_ns);
}

static unsigned starts_in_a_minute(const struct spg_visitor *visitor, int64_t now_ns)
{
	struct spg_visitor copy = *visitor;
	unsigned n = 0;

	move_on(&copy, now_ns);
	for (size_t i = 0; i < SPG_VISIT_SLOTS; i++)
		n += copy.starts[i];
	return n;
}

/* True when @visitor is started all the time, and no other program more often by the same
 * process: what a shell starts is the shell until it executes a program. */
static bool keeps_starting(const struct spg_visits *visits,
	const struct spg_visitor *visitor, int64_t now_ns)
{
	unsigned n = starts_in_a_minute(visitor, now_ns);

	if (n < STARTS_MIN || now_ns - visitor->seen_ns > SLOT_NS)
		return false;
	for (size_t i = 0; i < SPG_VISITORS; i++) {
		const struct spg_visitor *other = &visits->visitors[i];
		unsigned n_other;

		if (other == visitor || !other->file ||
			other->process->ppid != visitor->process->ppid)
			continue;
		n_other = starts_in_a_minute(other, now_ns);
		if (n_other > n || (n_other == n && other < visitor))
			return false;
	}
	return true;
}

static int tell_visitor(const struct spg_visits *visits,
	const struct spg_visitor *visitor, struct spg_observation *obs, int64_t now_ns)
{
	struct spg_seen_past past = {.file = visitor->file,
		.process = visitor->process,
		.ago_ns = now_ns - visitor->seen_ns};

	past.kind = SPG_PAST_KEEPS_STARTING;
	past.count = starts_in_a_minute(visitor, now_ns);
	if (past.count >= STARTS_MIN)
		return keeps_starting(visits, visitor, now_ns)
		               ? spg_observation_add_past(obs, &past)
		               : 0;
	past.kind = SPG_PAST_CAME_BACK;
	past.count = visitor->n_returns;
	if (past.count > 0 &&
		(visitor->n_uses > 0 || now_ns - visitor->gone_ns < RETURN_NS))
		return spg_observation_add_past(obs, &past);
	return 0;
}

/* Who opened the file @seen last and has not closed it. */
static int tell_opener(const struct spg_visits *visits, size_t seen,
	struct spg_observation *obs, int64_t now_ns)
{
	const struct spg_visit_opener *last = NULL;

	for (size_t i = 0; i < SPG_VISIT_OPENERS; i++) {
		const struct spg_visit_opener *opener = &visits->openers[i];

		if (opener->file &&
			strcmp(opener->file->path, obs->files[seen].file->path) == 0 &&
			(!last || opener->at_ns > last->at_ns))
			last = opener;
	}
	if (!last)
		return 0;
	return spg_observation_add_past(
		obs, &(struct spg_seen_past){.kind = SPG_PAST_OPENED_LAST,
			     .file = obs->files[seen].file,
			     .process = last->process,
			     .ago_ns = now_ns - last->at_ns});
}

int spg_visits_tell(
	const struct spg_visits *visits, struct spg_observation *obs, int64_t now_ns)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SPG_VISITORS; i++)
		if (visits->visitors[i].file)
			r = tell_visitor(visits, &visits->visitors[i], obs, now_ns);
	for (size_t i = 0; r == 0 && i < obs->n_files; i++)
		if (obs->files[i].unattributed)
			r = tell_opener(visits, i, obs, now_ns);
	return r;
}

int64_t spg_visits_away_ns(const struct spg_visits *visits, int64_t now_ns)
{
	int64_t longest_ns = 0;

	for (size_t i = 0; i < SPG_VISITORS; i++) {
		const struct spg_visitor *v = &visits->visitors[i];

		if (v->n_returns >= 2 && v->n_uses == 0 && v->away_ns > longest_ns &&
			v->away_ns <= AWAY_MAX_NS && now_ns - v->gone_ns < RETURN_NS)
			longest_ns = v->away_ns;
	}
	return longest_ns;
}
