/* SPDX-License-Identifier: MIT */
/*
 * Programs and libraries of Linux: what each lacks when it is loaded (elf_set.h), against
 * how they are used. A program is judged with all it loads. A library that no program of
 * the product needs is a plugin: what it does not find itself it may have from the program
 * that loads it, or from another plugin; who that is, the symbols tell.
 */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/elf_set.h"
#include "daemon/install/fit/elf_words.h"
#include "daemon/install/fit/parts.h"

#define ASSUMED_MAX     16 /* folders in which libraries are taken to be looked for */
#define HOSTS_MAX       8  /* that together load one plugin */
#define DEFINITIONS_MAX 64 /* looked at for one symbol */
#define PROGRAMS_MAX    32 /* of which one may load a plugin */
/* So many symbols of a plugin a library may have lost; more are those of a program that is
 * not here. */
#define LOST_MAX        3

/* A program or a library in hand. */
struct root {
	size_t object;
	struct spg_elf_loading loading;
	const char **directories; /* the library-path, and folders that are assumed */
	size_t n_directories;
	char *assumed[ASSUMED_MAX];
	size_t n_assumed;
	bool lacks_library, is_unseen;
};

struct judging {
	struct spg_fit_work *work;
	const struct spg_fit_question *question;
	struct spg_elf_set set;
	bool *covered;  /* objects that were loaded with one that was judged */
	uint8_t **told; /* per object: lacks that have been told */
	bool *hinted;   /* per module: it stands where the loader does not look */
};

static bool is_elf(const struct judging *j, size_t module)
{
	const struct spg_binary *binary = j->question->modules[module].binary;

	return binary && binary->format == SPG_BINARY_ELF &&
	       !j->question->modules[module].is_link;
}

static const struct spg_binary *binary_of(const struct judging *j, size_t object)
{
	return spg_elf_set_object(&j->set, object).binary;
}

/* Has it been told of that object? Then not again. */
static int note_told(struct judging *j, const struct spg_elf_lack *lack, bool *ret_was)
{
	const struct spg_binary *b = binary_of(j, lack->object);
	size_t at = lack->index;
	uint8_t *told = j->told[lack->object];

	if (!told) {
		told = calloc(
			(size_t)b->n_modules + b->n_versions + b->n_imports + 1, 1);
		if (!told)
			return SPG_ERR_NOMEM;
		j->told[lack->object] = told;
	}
	if (lack->kind != SPG_ELF_NO_LIBRARY)
		at += b->n_modules;
	if (lack->kind == SPG_ELF_NO_SYMBOL)
		at += b->n_versions;
	*ret_was = told[at];
	told[at] = 1;
	return 0;
}

/* ---- loading one ---- */

static void finish_root(struct root *root)
{
	spg_elf_loading_finish(&root->loading);
	for (size_t i = 0; i < root->n_assumed; i++)
		free(root->assumed[i]);
	free(root->directories);
}

/* A library of that name in another folder of the product: whoever starts the program may
 * tell the loader to look there. */
static size_t find_elsewhere(struct judging *j, const struct spg_elf_lack *lack)
{
	const struct spg_binary *needs = binary_of(j, lack->object);
	const char *name = spg_binary_text(needs, needs->modules[lack->index].name);
	const struct spg_fit_namesakes *modules = &j->work->index.modules;
	size_t first, n = spg_fit_namesakes_find(modules, spg_fit_whole(name), &first);

	for (size_t at = first; at < first + n; at++) {
		size_t i = modules->files[at].index;
		const struct spg_fit_module *module = &j->question->modules[i];

		if (strcmp(module->name, name) == 0 && module->binary &&
			spg_binary_machines_agree(module->binary, needs))
			return i;
	}
	return SPG_FIT_NONE;
}

static int assume(struct judging *j, struct root *root, size_t library)
{
	const char *path = j->question->modules[library].path;
	char *folder = strndup(path, (size_t)(spg_path_base(path) - path));

	if (!folder)
		return SPG_ERR_NOMEM;
	root->assumed[root->n_assumed++] = folder;
	root->directories[root->n_directories++] = folder;
	return 0;
}

