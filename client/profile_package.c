/* SPDX-License-Identifier: MIT */
#include "client/profile_package.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/helper.h"
#include "client/profile_files.h"
#include "client/profile_relations.h"
#include "client/profile_unit.h"
#include "common/array.h"
#include "common/text.h"

#define MANAGER_BYTES_MAX (64U << 20)
#define FILES_MAX         200000 /* of the packages together */
#define CHOSEN_MAX        500
#define SCRIPTS_MAX       40  /* packages whose scripts are read */
#define ASKED_MAX         500 /* files whose package is asked for, at once */

#define DPKG_ROW                                                                       \
	"${binary:Package}\t${source:Package}\t${source:Version}\t${Version}\t"        \
	"${db:Status-Status}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
#define RPM_ROW                                                                        \
	"%{NAME}\t%{SOURCERPM}\t\t%{VERSION}-%{RELEASE}\tinstalled\t"                  \
	"[%{REQUIRENAME} (%{REQUIREFLAGS:depflags} %{REQUIREVERSION}), ]\t"            \
	"[%{PROVIDENAME}, ]\n"

/* One that is installed. All texts are borrowed from the list they were read from. */
struct package {
	const char *name; /* "libc6:amd64" */
	const char *source, *source_version, *version;
	const char *needs;    /* "libc6 (>= 2.34), a | b" */
	const char *provides; /* the same */
	bool chosen;
	bool plugin; /* chosen since it is made for what another provides */
};

/* What a package manager is asked; each answer is text of lines. */
enum question {
	ASK_ALL,    /* a line for each: fields of struct package, by tabs */
	ASK_FILES,  /* of packages */
	ASK_OWNERS, /* of files: "NAME: PATH", or "NAME" */
	ASK_BEFORE, /* the script of one that runs before */
	ASK_AFTER,  /* and after its files are replaced */
	QUESTIONS
};

/* What asks dpkg and rpm the same. */
static const struct {
	const char *words[QUESTIONS][5];
} managers[] = {
	{{
		[ASK_ALL] = {"dpkg-query", "-W", "-f", DPKG_ROW},
		[ASK_FILES] = {"dpkg-query", "-L", "--"},
		[ASK_OWNERS] = {"dpkg-query", "-S", "--"},
		/* These take one operand and then the script's name. */
		[ASK_BEFORE] = {"dpkg-query", "--control-show"},
		[ASK_AFTER] = {"dpkg-query", "--control-show"},
	}},
	{{
		[ASK_ALL] = {"rpm", "-qa", "--qf", RPM_ROW},
		[ASK_FILES] = {"rpm", "-ql", "--"},
		[ASK_OWNERS] = {"rpm", "-qf", "--qf", "%{NAME}\n", "--"},
		/* All scripts in one answer: it is asked for once. */
		[ASK_AFTER] = {"rpm", "-q", "--scripts", "--"},
	}},
};

#define N_MANAGERS (sizeof(managers) / sizeof(managers[0]))

struct packages {
	struct spg_profile *profile;
	size_t manager; /* index of managers[] */
	struct spg_buf text;
	struct package *items;
	size_t n, size;
	struct spg_texts units;   /* paths of .service files */
	struct spg_texts asked;   /* directories whose other files were asked about */
	struct spg_texts scripts; /* of the chosen */
	size_t scripts_of[SCRIPTS_MAX]; /* index of the package, one each */
};

static int ask(const struct packages *p, enum question question, char *const *operands,
	size_t n, struct spg_buf *ret, struct spg_complaint *why)
{
	const char *const *words = managers[p->manager].words[question];
	char **argv = calloc(n + 6, sizeof(*argv));
	size_t argc = 0;
	int code;

	if (!argv) {
		spg_complain(why, "out of memory");
		return SPG_HELPER_FAILED;
	}
	while (argc < 5 && words[argc]) {
		argv[argc] = (char *)words[argc];
		argc++;
	}
	if (n > 0)
		memcpy(argv + argc, operands, n * sizeof(*operands));
	code = spg_helper_run(argv, p->profile->limit_ns, MANAGER_BYTES_MAX, ret, why);
	free(argv);
	if (ret->failed)
		spg_complain(why, "out of memory");
	return ret->failed ? SPG_HELPER_FAILED : code;
}

/* ---- which packages ---- */

static const char *next_field(char **rest)
{
	const char *field = strsep(rest, "\t");

	return field ? field : "";
}

