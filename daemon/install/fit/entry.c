/* SPDX-License-Identifier: MIT */
/* Entry points: what is imported against what is exported. */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/parts.h"

static bool is_damage(int status)
{
	return status == SPG_ERR_CORRUPT;
}

/* ---- files that are damaged, or could not be looked at ---- */

int spg_fit_add_gap(struct spg_fit_work *work, size_t module, struct spg_buf *text)
{
	struct spg_fit *fit = work->fit;
	struct spg_fit_gap gap = {module, spg_buf_take(text)};

	if (gap.text && spg_array_reserve(&fit->gaps, fit->n_gaps, &fit->gaps_size,
				sizeof(gap)) == 0) {
		fit->gaps[fit->n_gaps++] = gap;
		return 0;
	}
	free(gap.text);
	spg_buf_finish(text);
	return SPG_ERR_NOMEM;
}

/* "mdbperf.dll is damaged: it was cut off ...", or that it could not be read. */
static int tell_unreadable(struct spg_fit_work *work, size_t index, int err,
	const char *part, const char *why)
{
	const struct spg_fit_module *module = &work->question->modules[index];
	struct spg_buf text = SPG_BUF_NULL;

	spg_text_escape(&text, module->name, false);
	spg_buf_puts(
		&text, is_damage(err) ? " is damaged: " : " could not be checked: ");
	if (part)
		spg_buf_printf(&text, "its %s: ", part);
	spg_text_escape(&text, why ? why : spg_err_text(err), false);
	if (!is_damage(err))
		return spg_fit_add_gap(work, index, &text);
	if (work->blamed[index]) {
		spg_buf_finish(&text);
		return 0;
	}
	work->blamed[index] = true;
	return spg_fit_add(work, SPG_FINDING_DAMAGED, index, NULL, NULL, NULL, &text);
}

/* What nobody can read of @index, and whether it is whole. Of a damaged version nothing
 * stops working. */
static int look_at_file(struct spg_fit_work *work, size_t index)
{
	const struct spg_fit_module *module = &work->question->modules[index];
	const struct spg_binary *binary = module->binary;
	int err = 0;

	if (module->is_link)
		return 0;
	if ((!binary && module->err == SPG_ERR_INVALID) ||
		(binary && binary->format == SPG_BINARY_SCRIPT)) {
		work->fit->n_foreign++;
		return 0;
	}
	if (!binary)
		return tell_unreadable(work, index, module->err, NULL, module->why);
	work->fit->n_checked++;
	for (enum spg_binary_part part = 0; err == 0 && part < SPG_BINARY_VERSION;
		part++)
		if (binary->status[part] != 0)
			err = tell_unreadable(work, index, binary->status[part],
				spg_binary_part_name(part),
				spg_binary_text(binary, binary->why[part]));
	if (err == 0 && module->why)
		err = tell_unreadable(work, index, SPG_ERR_CORRUPT, NULL, module->why);
	return err;
}

/* ---- one symbol ---- */

/* How the search for a symbol ended. */
struct outcome {
	enum { FOUND, NOT_EXPORTED, CIRCLE } what;
	size_t module;                /* where it is not exported */
	struct spg_fit_symbol symbol; /* what is not exported there */
	bool forwarded, several;
};

/* "NTDLL.RtlAllocateHeap", "FOO.#12": the last dot parts them. */
static bool parse_forwarder(const char *forwarder, struct spg_fit_text *ret_module,
	struct spg_fit_symbol *ret)
{
	const char *dot = strrchr(forwarder, '.');

	if (!dot || dot == forwarder || !dot[1])
		return false;
	*ret_module = (struct spg_fit_text){forwarder, (size_t)(dot - forwarder)};
	*ret = (struct spg_fit_symbol){.name = spg_fit_whole(dot + 1)};
	if (dot[1] == '#')
		*ret = (struct spg_fit_symbol){
			.ordinal = (uint32_t)strtoul(dot + 2, NULL, 10)};
	return true;
}

/* Was the place @module, @export come by before? If not, note it. */
static bool been_there(size_t (*seen)[2], size_t n, size_t module, size_t export)
{
	for (size_t i = 0; i < n; i++)
		if (seen[i][0] == module && seen[i][1] == export)
			return true;
	seen[n][0] = module;
	seen[n][1] = export;
	return false;
}

/* Follow @outcome->symbol from @outcome->module to where it ends. Damaged
 * modules on the way have their own finding, others are not ours: found. */