/* Of a program nobody knows whether it starts; a plugin is loaded by one that may have the
 * library already. */
static int tell_elsewhere(struct judging *j, const struct root *root,
	const struct spg_elf_lack *lack, size_t library)
{
	bool is_program = root->object < j->question->n_modules &&
	                  !binary_of(j, root->object)->is_dll;

	return spg_elf_tell_elsewhere(
		j->work, &j->set, root->object, lack, library, !is_program);
}

/* Folders for libraries that are not found, but are in the product: how many more. */
static int assume_more(struct judging *j, struct root *root)
{
	size_t before = root->n_assumed;
	int err = 0;

	for (size_t i = 0; err == 0 && i < root->loading.n_lacks; i++) {
		const struct spg_elf_lack *lack = &root->loading.lacks[i];
		size_t library;

		if (lack->kind != SPG_ELF_NO_LIBRARY || root->n_assumed >= ASSUMED_MAX)
			continue;
		library = find_elsewhere(j, lack);
		if (library == SPG_FIT_NONE)
			continue;
		/* Of many that need it, one is enough. */
		if (!j->hinted[library])
			err = tell_elsewhere(j, root, lack, library);
		j->hinted[library] = true;
		if (err == 0)
			err = assume(j, root, library);
	}
	return err < 0 ? err : root->n_assumed > before;
}

static int load(struct judging *j, size_t object, struct root *ret)
{
	size_t n = j->question->n_library_path;
	int err;

	*ret = (struct root){.object = object};
	ret->directories = calloc(n + ASSUMED_MAX, sizeof(ret->directories[0]));
	if (!ret->directories)
		return SPG_ERR_NOMEM;
	for (; ret->n_directories < n; ret->n_directories++)
		ret->directories[ret->n_directories] =
			j->question->library_path[ret->n_directories];
	do {
		spg_elf_loading_finish(&ret->loading);
		if (ret->n_assumed > 0 ||
			!spg_elf_set_recall(&j->set, object, &ret->loading, &err))
			err = spg_elf_set_load(&j->set, object, ret->directories,
				ret->n_directories, &ret->loading);
		/* In the product's own folders what was not looked at is not there. */
		if (ret->n_assumed == 0)
			ret->is_unseen = ret->loading.is_unseen;
		if (err == 0)
			err = assume_more(j, ret);
	} while (err > 0);
	for (size_t i = 0; err == 0 && i < ret->loading.n_lacks; i++)
		if (ret->loading.lacks[i].kind == SPG_ELF_NO_LIBRARY)
			ret->lacks_library = true;
	return err;
}

/* ---- telling ---- */

/* A symbol of a version that is told to be missing as a whole. */
static bool is_of_missing_version(const struct judging *j, const struct root *root,
	const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = binary_of(j, lack->object);
	uint32_t version = binary->imports[lack->index].version;

	for (size_t i = 0; version && i < root->loading.n_lacks; i++) {
		const struct spg_elf_lack *other = &root->loading.lacks[i];

		if (other->kind == SPG_ELF_NO_VERSION &&
			other->object == lack->object && other->index == version - 1)
			return true;
	}
	return false;
}

/* Who of @root lacks the library that should have the symbol, as far as is known: one
 * without a version may be of any that is missing. */
static bool is_of_missing_library(const struct judging *j, const struct root *root,
	const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = binary_of(j, lack->object);
	uint32_t version = binary->imports[lack->index].version;

	if (!root->lacks_library || version == 0)
		return root->lacks_library;
	for (size_t i = 0; i < root->loading.n_lacks; i++) {
		const struct spg_elf_lack *other = &root->loading.lacks[i];
		const struct spg_binary *needs = binary_of(j, other->object);

		if (other->kind == SPG_ELF_NO_LIBRARY &&
			strcmp(spg_binary_text(
				       needs, needs->modules[other->index].name),
				spg_binary_text(binary,
					binary->versions[version - 1].module)) == 0)
			return true;
	}
	return false;
}

/* Where libraries are missing nobody knows what they would define. */
static bool is_to_tell(const struct judging *j, const struct root *root,
	const struct spg_elf_lack *lack)
{
	return lack->kind != SPG_ELF_NO_SYMBOL ||
	       (!is_of_missing_library(j, root, lack) &&
		       !is_of_missing_version(j, root, lack));
}

