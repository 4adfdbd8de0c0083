/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/redact.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/kind.h"
#include "common/note_kind.h"
#include "daemon/serve/render/parts.h"

/* Sorted, for bsearch(3). A use keeps what kind it is and since when. */
static const char *const kept[] = {"advice", "at", "bars", "began", "best", "blinds",
	"blocked", "bytes", "change", "changed", "class", "coalesced", "complete",
	"content_type", "count", "counts", "coverage", "cut", "day", "days",
	"directories", "dropped", "dropped_since", "dropped_until", "end", "ended",
	"events", "executing", "fault", "files", "for", "free", "from", "from_day",
	"from_known", "from_sha256", "from_version", "gap", "gaps", "generation",
	"holds", "host", "hour", "how", "id", "install", "installs", "kind", "kinds",
	"length", "limit", "lock", "locked", "locks", "mapped", "marks", "mechanisms",
	"mode", "more", "obstacles", "obstructed", "of", "offer", "oldest", "open",
	"outcome", "package", "packages", "path", "product", "products", "proof",
	"queue_rows", "reason", "recorded_since", "remedy", "rows", "running",
	"sessions", "setup_stops", "sidestep", "since", "skipped", "slots", "start",
	"state", "stopped", "store", "subscriber_drops", "subscribers", "tier", "title",
	"to", "to_day", "to_sha256", "to_version", "took_us", "tries", "unattributed",
	"unresolved", "unseen", "unseen_s", "until", "uptime", "uses", "verdict",
	"verdict_at", "verdict_since", "version", "waiting", "what", "without_blocked",
	"works", "zone"};

/* Everything below is numbers under names of the contract. */
static const char *const counters[] = {"counts", "gaps", "installs", "ended"};

