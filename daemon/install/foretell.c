/* SPDX-License-Identifier: MIT */
#include "daemon/install/foretell.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/elf/search.h"
#include "daemon/install/places.h"
#include "daemon/install/verify.h"

struct spg_foretelling {
	struct spg_product *product;
	struct spg_module_set *installed, *pack, *future;
	struct spg_expected expected;
	struct spg_expected_places places;
	char *root;
	struct spg_verification now, whole;
	enum { VERIFY_NOW, VERIFY_WHOLE, VERIFY_SKIPS } phase;
	size_t at; /* of the skips */
	struct spg_foretold result;
};

/* ---- the set as it would be ---- */

/* Returns false when memory is short. */
static bool append(struct spg_module_set *set, struct spg_module *module)
{
	if (!module || spg_array_reserve(&set->modules, set->n, &set->size,
			       sizeof(struct spg_module *)) < 0) {
		spg_module_unref(module);
		return false;
	}
	set->modules[set->n++] = module;
	return true;
}

/* The file of the pack as the daemon read it; NULL: it is not what was described. */
static struct spg_module *read_as_described(
	const struct spg_foretelling *f, const struct spg_expected_file *file)
{
	struct spg_buf path = SPG_BUF_NULL;
	struct spg_module *module = NULL;

	spg_buf_printf(&path, "%s/%s", f->root, file->path);
	if (!path.failed)
		module = spg_module_find(
			f->pack->modules, f->pack->n, spg_buf_text(&path), NULL);
	spg_buf_finish(&path);
	return module && file->sha256[0] && strcmp(module->sha256, file->sha256) == 0
	               ? module
	               : NULL;
}

/* The one file of the pack that comes into the place of @installed; NULL: none does, or
 * nobody knows which. */
static const struct spg_expected_file *successor_of(
	const struct spg_foretelling *f, const struct spg_module *installed)
{
	const struct spg_expected_file *files = f->expected.files, *first;
	const struct spg_place_choice *choice;
	size_t index;

	choice = spg_expected_choice(&f->places, installed->path, &index);
	if (!choice || choice->n == 0)
		return NULL;
	first = &files[f->places.placement.candidates[choice->first]];
	for (size_t i = 1; i < choice->n; i++)
		if (!spg_expected_is_one_content(first,
			    &files[f->places.placement.candidates[choice->first + i]]))
			return NULL;
	return first;
}

static bool add_installed(struct spg_foretelling *f, struct spg_module *installed)
{
	const struct spg_expected_file *file = successor_of(f, installed);
	struct spg_module *new = file ? read_as_described(f, file) : NULL;

	if (!file)
		return append(f->future, spg_module_ref(installed));
	if (!new) {
		f->result.n_unseen++;
		return append(f->future, spg_module_ref(installed));
	}
	f->result.n_replaced += strcmp(new->sha256, installed->sha256) != 0;
	return append(f->future, spg_module_at(new, installed->path));
}

/* A file that comes into a folder where nothing of its name is. */
static bool add_new(struct spg_foretelling *f, size_t index)
{
	const struct spg_place *place = &f->places.placement.offered[index];
	const struct spg_place_folder *folder =
		&f->places.placement.folders[place->folder];
	const struct spg_expected_file *file = &f->expected.files[index];
	struct spg_buf path = SPG_BUF_NULL;
	struct spg_module *new;
	bool ok = true;

	if (place->kind == SPG_PLACE_FOUND)
		return true;
	if (place->kind != SPG_PLACE_ABSENT || !folder->home) {
		f->result.n_unplaced++;
		return true;
	}
	spg_buf_add(&path, folder->home, folder->home_n);
	spg_buf_printf(&path, "/%s", file->name);
	if (path.failed)
		return false;
	new = read_as_described(f, file);
	if (!new) {
		f->result.n_unseen++;
	} else if (spg_product_has_path(f->product, spg_buf_text(&path))) {
		f->result.n_added++;
		ok = append(f->future, spg_module_at(new, spg_buf_text(&path)));
	}
	spg_buf_finish(&path);
	return ok;
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct spg_module *const *)a)->path,
		(*(struct spg_module *const *)b)->path);
}