static int tell(struct judging *j, const struct root *root,
	const struct spg_elf_lack *lack, size_t host)
{
	struct spg_elf_telling telling = {
		j->work, &j->set, &root->loading, root->object, host};
	bool was;
	int err = note_told(j, lack, &was);

	if (err < 0 || was)
		return err;
	switch (lack->kind) {
	case SPG_ELF_NO_LIBRARY:
		return spg_elf_tell_library(&telling, lack);
	case SPG_ELF_NO_VERSION:
		return spg_elf_tell_version(&telling, lack);
	case SPG_ELF_NO_SYMBOL:
		break;
	}
	return spg_elf_tell_symbol(&telling, lack);
}

static void cover(struct judging *j, const struct root *root)
{
	for (size_t i = 0; i < root->loading.n; i++)
		j->covered[root->loading.objects[i]] = true;
}

/* Made for musl: where that is not installed, nobody starts it here. */
static bool needs_other_c_library(const struct spg_binary *binary)
{
	for (uint32_t i = 0; i < binary->n_modules; i++)
		if (strncmp(spg_binary_text(binary, binary->modules[i].name),
			    "libc.musl-", 10) == 0)
			return true;
	return false;
}

/* For another machine than this one, whose libraries are not here: nobody can tell. */
static bool is_of_elsewhere(const struct judging *j, const struct root *root)
{
	const struct spg_binary *self =
		j->question->around ? j->question->around->self : NULL;

	if (!self || !root->lacks_library)
		return false;
	return needs_other_c_library(binary_of(j, root->object)) ||
	       !spg_binary_machines_agree(self, binary_of(j, root->object));
}

static void count_as_foreign(struct judging *j)
{
	j->work->fit->n_foreign++;
	if (j->work->fit->n_checked)
		j->work->fit->n_checked--;
}

/* ---- programs ---- */

/* A script in another folder than one of programs may never be started, though it could
 * be: many libraries of Python and Perl begin with such a line. One of PowerShell's is
 * mostly there for Windows, beside its twin for a shell. */
static bool is_started(const struct spg_fit_module *module)
{
	static const char *const folders[] = {"bin", "sbin", "libexec"};
	size_t n = (size_t)(module->name - module->path);

	if (module->binary->format != SPG_BINARY_SCRIPT)
		return true;
	if (spg_name_match("*.ps1", module->name, true))
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		size_t length = strlen(folders[i]);

		if (n > length + 1 && module->path[n - length - 2] == '/' &&
			strncmp(module->path + n - length - 1, folders[i], length) == 0)
			return true;
	}
	return false;
}

/* Whoever starts a program of the product may have its own folders in PATH. */
static bool is_of_product(const struct judging *j, const char *name)
{
	for (size_t i = 0; i < j->question->n_modules; i++)
		if (strcmp(j->question->modules[i].name, name) == 0)
			return true;
	return false;
}

static int check_interpreter(struct judging *j, size_t module)
{
	const struct spg_fit_module *m = &j->question->modules[module];
	const char *path = spg_binary_text(m->binary, m->binary->interpreter);
	const char *started = NULL;
	size_t found;

	if (!path)
		return 0;
	j->set.unseen = false;
	found = spg_elf_set_find(&j->set, path);
	if (found != SPG_FIT_NONE && m->binary->format == SPG_BINARY_SCRIPT) {
		started = spg_elf_script_env(m->binary);
		found = spg_elf_script_program(&j->set.world, m->binary);
	}
	if (j->set.failed)
		return SPG_ERR_NOMEM;
	if (found != SPG_FIT_NONE || (started && is_of_product(j, started)))
		return 0;
	if (j->set.unseen)
		return spg_elf_tell_unseen(j->work, module);
	return spg_elf_tell_interpreter(j->work, module, started ? started : path,
		started && !strchr(started, '/'), !is_started(m));
}

