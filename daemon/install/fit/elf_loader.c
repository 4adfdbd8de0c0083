/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/elf_loader.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/namesakes.h"

/* ---- what is loaded ---- */

/* Where @name is or would be among those that are sorted. */
static size_t position(const struct spg_elf_scope *scope, const char *name)
{
	size_t low = 0, high = scope->n_names;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(scope->names[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t spg_elf_scope_named(const struct spg_elf_scope *scope, const char *name)
{
	size_t at = position(scope, name);

	return at < scope->n_names && strcmp(scope->names[at].name, name) == 0
	               ? scope->names[at].at
	               : SPG_FIT_NONE;
}

/* The first that has a name keeps it. */
static int add_name(struct spg_elf_scope *scope, const char *name, size_t place)
{
	size_t at = name ? position(scope, name) : 0;

	if (!name || spg_elf_scope_named(scope, name) != SPG_FIT_NONE)
		return 0;
	if (spg_array_reserve(&scope->names, scope->n_names, &scope->names_size,
		    sizeof(scope->names[0])) < 0)
		return SPG_ERR_NOMEM;
	memmove(scope->names + at + 1, scope->names + at,
		(scope->n_names - at) * sizeof(scope->names[0]));
	scope->names[at] = (struct spg_elf_name){name, place};
	scope->n_names++;
	return 0;
}

static size_t place_of(const struct spg_elf_scope *scope, size_t object)
{
	for (size_t i = 0; i < scope->n; i++)
		if (scope->loaded[i].object == object)
			return i;
	return SPG_FIT_NONE;
}

static bool has_token(const struct spg_binary *binary)
{
	const char *runpath = spg_binary_text(binary, binary->runpath);
	const char *rpath = spg_binary_text(binary, binary->rpath);
	bool has = (runpath && strchr(runpath, '$')) || (rpath && strchr(rpath, '$'));

	for (uint32_t i = 0; !has && i < binary->n_modules; i++) {
		const char *name = spg_binary_text(binary, binary->modules[i].name);

		has = name && strchr(name, '$');
	}
	return has;
}

/* Take @object, found at @path, into the scope, once; it is known as @name from now on. */
static int take(struct spg_elf_scope *scope, const struct spg_elf_world *world,
	size_t object, size_t loader, const char *name, const char *path)
{
	size_t at = place_of(scope, object);
	char *found_at = NULL;

	if (at == SPG_FIT_NONE) {
		const struct spg_binary *binary =
			world->object(world->user, object).binary;

		if (scope->n >= SPG_SCOPE_MAX) {
			scope->is_partial = true;
			return 0;
		}
		at = scope->n;
		if (path && has_token(binary)) {
			found_at = strdup(path);
			if (!found_at)
				return SPG_ERR_NOMEM;
		}
		if (spg_array_reserve(&scope->loaded, scope->n, &scope->size,
			    sizeof(scope->loaded[0])) < 0 ||
			add_name(scope, spg_binary_text(binary, binary->soname), at) <
				0) {
			free(found_at);
			return SPG_ERR_NOMEM;
		}
		scope->loaded[scope->n++] =
			(struct spg_elf_loaded){object, found_at, loader};
	}
	return add_name(scope, name, at);
}

/* ---- where it is looked for ---- */

struct search {
	const struct spg_elf_world *world;
	const struct spg_elf_scope *scope;
	size_t at;        /* who needs it */
	const char *name; /* the library */
	const struct spg_binary *for_binary;
	size_t found, unfit; /* SPG_FIT_NONE */
	struct spg_buf path; /* where it was found */
};

/* True when the search is over: there is one that fits, or one that nothing can load. */
static bool try_path(struct search *s, const char *path)
{
	size_t object = s->world->find(s->world->user, path);
	const struct spg_binary *binary;

	if (object == SPG_FIT_NONE)
		return false;
	binary = s->world->object(s->world->user, object).binary;
	if (binary && binary->format == SPG_BINARY_ELF &&
		spg_binary_machines_agree(binary, s->for_binary)) {
		s->found = object;
		return true;
	}
	if (s->unfit == SPG_FIT_NONE)
		s->unfit = object;
	/* The loader gives up at what is no library. */
	return !binary || binary->format != SPG_BINARY_ELF;
}

static bool try_directory(struct search *s, const char *directory, size_t n)
{
	const struct spg_surroundings *around = s->world->around;
	bool has_levels =
		s->for_binary->machine == EM_X86_64 && s->for_binary->is_64_bit;

	for (size_t i = 0; has_levels && i < around->n_levels; i++) {
		spg_buf_clear(&s->path);
		spg_buf_add(&s->path, directory, n);
		spg_buf_printf(
			&s->path, "/glibc-hwcaps/%s/%s", around->levels[i], s->name);
		if (!s->path.failed && try_path(s, spg_buf_text(&s->path)))
			return true;
	}
	spg_buf_clear(&s->path);
	spg_buf_add(&s->path, directory, n);
	spg_buf_printf(&s->path, "/%s", s->name);
	return !s->path.failed && try_path(s, spg_buf_text(&s->path));
}

/* What "$LIB" and the system's directories are for a machine: Debian's first, then those
 * of the others. */
struct machine {
	unsigned number;
	bool is_64_bit;
	const char *platform, *lib;
};

static const struct machine machines[] = {
	{EM_X86_64, true, "x86_64", "x86_64-linux-gnu"},
	{EM_X86_64, false, "x86_64", "x86_64-linux-gnux32"},
	{EM_386, false, "i686", "i386-linux-gnu"},
	{EM_AARCH64, true, "aarch64", "aarch64-linux-gnu"},
	{EM_ARM, false, "v7l", "arm-linux-gnueabihf"},
	{EM_PPC64, true, "power8", "powerpc64le-linux-gnu"},
	{EM_S390, true, "z900", "s390x-linux-gnu"},
	{EM_RISCV, true, "riscv64", "riscv64-linux-gnu"},
	{EM_MIPS, true, "mips", "mips64el-linux-gnuabi64"},
};

static const struct machine *machine_of(const struct spg_binary *binary)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].number == binary->machine &&
			machines[i].is_64_bit == binary->is_64_bit)
			return &machines[i];
	return NULL;
}