static int order(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

static bool is_kept(const char *key)
{
	return bsearch(key, kept, sizeof(kept) / sizeof(kept[0]), sizeof(kept[0]),
		       order) != NULL;
}

static bool is_counter(const char *key, const json_t *value)
{
	const char *name;
	const json_t *number;
	bool listed = strcmp(key, "events") == 0;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		listed = listed || strcmp(key, counters[i]) == 0;
	if (!listed || !json_is_object(value))
		return false;
	json_object_foreach ((json_t *)value, name, number)
		if (!json_is_integer(number))
			return false;
	return true;
}

/* "name" is a product's, a mechanism's or a package's in these, else a process's. */
static bool names_no_process(const char *list)
{
	return strcmp(list, "products") == 0 || strcmp(list, "mechanisms") == 0 ||
	       strcmp(list, "package") == 0 || strcmp(list, "packages") == 0;
}

/* What is shown of a lack, a reason or a step has to be decided of each kind. */
#pragma GCC diagnostic error "-Wswitch-enum"

/* True when it is about a place: then neither its why nor its remedy name a process. */
static bool is_about_a_place(enum spg_lack_kind kind)
{
	switch (kind) {
	case SPG_LACK_LOCKS:
	case SPG_LACK_LOCK_EVENTS:
	case SPG_LACK_LINKED_FILE_EVENTS:
	case SPG_LACK_DIRECTORY_MISSING:
	case SPG_LACK_DIRECTORY_UNREADABLE:
	case SPG_LACK_DIRECTORY_SILENT:
	case SPG_LACK_DIRECTORY_EVENTS:
	case SPG_LACK_USERS_ELSEWHERE:
	case SPG_LACK_MOUNTS:
	case SPG_LACK_DEADLINE:
	case SPG_LACK_NO_SUCH_FILE:
		return true;
	case SPG_LACK_MECHANISM:
	case SPG_LACK_FILE:
	case SPG_LACK_MORE_FILES:
	case SPG_LACK_HELD_FILE: /* that somebody tries to open it */
	case SPG_LACK_LINK:
	case SPG_LACK_DELETED_FILE:
	case SPG_LACK_SEARCH:
	case SPG_LACK_PROCESSES:
	case SPG_LACK_MODULE:
	case SPG_LACK_PROOF:
	case SPG_LACK_N_KINDS:
		break;
	}
	return false;
}

static bool is_lack_of_a_place(const json_t *lack, const char *key)
{
	int kind =
		spg_lack_kind_from_name(json_string_value(json_object_get(lack, key)));

	return kind >= 0 && is_about_a_place((enum spg_lack_kind)kind);
}

static json_t *redact(const json_t *value, const char *key);

static json_t *redact_list(const json_t *list, const char *key)
{
	json_t *out = json_array();
	int r = out ? 0 : -1;

	for (size_t i = 0; i < json_array_size(list); i++)
		r |= json_array_append_new(out, redact(json_array_get(list, i), key));
	if (!r)
		return out;
	json_decref(out);
	return NULL;
}

/* True when neither its fields nor its sentence name a process or a service. */
static bool is_for_anybody(enum spg_note_kind kind)
{
	switch (kind) {
	case SPG_REASON_OBSTACLE:
	case SPG_REASON_BACKS_LOOP:
	case SPG_REASON_SWAP_FILE:
	case SPG_REASON_BINFMT_INTERPRETER:
	case SPG_REASON_NOT_OF_PRODUCT:
	case SPG_REASON_NOTHING_INSTALLED:
	case SPG_REASON_DISTURBED:
	case SPG_REASON_UNSETTLED:
	case SPG_REASON_CHANGED_UNREAD:
	case SPG_REASON_NOT_WRITTEN_YET:
	case SPG_REASON_SIDESTEP_UNSURE:
	case SPG_REASON_NOT_PAYLOAD:
	case SPG_REASON_MISFIT:
	case SPG_REASON_UNREADABLE:
	case SPG_REASON_HOLDERS_LOST:
	case SPG_REASON_ALL_GONE:
	case SPG_REASON_ANOTHER_RELEASE:
	case SPG_REASON_PAST_LOST:
	case SPG_REASON_PRODUCT_GONE:
	case SPG_REASON_EVENTS_LOST:
	case SPG_REASON_UNVERIFIED:
	case SPG_REASON_CLEAN:
	case SPG_REASON_FILES_IN_USE:
	case SPG_REASON_WITHHELD:
	case SPG_STEP_CLEAR_OBSTACLE:
	case SPG_REASON_RUNS_INTERPRETER:
	case SPG_STEP_DETACH_LOOP:
	case SPG_STEP_SWAP_OFF:
	case SPG_STEP_REMOVE_BINFMT:
	case SPG_STEP_FIND_PIN:
	case SPG_STEP_FIND_MOUNT:
	case SPG_STEP_FIND_HOLDER:
	case SPG_STEP_ADVICE:
	case SPG_STEP_REMEDY:
	case SPG_STEP_CHECK_PAYLOAD:
	case SPG_STEP_CHECK_CONFIGURATION:
	case SPG_STEP_AWAIT_INSTALL:
	case SPG_STEP_FINISH_SIDESTEP:
	case SPG_STEP_CHECK_AGAIN:
	case SPG_STEP_SIDESTEP:
	case SPG_STEP_INSTALL:
	case SPG_STEP_ACCEPT:
	case SPG_STEP_VERIFY:
	case SPG_STEP_END_VIEWS:
	case SPG_STEP_DIAGNOSE:
	case SPG_STEP_ASK_SERVER:
		return true;
	case SPG_REASON_IN_USE:
	case SPG_REASON_KEPT:
	case SPG_REASON_HOLDER_HIDDEN: /* may say through whom */
	case SPG_REASON_BACKS_MOUNT:   /* in the namespace of a process */
	case SPG_REASON_OPENED_LAST:
	case SPG_REASON_CAME_BACK:
	case SPG_REASON_KEEPS_STARTING:
	case SPG_REASON_WORKING_DIRECTORY:
	case SPG_REASON_OUTDATED:
	case SPG_REASON_EXPORTED:
	case SPG_REASON_HOLDERS_UNSURE:
	case SPG_REASON_NOT_LOOKED_AT: /* unless it is about a place */
	case SPG_REASON_INSTALLING:
	case SPG_REASON_NOT_REPLACED: /* because of whom */
	case SPG_REASON_CHANGED_IN_USE:
	case SPG_REASON_INSTALLER_FAILED:
	case SPG_REASON_ACCEPTED:
	case SPG_REASON_MORE:
	case SPG_REASON_OTHER:
	case SPG_STEP_STOP_UNIT:
	case SPG_STEP_STOP_CONTAINER:
	case SPG_STEP_STOP_PROCESS:
	case SPG_STEP_STOP_FAMILY:
	case SPG_STEP_RESUME_PROCESS:
	case SPG_STEP_THAW_PROCESS:
	case SPG_STEP_KILL_PROCESS:
	case SPG_STEP_KILL_TRACED:
	case SPG_STEP_KILL_STUCK:
	case SPG_STEP_AWAIT_DUMP:
	case SPG_STEP_STOP_SUPERVISED:
	case SPG_STEP_LEAVE_SESSION:
	case SPG_STEP_RESTART_DAEMON:
	case SPG_STEP_RESTART:
	case SPG_STEP_REEXEC_MANAGER:
	case SPG_STEP_RESTART_MACHINE:
	case SPG_STEP_CLOSE_PROGRAM:
	case SPG_STEP_REMOVE_PROBE:
	case SPG_STEP_UNMOUNT: /* in the namespace of a process */
	case SPG_STEP_MORE:
	case SPG_STEP_OTHER:
	case SPG_NOTE_KINDS:
		break;
	}
	return false;
}

/* True when it names the account that installs. */
static bool is_of_the_installer(enum spg_obstacle_kind kind)
{
	switch (kind) {
	case SPG_OBSTACLE_NO_PERMISSION:
	case SPG_OBSTACLE_FOREIGN_OWNER:
	case SPG_OBSTACLE_DIRECTORY_NO_PERMISSION:
	case SPG_OBSTACLE_DIRECTORY_UNREACHABLE:
		return true;
	case SPG_OBSTACLE_MOUNT_POINT:
	case SPG_OBSTACLE_IMMUTABLE:
	case SPG_OBSTACLE_APPEND_ONLY:
	case SPG_OBSTACLE_VERITY:
	case SPG_OBSTACLE_DIRECTORY_IMMUTABLE:
	case SPG_OBSTACLE_DIRECTORY_APPEND_ONLY:
	case SPG_OBSTACLE_READ_ONLY_FILESYSTEM:
	case SPG_OBSTACLE_READ_ONLY_MOUNT:
	case SPG_OBSTACLE_NO_SPACE:
	case SPG_OBSTACLE_NO_INODES:
	case SPG_OBSTACLE_N_KINDS:
		break;
	}
	return false;
}

static bool names_the_installer(const json_t *note)
{
	const char *name = json_string_value(json_object_get(note, "obstacle"));

	for (int i = 0; name && i < SPG_OBSTACLE_N_KINDS; i++)
		if (strcmp(name, spg_obstacle_kind_name((enum spg_obstacle_kind)i)) ==
			0)
			return is_of_the_installer((enum spg_obstacle_kind)i);
	return false;
}

/* Those of the notes under @key about @product (NULL: about any) that are for anybody;
 * *@ret_withheld: not all are. */
static json_t *redact_notes(const json_t *object, const char *key,
	const json_t *product, enum spg_note_kind (*kind_of)(const char *name),
	bool *ret_withheld)
{
	const json_t *list = json_object_get(object, key);
	json_t *out = json_array();
	int r = out ? 0 : -1;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *note = json_array_get(list, i);
		const char *kind = json_string_value(json_object_get(note, "kind"));

		if (product && !json_equal(product, json_object_get(note, "product")))
			continue;
		if ((is_for_anybody(kind_of(kind)) && !names_the_installer(note)) ||
			is_lack_of_a_place(note, "lack"))
			r |= json_array_append_new(out, json_copy((json_t *)note));
		else
			*ret_withheld = true;
	}
	return spg_render_done(out, r);
}