/* The rules are those of glibc's loader; another one has its own. */
static bool is_of_glibc(const struct spg_binary *binary)
{
	const char *path = spg_binary_text(binary, binary->interpreter);
	const char *name = path ? spg_path_base(path) : NULL;

	return !name || strncmp(name, "ld-linux", 8) == 0 ||
	       strncmp(name, "ld64.so", 7) == 0 || strncmp(name, "ld.so", 5) == 0;
}

/* One made for musl where that is not installed: nobody starts it here. */
static int judge_of_other_loader(struct judging *j, size_t object)
{
	const struct spg_binary *binary = binary_of(j, object);
	const char *path = spg_binary_text(binary, binary->interpreter);
	int err;

	j->set.unseen = false;
	if (strncmp(spg_path_base(path), "ld-musl-", 8) == 0 &&
		spg_elf_set_find(&j->set, path) == SPG_FIT_NONE && !j->set.unseen &&
		!j->set.failed) {
		count_as_foreign(j);
		return 0;
	}
	err = check_interpreter(j, object);
	return err < 0 ? err : spg_elf_tell_other_loader(j->work, object);
}

static int judge_program(struct judging *j, size_t object)
{
	struct root root;
	int err;

	if (!is_of_glibc(binary_of(j, object)))
		return judge_of_other_loader(j, object);
	err = load(j, object, &root);
	if (err == 0)
		cover(j, &root);
	if (err == 0 && is_of_elsewhere(j, &root)) {
		count_as_foreign(j);
		finish_root(&root);
		return 0;
	}
	if (err == 0)
		err = check_interpreter(j, object);
	if (err == 0 && root.is_unseen)
		err = spg_elf_tell_unseen(j->work, object);
	for (size_t i = 0; err == 0 && i < root.loading.n_lacks; i++)
		if (is_to_tell(j, &root, &root.loading.lacks[i]))
			err = tell(j, &root, &root.loading.lacks[i], SPG_FIT_NONE);
	finish_root(&root);
	return err;
}

/* ---- plugins ---- */

/* What a plugin does not find itself. */
struct plugin {
	struct root root;
	bool *found;   /* per lack: with a host */
	bool *defined; /* per lack: somebody defines it, in whatever scope */
	size_t n_hosts;
	size_t host; /* the first */
};

/* While the host of a plugin is looked for. */
struct hosts {
	size_t host, best; /* the best one so far, and how many lacks it makes good */
	bool *found, *best_found; /* per lack: of the one at hand, of the best */
	size_t tried[PROGRAMS_MAX], n_tried;
};

static int begin_hosts(struct hosts *hosts, size_t n_lacks)
{
	*hosts = (struct hosts){.host = SPG_FIT_NONE};
	hosts->found = calloc(n_lacks + 1, sizeof(bool));
	hosts->best_found = calloc(n_lacks + 1, sizeof(bool));
	return hosts->found && hosts->best_found ? 0 : SPG_ERR_NOMEM;
}

static void restart_hosts(struct hosts *hosts)
{
	hosts->host = SPG_FIT_NONE;
	hosts->best = hosts->n_tried = 0;
}

static void finish_hosts(struct hosts *hosts)
{
	free(hosts->found);
	free(hosts->best_found);
}

/* True also when there were too many. */
static bool was_tried(struct hosts *hosts, size_t object)
{
	for (size_t i = 0; i < hosts->n_tried; i++)
		if (hosts->tried[i] == object)
			return true;
	if (hosts->n_tried == PROGRAMS_MAX)
		return true;
	hosts->tried[hosts->n_tried++] = object;
	return false;
}

static size_t count_found(struct judging *j, const struct plugin *p, size_t host_object,
	bool *ret_found, int *err)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	struct root host;
	size_t n = 0;

	*err = load(j, host_object, &host);
	for (size_t i = 0; *err == 0 && i < loading->n_lacks; i++) {
		const struct spg_elf_lack *lack = &loading->lacks[i];

		ret_found[i] = lack->kind == SPG_ELF_NO_SYMBOL && !p->found[i] &&
		               spg_elf_set_has_symbol(&j->set, &host.loading,
				       lack->object, lack->index);
		n += ret_found[i];
	}
	finish_root(&host);
	return n;
}