static bool is_debian(const struct search *s, const struct machine *machine)
{
	const struct spg_surroundings *around = s->world->around;
	size_t n = machine ? strlen(machine->lib) : 0;

	for (size_t i = 0; n && i < around->n_cached; i++)
		if (strstr(around->cached[i].path, machine->lib))
			return true;
	return false;
}

/* ---- lists of directories ---- */

/* "$NAME" or "${NAME}" at @text: its length, 0: none of these. */
static size_t token_at(const char *text, size_t left, const char *name)
{
	size_t n = strlen(name);
	bool braces = left > 1 && text[1] == '{';
	size_t start = braces ? 2 : 1, length = start + n + (braces ? 1 : 0);

	if (length > left || strncmp(text + start, name, n) != 0 ||
		(braces && text[length - 1] != '}'))
		return 0;
	return length;
}

static void put_lib(struct search *s, struct spg_buf *out)
{
	const struct machine *machine = machine_of(s->for_binary);

	if (is_debian(s, machine))
		spg_buf_printf(out, "lib/%s", machine->lib);
	else
		spg_buf_puts(out, s->for_binary->is_64_bit ? "lib64" : "lib");
}

static struct spg_elf_object object_at(const struct search *s, size_t at)
{
	return s->world->object(s->world->user, s->scope->loaded[at].object);
}

/* The file whose folder is $ORIGIN to the one at @at. */
static const char *origin_of(const struct search *s, size_t at)
{
	struct spg_elf_object owner = object_at(s, at);

	if (s->scope->loaded[at].found_at)
		return s->scope->loaded[at].found_at;
	return owner.real ? owner.real : owner.path;
}

static bool is_in_system(const char *path)
{
	return spg_path_below(path, "/lib", false) ||
	       spg_path_below(path, "/usr/lib", false) ||
	       spg_path_below(path, "/lib64", false) ||
	       spg_path_below(path, "/usr/lib64", false);
}

static bool is_secure(const struct search *s)
{
	return object_at(s, 0).is_secure;
}

/* Is @path, which is absolute, below the system's directories by its letters? Where links
 * lead does not count (is_trusted_path_normalize()). */
static bool is_trusted(const char *path)
{
	char *normal = strdup(path), *end = normal;
	bool trusted;

	while (normal && *path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && strncmp(path, "..", 2) == 0) {
			while (end > normal && *--end != '/')
				;
		} else if (n > 1 || (n == 1 && *path != '.')) {
			*end++ = '/';
			memcpy(end, path, n);
			end += n;
		}
		path += n + (path[n] == '/');
	}
	if (normal)
		*end = '\0';
	trusted = normal && is_in_system(normal);
	free(normal);
	return trusted;
}

/* Does the loader of a program that runs with more rights take "$ORIGIN..." for a
 * directory, which is @expanded? A hard link may make it anybody's. */
