/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/render.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/rfc3339.h"
#include "common/text.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/payload_comparison.h"

json_t *spg_render_done(json_t *value, int failed)
{
	if (!failed)
		return value;
	json_decref(value);
	return NULL;
}

json_t *spg_render_text(const char *text)
{
	struct spg_buf buf = SPG_BUF_NULL;
	json_t *value = NULL;

	if (!text)
		return json_null();
	if (spg_text_is_clean(text))
		return json_string(text);
	spg_text_escape(&buf, text, false);
	if (!buf.failed)
		value = json_stringn(spg_buf_text(&buf), buf.len);
	spg_buf_finish(&buf);
	return value;
}

json_t *spg_render_time(int64_t ns)
{
	char text[SPG_RFC3339_SIZE];

	if (!ns)
		return json_null();
	spg_rfc3339_format(ns, text);
	return json_string(text);
}

json_t *spg_render_hows(unsigned how)
{
	json_t *out = json_array();
	int r = 0;

	for (int i = 0; i < SPG_USE_HOWS; i++) {
		if (how & (1U << i))
			r |= json_array_append_new(out,
				json_string(
					spg_use_how_name((enum spg_use_how)(1U << i))));
	}
	return spg_render_done(out, r);
}

json_t *spg_render_obstacles(unsigned obstacles)
{
	json_t *out = json_array();
	int r = 0;

	for (int i = 0; i < SPG_OBSTACLE_N_KINDS; i++) {
		if (obstacles & SPG_OBSTACLE_BIT(i))
			r |= json_array_append_new(
				out, json_string(spg_obstacle_kind_name(
					     (enum spg_obstacle_kind)i)));
	}
	return spg_render_done(out, r);
}

json_t *spg_render_lock_end(int64_t end)
{
	return end == SPG_LOCK_EOF ? json_null() : json_integer(end);
}

static json_t *render_note(const struct spg_note *note)
{
	const struct {
		const char *key, *text;
	} texts[] = {{"file", note->file}, {"name", note->name}, {"unit", note->unit},
		{"container", note->container}, {"place", note->place},
		{"starter", note->starter}, {"command", note->command}};
	const struct {
		const char *key;
		int64_t number;
	} numbers[] = {{"pid", note->pid}, {"starter_pid", note->starter_pid},
		{"tracer", note->tracer}, {"install", note->install},
		{"sidestep", note->sidestep}, {"count", note->count}};
	json_t *out = json_pack("{s:s}", "kind", spg_note_kind_name(note->kind));
	int r = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].text)
			r |= json_object_set_new(
				out, texts[i].key, spg_render_text(texts[i].text));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].number)
			r |= json_object_set_new(
				out, numbers[i].key, json_integer(numbers[i].number));
	if (note->kind == SPG_REASON_NOT_LOOKED_AT || note->kind == SPG_STEP_REMEDY)
		r |= json_object_set_new(
			out, "lack", json_string(spg_lack_kind_name(note->lack)));
	if (note->kind == SPG_REASON_MISFIT)
		r |= json_object_set_new(out, "finding",
			json_string(spg_finding_kind_name(note->finding)));
	if (note->kind == SPG_REASON_OBSTACLE || note->kind == SPG_STEP_CLEAR_OBSTACLE)
		r |= json_object_set_new(out, "obstacle",
			json_string(spg_obstacle_kind_name(note->obstacle)));
	if (note->engine != SPG_CONTAINER_NONE)
		r |= json_object_set_new(out, "engine",
			json_string(spg_container_engine_name(note->engine)));
	if (note->how)
		r |= json_object_set_new(out, "how", spg_render_hows(note->how));
	r |= json_object_set_new(out, "text", spg_render_text(note->text));
	return spg_render_done(out, r);
}

json_t *spg_render_notes(const struct spg_notes *notes)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < notes->n; i++)
		r |= json_array_append_new(out, render_note(&notes->items[i]));
	return spg_render_done(out, r);
}

json_t *spg_render_lines(const char *text)
{
	json_t *out = json_array();
	int r = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		r |= json_array_append_new(out, line ? spg_render_text(line) : NULL);
		free(line);
		text += len + (text[len] == '\n');
	}
	return spg_render_done(out, r);
}

