/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/verify.h"
#include "common/err.h"

#include "common/clock.h"
#include "common/text.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"

static json_t *render_finding(
	const struct spg_verification *v, const struct spg_finding *finding)
{
	const struct spg_fit_module *module = finding->module == SPG_FIT_NO_MODULE
	                                              ? NULL
	                                              : &v->modules[finding->module];
	const char *path = module ? module->path : finding->path;
	char version[SPG_BINARY_VERSION_TEXT_BYTES];
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "kind", json_string(spg_finding_kind_name(finding->kind)));
	r |= json_object_set_new(out, "path", spg_render_text(path));
	r |= json_object_set_new(out, "name", spg_render_text(spg_path_base(path)));
	r |= json_object_set_new(out, "version",
		spg_render_text(
			module ? spg_fit_module_version(module, version) : NULL));
	r |= json_object_set_new(out, "needs", spg_render_text(finding->needs));
	r |= json_object_set_new(out, "from", spg_render_text(finding->from));
	r |= json_object_set_new(
		out, "from_version", spg_render_text(finding->from_version));
	if (finding->of > 1)
		r |= json_object_set_new(
			out, "of", json_integer((json_int_t)finding->of));
	r |= json_object_set_new(out, "text", spg_render_text(finding->text));
	return spg_render_done(out, r);
}

static json_t *render_group(const struct spg_fit_group *group)
{
	json_t *out = json_object(), *versions = json_array();
	int r = 0;

	for (size_t i = 0; i < group->n_versions; i++) {
		const struct spg_fit_version *version = &group->versions[i];

		r |= json_array_append_new(versions,
			json_pack("{s:o, s:I}", "version",
				version->text[0] ? spg_render_text(version->text)
						 : json_null(),
				"modules", (json_int_t)version->n));
	}
	r |= json_object_set_new(out, "company", spg_render_text(group->company));
	r |= json_object_set_new(out, "product", spg_render_text(group->product));
	r |= json_object_set_new(out, "versions", versions);
	return spg_render_done(out, r);
}

static const char *remedy_of(int err)
{
	switch (err) {
	case SPG_ERR_LIMIT:
		return "compare it with the service pack's by hand (sha256sum), or "
		       "take it "
		       "out of \"files\" of the product";
	case SPG_ERR_BUSY:
		return "verify again when nobody writes to it";
	default:
		return "make it readable, then verify again";
	}
}

static json_t *render_coverage(const struct spg_verification *v)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < v->fit.n_gaps; i++) {
		const struct spg_fit_gap *gap = &v->fit.gaps[i];

		const struct spg_lack lack = {.kind = SPG_LACK_MODULE,
			.path = v->modules[gap->module].path,
			.what = v->modules[gap->module].path,
			.why = gap->text,
			.remedy = {remedy_of(v->modules[gap->module].err), NULL},
			.blinds = true};

		r |= json_array_append_new(out, spg_render_lack(&lack, NULL));
	}
	return spg_render_done(out, r);
}

static json_t *render_hints(const struct spg_verification *v)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < v->fit.n_hints; i++) {
		const struct spg_fit_gap *hint = &v->fit.hints[i];

		r |= json_array_append_new(
			out, json_pack("{s:o, s:o}", "path",
				     spg_render_text(v->modules[hint->module].path),
				     "text", spg_render_text(hint->text)));
	}
	return spg_render_done(out, r);
}

static json_t *render_payload(const struct spg_fit *fit)
{
	if (fit->n_payload == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "files",
		(json_int_t)fit->n_payload, "same", (json_int_t)fit->n_same,
		"different", (json_int_t)fit->n_different, "missing",
		(json_int_t)fit->n_missing, "variant", (json_int_t)fit->n_variants,
		"by_name", (json_int_t)fit->n_by_name);
}

static json_t *render_next(enum spg_verify_verdict verdict)
{
	static struct spg_note mixed[] = {
		{.kind = SPG_STEP_CHECK_AGAIN,
			.command = "spguard check",
			.text = "spguard check   # free the files that are in the way"},
		{.kind = SPG_STEP_INSTALL,
			.text = "run the service pack again, then: spguard verify"}};
	static struct spg_note unknown[] = {{.kind = SPG_STEP_DIAGNOSE,
		.command = "spguard doctor",
		.text = "spguard doctor   # what could not be looked at"}};

	static struct spg_note not_checked = {.kind = SPG_STEP_VERIFY,
		.command = "spguard verify --payload DIR",
		.text = "spguard verify --payload DIR   # compares with the service "
			"pack"};

	switch (verdict) {
	case SPG_VERIFY_MIXED:
		return spg_render_notes(&(struct spg_notes){.items = mixed, .n = 2});
	case SPG_VERIFY_UNKNOWN:
		return spg_render_notes(&(struct spg_notes){.items = unknown, .n = 1});
	case SPG_VERIFY_NOT_CHECKED:
		return spg_render_notes(
			&(struct spg_notes){.items = &not_checked, .n = 1});
	case SPG_VERIFY_FITS:
		break;
	}
	return json_array();
}

json_t *spg_render_verification(const struct spg_product *product,
	const struct spg_verification *v, const struct spg_install *unresolved,
	int64_t took_ns)
{
	json_t *out = json_object(), *groups = json_array();
	json_t *findings = json_array(), *accepted = json_array();
	int r = 0;

	for (size_t i = 0; i < v->fit.n_findings; i++)
		r |= json_array_append_new(
			v->fit.findings[i].accepted ? accepted : findings,
			render_finding(v, &v->fit.findings[i]));
	for (size_t i = 0; i < v->fit.n_groups; i++)
		r |= json_array_append_new(groups, render_group(&v->fit.groups[i]));
	r |= json_object_set_new(out, "product", spg_render_text(product->name));
	r |= json_object_set_new(out, "title", spg_render_text(product->title));
	r |= json_object_set_new(
		out, "verdict", json_string(spg_verify_verdict_name(v->verdict)));
	r |= json_object_set_new(out, "at", spg_render_time(spg_clock_wall_ns()));
	r |= json_object_set_new(out, "took_us", json_integer(took_ns / 1000));
	r |= json_object_set_new(out, "files", json_integer((json_int_t)v->n_modules));
	r |= json_object_set_new(out, "modules",
		json_integer((json_int_t)(v->n_modules - v->fit.n_foreign)));
	r |= json_object_set_new(
		out, "checked", json_integer((json_int_t)v->fit.n_checked));
	r |= json_object_set_new(out, "read", json_integer((json_int_t)v->set->n_read));
	r |= json_object_set_new(out, "findings", findings);
	r |= json_object_set_new(
		out, "more_findings", json_integer((json_int_t)v->fit.n_more));
	r |= json_object_set_new(out, "accepted", accepted);
	r |= json_object_set_new(out, "hints", render_hints(v));
	r |= json_object_set_new(out, "versions", groups);
	r |= json_object_set_new(out, "payload", render_payload(&v->fit));
	r |= json_object_set_new(out, "coverage", render_coverage(v));
	r |= json_object_set_new(out, "install",
		unresolved ? json_integer(unresolved->id) : json_null());
	r |= json_object_set_new(out, "reasons",
		unresolved ? spg_render_notes(&unresolved->reasons) : json_array());
	r |= json_object_set_new(out, "next",
		unresolved ? spg_render_notes(&unresolved->next)
			   : render_next(v->verdict));
	return spg_render_done(out, r);
}