static int follow(struct spg_fit_work *work, struct outcome *outcome)
{
	const struct spg_fit_module *modules = work->question->modules;
	size_t seen[SPG_FIT_FORWARDS_MAX + 1][2];

	outcome->what = FOUND;
	for (size_t depth = 0;; depth++) {
		const struct spg_binary *binary = modules[outcome->module].binary;
		struct spg_fit_text name;
		const char *forwarder;
		struct spg_fit_target next;
		size_t export;
		int err;

		if (!binary || binary->status[SPG_BINARY_EXPORTS] != 0)
			return 0;
		err = spg_fit_index_export(
			&work->index, outcome->module, &outcome->symbol, &export);
		if (err < 0)
			return err;
		if (export == SPG_FIT_NONE) {
			outcome->what = NOT_EXPORTED;
			return 0;
		}
		forwarder = spg_binary_text(binary, binary->exports[export].forwarder);
		if (!forwarder)
			return 0;
		if (depth >= SPG_FIT_FORWARDS_MAX ||
			been_there(seen, depth, outcome->module, export)) {
			outcome->what = CIRCLE;
			return 0;
		}
		/* A forwarder to nowhere ends the program like a missing one. */
		if (!parse_forwarder(forwarder, &name, &outcome->symbol)) {
			outcome->what = NOT_EXPORTED;
			return 0;
		}
		next = spg_fit_index_module(&work->index, outcome->module, name);
		if (next.module == SPG_FIT_NONE)
			return 0;
		outcome->module = next.module;
		outcome->several = next.several;
		outcome->forwarded = true;
	}
}

static void put_symbol(struct spg_buf *out, const struct spg_fit_symbol *symbol)
{
	char *name;

	if (!symbol->name.text) {
		spg_buf_printf(out, "ordinal %u", symbol->ordinal);
		return;
	}
	name = strndup(symbol->name.text, symbol->name.n);
	if (name)
		spg_text_escape(out, name, false);
	else
		out->failed = true;
	free(name);
}

/* One import descriptor of @importer, and the file that it means. */
struct import {
	size_t importer, target;
	bool several; /* files have the target's name */
	bool delayed;
};

/* "dsamain.exe needs EcPerfOpenEx, which mdbperf.dll 5.5.2448.0 does not export" */
static int tell_missing(struct spg_fit_work *work, const struct import *import,
	const struct spg_fit_symbol *symbol, const struct outcome *outcome)
{
	const struct spg_fit_module *modules = work->question->modules;
	const struct spg_fit_module *last = &modules[outcome->module];
	struct spg_buf text = SPG_BUF_NULL, needs = SPG_BUF_NULL;
	char version[SPG_BINARY_VERSION_TEXT_BYTES];
	int err;

	put_symbol(&needs, symbol);
	spg_text_escape(&text, modules[import->importer].name, false);
	spg_buf_printf(&text, " needs %s, which ", spg_buf_text(&needs));
	if (outcome->forwarded || outcome->what == CIRCLE) {
		spg_fit_put_module(&text, &modules[import->target], import->several);
		spg_buf_puts(&text, " forwards ");
	}
	if (outcome->what == CIRCLE) {
		spg_buf_puts(&text, "without an end");
	} else if (outcome->forwarded) {
		spg_buf_puts(&text, "as ");
		put_symbol(&text, &outcome->symbol);
		spg_buf_puts(&text, " to ");
		spg_fit_put_module(&text, last, outcome->several);
		spg_buf_puts(&text, ", which does not export it");
	} else {
		spg_fit_put_module(&text, last, import->several);
		spg_buf_puts(&text, " does not export");
	}
	if (import->delayed)
		spg_buf_puts(&text, ", when it is first called");
	if (needs.failed)
		text.failed = true;
	err = spg_fit_add(work, SPG_FINDING_MISSING_EXPORT, import->importer,
		spg_buf_text(&needs), last->name, spg_fit_module_version(last, version),
		&text);
	/* Where there are too many, the last is another one, and nobody is told of it. */
	if (err == 0 && work->fit->n_more == 0)
		work->fit->findings[work->fit->n_findings - 1].late = import->delayed;
	spg_buf_finish(&needs);
	return err;
}

/* ---- one module that is imported ---- */