static bool make_future(struct spg_foretelling *f)
{
	f->future = spg_module_set_create();
	if (!f->future)
		return false;
	for (size_t i = 0; i < f->installed->n; i++)
		if (!add_installed(f, f->installed->modules[i]))
			return false;
	for (size_t i = 0; i < f->expected.n; i++)
		if (!add_new(f, i))
			return false;
	if (f->future->n > 0)
		qsort(f->future->modules, f->future->n, sizeof(struct spg_module *),
			by_path);
	return spg_search_around(f->future, f->product) == 0;
}

/* The future, and @old where it is now. */
static struct spg_module_set *future_without(
	const struct spg_foretelling *f, struct spg_module *old)
{
	struct spg_module_set *set = spg_module_set_create();

	for (size_t i = 0; set && i < f->future->n; i++) {
		struct spg_module *module = f->future->modules[i];

		if (append(set, spg_module_ref(strcmp(module->path, old->path) == 0
						       ? old
						       : module)))
			continue;
		spg_module_set_unref(set);
		set = NULL;
	}
	return set;
}

/* ---- what would not fit ---- */

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Is it amiss in @v too? Versions may be others. */
static bool is_in(const struct spg_verification *v, const struct spg_verification *of,
	const struct spg_finding *finding)
{
	for (size_t i = 0; i < v->fit.n_findings; i++) {
		const struct spg_finding *other = &v->fit.findings[i];

		if (other->kind == finding->kind &&
			strcmp(spg_verification_path(v, other),
				spg_verification_path(of, finding)) == 0 &&
			is_same(other->needs, finding->needs) &&
			is_same(other->from, finding->from))
			return true;
	}
	return false;
}

static int add_finding(struct spg_notes *notes, const struct spg_verification *v,
	const struct spg_finding *finding, struct spg_buf *text)
{
	const struct spg_note note = {.kind = SPG_REASON_MISFIT,
		.finding = finding->kind,
		.file = spg_verification_path(v, finding)};

	return spg_notes_add(notes, &note, text);
}

static int take_whole(struct spg_foretelling *f)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->whole.fit.n_findings; i++) {
		const struct spg_finding *finding = &f->whole.fit.findings[i];
		struct spg_buf text = SPG_BUF_NULL;

		if (is_in(&f->now, &f->whole, finding))
			continue;
		spg_buf_puts(&text, finding->text);
		r = add_finding(&f->result.whole, &f->whole, finding, &text);
	}
	f->result.n_checked = f->whole.fit.n_checked;
	return r;
}

/* "if mdbperf.dll is skipped, dsamain.exe will not start: it needs EcPerfOpenEx, which
 * 5.5.2448.0 does not export" */
static void put_break(struct spg_buf *text, const struct spg_verification *v,
	const struct spg_finding *finding, const char *skipped)
{
	const struct spg_fit_module *module = &v->modules[finding->module];
	const char *name = spg_path_base(skipped);

	spg_buf_puts(text, "if ");
	spg_text_escape(text, name, false);
	spg_buf_puts(text, " is skipped");
	if (finding->kind != SPG_FINDING_MISSING_EXPORT || !finding->from ||
		!spg_name_equal(finding->from, name, true)) {
		spg_buf_printf(text, ": %s", finding->text);
		return;
	}
	spg_buf_puts(text, ", ");
	spg_text_escape(text, module->name, false);
	spg_buf_puts(text, finding->late            ? " will fail when it needs it"
			   : module->binary->is_dll ? " cannot be loaded"
						    : " will not start");
	spg_buf_printf(text, ": it needs %s, which ", finding->needs);
	spg_buf_puts(text, finding->from_version ? finding->from_version
						 : "the one that is there");
	spg_buf_puts(text, " does not export");
}