static json_t *make_note(enum spg_note_kind kind, json_t *product, json_t *text)
{
	return json_pack("{s:s, s:O*, s:o}", "kind", spg_note_kind_name(kind),
		"product", product, "text", text);
}

/* What may be said instead of what a verdict withholds. */
static int add_substitutes(
	json_t *reasons, json_t *next, const json_t *verdict, json_t *product)
{
	const json_t *counts = json_object_get(verdict, "counts");
	json_int_t blocked = json_integer_value(json_object_get(counts, "blocked")) -
	                     json_integer_value(json_object_get(counts, "obstructed"));
	json_t *note;
	int r = 0;

	if (blocked > 0) {
		note = make_note(SPG_REASON_FILES_IN_USE, product,
			blocked == 1 ? json_string("one file is in use")
				     : json_sprintf("%lld files are in use",
					       (long long)blocked));
		r |= json_object_set_new(note, "count", json_integer(blocked));
		r |= json_array_insert_new(reasons, 0, note);
	} else {
		r |= json_array_append_new(
			reasons, make_note(SPG_REASON_WITHHELD, product,
					 json_string("the server knows why")));
	}
	r |= json_array_append_new(
		next, make_note(SPG_STEP_ASK_SERVER, product,
			      json_string("on the server: spguard check")));
	return r;
}

