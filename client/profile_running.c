/* SPDX-License-Identifier: MIT */
/*
 * A profile of what runs: of a process, or of a unit and its processes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/profile_files.h"
#include "client/profile_unit.h"
#include "common/text.h"

#define MAPS_LINES_MAX 200000 /* of one process */

/* ---- the files that a process maps ---- */

/* The path in a line of maps, within it; NULL: none, or the file is gone. */
static char *path_in(char *line)
{
	char *path = strchr(line, '/');
	size_t n;

	if (!path)
		return NULL;
	n = strcspn(path, "\n");
	path[n] = '\0';
	spg_cut_deleted(path);
	/* What /proc escapes, a newline, can be no file of a profile. */
	return strstr(path, "\\012") ? NULL : path;
}

/* Each file once that @pid maps; false: it cannot be looked at. */
static bool mapped_by(struct spg_profile *profile, pid_t pid, struct spg_texts *ret)
{
	char name[64], line[8192];
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps)
		return false;
	for (size_t i = 0; i < MAPS_LINES_MAX && fgets(line, sizeof(line), maps); i++) {
		const char *path = path_in(line);

		/* One file's lines follow each other. */
		if (path && (ret->n == 0 || strcmp(ret->items[ret->n - 1], path) != 0))
			spg_profile_keep(profile, ret, path);
	}
	fclose(maps);
	spg_texts_sort(ret);
	return true;
}

static char *directory_of(const char *path)
{
	const char *name = spg_path_base(path);

	return name > path + 1 ? strndup(path, (size_t)(name - path) - 1) : strdup("/");
}

/* ---- whose directories they are ---- */

struct running {
	struct spg_profile *profile;
	struct spg_texts programs; /* of the application, resolved, sorted */
	struct spg_texts pids;     /* of its processes, as texts */
	struct spg_texts mapped;   /* by it, sorted */
	struct spg_texts others;   /* directories of what others map, sorted */
	size_t n_hidden;           /* other processes that may not be looked at */
};

/* What runs the programs of everybody is nobody's own. */
static bool is_interpreter(const char *program)
{
	static const char *const names[] = {"python*", "perl*", "ruby*", "php*",
		"node*", "sh", "dash", "bash", "mono*", "lua*", "tclsh*", "busybox",
		"env"};
	char *directory = directory_of(program);
	bool found = false;

	if (directory && spg_directory_is_common(directory))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			found |=
				spg_name_match(names[i], spg_path_base(program), false);
	free(directory);
	return found;
}

static bool is_own(const struct running *running, pid_t pid, const char *program)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return spg_texts_has(&running->pids, text) ||
	       (spg_texts_has(&running->programs, program) && !is_interpreter(program));
}

static bool add_of_another(void *user, pid_t pid)
{
	struct running *running = user;
	struct spg_texts mapped = SPG_TEXTS_NULL;
	char *program = spg_program_of_process(pid);

	if (program && !is_own(running, pid, program)) {
		if (!mapped_by(running->profile, pid, &mapped))
			running->n_hidden++;
		for (size_t i = 0; i < mapped.n; i++) {
			char *directory = directory_of(mapped.items[i]);

			if (!directory ||
				spg_texts_has(&running->mapped, mapped.items[i]))
				spg_profile_keep(
					running->profile, &running->others, directory);
			free(directory);
		}
	}
	spg_texts_finish(&mapped);
	free(program);
	return true;
}

static void take_programs(struct spg_profile *profile, const struct running *running)
{
	for (size_t i = 0; i < running->programs.n; i++) {
		const char *path = running->programs.items[i];

		if (is_interpreter(path))
			spg_profile_note(profile,
				"%s, which runs its programs, is of the system.", path);
		else if (spg_module_at(path) != SPG_MODULE_NONE)
			spg_profile_keep(profile, &profile->files, path);
	}
}

/* The application's programs, wherever they are, and its modules where nobody else has
 * any mapped. */