int spg_render_process(json_t *out, const struct spg_process *process)
{
	int r = 0;

	r |= json_object_set_new(
		out, "pid", process ? json_integer(process->id.pid) : json_null());
	r |= json_object_set_new(
		out, "started", spg_render_time(process ? process->started_ns : 0));
	r |= json_object_set_new(
		out, "name", spg_render_text(process ? process->name : NULL));
	r |= json_object_set_new(
		out, "exe", spg_render_text(process ? process->exe : NULL));
	r |= json_object_set_new(
		out, "user", spg_render_text(process ? process->user : NULL));
	r |= json_object_set_new(
		out, "unit", spg_render_text(process ? process->unit : NULL));
	return r;
}

/* Left out where there is none. */
static int render_container(json_t *out, const struct spg_process *process)
{
	int r;

	if (!process || process->engine == SPG_CONTAINER_NONE)
		return 0;
	r = json_object_set_new(
		out, "engine", json_string(spg_container_engine_name(process->engine)));
	return r | json_object_set_new(
			   out, "container", spg_render_text(process->container));
}

static json_t *render_use(
	const struct spg_product *product, const struct spg_seen_use *use)
{
	const struct spg_process *process = use->process;
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "how", spg_render_hows(use->how));
	r |= spg_render_process(out, process);
	r |= render_container(out, process);
	r |= json_object_set_new(out, "since", spg_render_time(use->since_ns));
	r |= json_object_set_new(out, "class",
		json_string(spg_use_class_name(spg_use_classify(product, process))));
	return spg_render_done(out, r);
}

/* Who keeps the file without having it open; nobody knows since when. */
static json_t *render_keeper(const struct spg_seen_keeper *keeper)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "how", spg_render_hows(spg_keeper_how(keeper->kind)));
	r |= spg_render_process(out, keeper->process);
	r |= render_container(out, keeper->process);
	r |= json_object_set_new(out, "since", json_null());
	r |= json_object_set_new(
		out, "class", json_string(spg_use_class_name(SPG_CLASS_BLOCKER)));
	r |= json_object_set_new(out, "place", spg_render_text(keeper->place));
	return spg_render_done(out, r);
}

/* The holder that no process shows. */
static json_t *render_hidden_use(void)
{
	return json_pack("{s:[], s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:s}", "how", "pid",
		"started", "name", "exe", "user", "unit", "since", "class",
		spg_use_class_name(SPG_CLASS_BLOCKER));
}

static json_t *render_lock(const struct spg_seen_lock *lock)
{
	const struct spg_process *process = lock->process;
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "kind", json_string(spg_lock_kind_name(lock->kind)));
	r |= json_object_set_new(
		out, "mode", json_string(spg_lock_mode_name(lock->mode)));
	r |= json_object_set_new(out, "start", json_integer(lock->start));
	r |= json_object_set_new(out, "end", spg_render_lock_end(lock->end));
	r |= json_object_set_new(
		out, "state", json_string(spg_lock_state_name(lock->state)));
	r |= json_object_set_new(
		out, "pid", process ? json_integer(process->id.pid) : json_null());
	r |= json_object_set_new(
		out, "name", spg_render_text(process ? process->name : NULL));
	r |= json_object_set_new(out, "since", spg_render_time(lock->since_ns));
	return spg_render_done(out, r);
}

/* The uses and locks of each file, as chains of indices that keep their order:
 * one pass, however many files are listed. */
struct chains {
	size_t *first_use, *next_use;
	size_t *first_lock, *next_lock;
};

#define CHAIN_END SIZE_MAX

static void chains_finish(struct chains *chains)
{
	free(chains->first_use);
	free(chains->next_use);
	free(chains->first_lock);
	free(chains->next_lock);
}

static size_t *chain_ends(size_t n)
{
	size_t *ends = malloc((n + 1) * sizeof(*ends));

	for (size_t i = 0; ends && i < n; i++)
		ends[i] = CHAIN_END;
	return ends;
}