/* What @object says of @row, one of its products or itself (then @product is NULL). */
static int add_notes_of(json_t *to_reasons, json_t *to_next, const json_t *object,
	const json_t *row, json_t *product)
{
	bool withheld = false;
	json_t *reasons = redact_notes(
		object, "reasons", product, spg_reason_kind_from_name, &withheld);
	json_t *next = redact_notes(
		object, "next", product, spg_step_kind_from_name, &withheld);
	int r = 0;

	if (withheld && json_is_string(json_object_get(row, "verdict")))
		r |= add_substitutes(reasons, next, row, product);
	r |= json_array_extend(to_reasons, reasons);
	r |= json_array_extend(to_next, next);
	json_decref(reasons);
	json_decref(next);
	return r;
}

/* Of a verdict, of the answer about several products, or of an install. */
static int add_notes(json_t *out, const json_t *object)
{
	const json_t *products = json_object_get(object, "products");
	json_t *reasons = json_array(), *next = json_array();
	bool withheld = false;
	int r = 0;

	if (!products)
		r |= add_notes_of(reasons, next, object, object, NULL);
	for (size_t i = 0; i < json_array_size(products); i++) {
		const json_t *row = json_array_get(products, i);

		r |= add_notes_of(
			reasons, next, object, row, json_object_get(row, "product"));
	}
	r |= json_object_set_new(out, "reasons", reasons);
	r |= json_object_set_new(out, "next", next);
	if (json_is_array(json_object_get(object, "findings")))
		r |= json_object_set_new(out, "findings",
			redact_notes(object, "findings", NULL,
				spg_reason_kind_from_name, &withheld));
	return r;
}

static json_t *redact_object(const json_t *object, const char *list)
{
	json_t *out = json_object();
	const char *key;
	const json_t *value;
	int r = out ? 0 : -1;

	json_object_foreach ((json_t *)object, key, value) {
		if (is_counter(key, value))
			r |= json_object_set(out, key, (json_t *)value);
		else if (is_kept(key) ||
			 (strcmp(key, "name") == 0 && names_no_process(list)) ||
			 (strcmp(key, "why") == 0 &&
				 is_lack_of_a_place(object, "kind")))
			r |= json_object_set_new(out, key, redact(value, key));
	}
	if (json_is_array(json_object_get(object, "reasons")))
		r |= add_notes(out, object);
	if (!r)
		return out;
	json_decref(out);
	return NULL;
}

/* @key: where the value stands, or the list that it is an element of. */
static json_t *redact(const json_t *value, const char *key)
{
	if (json_is_object(value))
		return redact_object(value, key);
	if (json_is_array(value))
		return redact_list(value, key);
	return json_incref((json_t *)value);
}

json_t *spg_http_redact(const json_t *answer)
{
	return redact(answer, "");
}