static void take_mapped(struct spg_profile *profile, struct running *running)
{
	size_t n_system = 0;

	spg_texts_sort(&running->programs);
	spg_texts_sort(&running->pids);
	spg_texts_sort(&running->mapped);
	spg_each_process(add_of_another, running);
	spg_texts_sort(&running->others);
	take_programs(profile, running);
	for (size_t i = 0; i < running->mapped.n; i++) {
		const char *path = running->mapped.items[i];
		char *directory = directory_of(path);
		bool own = directory && !spg_directory_is_common(directory) &&
		           !spg_texts_has(&running->others, directory);

		profile->failed |= !directory;
		if (own && spg_module_at(path) != SPG_MODULE_NONE)
			spg_profile_keep(profile, &profile->files, path);
		else if (!own && !spg_texts_has(&running->programs, path))
			n_system++;
		free(directory);
	}
	if (n_system > 0)
		spg_profile_note(profile,
			"%zu libraries of the system, and what other programs have "
			"mapped too, are left out.",
			n_system);
	if (running->n_hidden > 0)
		spg_profile_note(profile,
			"%zu other processes could not be looked at: as root there "
			"would be more to compare with.",
			running->n_hidden);
}

static void finish(struct running *running)
{
	spg_texts_finish(&running->programs);
	spg_texts_finish(&running->pids);
	spg_texts_finish(&running->mapped);
	spg_texts_finish(&running->others);
}

/* Returns 0 or an errno. */
static int add_process(struct running *running, pid_t pid)
{
	char *program = spg_program_of_process(pid);
	int err = program ? 0 : errno;

	if (program && !mapped_by(running->profile, pid, &running->mapped))
		err = errno;
	if (program && err == 0) {
		char text[16];

		snprintf(text, sizeof(text), "%d", (int)pid);
		spg_profile_keep(running->profile, &running->pids, text);
		spg_profile_keep_new(running->profile, &running->programs, program);
	}
	free(program);
	return err;
}

/* False after the complaint: there is nothing that is the application's own. */
static bool has_own(const struct spg_profile *profile, struct spg_complaint *why)
{
	if (profile->files.n > 0 || profile->failed)
		return true;
	spg_complain(why, "all that it runs, and maps, is of the system");
	spg_complaint_hint(why,
		"Name the directory of the application, or its package: "
		"spguard profile DIR, --package NAME");
	return false;
}

bool spg_profile_of_process(
	struct spg_profile *profile, pid_t pid, struct spg_complaint *why)
{
	struct running running = {.profile = profile};
	int err = add_process(&running, pid);
	char *unit;

	if (err != 0 || running.programs.n == 0) {
		spg_complain(why, "process %d: %s", (int)pid,
			err == ENOENT || err == ESRCH
				? "there is none, or it runs no program"
				: strerror(err));
		spg_complaint_hint(why, "%s",
			err == EACCES || err == EPERM
				? "To look at a process of another user you have to be "
				  "root, and outside of a container."
				: "ps -e");
		finish(&running);
		return false;
	}
	unit = spg_unit_of_process(pid);
	spg_profile_set_name(profile, spg_path_base(running.programs.items[0]));
	spg_profile_note(
		profile, "Process %d runs %s.", (int)pid, running.programs.items[0]);
	if (unit) {
		spg_profile_note(profile, "It is of the unit %s.", unit);
		spg_profile_add_unit(profile, unit);
	}
	free(unit);
	take_mapped(profile, &running);
	finish(&running);
	return has_own(profile, why);
}

/* ---- a unit ---- */

struct of_unit {
	const char *name;
	struct running *running;
	size_t n, n_hidden;
};

static bool add_of_unit(void *user, pid_t pid)
{
	struct of_unit *of = user;
	char *unit = spg_unit_of_process(pid);

	if (unit && strcmp(unit, of->name) == 0) {
		if (add_process(of->running, pid) == 0)
			of->n++;
		else
			of->n_hidden++;
	}
	free(unit);
	return true;
}

