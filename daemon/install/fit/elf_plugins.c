/* SPDX-License-Identifier: MIT */
/*
 * Plugins: what one does not find itself it may have from the program that loads it, or
 * from other plugins; who that is, the symbols tell.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/elf_judging.h"
#include "daemon/install/fit/elf_words.h"

#define HOSTS_MAX       8  /* that together load one plugin */
#define DEFINITIONS_MAX 64 /* looked at for one symbol */
#define PROGRAMS_MAX    32 /* of which one may load a plugin */
/* So many symbols of a plugin a library may have lost; more are those of a program that is
 * not here. */
#define LOST_MAX        3

/* What a plugin does not find itself. */
struct plugin {
	struct spg_elf_root root;
	bool *found;   /* per lack: with a host */
	bool *defined; /* per lack: somebody defines it, in whatever scope */
	size_t n_hosts;
	bool host_lacks; /* a library */
};

/* While the host of a plugin is looked for. */
struct hosts {
	size_t host, best; /* the best one so far, and how many lacks it makes good */
	bool *found, *best_found; /* per lack: of the one at hand, of the best */
	bool lacks, best_lacks;   /* likewise: a library */
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

/* @host, which was counted: @n lacks. */
static void take_best(struct hosts *hosts, size_t host, size_t n, size_t n_lacks)
{
	hosts->host = host;
	hosts->best = n;
	hosts->best_lacks = hosts->lacks;
	memcpy(hosts->best_found, hosts->found, n_lacks * sizeof(bool));
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

static size_t count_found(struct spg_elf_judging *j, const struct plugin *p,
	size_t host_object, struct hosts *hosts, int *err)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	struct spg_elf_root host;
	size_t n = 0;

	*err = spg_elf_root_load(j, host_object, &host);
	for (size_t i = 0; *err == 0 && i < loading->n_lacks; i++) {
		const struct spg_elf_lack *lack = &loading->lacks[i];

		hosts->found[i] = lack->kind == SPG_ELF_NO_SYMBOL && !p->found[i] &&
		                  spg_elf_set_has_symbol(&j->set, &host.loading,
					  lack->object, lack->index);
		n += hosts->found[i];
	}
	hosts->lacks = host.lacks_library;
	spg_elf_root_finish(&host);
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
static bool is_superseded(const struct spg_elf_judging *j, size_t host, size_t plugin)
{
	const struct spg_fit_module *modules = j->question->modules;
	size_t far;

	if (host >= j->question->n_modules || modules[host].binary->is_dll)
		return false;
	far = distance(modules[host].path, modules[plugin].path);
	for (size_t i = 0; i < j->question->n_modules; i++) {
		if (i == host || !spg_elf_is_module(j, i) || modules[i].binary->is_dll)
			continue;
		if (is_kept_beside(&modules[host], &modules[i]) ||
			(strcmp(modules[host].name, modules[i].name) == 0 &&
				distance(modules[i].path, modules[plugin].path) < far))
			return true;
	}
	return false;
}

static bool is_program(const struct spg_elf_judging *j, size_t object)
{
	return !spg_elf_binary_of(j, object)->is_dll;
}

static bool may_be_host(
	const struct spg_elf_judging *j, const struct plugin *p, size_t object)
{
	return spg_binary_machines_agree(spg_elf_binary_of(j, object),
		       spg_elf_binary_of(j, p->root.object)) &&
	       !is_superseded(j, object, p->root.object);
}

/* Of those who define what @lack needs, of one kind, the one that has the most of the other
 * lacks, too. */
static int take_better(struct spg_elf_judging *j, const struct plugin *p,
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
		n = count_found(j, p, d->object, hosts, &err);
		if (n <= hosts->best)
			continue;
		take_best(hosts, d->object, n, n_lacks);
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
		p->root.host = hosts->host;
	p->host_lacks |= hosts->best_lacks;
}

static bool is_to_find(
	const struct spg_elf_judging *j, const struct plugin *p, size_t lack_index)
{
	const struct spg_elf_lack *lack = &p->root.loading.lacks[lack_index];

	return spg_elf_is_to_tell(j, &p->root, lack) &&
	       lack->kind == SPG_ELF_NO_SYMBOL && p->defined[lack_index] &&
	       !p->found[lack_index];
}

/* ---- libraries that its program has ---- */

static const char *library_of(
	const struct spg_elf_judging *j, const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = spg_elf_binary_of(j, lack->object);

	return spg_binary_text(binary, binary->modules[lack->index].name);
}

static const char *symbol_of(
	const struct spg_elf_judging *j, const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = spg_elf_binary_of(j, lack->object);

	return spg_binary_text(binary, binary->imports[lack->index].name);
}

/* Is a library known as @name loaded? */
static bool is_loaded(const struct spg_elf_judging *j,
	const struct spg_elf_loading *loading, const char *name)
{
	for (size_t i = 0; i < loading->n; i++) {
		const struct spg_binary *binary =
			spg_elf_set_object(&j->set, loading->objects[i]).binary;
		const char *soname = spg_binary_text(binary, binary->soname);

		if (soname && strcmp(soname, name) == 0)
			return true;
	}
	return false;
}

/* Does @program, once it is loaded, have every library that @p does not find? */
static bool has_libraries(
	struct spg_elf_judging *j, const struct plugin *p, size_t program, int *err)
{
	const struct spg_binary *plugin = spg_elf_binary_of(j, p->root.object);
	struct spg_elf_root root;
	bool has = true;

	*err = spg_elf_root_load(j, program, &root);
	for (size_t i = 0; *err == 0 && has && i < p->root.loading.n_lacks; i++) {
		const struct spg_elf_lack *lack = &p->root.loading.lacks[i];

		if (lack->kind == SPG_ELF_NO_LIBRARY &&
			!spg_elf_is_of_host(plugin, library_of(j, lack)))
			has = is_loaded(j, &root.loading, library_of(j, lack));
	}
	spg_elf_root_finish(&root);
	return *err == 0 && has;
}

/* Of the programs that have all libraries that are missing, the one with the most symbols,
 * too. */
static int find_owner(
	struct spg_elf_judging *j, const struct plugin *p, struct hosts *hosts)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < j->question->n_modules; i++) {
		size_t n;