static int chains_init(struct chains *ret, const struct spg_observation *obs)
{
	struct chains c = {chain_ends(obs->n_files), chain_ends(obs->n_uses),
		chain_ends(obs->n_files), chain_ends(obs->n_locks)};

	if (!c.first_use || !c.next_use || !c.first_lock || !c.next_lock) {
		chains_finish(&c);
		return SPG_ERR_NOMEM;
	}
	for (size_t i = obs->n_uses; i-- > 0;) {
		c.next_use[i] = c.first_use[obs->uses[i].file];
		c.first_use[obs->uses[i].file] = i;
	}
	for (size_t i = obs->n_locks; i-- > 0;) {
		c.next_lock[i] = c.first_lock[obs->locks[i].file];
		c.first_lock[obs->locks[i].file] = i;
	}
	*ret = c;
	return 0;
}

static json_t *render_file_uses(const struct spg_observation *obs,
	const struct chains *chains, const struct spg_judged_file *file)
{
	json_t *out = json_array();
	int r = 0;

	if (file->seen != SPG_NO_FILE) {
		for (size_t i = chains->first_use[file->seen]; i != CHAIN_END;
			i = chains->next_use[i])
			r |= json_array_append_new(
				out, render_use(obs->product, &obs->uses[i]));
	}
	for (size_t i = 0; i < obs->n_keepers; i++)
		if (obs->keepers[i].file == file->seen &&
			spg_keeper_matters(obs, &obs->keepers[i]))
			r |= json_array_append_new(
				out, render_keeper(&obs->keepers[i]));
	if (file->unattributed)
		r |= json_array_append_new(out, render_hidden_use());
	return spg_render_done(out, r);
}

static json_t *render_file_locks(const struct spg_observation *obs,
	const struct chains *chains, const struct spg_judged_file *file)
{
	json_t *out = json_array();
	int r = 0;

	if (file->seen != SPG_NO_FILE) {
		for (size_t i = chains->first_lock[file->seen]; i != CHAIN_END;
			i = chains->next_lock[i])
			r |= json_array_append_new(out, render_lock(&obs->locks[i]));
	}
	return spg_render_done(out, r);
}

/* Whether it is an old version; NULL: a file that is not there. */
static int render_version(json_t *out, const struct spg_seen_file *seen)
{
	bool replaced = seen && seen->presence == SPG_REPLACED;
	int r = json_object_set_new(out, "replaced", json_boolean(replaced));

	return r | json_object_set_new(out, "replaced_at",
			   spg_render_time(replaced ? seen->replaced_ns : 0));
}

static json_t *render_file(const struct spg_observation *obs,
	const struct chains *chains, const struct spg_judged_file *file,
	const struct spg_offer *offer, bool with_product)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "path", spg_render_text(file->path));
	if (with_product)
		r |= json_object_set_new(
			out, "product", spg_render_text(obs->product->name));
	r |= json_object_set_new(
		out, "state", json_string(spg_file_state_name(file->state)));
	r |= render_version(
		out, file->seen != SPG_NO_FILE ? &obs->files[file->seen] : NULL);
	r |= json_object_set_new(out, "uses", render_file_uses(obs, chains, file));
	r |= json_object_set_new(out, "locks", render_file_locks(obs, chains, file));
	r |= json_object_set_new(
		out, "obstacles", spg_render_obstacles(file->obstacles));
	r |= json_object_set_new(out, "advice", spg_render_text(file->advice));
	if (offer)
		r |= spg_render_offer(out, file, offer);
	return spg_render_done(out, r);
}

json_t *spg_render_lack(const struct spg_lack *lack, const char *product)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "kind",
		spg_lack_kind_name(lack->kind), "what",
		spg_render_text(
			lack->what ? lack->what : spg_lack_kind_what(lack->kind)),
		"path", spg_render_text(lack->path), "why", spg_render_text(lack->why),
		"remedy", spg_render_text(lack->remedy.text), "command",
		spg_render_text(lack->remedy.command), "blinds", lack->blinds);

	if (!out || !product)
		return out;
	return spg_render_done(
		out, json_object_set_new(out, "product", spg_render_text(product)));
}

static json_t *render_proof(const struct spg_proof *proof, const char *tier)
{
	const struct spg_observation *obs = proof->observation;
	json_t *out = json_object(), *coverage = json_array();
	int r = 0;

	for (size_t i = 0; i < obs->n_lacks; i++)
		r |= json_array_append_new(
			coverage, spg_render_lack(&obs->lacks[i], NULL));
	r |= json_object_set_new(out, "tier", spg_render_text(tier));
	r |= json_object_set_new(
		out, "files", json_integer((json_int_t)proof->verdict->counts.files));
	r |= json_object_set_new(out, "took_us", json_integer(proof->took_ns / 1000));
	r |= json_object_set_new(out, "tries", json_integer(proof->tries));
	r |= json_object_set_new(out, "complete", json_boolean(proof->complete));
	r |= json_object_set_new(out, "coverage", coverage);
	return spg_render_done(out, r);
}