/* A program may be a link, or a script that starts another. */
static void add_program(
	struct spg_profile *profile, struct running *running, const char *path)
{
	char *resolved = realpath(path, NULL);
	bool module = resolved && spg_module_at(resolved) != SPG_MODULE_NONE;

	profile->failed |= !resolved && errno == ENOMEM;
	if (module)
		spg_profile_keep_new(running->profile, &running->programs, resolved);
	else
		spg_profile_note(profile, "%s, which it starts, is %s.", path,
			resolved ? "a script" : "not there");
	free(resolved);
}

/* "postgresql@15-main.service" is "postgresql-15-main". */
static void name_after(struct spg_profile *profile, const char *unit)
{
	char *name = strndup(unit, strlen(unit) - strlen(".service"));

	profile->failed |= !name;
	if (name)
		spg_profile_set_name(profile, name);
	free(name);
}

/* Its libraries lie beside its program, whether or not it runs now. */
static void add_beside(struct spg_profile *profile, const struct running *running)
{
	for (size_t i = 0; i < running->programs.n; i++) {
		char *directory = directory_of(running->programs.items[i]);
		struct spg_texts names = SPG_TEXTS_NULL;
		struct spg_buf path = SPG_BUF_NULL;

		profile->failed |= !directory;
		if (directory && !spg_directory_is_common(directory))
			profile->failed |= !spg_names_in(directory, &names);
		for (size_t n = 0; n < names.n; n++) {
			spg_buf_clear(&path);
			spg_buf_printf(&path, "%s/%s", directory, names.items[n]);
			profile->failed |= path.failed;
			if (spg_module_at(spg_buf_text(&path)) != SPG_MODULE_NONE)
				spg_profile_keep(
					profile, &profile->files, spg_buf_text(&path));
		}
		spg_buf_finish(&path);
		spg_texts_finish(&names);
		free(directory);
	}
}

static void add_library_path(struct spg_profile *profile, const struct spg_unit *unit)
{
	for (size_t i = 0; i < unit->library_path.n; i++) {
		const char *path = unit->library_path.items[i];
		bool windows = false;

		if (!spg_directory_is_common(path) && access(path, R_OK | X_OK) == 0) {
			struct spg_complaint why = SPG_COMPLAINT_NULL;

			if (!spg_modules_below(path, &profile->files, &windows, &why))
				spg_profile_note(profile, "Not all of it: %s",
					spg_buf_text(&why.why));
			spg_complaint_finish(&why);
		}
		spg_profile_keep_new(profile, &profile->library_path, path);
	}
}

static void note_processes(struct spg_profile *profile, const struct of_unit *of)
{
	if (of->n > 0)
		spg_profile_note(
			profile, "%zu of its processes were looked at.", of->n);
	else
		spg_profile_note(profile, "No process of it was looked at: the plugins "
					  "that it loads are not known.");
	if (of->n_hidden > 0)
		spg_profile_note(profile,
			"%zu of its processes could not be looked at: be root.",
			of->n_hidden);
}

bool spg_profile_of_unit(
	struct spg_profile *profile, const char *name, struct spg_complaint *why)
{
	struct spg_unit unit = SPG_UNIT_NULL;
	struct running running = {.profile = profile};
	struct of_unit of = {.name = name, .running = &running};
	bool good = spg_unit_find(&unit, name, profile->limit_ns, why);

	profile->failed |= unit.failed;
	if (good) {
		name_after(profile, name);
		if (unit.path)
			spg_profile_note(
				profile, "The unit %s is %s.", name, unit.path);
		for (size_t i = 0; i < unit.programs.n; i++)
			add_program(profile, &running, unit.programs.items[i]);
		spg_each_process(add_of_unit, &of);
		note_processes(profile, &of);
		add_beside(profile, &running);
		add_library_path(profile, &unit);
		take_mapped(profile, &running);
		spg_profile_add_unit(profile, name);
		good = has_own(profile, why);
	}
	spg_unit_finish(&unit);
	finish(&running);
	return good;
}