static size_t count_folders(const char *path)
{
	size_t n = 0;

	while ((path = strchr(path, '/'))) {
		path++;
		n++;
	}
	return n;
}

/* Folders to go up and down on the way from @a to @b. */
static size_t distance(const char *a, const char *b)
{
	size_t n = 0, folder = 0;

	for (; a[n] && a[n] == b[n]; n++)
		if (a[n] == '/')
			folder = n + 1;
	return count_folders(a + folder) + count_folders(b + folder);
}

/* "server.old" beside "server" */
static bool is_kept_beside(
	const struct spg_fit_module *host, const struct spg_fit_module *other)
{
	size_t folder = (size_t)(other->name - other->path), n = strlen(other->name);

	return folder == (size_t)(host->name - host->path) &&
	       strncmp(host->path, other->path, folder + n) == 0 &&
	       (host->name[n] == '.' || host->name[n] == '~');
}

/* An older one of the program that would load @plugin: of the same name, and another one
 * stands nearer to the plugin, as in release folders; or kept beside the new one. */
static bool is_superseded(const struct judging *j, size_t host, size_t plugin)
{
	const struct spg_fit_module *modules = j->question->modules;
	size_t far;

	if (host >= j->question->n_modules || modules[host].binary->is_dll)
		return false;
	far = distance(modules[host].path, modules[plugin].path);
	for (size_t i = 0; i < j->question->n_modules; i++) {
		if (i == host || !is_elf(j, i) || modules[i].binary->is_dll)
			continue;
		if (is_kept_beside(&modules[host], &modules[i]) ||
			(strcmp(modules[host].name, modules[i].name) == 0 &&
				distance(modules[i].path, modules[plugin].path) < far))
			return true;
	}
	return false;
}

static bool is_program(const struct judging *j, size_t object)
{
	return !binary_of(j, object)->is_dll;
}

static bool may_be_host(const struct judging *j, const struct plugin *p, size_t object)
{
	return spg_binary_machines_agree(
		       binary_of(j, object), binary_of(j, p->root.object)) &&
	       !is_superseded(j, object, p->root.object);
}

/* Of those who define what @lack needs, of one kind, the one that has the most of the other
 * lacks, too. */
static int take_better(struct judging *j, const struct plugin *p,
	const struct spg_elf_lack *lack, bool programs, struct hosts *hosts)
{
	size_t n_lacks = p->root.loading.n_lacks, last = SPG_FIT_NONE, n_seen = 0;
	int err = 0;

	for (const struct spg_elf_definition *d = spg_elf_symbols_first(
		     &j->set.plugins, lack->object, lack->index);
		err == 0 && d && n_seen < DEFINITIONS_MAX && hosts->best < n_lacks;
		d = spg_elf_symbols_next(&j->set.plugins, d)) {
		size_t n;

		if (d->object == last || is_program(j, d->object) != programs)
			continue;
		last = d->object;
		if (was_tried(hosts, d->object) || !may_be_host(j, p, d->object))
			continue;
		n_seen++;
		n = count_found(j, p, d->object, hosts->found, &err);
		if (n <= hosts->best)
			continue;
		hosts->best = n;
		hosts->host = d->object;
		memcpy(hosts->best_found, hosts->found, n_lacks * sizeof(bool));
	}
	return err;
}

static void take_host(struct plugin *p, const struct hosts *hosts)
{
	if (hosts->host == SPG_FIT_NONE)
		return;
	for (size_t i = 0; i < p->root.loading.n_lacks; i++)
		p->found[i] |= hosts->best_found[i];
	if (p->n_hosts++ == 0)
		p->host = hosts->host;
}

static bool is_to_find(
	const struct judging *j, const struct plugin *p, size_t lack_index)
{
	const struct spg_elf_lack *lack = &p->root.loading.lacks[lack_index];

	return is_to_tell(j, &p->root, lack) && lack->kind == SPG_ELF_NO_SYMBOL &&
	       p->defined[lack_index] && !p->found[lack_index];
}

/* A plugin is loaded by one program, and by others at other times: what one of them lacks,
 * another one does not make good. Beside it are other plugins. */