static void take_row(struct packages *p, char *line)
{
	struct package package = {.name = next_field(&line)};
	const char *status;

	package.source = next_field(&line);
	package.source_version = next_field(&line);
	package.version = next_field(&line);
	status = next_field(&line);
	package.needs = next_field(&line);
	package.provides = next_field(&line);
	if (strcmp(status, "installed") != 0 || !spg_package_is_name(package.name))
		return;
	if (spg_array_reserve(&p->items, p->n, &p->size, sizeof(*p->items)) < 0)
		p->profile->failed = true;
	else
		p->items[p->n++] = package;
}

/* "nginx" is "nginx:amd64" too. */
static bool is_called(const struct package *package, const char *name)
{
	size_t n = strcspn(package->name, ":");

	return strcmp(package->name, name) == 0 ||
	       (strlen(name) == n && strncmp(package->name, name, n) == 0);
}

/* Returns 1: @name is chosen; 0: the manager is not there, or does not have it; -1 after
 * the complaint. */
static int find_in(struct packages *p, const char *name, struct spg_complaint *why)
{
	char *save = NULL;
	int code;

	spg_buf_clear(&p->text);
	p->n = 0;
	code = ask(p, ASK_ALL, NULL, 0, &p->text, why);
	if (code == SPG_HELPER_FAILED)
		return -1;
	if (code != 0 || p->text.len == 0)
		return 0;
	for (char *line = strtok_r(p->text.data, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save))
		take_row(p, line);
	for (size_t i = 0; i < p->n; i++) {
		if (is_called(&p->items[i], name)) {
			p->items[i].chosen = true;
			return 1;
		}
	}
	return 0;
}

static bool is_same_release(const struct package *a, const struct package *b)
{
	return strcmp(a->source, b->source) == 0 &&
	       strcmp(a->source_version, b->source_version) == 0;
}

static bool belongs(struct package *other, const struct package *chosen)
{
	if (is_same_release(other, chosen) &&
		(spg_package_names_exactly(
			 other->needs, chosen->name, chosen->version) ||
			spg_package_names_exactly(
				chosen->needs, other->name, other->version)))
		return true;
	other->plugin = spg_package_is_made_for(other->needs, chosen->provides);
	return other->plugin;
}

static size_t count_chosen(const struct packages *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->items[i].chosen;
	return n;
}

/* All that is installed with the chosen as one, and what is made for them. */
static void choose_companions(struct packages *p)
{
	bool more = true;

	while (more && count_chosen(p) < CHOSEN_MAX) {
		more = false;
		for (size_t i = 0; i < p->n; i++) {
			struct package *other = &p->items[i];

			for (size_t c = 0; c < p->n && !other->chosen; c++)
				if (p->items[c].chosen && !p->items[c].plugin &&
					belongs(other, &p->items[c]))
					more = other->chosen = true;
		}
	}
}

static bool needs_a_chosen(const struct packages *p, const struct package *package)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].chosen &&
			spg_package_needs(package->needs, p->items[i].name))
			return true;
	return false;
}

/* ---- their files ---- */

static bool is_unit(const char *path)
{
	return strstr(path, "/systemd/system/") &&
	       spg_unit_is_name(spg_path_base(path));
}

static void take_file(struct packages *p, const char *path)
{
	char *resolved = spg_resolve_directory_of(path);
	struct stat st;

	p->profile->failed |= !resolved && errno == ENOMEM;
	/* A link is another name of a unit, or stands for none. */
	if (resolved && is_unit(resolved) && lstat(resolved, &st) == 0 &&
		S_ISREG(st.st_mode))
		spg_profile_keep(p->profile, &p->units, resolved);
	else if (resolved && spg_module_at(resolved) != SPG_MODULE_NONE)
		spg_profile_keep(p->profile, &p->profile->files, resolved);
	free(resolved);
}

/* The files of all that are chosen; false after the complaint. */
static bool read_files(struct packages *p, struct spg_complaint *why)
{
	struct spg_texts names = SPG_TEXTS_NULL;
	struct spg_buf text = SPG_BUF_NULL;
	char *save = NULL;
	size_t n = 0;
	int code;

	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].chosen)
			spg_profile_keep(p->profile, &names, p->items[i].name);
	code = ask(p, ASK_FILES, names.items, names.n, &text, why);
	spg_texts_finish(&p->profile->files);
	spg_texts_finish(&p->units);
	for (char *line = code == 0 && text.len ? strtok_r(text.data, "\n", &save)
	                                        : NULL;
		line && ++n <= FILES_MAX; line = strtok_r(NULL, "\n", &save))
		if (spg_package_path_of_line(line))
			take_file(p, spg_package_path_of_line(line));
	spg_texts_sort(&p->profile->files);
	spg_texts_sort(&p->units);
	spg_texts_finish(&names);
	spg_buf_finish(&text);
	if (n > FILES_MAX)
		spg_complain(why, "the package has more than %d files", FILES_MAX);
	else if (code > 0)
		spg_complain(why, "%s says nothing of the package's files",
			managers[p->manager].words[ASK_FILES][0]);
	else if (code == SPG_HELPER_MISSING)
		spg_complain(why, "the package manager is gone");
	return n <= FILES_MAX && code == 0;
}