static bool may_expand(const struct search *s, size_t owner, const char *directory,
	size_t n, const char *expanded)
{
	size_t length = token_at(directory, n, "ORIGIN");
	bool has = false;

	for (size_t i = 0; !has && i < n; i++)
		has = directory[i] == '$' && token_at(directory + i, n - i, "ORIGIN");
	if (!has || !is_secure(s))
		return true;
	return directory[0] == '$' && length &&
	       (length == n || directory[length] == '/') &&
	       (owner != 0 || is_trusted(expanded));
}

/* The @n bytes of @directory, of a list of the one at @at, with its tokens replaced. */
static void expand(struct search *s, size_t owner, const char *directory, size_t n,
	struct spg_buf *out)
{
	const struct machine *machine = machine_of(s->for_binary);
	const char *origin = origin_of(s, owner);
	size_t length;

	for (size_t i = 0; i < n; i += length) {
		const char *at = directory + i;

		length = 1;
		if (*at != '$') {
			spg_buf_add(out, at, 1);
		} else if (token_at(at, n - i, "ORIGIN")) {
			length = token_at(at, n - i, "ORIGIN");
			spg_buf_add(
				out, origin, (size_t)(spg_path_base(origin) - origin));
			spg_buf_puts(out, ".");
		} else if (token_at(at, n - i, "LIB")) {
			length = token_at(at, n - i, "LIB");
			put_lib(s, out);
		} else if (token_at(at, n - i, "PLATFORM")) {
			length = token_at(at, n - i, "PLATFORM");
			spg_buf_puts(out, machine ? machine->platform : "");
		} else {
			spg_buf_add(out, at, 1);
		}
	}
}

/* A relative one depends on where the program is started: nobody knows. */
static bool try_list(struct search *s, size_t owner, const char *list)
{
	struct spg_buf directory = SPG_BUF_NULL;
	bool over = false;

	while (!over && list && *list) {
		size_t n = strcspn(list, ":");

		spg_buf_clear(&directory);
		expand(s, owner, list, n, &directory);
		if (!directory.failed && directory.len && directory.data[0] == '/' &&
			may_expand(s, owner, list, n, spg_buf_text(&directory)))
			over = try_directory(s, directory.data, directory.len);
		list += n + (list[n] == ':');
	}
	spg_buf_finish(&directory);
	return over;
}

static bool try_list_of(struct search *s, size_t at, bool runpath)
{
	struct spg_elf_object owner = object_at(s, at);
	uint32_t offset = runpath ? owner.binary->runpath : owner.binary->rpath;

	if (offset == 0 || (!runpath && owner.binary->runpath))
		return false;
	return try_list(s, at, spg_binary_text(owner.binary, offset));
}

/* Those of the program are the last. */
static bool try_rpaths(struct search *s)
{
	for (size_t at = s->at;; at = s->scope->loaded[at].loader) {
		if (try_list_of(s, at, false))
			return true;
		if (at == 0)
			return false;
	}
}

static bool try_cache(struct search *s, bool no_default)
{
	size_t n;
	const struct spg_cached_library *lines =
		spg_surroundings_cached(s->world->around, s->name, &n);

	for (size_t i = 0; i < n; i++) {
		size_t object;
		const struct spg_binary *binary;

		if (no_default && is_in_system(lines[i].path))
			continue;
		/* Lines for other machines are none for this one, whatever they are. */
		object = s->world->find(s->world->user, lines[i].path);
		if (object == SPG_FIT_NONE)
			continue;
		binary = s->world->object(s->world->user, object).binary;
		if (binary && !spg_binary_machines_agree(binary, s->for_binary)) {
			if (s->unfit == SPG_FIT_NONE)
				s->unfit = object;
			continue;
		}
		spg_buf_clear(&s->path);
		spg_buf_puts(&s->path, lines[i].path);
		if (!s->path.failed && try_path(s, lines[i].path))
			return true;
	}
	return false;
}

static bool try_system(struct search *s)
{
	static const char *const others[] = {
		"/lib64", "/usr/lib64", "/lib", "/usr/lib"};
	const struct machine *machine = machine_of(s->for_binary);
	struct spg_buf directory = SPG_BUF_NULL;
	bool over = false;

	for (int i = 0; machine && !over && i < 2; i++) {
		spg_buf_clear(&directory);
		spg_buf_printf(&directory, "%s/%s", others[2 + i], machine->lib);
		if (!directory.failed)
			over = try_directory(s, directory.data, directory.len);
	}
	spg_buf_finish(&directory);
	for (size_t i = 0; !over && i < sizeof(others) / sizeof(others[0]); i++)
		over = try_directory(s, others[i], strlen(others[i]));
	return over;
}