static json_t *render_counts(const struct spg_verdict_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files",
		(json_int_t)counts->files, "blocked", (json_int_t)counts->blocked,
		"open", (json_int_t)counts->open, "mapped", (json_int_t)counts->mapped,
		"executing", (json_int_t)counts->executing, "locked",
		(json_int_t)counts->locked, "waiting", (json_int_t)counts->waiting,
		"unattributed", (json_int_t)counts->unattributed, "obstructed",
		(json_int_t)counts->obstructed);
}

static json_t *render_checked_files(
	const struct spg_proof *proof, const struct spg_offer *offer, bool all)
{
	const struct spg_verdict *verdict = proof->verdict;
	json_t *out = json_array();
	struct chains chains;
	int r = 0;

	if (chains_init(&chains, proof->observation) < 0) {
		json_decref(out);
		return NULL;
	}
	for (size_t i = 0; i < verdict->n_files; i++) {
		const struct spg_judged_file *file = &verdict->files[i];

		if (offer && !spg_offer_concerns(offer, file))
			continue;
		if (all || file->state != SPG_FILE_FREE)
			r |= json_array_append_new(
				out, render_file(proof->observation, &chains, file,
					     offer, false));
	}
	chains_finish(&chains);
	return spg_render_done(out, r);
}

static json_t *render_waited(const struct spg_waited *waited)
{
	return json_pack("{s:f, s:f, s:I}", "settle",
		(double)waited->settle_ns / SPG_NS_PER_S, "free",
		(double)waited->free_ns / SPG_NS_PER_S, "returns",
		(json_int_t)waited->n_returns);
}

json_t *spg_render_check(const struct spg_proof *proof, const char *tier,
	const struct spg_offer *offer, bool all)
{
	const struct spg_product *product = proof->observation->product;
	const struct spg_verdict *verdict = proof->verdict;
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "verdict", json_string(spg_verdict_name(verdict->kind)));
	r |= json_object_set_new(out, "without_blocked",
		json_string(spg_verdict_name(verdict->without_blocked)));
	r |= json_object_set_new(out, "product", spg_render_text(product->name));
	r |= json_object_set_new(out, "title", spg_render_text(product->title));
	r |= json_object_set_new(out, "at", spg_render_time(proof->at_ns));
	r |= json_object_set_new(
		out, "generation", json_integer((json_int_t)proof->generation));
	r |= json_object_set_new(out, "proof", render_proof(proof, tier));
	r |= json_object_set_new(out, "counts", render_counts(&verdict->counts));
	r |= json_object_set_new(out, "files", render_checked_files(proof, offer, all));
	r |= json_object_set_new(out, "reasons", spg_render_notes(&verdict->reasons));
	r |= json_object_set_new(out, "next", spg_render_notes(&verdict->next));
	r |= json_object_set_new(out, "remarks", spg_render_notes(&verdict->remarks));
	if (offer)
		r |= json_object_set_new(out, "payload", spg_render_offers(offer));
	if (proof->waited)
		r |= json_object_set_new(out, "waited", render_waited(proof->waited));
	return spg_render_done(out, r);
}

bool spg_path_filter_has(const struct spg_path_filter *filter,
	const struct spg_product *product, const char *path)
{
	bool ignore_case = product->ignore_case;

	if (!filter->n)
		return true;
	for (size_t i = 0; i < filter->n; i++) {
		const char *asked = filter->paths[i];
		size_t n = spg_name_begin(
			path, strlen(path), asked, strlen(asked), ignore_case);

		if (!spg_path_is_absolute(asked)) {
			if (spg_name_equal(asked, spg_path_base(path), ignore_case))
				return true;
		} else if (spg_name_equal(asked, path, ignore_case) ||
			   spg_path_below(path, asked, false)) {
			return true;
		} else if (n != SIZE_MAX && path[n] == '/') {
			return true;
		}
	}
	return false;
}