/* ---- whose the directories are ---- */

static struct package *find_package(struct packages *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (is_called(&p->items[i], name))
			return &p->items[i];
	return NULL;
}

/* Another package has a module in @directory. True: it is chosen now. */
static bool take_owner(struct packages *p, const char *name, const char *directory)
{
	struct package *owner = find_package(p, name);

	if (!owner || owner->chosen)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].chosen && is_same_release(owner, &p->items[i])) {
			owner->chosen = true;
			return true;
		}
	}
	if (needs_a_chosen(p, owner))
		spg_profile_note(p->profile,
			"%s, which needs them, has libraries in %s, too.", name,
			directory);
	else
		spg_profile_keep_new(p->profile, &p->profile->foreign, directory);
	return false;
}

/* "NAME: PATH", "NAME, NAME: PATH", "NAME" */
static bool take_owners(struct packages *p, char *line, const char *directory)
{
	char *end = strstr(line, ": /"), *save = NULL;
	bool more = false;

	if (end)
		*end = '\0';
	for (char *name = strtok_r(line, ", ", &save); name;
		name = strtok_r(NULL, ", ", &save))
		if (spg_package_is_name(name))
			more |= take_owner(p, name, directory);
	return more;
}

/* The same file, as a package names it that was made before /lib moved to /usr/lib. */
static void add_both_ways(
	const struct packages *p, struct spg_texts *paths, const char *path)
{
	spg_profile_keep(p->profile, paths, path);
	if (strncmp(path, "/usr/lib", 8) == 0 || strncmp(path, "/usr/bin", 8) == 0 ||
		strncmp(path, "/usr/sbin", 9) == 0)
		spg_profile_keep(p->profile, paths, path + 4);
}

/* Modules in @directory that are of no chosen package. */
static void find_foreign(
	const struct packages *p, const char *directory, struct spg_texts *ret)
{
	struct spg_texts names = SPG_TEXTS_NULL;
	struct spg_buf path = SPG_BUF_NULL;

	p->profile->failed |= !spg_names_in(directory, &names);
	for (size_t i = 0; i < names.n && ret->n < ASKED_MAX; i++) {
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s/%s", directory, names.items[i]);
		/* dpkg-query -S takes patterns. */
		if (!path.failed && spg_name_is_literal(spg_buf_text(&path)) &&
			!spg_texts_has(&p->profile->files, spg_buf_text(&path)) &&
			spg_module_at(spg_buf_text(&path)) != SPG_MODULE_NONE)
			add_both_ways(p, ret, spg_buf_text(&path));
	}
	spg_buf_finish(&path);
	spg_texts_finish(&names);
}

/* Returns 1: packages were chosen, 0: none, -1 after the complaint. */
static int look_at_directory(
	struct packages *p, const char *directory, struct spg_complaint *why)
{
	struct spg_texts foreign = SPG_TEXTS_NULL;
	struct spg_buf text = SPG_BUF_NULL;
	char *save = NULL;
	int r = 0, code = 0;

	find_foreign(p, directory, &foreign);
	if (foreign.n > 0)
		code = ask(p, ASK_OWNERS, foreign.items, foreign.n, &text, why);
	/* 1: nobody's; rpm counts those. */
	if (code > 1 && p->manager == 0) {
		spg_complain(why, "dpkg-query does not say whose files are in %s",
			directory);
		r = -1;
	}
	if (code < 0)
		r = -1;
	for (char *line = r == 0 && text.len ? strtok_r(text.data, "\n", &save) : NULL;
		line; line = strtok_r(NULL, "\n", &save))
		if (take_owners(p, line, directory))
			r = 1;
	spg_texts_finish(&foreign);
	spg_buf_finish(&text);
	return r;
}