static void look_for(struct search *s)
{
	struct spg_elf_object owner = object_at(s, s->at);
	bool has_runpath = owner.binary->runpath != 0;
	bool no_default = owner.binary->has_no_default;

	if (strchr(s->name, '/')) {
		spg_buf_clear(&s->path);
		expand(s, s->at, s->name, strlen(s->name), &s->path);
		if (!s->path.failed && s->path.len && s->path.data[0] == '/' &&
			may_expand(s, s->at, s->name, strlen(s->name),
				spg_buf_text(&s->path)))
			try_path(s, spg_buf_text(&s->path));
		return;
	}
	if (!has_runpath && try_rpaths(s))
		return;
	for (size_t i = 0; !is_secure(s) && i < s->world->n_library_path; i++)
		if (try_directory(s, s->world->library_path[i],
			    strlen(s->world->library_path[i])))
			return;
	if (has_runpath && try_list_of(s, s->at, true))
		return;
	if (!try_cache(s, no_default) && !no_default)
		try_system(s);
}

/* ---- the whole ---- */

static int note_missing(
	struct spg_elf_scope *scope, const struct spg_elf_missing *missing)
{
	if (spg_array_reserve(&scope->missing, scope->n_missing, &scope->missing_size,
		    sizeof(*missing)) < 0)
		return SPG_ERR_NOMEM;
	scope->missing[scope->n_missing++] = *missing;
	return 0;
}

static int load(struct spg_elf_scope *scope, const struct spg_elf_world *world,
	size_t at, uint32_t needed)
{
	size_t object = scope->loaded[at].object;
	const struct spg_binary *binary = world->object(world->user, object).binary;
	const char *name = spg_binary_text(binary, binary->modules[needed].name);
	struct search s = {.world = world,
		.scope = scope,
		.at = at,
		.name = name,
		.for_binary = binary,
		.found = SPG_FIT_NONE,
		.unfit = SPG_FIT_NONE,
		.path = SPG_BUF_NULL};
	int err = 0;

	if (spg_elf_scope_named(scope, name) != SPG_FIT_NONE)
		return 0;
	look_for(&s);
	if (s.path.failed)
		err = SPG_ERR_NOMEM;
	else if (s.found != SPG_FIT_NONE)
		err = take(scope, world, s.found, at, name, spg_buf_text(&s.path));
	else if (!binary->modules[needed].optional)
		err = note_missing(
			scope, &(struct spg_elf_missing){at, needed, s.unfit});
	spg_buf_finish(&s.path);
	return err;
}

int spg_elf_scope_find(
	struct spg_elf_scope *ret, const struct spg_elf_world *world, size_t root)
{
	int err;

	*ret = (struct spg_elf_scope)SPG_ELF_SCOPE_NULL;
	err = take(ret, world, root, 0, NULL, NULL);
	for (size_t at = 0; err == 0 && at < ret->n; at++) {
		uint32_t n = world->object(world->user, ret->loaded[at].object)
		                     .binary->n_modules;

		for (uint32_t i = 0; err == 0 && i < n; i++)
			err = load(ret, world, at, i);
	}
	return err;
}

const char *spg_elf_script_env(const struct spg_binary *script)
{
	const char *interpreter = spg_binary_text(script, script->interpreter);
	const char *argument = spg_binary_text(script, script->argument);

	if (!interpreter || strcmp(spg_path_base(interpreter), "env") != 0 ||
		!argument || argument[0] == '-' || strchr(argument, '='))
		return NULL;
	return argument;
}

size_t spg_elf_script_program(
	const struct spg_elf_world *world, const struct spg_binary *script)
{
	/* What systemd.exec(5) and login(1) set, together. */
	static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin",
		"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin", "/usr/games",
		"/usr/local/games"};
	const char *interpreter = spg_binary_text(script, script->interpreter);
	const char *name = spg_elf_script_env(script);
	size_t found = SPG_FIT_NONE;

	if (interpreter && (!name || strchr(name, '/')))
		found = world->find(world->user, name ? name : interpreter);
	for (size_t i = 0; name && !strchr(name, '/') && found == SPG_FIT_NONE &&
			   i < sizeof(folders) / sizeof(folders[0]);
		i++) {
		struct spg_buf path = SPG_BUF_NULL;

		spg_buf_printf(&path, "%s/%s", folders[i], name);
		if (!path.failed)
			found = world->find(world->user, spg_buf_text(&path));
		spg_buf_finish(&path);
	}
	return found;
}

void spg_elf_scope_finish(struct spg_elf_scope *scope)
{
	for (size_t i = 0; i < scope->n; i++)
		free(scope->loaded[i].found_at);
	free(scope->loaded);
	free(scope->missing);
	free(scope->names);
	*scope = (struct spg_elf_scope)SPG_ELF_SCOPE_NULL;
}