static bool is_in_use(const struct chains *chains, const struct spg_judged_file *file)
{
	if (file->state == SPG_FILE_MISSING || file->state == SPG_FILE_NEW)
		return false;
	return (file->state != SPG_FILE_FREE && !file->obstructed) ||
	       file->unattributed ||
	       (file->seen != SPG_NO_FILE &&
		       (chains->first_use[file->seen] != CHAIN_END ||
			       chains->first_lock[file->seen] != CHAIN_END));
}

/* An old version was another package's, or another version's. */
static int render_package(json_t *row, const struct spg_observation *obs,
	const struct spg_judged_file *file, const struct spg_packages *packages)
{
	bool replaced = file->seen != SPG_NO_FILE &&
	                obs->files[file->seen].presence == SPG_REPLACED;
	const struct spg_package *package =
		replaced ? NULL : spg_packages_owner(packages, file->path);

	return json_object_set_new(row, "package",
		package ? json_pack("{s:o, s:o}", "name",
				  spg_render_text(package->name), "version",
				  spg_render_text(package->version))
			: json_null());
}

int spg_render_files(json_t *out, const struct spg_proof *proof,
	const struct spg_path_filter *filter, const struct spg_packages *packages,
	bool all)
{
	const struct spg_observation *obs = proof->observation;
	const struct spg_verdict *verdict = proof->verdict;
	struct chains chains;
	int r = chains_init(&chains, obs);

	if (r < 0)
		return r;
	for (size_t i = 0; i < verdict->n_files; i++) {
		const struct spg_judged_file *file = &verdict->files[i];

		json_t *row;

		if ((!all && !is_in_use(&chains, file)) ||
			!spg_path_filter_has(filter, obs->product, file->path))
			continue;
		row = render_file(obs, &chains, file, NULL, true);
		r |= render_package(row, obs, file, packages);
		r |= json_array_append_new(out, row);
	}
	chains_finish(&chains);
	return r ? SPG_ERR_NOMEM : 0;
}

int spg_render_locks(json_t *out, const struct spg_proof *proof,
	const struct spg_path_filter *filter)
{
	const struct spg_observation *obs = proof->observation;
	int r = 0;

	for (size_t i = 0; i < obs->n_locks; i++) {
		const struct spg_seen_lock *lock = &obs->locks[i];
		const struct spg_process *process = lock->process;
		const char *path = obs->files[lock->file].file->path;
		json_t *row;

		if (obs->files[lock->file].presence == SPG_GONE ||
			!spg_path_filter_has(filter, obs->product, path))
			continue;
		row = render_lock(lock);
		r |= json_object_set_new(row, "path", spg_render_text(path));
		r |= json_object_set_new(
			row, "product", spg_render_text(obs->product->name));
		r |= render_version(row, &obs->files[lock->file]);
		r |= json_object_set_new(
			row, "user", spg_render_text(process ? process->user : NULL));
		r |= json_object_set_new(
			row, "unit", spg_render_text(process ? process->unit : NULL));
		r |= json_object_set_new(row, "started",
			spg_render_time(process ? process->started_ns : 0));
		r |= json_array_append_new(out, row);
	}
	return r ? SPG_ERR_NOMEM : 0;
}

int spg_render_coverage(json_t *out, const struct spg_proof *proof)
{
	const struct spg_observation *obs = proof->observation;
	const struct spg_verdict *verdict = proof->verdict;
	int r = 0;

	for (size_t i = 0; i < obs->n_lacks; i++)
		r |= json_array_append_new(
			out, spg_render_lack(&obs->lacks[i], obs->product->name));
	/* An empty list must never look like "nobody" when nobody looked. */
	if (!proof->complete && !obs->n_lacks) {
		const struct spg_note *step = verdict->next.items;
		const struct spg_lack lack = {.kind = SPG_LACK_PROOF,
			.what = obs->product->name,
			.why = verdict->reasons.n ? verdict->reasons.items[0].text
		                                  : "not everything was looked at",
			.remedy = {verdict->next.n ? step->text : NULL,
				verdict->next.n ? step->command : NULL}};

		r |= json_array_append_new(
			out, spg_render_lack(&lack, obs->product->name));
	}
	return r ? SPG_ERR_NOMEM : 0;
}