static int look_at_directories(struct packages *p, struct spg_complaint *why)
{
	const struct spg_texts *files = &p->profile->files;
	struct spg_texts directories = SPG_TEXTS_NULL;
	int r = 0;

	for (size_t i = 0; i < files->n; i++) {
		const char *name = spg_path_base(files->items[i]);
		char *directory =
			strndup(files->items[i], (size_t)(name - files->items[i]) - 1);

		if (!directory || (*directory && !spg_directory_is_common(directory)))
			spg_profile_keep(p->profile, &directories, directory);
		free(directory);
	}
	spg_texts_sort(&directories);
	for (size_t i = 0; r == 0 && i < directories.n; i++) {
		if (spg_texts_has(&p->asked, directories.items[i]))
			continue;
		r = look_at_directory(p, directories.items[i], why);
		if (r == 0) {
			spg_profile_keep(p->profile, &p->asked, directories.items[i]);
			spg_texts_sort(&p->asked);
		}
	}
	spg_texts_finish(&directories);
	return r;
}

/* Read the files, and again with the packages that share their directories. */
static bool read_all_files(struct packages *p, struct spg_complaint *why)
{
	int r;

	do {
		choose_companions(p);
		if (!read_files(p, why))
			return false;
		r = look_at_directories(p, why);
	} while (r > 0 && count_chosen(p) < CHOSEN_MAX);
	return r >= 0;
}

/* ---- what is stopped ---- */

/* What the scripts of @package say, before and after its files are replaced. */
static void read_script(
	const struct packages *p, const struct package *package, struct spg_buf *ret)
{
	static const struct {
		enum question question;
		const char *script;
	} scripts[] = {{ASK_BEFORE, "prerm"}, {ASK_AFTER, "postinst"}};

	for (size_t i = 0; i < 2; i++) {
		char *operands[] = {(char *)package->name, (char *)scripts[i].script};
		struct spg_complaint why = SPG_COMPLAINT_NULL;
		struct spg_buf text = SPG_BUF_NULL;

		/* Without an answer nobody is taken to be stopped. */
		if (managers[p->manager].words[scripts[i].question][0] &&
			ask(p, scripts[i].question, operands, p->manager == 0 ? 2 : 1,
				&text, &why) == 0)
			spg_buf_printf(ret, "%s\n", spg_buf_text(&text));
		spg_buf_finish(&text);
		spg_complaint_finish(&why);
	}
}

static void read_scripts(struct packages *p)
{
	struct spg_buf text = SPG_BUF_NULL;

	for (size_t i = 0; i < p->n && p->scripts.n < SCRIPTS_MAX; i++) {
		if (!p->items[i].chosen || p->items[i].plugin)
			continue;
		spg_buf_clear(&text);
		read_script(p, &p->items[i], &text);
		p->scripts_of[p->scripts.n] = i;
		if (spg_texts_add(&p->scripts, spg_buf_text(&text)) < 0)
			break;
	}
	spg_buf_finish(&text);
}

/* The package whose scripts stop or restart @unit while they replace it; NULL: none. */
static const struct package *who_stops(const struct packages *p, const char *unit)
{
	for (size_t i = 0; i < p->scripts.n; i++)
		if (spg_package_script_stops(p->scripts.items[i], unit))
			return &p->items[p->scripts_of[i]];
	return NULL;
}

/* What runs of the application: a process's program and its unit. */
struct running {
	struct packages *packages;
	struct spg_texts units, programs; /* one each */
};

static bool note_process(void *user, pid_t pid)
{
	struct running *running = user;
	char *program = spg_program_of_process(pid), *unit = NULL;

	if (program && spg_texts_has(&running->packages->profile->files, program))
		unit = spg_unit_of_process(pid);
	if (unit) {
		spg_profile_keep(running->packages->profile, &running->units, unit);
		spg_profile_keep(running->packages->profile, &running->programs,
			spg_path_base(program));
	}
	free(unit);
	free(program);
	return true;
}

static void add_own(
	const struct packages *p, const struct spg_texts *paths, struct spg_texts *ret)
{
	for (size_t i = 0; i < paths->n; i++) {
		char *resolved = realpath(paths->items[i], NULL);

		p->profile->failed |= !resolved && errno == ENOMEM;
		if (resolved && spg_texts_has(&p->profile->files, resolved))
			spg_profile_keep_new(p->profile, ret, spg_path_base(resolved));
		free(resolved);
	}
}

/* The application's programs that the unit runs, of whose file @path is. */
static void programs_of(const struct packages *p, const char *path,
	const struct spg_unit *unit, const struct running *running,
	struct spg_texts *ret)
{
	const char *name = spg_path_base(path);

