/* SPDX-License-Identifier: MIT */
#include "common/kind.h"

#include <stddef.h>
#include <string.h>

static const char *const event_kinds[SPG_EVENT_KINDS] = {
	[SPG_EVENT_OPEN] = "open",
	[SPG_EVENT_CLOSE] = "close",
	[SPG_EVENT_EXEC] = "exec",
	[SPG_EVENT_MODIFY] = "modify",
	[SPG_EVENT_CREATE] = "create",
	[SPG_EVENT_DELETE] = "delete",
	[SPG_EVENT_RENAME] = "rename",
	[SPG_EVENT_LOCK] = "lock",
	[SPG_EVENT_UNLOCK] = "unlock",
	[SPG_EVENT_LOCK_WAIT] = "lock-wait",
	[SPG_EVENT_LOCK_FAIL] = "lock-fail",
	[SPG_EVENT_USE_BEGIN] = "use-begin",
	[SPG_EVENT_USE_END] = "use-end",
	[SPG_EVENT_GAP] = "gap",
	[SPG_EVENT_VERDICT] = "verdict",
	[SPG_EVENT_INSTALL_BEGIN] = "install-begin",
	[SPG_EVENT_INSTALL_END] = "install-end",
	[SPG_EVENT_HOLD_BEGIN] = "hold-begin",
	[SPG_EVENT_HOLD_END] = "hold-end",
	[SPG_EVENT_SIDESTEP] = "sidestep",
	[SPG_EVENT_HOLD_REFUSE] = "hold-refuse",
};

static const char *const use_hows[SPG_USE_HOWS] = {"open", "write", "mapped",
	"executing", "locked", "waiting", "probed", "mounted", "layer"};

static const char *const lock_kinds[SPG_LOCK_KINDS] = {
	[SPG_LOCK_FLOCK] = "flock",
	[SPG_LOCK_POSIX] = "posix",
	[SPG_LOCK_OFD] = "ofd",
	[SPG_LOCK_LEASE] = "lease",
};

static const char *const lock_modes[SPG_LOCK_MODES] = {
	[SPG_LOCK_READ] = "read", [SPG_LOCK_WRITE] = "write"};

static const char *const lock_states[SPG_LOCK_STATES] = {
	[SPG_LOCK_HELD] = "held", [SPG_LOCK_WAITING] = "waiting"};

static const char *const verdicts[SPG_VERDICT_KINDS] = {
	[SPG_VERDICT_SAFE] = "safe",
	[SPG_VERDICT_ATTENTION] = "attention",
	[SPG_VERDICT_BLOCKED] = "blocked",
	[SPG_VERDICT_UNKNOWN] = "unknown",
};

static const char *const file_states[SPG_FILE_STATES] = {
	[SPG_FILE_FREE] = "free",
	[SPG_FILE_BLOCKED] = "blocked",
	[SPG_FILE_HELD_BY_SETUP_STOPPED] = "held-by-setup-stopped",
	[SPG_FILE_MISSING] = "missing",
	[SPG_FILE_NEW] = "new",
	[SPG_FILE_UNKNOWN] = "unknown",
	[SPG_FILE_SIDESTEPPED] = "sidestepped",
};

static const char *const use_classes[SPG_CLASSES] = {
	[SPG_CLASS_BLOCKER] = "blocker",
	[SPG_CLASS_SETUP_STOPS] = "setup-stops",
};

static const char *const gap_reasons[SPG_GAP_REASONS] = {
	[SPG_GAP_DOWNTIME] = "downtime",
	[SPG_GAP_OVERFLOW] = "overflow",
	[SPG_GAP_MERGED] = "merged",
	[SPG_GAP_DROPPED] = "dropped",
	[SPG_GAP_STORE] = "store",
	[SPG_GAP_DAMAGED] = "damaged",
	[SPG_GAP_WATCH] = "watch",
};

static const char *const install_outcomes[SPG_INSTALL_OUTCOMES] = {
	[SPG_INSTALL_RUNNING] = "running",
	[SPG_INSTALL_CLEAN] = "clean",
	[SPG_INSTALL_MIXED] = "mixed",
	[SPG_INSTALL_UNKNOWN] = "unknown",
};

static const char *const install_changes[SPG_CHANGES] = {
	[SPG_CHANGE_REPLACED] = "replaced",
	[SPG_CHANGE_MODIFIED] = "modified",
	[SPG_CHANGE_CREATED] = "created",
	[SPG_CHANGE_DELETED] = "deleted",
	[SPG_CHANGE_SKIPPED] = "skipped",
};

static const char *const sidestep_states[SPG_SIDESTEP_STATES] = {
	[SPG_SIDESTEP_PLANNED] = "planned",
	[SPG_SIDESTEP_RENAMED] = "renamed",
	[SPG_SIDESTEP_FINISHED] = "finished",
	[SPG_SIDESTEP_UNDONE] = "undone",
	[SPG_SIDESTEP_CLEANED] = "cleaned",
	[SPG_SIDESTEP_FAILED] = "failed",
	[SPG_SIDESTEP_REFUSED] = "refused",
};

