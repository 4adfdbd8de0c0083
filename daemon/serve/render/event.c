/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/render.h"

#include "daemon/serve/render/parts.h"

/* Every kind that was merged into the event; null when it is just one. */
static json_t *render_coalesced(const struct spg_event *event)
{
	json_t *out;
	int r = 0;

	if (!(event->kinds & (event->kinds - 1)))
		return json_null();
	out = json_array();
	for (int kind = 0; kind < SPG_EVENT_KINDS; kind++) {
		if (event->kinds & SPG_EVENT_BIT(kind))
			r |= json_array_append_new(
				out, json_string(spg_event_kind_name(kind)));
	}
	return spg_render_done(out, r);
}

static json_t *render_event_lock(const struct spg_event_lock *lock)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "kind", json_string(spg_lock_kind_name(lock->kind)));
	r |= json_object_set_new(
		out, "mode", json_string(spg_lock_mode_name(lock->mode)));
	r |= json_object_set_new(out, "start", json_integer(lock->start));
	r |= json_object_set_new(out, "end", spg_render_lock_end(lock->end));
	return spg_render_done(out, r);
}

static json_t *render_gap(const struct spg_event_gap *gap)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "reason", json_string(spg_gap_reason_name(gap->reason)));
	r |= json_object_set_new(out, "since", spg_render_time(gap->since_ns));
	r |= json_object_set_new(out, "until", spg_render_time(gap->until_ns));
	r |= json_object_set_new(out, "count", json_integer((json_int_t)gap->count));
	return spg_render_done(out, r);
}

static json_t *render_subject(
	const struct spg_event *event, const char *key, const char *name)
{
	return json_pack("{s:I, s:s}", "id", (json_int_t)event->subject, key, name);
}

/* What only some kinds have. */
static int add_particulars(json_t *out, const struct spg_event *event)
{
	int r = 0;

	switch (event->kind) {
	case SPG_EVENT_USE_BEGIN:
	case SPG_EVENT_USE_END:
		r |= json_object_set_new(out, "how", spg_render_hows(event->how));
		break;
	case SPG_EVENT_LOCK:
	case SPG_EVENT_UNLOCK:
	case SPG_EVENT_LOCK_WAIT:
	case SPG_EVENT_LOCK_FAIL:
		r |= json_object_set_new(out, "lock", render_event_lock(&event->lock));
		break;
	case SPG_EVENT_GAP:
		r |= json_object_set_new(out, "gap", render_gap(&event->gap));
		break;
	case SPG_EVENT_VERDICT:
		r |= json_object_set_new(
			out, "verdict", json_string(spg_verdict_name(event->verdict)));
		break;
	case SPG_EVENT_INSTALL_BEGIN:
	case SPG_EVENT_INSTALL_END:
		if (event->subject)
			r |= json_object_set_new(out, "install",
				render_subject(event, "outcome",
					spg_install_outcome_name(event->outcome)));
		break;
	case SPG_EVENT_SIDESTEP:
		if (event->subject)
			r |= json_object_set_new(out, "sidestep",
				render_subject(event, "state",
					spg_sidestep_state_name(event->sidestep)));
		break;
	default:
		break;
	}
	if (event->since_ns)
		r |= json_object_set_new(
			out, "since", spg_render_time(event->since_ns));
	if (event->detail)
		r |= json_object_set_new(out, "detail", spg_render_text(event->detail));
	if (event->interval)
		r |= json_object_set_new(
			out, "interval", json_integer(event->interval));
	return r;
}

json_t *spg_render_event(const struct spg_event *event)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "id", json_integer(event->id));
	r |= json_object_set_new(out, "at", spg_render_time(event->at_ns));
	r |= json_object_set_new(
		out, "kind", json_string(spg_event_kind_name(event->kind)));
	r |= json_object_set_new(
		out, "path", spg_render_text(event->file ? event->file->path : NULL));
	r |= spg_render_process(out, event->process);
	r |= json_object_set_new(out, "product", spg_render_text(event->product));
	r |= json_object_set_new(out, "coalesced", render_coalesced(event));
	r |= add_particulars(out, event);
	return spg_render_done(out, r);
}

json_t *spg_render_verdict_notice(const struct spg_event *event)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "product", spg_render_text(event->product));
	r |= json_object_set_new(
		out, "verdict", json_string(spg_verdict_name(event->verdict)));
	r |= json_object_set_new(out, "at", spg_render_time(event->at_ns));
	r |= json_object_set_new(out, "reasons", spg_render_notes(&event->reasons));
	return spg_render_done(out, r);
}