		if (!spg_elf_is_module(j, i) || !is_program(j, i) ||
			!may_be_host(j, p, i) || !has_libraries(j, p, i, &err))
			continue;
		n = count_found(j, p, i, hosts, &err);
		if (err < 0 || (hosts->host != SPG_FIT_NONE && n <= hosts->best))
			continue;
		take_best(hosts, i, n, p->root.loading.n_lacks);
	}
	return err;
}

/* Who loads the plugin has loaded these libraries before, from where only that looks; a JVM
 * has its own. Then nothing is missing, and the symbols are looked for with that program. */
static int take_libraries(
	struct spg_elf_judging *j, struct plugin *p, struct hosts *hosts)
{
	const struct spg_binary *plugin = spg_elf_binary_of(j, p->root.object);
	const struct spg_elf_loading *loading = &p->root.loading;
	bool is_known = true;
	int err = 0;

	if (!p->root.lacks_library)
		return 0;
	for (size_t i = 0; is_known && i < loading->n_lacks; i++)
		is_known =
			loading->lacks[i].kind != SPG_ELF_NO_LIBRARY ||
			spg_elf_is_of_host(plugin, library_of(j, &loading->lacks[i]));
	if (!is_known) {
		err = find_owner(j, p, hosts);
		is_known = err == 0 && hosts->host != SPG_FIT_NONE;
		if (is_known)
			take_host(p, hosts);
		restart_hosts(hosts);
	}
	for (size_t i = 0; is_known && i < loading->n_lacks; i++)
		if (loading->lacks[i].kind == SPG_ELF_NO_LIBRARY)
			p->found[i] = true;
		else if (loading->lacks[i].kind == SPG_ELF_NO_SYMBOL &&
			 spg_elf_is_symbol_of_host(
				 plugin, symbol_of(j, &loading->lacks[i])))
			p->found[i] = true;
	p->root.lacks_library &= !is_known;
	return err;
}

/* ---- the host ---- */

/* A plugin is loaded by one program, and by others at other times: what one of them lacks,
 * another one does not make good. Beside it are other plugins. */