static int find_hosts(struct judging *j, struct plugin *p)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	struct hosts hosts;
	int err = begin_hosts(&hosts, loading->n_lacks);

	for (size_t i = 0; i < loading->n_lacks; i++)
		p->defined[i] =
			loading->lacks[i].kind == SPG_ELF_NO_SYMBOL &&
			spg_elf_symbols_first(&j->set.plugins, loading->lacks[i].object,
				loading->lacks[i].index) != NULL;
	for (size_t i = 0; err == 0 && i < loading->n_lacks; i++)
		if (is_to_find(j, p, i))
			err = take_better(j, p, &loading->lacks[i], true, &hosts);
	if (err == 0)
		take_host(p, &hosts);
	for (size_t i = 0; err == 0 && i < loading->n_lacks; i++) {
		if (!is_to_find(j, p, i) || p->n_hosts >= HOSTS_MAX)
			continue;
		restart_hosts(&hosts);
		err = take_better(j, p, &loading->lacks[i], false, &hosts);
		if (err == 0)
			take_host(p, &hosts);
	}
	finish_hosts(&hosts);
	return err;
}

static bool is_undefined(
	const struct judging *j, const struct plugin *p, size_t lack_index)
{
	const struct spg_elf_lack *lack = &p->root.loading.lacks[lack_index];

	return lack->kind == SPG_ELF_NO_SYMBOL && !p->defined[lack_index] &&
	       is_to_tell(j, &p->root, lack) &&
	       binary_of(j, lack->object)->imports[lack->index].version == 0;
}

/* Nothing here defines any of it, and it says of itself whose plugin it is, or it is too
 * much to have got lost. *@ret_n: symbols that nothing defines. */
static bool has_unknown_host(
	const struct judging *j, const struct plugin *p, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < p->root.loading.n_lacks; i++) {
		if (p->found[i])
			return false;
		*ret_n += is_undefined(j, p, i);
	}
	return *ret_n > LOST_MAX ||
	       (*ret_n && spg_elf_kind_of_plugin(binary_of(j, p->root.object)));
}

/* ---- a plugin's libraries ---- */

/* Does @program, once it is loaded, have a library that is known as @name? */
static bool has_library(struct judging *j, size_t program, const char *name, int *err)
{
	struct root root;
	bool has = false;

	*err = load(j, program, &root);
	for (size_t i = 0; *err == 0 && !has && i < root.loading.n; i++) {
		size_t object = root.loading.objects[i];
		const struct spg_binary *binary =
			spg_elf_set_object(&j->set, object).binary;
		const char *soname = spg_binary_text(binary, binary->soname);

		has = soname && strcmp(soname, name) == 0;
	}
	finish_root(&root);
	return has;
}

/* Who loads the plugin has loaded the library before, from where only that looks: its
 * host, or where that is not known a program of the product; and a JVM has its own. */
static bool is_there_before(struct judging *j, const struct plugin *p,
	const struct spg_elf_lack *lack, int *err)
{
	const struct spg_binary *binary = binary_of(j, lack->object);
	const char *name = spg_binary_text(binary, binary->modules[lack->index].name);
	bool is_there = spg_elf_is_of_host(binary_of(j, p->root.object), name);

	if (!is_there && p->host != SPG_FIT_NONE)
		return has_library(j, p->host, name, err);
	for (size_t i = 0; *err == 0 && !is_there && i < j->question->n_modules; i++)
		if (is_elf(j, i) && is_program(j, i) && may_be_host(j, p, i))
			is_there = has_library(j, i, name, err);
	return is_there;
}

static int tell_plugin(struct judging *j, struct plugin *p)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	size_t n;
	bool unknown = has_unknown_host(j, p, &n), told = false;
	int err = 0;

	if (p->root.is_unseen)
		err = spg_elf_tell_unseen(j->work, p->root.object);
	for (size_t i = 0; err == 0 && i < loading->n_lacks; i++) {
		const struct spg_elf_lack *lack = &loading->lacks[i];

		if (!is_to_tell(j, &p->root, lack) || p->found[i])
			continue;
		if (unknown && is_undefined(j, p, i)) {
			err = told ? 0
			           : spg_elf_tell_unknown_host(
					     j->work, &j->set, p->root.object, lack, n);
			told = true;
			continue;
		}
		if (lack->kind == SPG_ELF_NO_LIBRARY &&
			is_there_before(j, p, lack, &err))
			continue;
		if (err == 0)
			err = tell(j, &p->root, lack, p->host);
	}
	return err;
}

