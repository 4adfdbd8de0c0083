/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/install.h"

#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"

/* Who did it, or NULL (null). */
static json_t *render_who(const struct spg_process *process)
{
	json_t *out;
	int r = 0;

	if (!process)
		return json_null();
	out = json_object();
	r |= json_object_set_new(out, "pid", json_integer(process->id.pid));
	r |= json_object_set_new(out, "name", spg_render_text(process->name));
	r |= json_object_set_new(out, "user", spg_render_text(process->user));
	r |= json_object_set_new(out, "cmdline", spg_render_text(process->cmdline));
	return spg_render_done(out, r);
}

static json_t *render_command(const struct spg_install *install)
{
	struct spg_buf command = SPG_BUF_NULL;
	json_t *out;

	spg_install_put_command(install, &command);
	out = command.failed ? NULL
	                     : spg_render_text(command.len ? command.data : NULL);
	spg_buf_finish(&command);
	return out;
}

/* Who knows what it is of; NULL: nobody. */
static json_t *render_package(const char *name, const char *version)
{
	return name ? json_pack("{s:o, s:o}", "name", spg_render_text(name), "version",
			      spg_render_text(version))
	            : json_null();
}

static json_t *render_packages(const struct spg_install *install)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < install->n_packages; i++) {
		const struct spg_install_package *p = &install->packages[i];

		r |= json_array_append_new(out,
			json_pack("{s:o, s:o, s:o, s:b}", "name",
				spg_render_text(p->name), "from",
				spg_render_text(p->from), "to", spg_render_text(p->to),
				"from_known", p->from_known));
	}
	return spg_render_done(out, r);
}

static json_t *render_holders(const struct spg_install_file *file)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < file->n_holders; i++) {
		const struct spg_process *p = file->holders[i].process;
		json_t *row = json_object();

		r |= json_object_set_new(row, "pid", json_integer(p->id.pid));
		r |= json_object_set_new(row, "name", spg_render_text(p->name));
		r |= json_object_set_new(
			row, "how", spg_render_hows(file->holders[i].how));
		r |= json_object_set_new(row, "unit", spg_render_text(p->unit));
		r |= json_array_append_new(out, row);
	}
	return spg_render_done(out, r);
}

static json_t *render_file(const struct spg_install_file *file)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "path", spg_render_text(file->path));
	r |= json_object_set_new(
		out, "change", json_string(spg_install_change_name(file->change)));
	r |= json_object_set_new(out, "guessed", json_boolean(file->guessed));
	r |= json_object_set_new(
		out, "from_version", spg_render_text(file->from_version));
	r |= json_object_set_new(out, "to_version", spg_render_text(file->to_version));
	r |= json_object_set_new(out, "from_sha256",
		file->from_sha256[0] ? json_string(file->from_sha256) : json_null());
	r |= json_object_set_new(out, "to_sha256",
		file->to_sha256[0] ? json_string(file->to_sha256) : json_null());
	r |= json_object_set_new(
		out, "package", render_package(file->package, file->package_version));
	r |= json_object_set_new(out, "holders", render_holders(file));
	return spg_render_done(out, r);
}

json_t *spg_render_install(const struct spg_install *install, bool whole)
{
	json_t *out = json_object(), *files;
	size_t skipped = spg_install_count(install, SPG_CHANGE_SKIPPED);
	int r = 0;

	r |= json_object_set_new(out, "id", json_integer(install->id));
	r |= json_object_set_new(out, "product", spg_render_text(install->product));
	r |= json_object_set_new(out, "began", spg_render_time(install->began_ns));
	r |= json_object_set_new(out, "ended", spg_render_time(install->ended_ns));
	r |= json_object_set_new(out, "outcome",
		json_string(spg_install_outcome_name(install->outcome)));
	r |= json_object_set_new(out, "follows",
		install->follows ? json_integer(install->follows) : json_null());
	r |= json_object_set_new(out, "by", render_who(install->by));
	r |= json_object_set_new(out, "command", render_command(install));
	r |= json_object_set_new(out, "packages", render_packages(install));
	r |= json_object_set_new(out, "changed",
		json_integer(
			(json_int_t)(install->n_files + install->n_more - skipped)));
	r |= json_object_set_new(out, "skipped", json_integer((json_int_t)skipped));
	r |= json_object_set_new(out, "reasons", spg_render_notes(&install->reasons));
	r |= json_object_set_new(out, "next", spg_render_notes(&install->next));
	if (!whole)
		return spg_render_done(out, r);
	files = json_array();
	for (size_t i = 0; i < install->n_files; i++)
		r |= json_array_append_new(files, render_file(&install->files[i]));
	r |= json_object_set_new(out, "files", files);
	r |= json_object_set_new(out, "findings", spg_render_notes(&install->findings));
	return spg_render_done(out, r);
}

json_t *spg_render_sidestep(const struct spg_sidestep *sidestep)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(
		out, "id", sidestep->id ? json_integer(sidestep->id) : json_null());
	r |= json_object_set_new(out, "product", spg_render_text(sidestep->product));
	r |= json_object_set_new(out, "path", spg_render_text(sidestep->path));
	r |= json_object_set_new(out, "old_path", spg_render_text(sidestep->old_path));
	r |= json_object_set_new(
		out, "obstacles", spg_render_obstacles(sidestep->obstacles));
	r |= json_object_set_new(
		out, "state", json_string(spg_sidestep_state_name(sidestep->state)));
	r |= json_object_set_new(out, "at", spg_render_time(sidestep->at_ns));
	r |= json_object_set_new(out, "changed", spg_render_time(sidestep->changed_ns));
	r |= json_object_set_new(out, "text", spg_render_text(sidestep->detail));
	return spg_render_done(out, r);
}