static int find_hosts(struct spg_elf_judging *j, struct plugin *p)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	struct hosts hosts;
	int err = begin_hosts(&hosts, loading->n_lacks);

	for (size_t i = 0; i < loading->n_lacks; i++)
		p->defined[i] =
			loading->lacks[i].kind == SPG_ELF_NO_SYMBOL &&
			spg_elf_symbols_first(&j->set.plugins, loading->lacks[i].object,
				loading->lacks[i].index) != NULL;
	if (err == 0)
		err = take_libraries(j, p, &hosts);
	for (size_t i = 0; err == 0 && p->n_hosts == 0 && i < loading->n_lacks; i++)
		if (is_to_find(j, p, i))
			err = take_better(j, p, &loading->lacks[i], true, &hosts);
	if (err == 0 && p->n_hosts == 0)
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
	const struct spg_elf_judging *j, const struct plugin *p, size_t lack_index)
{
	const struct spg_elf_lack *lack = &p->root.loading.lacks[lack_index];

	return lack->kind == SPG_ELF_NO_SYMBOL && !p->defined[lack_index] &&
	       spg_elf_is_to_tell(j, &p->root, lack) &&
	       spg_elf_binary_of(j, lack->object)->imports[lack->index].version == 0;
}

/* Nothing here defines any of it, and it says of itself whose plugin it is, or it is too
 * much to have got lost. *@ret_n: symbols that nothing defines. */
static bool has_unknown_host(
	const struct spg_elf_judging *j, const struct plugin *p, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < p->root.loading.n_lacks; i++) {
		if (p->found[i])
			return false;
		*ret_n += is_undefined(j, p, i);
	}
	return *ret_n > LOST_MAX ||
	       (*ret_n && spg_elf_kind_of_plugin(spg_elf_binary_of(j, p->root.object)));
}

/* A library that its program lacks may define it: that is told, or it stands elsewhere. */
static bool is_of_host_library(
	const struct spg_elf_judging *j, const struct plugin *p, size_t lack_index)
{
	const struct spg_elf_lack *lack = &p->root.loading.lacks[lack_index];

	return p->host_lacks && lack->kind == SPG_ELF_NO_SYMBOL &&
	       spg_elf_binary_of(j, lack->object)->imports[lack->index].version == 0 &&
	       !spg_elf_was_own_symbol(j, &p->root, lack);
}

static int tell_plugin(struct spg_elf_judging *j, struct plugin *p)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	size_t n;
	bool unknown = has_unknown_host(j, p, &n), told = false;
	int err = 0;

	if (p->root.is_unseen)
		err = spg_elf_tell_unseen(j->work, p->root.object);
	for (size_t i = 0; err == 0 && i < loading->n_lacks; i++) {
		const struct spg_elf_lack *lack = &loading->lacks[i];

		if (!spg_elf_is_to_tell(j, &p->root, lack) || p->found[i] ||
			is_of_host_library(j, p, i))
			continue;
		if (unknown && is_undefined(j, p, i)) {
			err = told ? 0
			           : spg_elf_tell_unknown_host(
					     j->work, &j->set, p->root.object, lack, n);
			told = true;
			continue;
		}
		err = spg_elf_tell(j, &p->root, lack);
	}
	return err;
}

/* A version that the plugin's own choice of a library lacks, that of its program may
 * have. */
static int take_host_libraries(struct spg_elf_judging *j, struct plugin *p)
{
	const struct spg_elf_loading *loading = &p->root.loading;
	struct spg_elf_loading hosted;
	int err = spg_elf_judge_hosted(j, &p->root, &hosted);

	for (size_t i = 0; err == 0 && hosted.n && i < loading->n_lacks; i++)
		if (loading->lacks[i].kind == SPG_ELF_NO_VERSION &&
			!spg_elf_has_lack(&hosted, &loading->lacks[i]))
			p->found[i] = true;
	spg_elf_loading_finish(&hosted);
	return err;
}

int spg_elf_judge_plugin(struct spg_elf_judging *j, size_t object)
{
	struct plugin p = {0};
	int err = spg_elf_root_load(j, object, &p.root);
	size_t n = p.root.loading.n_lacks;

	if (err == 0)
		spg_elf_cover(j, &p.root);
	if (err == 0 && spg_elf_is_of_elsewhere(j, &p.root)) {
		spg_elf_count_as_foreign(j);
		spg_elf_root_finish(&p.root);
		return 0;
	}
	p.found = calloc(n + 1, sizeof(p.found[0]));
	p.defined = calloc(n + 1, sizeof(p.defined[0]));
	if (!p.found || !p.defined)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = spg_elf_excuse(j, &p.root);
	if (err == 0)
		err = find_hosts(j, &p);
	if (err == 0)
		err = take_host_libraries(j, &p);
	if (err == 0)
		err = tell_plugin(j, &p);
	free(p.found);
	free(p.defined);
	spg_elf_root_finish(&p.root);
	return err;
}