#define LACK_NAME(id, name, what) name,
#define LACK_WHAT(id, name, what) what,
#define KIND_NAME(id, name)       name,

static const char *const lack_kinds[] = {SPG_LACK_KINDS(LACK_NAME)};
static const char *const lack_whats[] = {SPG_LACK_KINDS(LACK_WHAT)};
static const char *const container_engines[] = {SPG_CONTAINER_ENGINES(KIND_NAME)};
static const char *const mechanism_kinds[] = {SPG_MECHANISM_KINDS(KIND_NAME)};
static const char *const store_faults[] = {SPG_STORE_FAULTS(KIND_NAME)};
static const char *const hold_causes[] = {SPG_HOLD_CAUSES(KIND_NAME)};
static const char *const obstacle_kinds[] = {SPG_OBSTACLE_KINDS(KIND_NAME)};
static const char *const finding_kinds[] = {SPG_FINDING_KINDS(KIND_NAME)};
static const char *const verify_verdicts[] = {SPG_VERIFY_VERDICTS(KIND_NAME)};

/* An unsigned index also catches negative numbers that come from a database. */
#define NAME_OF(table, value)                                                          \
	((size_t)(value) < sizeof(table) / sizeof((table)[0]) ? (table)[value] : "?")

const char *spg_event_kind_name(enum spg_event_kind kind)
{
	return NAME_OF(event_kinds, kind);
}

const char *spg_use_how_name(enum spg_use_how bit)
{
	for (int i = 0; i < SPG_USE_HOWS; i++)
		if ((unsigned)bit == 1U << i)
			return use_hows[i];
	return "?";
}

const char *spg_lock_kind_name(enum spg_lock_kind kind)
{
	return NAME_OF(lock_kinds, kind);
}

const char *spg_lock_mode_name(enum spg_lock_mode mode)
{
	return NAME_OF(lock_modes, mode);
}

const char *spg_lock_state_name(enum spg_lock_state state)
{
	return NAME_OF(lock_states, state);
}

const char *spg_verdict_name(enum spg_verdict_kind verdict)
{
	return NAME_OF(verdicts, verdict);
}

const char *spg_file_state_name(enum spg_file_state state)
{
	return NAME_OF(file_states, state);
}

const char *spg_use_class_name(enum spg_use_class class)
{
	return NAME_OF(use_classes, class);
}

const char *spg_gap_reason_name(enum spg_gap_reason reason)
{
	return NAME_OF(gap_reasons, reason);
}

const char *spg_install_outcome_name(enum spg_install_outcome outcome)
{
	return NAME_OF(install_outcomes, outcome);
}

const char *spg_install_change_name(enum spg_install_change change)
{
	return NAME_OF(install_changes, change);
}

const char *spg_sidestep_state_name(enum spg_sidestep_state state)
{
	return NAME_OF(sidestep_states, state);
}

const char *spg_lack_kind_name(enum spg_lack_kind kind)
{
	return NAME_OF(lack_kinds, kind);
}

const char *spg_lack_kind_what(enum spg_lack_kind kind)
{
	return NAME_OF(lack_whats, kind);
}

const char *spg_obstacle_kind_name(enum spg_obstacle_kind kind)
{
	return NAME_OF(obstacle_kinds, kind);
}

const char *spg_finding_kind_name(enum spg_finding_kind kind)
{
	return NAME_OF(finding_kinds, kind);
}

const char *spg_verify_verdict_name(enum spg_verify_verdict verdict)
{
	return NAME_OF(verify_verdicts, verdict);
}

const char *spg_hold_cause_name(enum spg_hold_cause cause)
{
	return NAME_OF(hold_causes, cause);
}

const char *spg_container_engine_name(enum spg_container_engine engine)
{
	return NAME_OF(container_engines, engine);
}

const char *spg_mechanism_kind_name(enum spg_mechanism_kind kind)
{
	return NAME_OF(mechanism_kinds, kind);
}

const char *spg_store_fault_name(enum spg_store_fault fault)
{
	return NAME_OF(store_faults, fault);
}

static int index_of(const char *const *table, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(table[i], name) == 0)
			return (int)i;
	return -1;
}

int spg_event_kind_from_name(const char *name)
{
	return index_of(event_kinds, SPG_EVENT_KINDS, name);
}

int spg_lack_kind_from_name(const char *name)
{
	return index_of(lack_kinds, SPG_LACK_N_KINDS, name);
}

int spg_mechanism_kind_from_name(const char *name)
{
	return index_of(mechanism_kinds, SPG_MECHANISM_N_KINDS, name);
}

int spg_store_fault_from_name(const char *name)
{
	return index_of(store_faults, SPG_STORE_N_FAULTS, name);
}