	add_own(p, &unit->programs, ret);
	add_own(p, &unit->named, ret);
	for (size_t i = 0; i < running->units.n; i++)
		if (strcmp(running->units.items[i], name) == 0)
			spg_profile_keep_new(
				p->profile, ret, running->programs.items[i]);
}

static void add_stops(struct packages *p, const char *unit, const struct package *who,
	const struct spg_texts *programs)
{
	struct spg_buf note = SPG_BUF_NULL;

	spg_buf_printf(
		&note, "%s: the scripts of the package %s stop it.", unit, who->name);
	for (size_t i = 0; i < programs->n; i++)
		spg_profile_add_stop(
			p->profile, programs->items[i], spg_buf_text(&note));
	spg_buf_finish(&note);
}

static void take_unit(
	struct packages *p, const char *path, const struct running *running)
{
	const char *name = spg_path_base(path);
	struct spg_texts programs = SPG_TEXTS_NULL;
	struct spg_unit unit = SPG_UNIT_NULL;
	const struct package *who;

	(void)spg_unit_read_file(&unit, path);
	p->profile->failed |= unit.failed;
	programs_of(p, path, &unit, running, &programs);
	/* A template is stopped by its instances; what runs is added by who runs. */
	if (strchr(name, '@')) {
		if (programs.n > 0)
			spg_profile_note(p->profile,
				"%s is a template: stop its instances.", name);
	} else if (!unit.oneshot && unit.programs.n > 0) {
		/* What it runs may be a script: then nobody can say whom that starts. */
		who = programs.n > 0 ? who_stops(p, name) : NULL;
		if (who)
			add_stops(p, name, who, &programs);
		else
			spg_profile_add_unit(p->profile, name);
	}
	spg_unit_finish(&unit);
	spg_texts_finish(&programs);
}

static bool is_stopped(const struct spg_profile *profile, const char *program)
{
	for (size_t i = 0; i < profile->stops.n; i++)
		if (strcmp(profile->stops.items[i], program) == 0)
			return true;
	return false;
}

static void take_units(struct packages *p)
{
	struct running running = {.packages = p};

	if (p->units.n > 0)
		read_scripts(p);
	spg_each_process(note_process, &running);
	for (size_t i = 0; i < p->units.n; i++)
		take_unit(p, p->units.items[i], &running);
	for (size_t i = 0; i < running.units.n; i++)
		if (!is_stopped(p->profile, running.programs.items[i]))
			spg_profile_add_unit(p->profile, running.units.items[i]);
	spg_texts_finish(&running.units);
	spg_texts_finish(&running.programs);
}

static void note_packages(struct packages *p)
{
	struct spg_buf own = SPG_BUF_NULL, plugins = SPG_BUF_NULL;

	for (size_t i = 0; i < p->n; i++) {
		struct spg_buf *to = p->items[i].plugin ? &plugins : &own;

		if (p->items[i].chosen)
			spg_buf_printf(
				to, "%s%s", to->len ? ", " : "", p->items[i].name);
	}
	p->profile->failed |= own.failed || plugins.failed;
	spg_profile_note(p->profile, "The files of: %s.", spg_buf_text(&own));
	if (plugins.len)
		spg_profile_note(p->profile, "And what is made for them: %s.",
			spg_buf_text(&plugins));
	spg_buf_finish(&own);
	spg_buf_finish(&plugins);
}

/* The first manager that has it. */
static bool find(struct packages *p, const char *name, struct spg_complaint *why)
{
	int r = 0;

	for (p->manager = 0; p->manager < N_MANAGERS; p->manager++) {
		r = find_in(p, name, why);
		if (r != 0)
			break;
	}
	if (r == 0) {
		spg_complain(why, "the package %s is not installed", name);
		spg_complaint_hint(why, "dpkg -l, or rpm -qa, lists those that are.");
	}
	return r > 0;
}

bool spg_profile_of_package(
	struct spg_profile *profile, const char *name, struct spg_complaint *why)
{
	struct packages p = {.profile = profile, .text = SPG_BUF_NULL};
	char *plain = strndup(name, strcspn(name, ":"));
	bool good = plain && find(&p, name, why) && read_all_files(&p, why);

	if (!plain)
		spg_complain(why, "out of memory");
	if (good) {
		spg_profile_set_name(profile, plain);
		profile->by_rename = true;
		note_packages(&p);
		take_units(&p);
	}
	free(plain);
	free(p.items);
	spg_buf_finish(&p.text);
	spg_texts_finish(&p.units);
	spg_texts_finish(&p.asked);
	spg_texts_finish(&p.scripts);
	return good;
}
