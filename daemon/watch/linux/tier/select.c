/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/tier/select.h"

#include <stdio.h>

#include "common/err.h"
#include "common/log.h"

static void add_row(struct spg_tiers *tiers, const struct spg_mechanism *row)
{
	tiers->rows[tiers->n_rows++] = *row;
}

/* What a higher tier lacked, as a row of the lower one. */
static void add_reason(struct spg_tiers *tiers, enum spg_mechanism_kind kind,
	const char *name, const struct spg_bpf_reason *reason)
{
	struct spg_mechanism row = {.kind = kind, .name = name, .spared = true};

	snprintf(row.detail, sizeof(row.detail), "%s", reason->why);
	snprintf(row.remedy, sizeof(row.remedy), "%s", reason->remedy);
	row.command = reason->command;
	add_row(tiers, &row);
}

static const struct spg_mechanism *first_broken(
	const struct spg_mechanism *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!rows[i].works)
			return &rows[i];
	return NULL;
}

static void let_go(struct spg_tiers *tiers, struct spg_survey_tools *tools)
{
	spg_trace_destroy(tiers->trace);
	spg_look_destroy(tiers->look);
	tiers->trace = NULL;
	tiers->look = NULL;
	tools->look = NULL;
}

/* Lock events and the process table are worth having, and can be spared. */
static void open_trace(struct spg_tiers *tiers, struct spg_bpf_reason *reason)
{
	int r = spg_trace_create(&tiers->trace, reason);

	if (r < 0)
		spg_warning("no lock events: %s; %s", reason->why, reason->remedy);
}

/* Take the tier "bpf". Returns 0, or an error with *reason. */
static int try_bpf(struct spg_tiers *tiers, struct spg_survey_tools *tools,
	const char *scratch_dir, struct spg_bpf_reason *reason)
{
	struct spg_mechanism rows[SPG_PROOFS], trace_rows[SPG_PROOFS_TRACE];
	struct spg_bpf_reason trace_reason = {"", "", NULL};
	const struct spg_mechanism *broken;
	int r = spg_look_create(&tiers->look, reason);

	if (r < 0)
		return r;
	tools->look = tiers->look;
	open_trace(tiers, &trace_reason);
	spg_selftest_run(tools, tiers->trace, scratch_dir, rows, trace_rows);
	/* The last is about what may be seen, in any tier. */
	broken = first_broken(rows, SPG_PROOF_EVERYBODY);
	if (broken) {
		snprintf(reason->why, sizeof(reason->why), "%.60s: %.90s", broken->name,
			broken->detail);
		snprintf(reason->remedy, sizeof(reason->remedy), "%s", broken->remedy);
		reason->command = broken->command;
		let_go(tiers, tools);
		return SPG_ERR_UNSUPPORTED;
	}
	for (int i = 0; i < SPG_PROOFS; i++)
		add_row(tiers, &rows[i]);
	if (!tiers->trace) {
		add_reason(tiers, SPG_MECHANISM_LOCK_EVENTS, "lock events (BPF)",
			&trace_reason);
		return 0;
	}
	for (int i = 0; i < SPG_PROOFS_TRACE; i++) {
		trace_rows[i].spared = true;
		add_row(tiers, &trace_rows[i]);
	}
	if (first_broken(trace_rows, SPG_PROOFS_TRACE)) {
		spg_trace_destroy(tiers->trace);
		tiers->trace = NULL;
	}
	return 0;
}

static int take_procfs(struct spg_tiers *tiers, struct spg_survey_tools *tools,
	const char *scratch_dir)
{
	struct spg_mechanism rows[SPG_PROOFS];

	tiers->tier = "procfs";
	spg_selftest_run(tools, NULL, scratch_dir, rows, NULL);
	for (int i = 0; i < SPG_PROOFS; i++)
		add_row(tiers, &rows[i]);
	return 0;
}

int spg_tiers_select(struct spg_tiers *tiers, enum spg_tier wanted,
	struct spg_survey_tools *tools, const char *scratch_dir)
{
	struct spg_bpf_reason reason = {"", "", NULL};
	int r;

	*tiers = (struct spg_tiers){.tier = "bpf"};
	if (wanted == SPG_TIER_PROCFS)
		return take_procfs(tiers, tools, scratch_dir);
	spg_bpf_log();
	r = try_bpf(tiers, tools, scratch_dir, &reason);
	if (r == 0 || r == SPG_ERR_NOMEM)
		return r;
	if (wanted == SPG_TIER_BPF) {
		spg_error(
			"the tier \"bpf\" is not possible: %s; %s; or use --tier auto",
			reason.why, reason.remedy);
		return r;
	}
	add_reason(tiers, SPG_MECHANISM_COUNTERS, "kernel counters (BPF)", &reason);
	return take_procfs(tiers, tools, scratch_dir);
}

void spg_tiers_finish(struct spg_tiers *tiers)
{
	spg_trace_destroy(tiers->trace);
	spg_look_destroy(tiers->look);
	*tiers = (struct spg_tiers)SPG_TIERS_NULL;
}