static int check_symbols(struct spg_fit_work *work, const struct import *import,
	const struct spg_binary *binary, const struct spg_binary_module *descriptor)
{
	for (uint32_t i = 0; i < descriptor->n; i++) {
		const struct spg_binary_import *symbol =
			&binary->imports[descriptor->first + i];
		struct spg_fit_symbol wanted = {.ordinal = symbol->ordinal};
		struct outcome outcome;
		int err;

		if (symbol->name)
			wanted.name =
				spg_fit_whole(spg_binary_text(binary, symbol->name));
		outcome = (struct outcome){.module = import->target, .symbol = wanted};
		err = follow(work, &outcome);
		if (err == 0 && outcome.what != FOUND)
			err = tell_missing(work, import, &wanted, &outcome);
		if (err < 0)
			return err;
	}
	return 0;
}

/* "mdbperf.dll is for x86, dsamain.exe for x64 and loads it" */
static int tell_architecture(struct spg_fit_work *work, const struct import *import)
{
	const struct spg_fit_module *importer =
		&work->question->modules[import->importer];
	const struct spg_fit_module *target = &work->question->modules[import->target];
	char machine[SPG_BINARY_MACHINE_BYTES], version[SPG_BINARY_VERSION_TEXT_BYTES];
	struct spg_buf text = SPG_BUF_NULL;

	spg_fit_put_module(&text, target, import->several);
	spg_buf_printf(&text, " is for %s, ",
		spg_binary_machine_name(target->binary, machine));
	spg_text_escape(&text, importer->name, false);
	spg_buf_printf(&text, " for %s and loads it",
		spg_binary_machine_name(importer->binary, machine));
	if (import->delayed)
		spg_buf_puts(&text, " when it is first called");
	return spg_fit_add(work, SPG_FINDING_ARCHITECTURE, import->importer, NULL,
		target->name, spg_fit_module_version(target, version), &text);
}

/* Imported, but no PE file: "mdbperf.dll is damaged: not a PE file: ..." */
static int tell_foreign(struct spg_fit_work *work, const struct import *import)
{
	const struct spg_fit_module *target = &work->question->modules[import->target];
	struct spg_buf text = SPG_BUF_NULL;

	if (work->blamed[import->target])
		return 0;
	work->blamed[import->target] = true;
	spg_text_escape(&text, target->name, false);
	spg_buf_puts(&text, " is damaged: ");
	spg_text_escape(&text, target->why ? target->why : "not a PE file", false);
	spg_buf_puts(&text, ", and ");
	spg_text_escape(&text, work->question->modules[import->importer].name, false);
	spg_buf_puts(&text, " loads it");
	return spg_fit_add(
		work, SPG_FINDING_DAMAGED, import->target, NULL, NULL, NULL, &text);
}

static int check_import(struct spg_fit_work *work, size_t importer,
	const struct spg_binary_module *descriptor)
{
	const struct spg_fit_module *modules = work->question->modules;
	const struct spg_binary *binary = modules[importer].binary;
	struct spg_fit_text name =
		spg_fit_whole(spg_binary_text(binary, descriptor->name));
	struct import import = {.importer = importer, .delayed = descriptor->delayed};
	const struct spg_fit_module *target;
	struct spg_fit_target found;
	char buf[SPG_FIT_NAME_BYTES];

	found = spg_fit_index_module(&work->index, importer, name);
	if (found.module == SPG_FIT_NONE)
		return spg_fit_library_missing(
			work, &(struct spg_fit_missing){.importer = importer,
				      .name = spg_fit_library_name(name, buf),
				      .delayed = descriptor->delayed,
				      .elsewhere = found.elsewhere});
	import.target = found.module;
	import.several = found.several;
	target = &modules[import.target];
	if (!target->binary)
		return target->err == SPG_ERR_INVALID ? tell_foreign(work, &import) : 0;
	if (target->binary->format != SPG_BINARY_PE)
		return tell_foreign(work, &import);
	if (!spg_binary_machines_agree(target->binary, binary))
		return tell_architecture(work, &import);
	return check_symbols(work, &import, binary, descriptor);
}

int spg_fit_entry_points(struct spg_fit_work *work)
{
	for (size_t i = 0; i < work->question->n_modules; i++) {
		const struct spg_binary *binary = work->question->modules[i].binary;
		int err = look_at_file(work, i);

		if (binary && binary->format != SPG_BINARY_PE)
			binary = NULL;
		for (uint32_t k = 0; err == 0 && binary && k < binary->n_modules; k++)
			err = check_import(work, i, &binary->modules[k]);
		if (err < 0)
			return err;
	}
	return 0;
}