static int judge_plugin(struct judging *j, size_t object)
{
	struct plugin p = {.host = SPG_FIT_NONE};
	int err = load(j, object, &p.root);
	size_t n = p.root.loading.n_lacks;

	if (err == 0)
		cover(j, &p.root);
	if (err == 0 && is_of_elsewhere(j, &p.root)) {
		count_as_foreign(j);
		finish_root(&p.root);
		return 0;
	}
	p.found = calloc(n + 1, sizeof(p.found[0]));
	p.defined = calloc(n + 1, sizeof(p.defined[0]));
	if (!p.found || !p.defined)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = find_hosts(j, &p);
	if (err == 0)
		err = tell_plugin(j, &p);
	free(p.found);
	free(p.defined);
	finish_root(&p.root);
	return err;
}

/* ---- all ---- */

static int check_scripts(struct judging *j)
{
	const struct spg_fit_question *q = j->question;
	int err = 0;

	for (size_t i = 0; err == 0 && i < q->n_modules; i++)
		if (q->modules[i].binary && !q->modules[i].is_link &&
			q->modules[i].binary->format == SPG_BINARY_SCRIPT)
			err = check_interpreter(j, i);
	return err;
}

static int judge_all(struct judging *j)
{
	size_t n = j->question->n_modules;
	bool *is_needed = calloc(j->set.n_objects + 1, sizeof(is_needed[0]));
	int err = is_needed ? check_scripts(j) : SPG_ERR_NOMEM;

	for (size_t i = 0; err == 0 && i < n; i++)
		if (is_elf(j, i) && !j->question->modules[i].binary->is_dll)
			err = judge_program(j, i);
	/* Those that others need are judged with them. */
	for (size_t i = 0; err == 0 && i < n; i++) {
		struct root root;

		if (!is_elf(j, i) || j->covered[i])
			continue;
		err = load(j, i, &root);
		for (size_t k = 1; err == 0 && k < root.loading.n; k++)
			is_needed[root.loading.objects[k]] = true;
		if (err == 0)
			err = spg_elf_set_want(&j->set, &root.loading);
		finish_root(&root);
	}
	if (err == 0)
		err = spg_elf_set_find_definitions(&j->set);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; err == 0 && i < n; i++)
			if (is_elf(j, i) && !j->covered[i] && (round || !is_needed[i]))
				err = judge_plugin(j, i);
	free(is_needed);
	return err;
}

static bool has_any(const struct spg_fit_question *question)
{
	for (size_t i = 0; i < question->n_modules; i++)
		if (question->modules[i].binary &&
			question->modules[i].binary->format != SPG_BINARY_PE)
			return true;
	return false;
}

/* Nobody has looked around: nothing is known of what they need. */
static int tell_all_unseen(const struct judging *j)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < j->question->n_modules; i++)
		if (is_elf(j, i))
			err = spg_elf_tell_unseen(j->work, i);
	return err;
}

int spg_fit_elf(struct spg_fit_work *work)
{
	struct judging j = {.work = work, .question = work->question};
	int err;

	if (!has_any(work->question))
		return 0;
	if (!work->question->around)
		return tell_all_unseen(&j);
	err = spg_elf_set_init(&j.set, work->question);
	j.covered = calloc(j.set.n_objects + 1, sizeof(j.covered[0]));
	j.told = calloc(j.set.n_objects + 1, sizeof(j.told[0]));
	j.hinted = calloc(work->question->n_modules + 1, sizeof(j.hinted[0]));
	if (!j.covered || !j.told || !j.hinted)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = judge_all(&j);
	for (size_t i = 0; j.told && i < j.set.n_objects; i++)
		free(j.told[i]);
	free(j.told);
	free(j.hinted);
	free(j.covered);
	spg_elf_set_finish(&j.set);
	return err;
}