static int verify_skip(struct spg_foretelling *f, struct spg_foretold_skip *skip)
{
	struct spg_module *old = spg_module_find(
		f->installed->modules, f->installed->n, skip->path, NULL);
	struct spg_verification v = {.fit = SPG_FIT_NULL};
	struct spg_module_set *set;
	int r;

	skip->replaced = old && successor_of(f, old);
	if (!skip->replaced)
		return 0;
	set = future_without(f, old);
	r = set ? spg_search_around(set, f->product) : SPG_ERR_NOMEM;
	if (r == 0)
		r = spg_verify(&v, f->product, set, NULL,
			&(struct spg_verify_past){.before = f->future});
	for (size_t i = 0; r == 0 && i < v.fit.n_findings; i++) {
		const struct spg_finding *finding = &v.fit.findings[i];
		struct spg_buf text = SPG_BUF_NULL;

		if (is_in(&f->whole, &v, finding) || is_in(&f->now, &v, finding))
			continue;
		put_break(&text, &v, finding, skip->path);
		r = add_finding(&skip->breaks, &v, finding, &text);
	}
	spg_verification_finish(&v);
	spg_module_set_unref(set);
	return r;
}

/* ---- step by step ---- */

int spg_foretell_step(struct spg_foretelling *f)
{
	int r;

	switch (f->phase) {
	case VERIFY_NOW:
		r = make_future(f) ? 0 : SPG_ERR_NOMEM;
		if (r == 0)
			r = spg_verify(&f->now, f->product, f->installed, NULL, NULL);
		f->phase = VERIFY_WHOLE;
		return r < 0 ? r : 1;
	case VERIFY_WHOLE:
		r = spg_verify(&f->whole, f->product, f->future, NULL,
			&(struct spg_verify_past){.before = f->installed});
		if (r == 0)
			r = take_whole(f);
		f->phase = VERIFY_SKIPS;
		return r < 0 ? r : f->result.n_skips > 0;
	case VERIFY_SKIPS:
		break;
	}
	r = verify_skip(f, &f->result.skips[f->at++]);
	return r < 0 ? r : f->at < f->result.n_skips;
}

static bool copy_held(struct spg_foretelling *f, const char *const *held, size_t n)
{
	if (n > SPG_FORETELL_HELD_MAX)
		n = SPG_FORETELL_HELD_MAX;
	f->result.skips = calloc(n + 1, sizeof(*f->result.skips));
	for (size_t i = 0; f->result.skips && i < n; i++) {
		char *path = strdup(held[i]);

		if (!path)
			return false;
		f->result.skips[f->result.n_skips++] = (struct spg_foretold_skip){
			.path = path, .breaks = SPG_NOTES_NULL};
	}
	return f->result.skips != NULL;
}

struct spg_foretelling *spg_foretell_begin(struct spg_product *product,
	struct spg_module_set *installed, struct spg_expected *expected,
	struct spg_module_set *pack, const char *root, const char *const *held,
	size_t n_held)
{
	struct spg_foretelling *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->product = spg_product_ref(product);
	f->installed = spg_module_set_ref(installed);
	f->pack = spg_module_set_ref(pack);
	f->expected = *expected;
	*expected = (struct spg_expected)SPG_EXPECTED_NULL;
	f->places = (struct spg_expected_places)SPG_EXPECTED_PLACES_NULL;
	f->root = strdup(root);
	if (f->root && copy_held(f, held, n_held) &&
		spg_places_make(&f->places, product, &f->expected, f->installed) == 0)
		return f;
	spg_foretell_destroy(f);
	return NULL;
}

const struct spg_foretold *spg_foretell_result(
	const struct spg_foretelling *foretelling)
{
	return &foretelling->result;
}

void spg_foretell_destroy(struct spg_foretelling *f)
{
	if (!f)
		return;
	spg_verification_finish(&f->now);
	spg_verification_finish(&f->whole);
	spg_expected_places_finish(&f->places);
	spg_expected_finish(&f->expected);
	spg_module_set_unref(f->installed);
	spg_module_set_unref(f->pack);
	spg_module_set_unref(f->future);
	spg_product_unref(f->product);
	for (size_t i = 0; i < f->result.n_skips; i++) {
		free(f->result.skips[i].path);
		spg_notes_finish(&f->result.skips[i].breaks);
	}
	spg_notes_finish(&f->result.whole);
	free(f->result.skips);
	free(f->root);
	free(f);
}
