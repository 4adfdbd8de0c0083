/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/elf_words.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

/* ---- parts of sentences ---- */

static void put_name(struct spg_buf *out, const char *path)
{
	spg_text_escape(out, spg_path_base(path), false);
}

/* "16.37.0" of libpng16.so.16.37.0, which is known as libpng16.so.16; NULL. */
static const char *version_of(const struct spg_elf_object *object)
{
	const char *name = spg_path_base(object->real ? object->real : object->path);
	const char *version = strstr(name, ".so.");

	return version ? version + strlen(".so.") : NULL;
}

/* As programs know it. */
static const char *name_of(const struct spg_elf_object *object)
{
	const char *soname =
		object->binary && object->binary->format == SPG_BINARY_ELF
			? spg_binary_text(object->binary, object->binary->soname)
			: NULL;

	return soname ? soname : spg_path_base(object->path);
}

/* "libpng16.so.16 (16.37.0)" */
static void put_library(struct spg_buf *out, const struct spg_elf_object *object)
{
	const char *name = name_of(object), *version = version_of(object);
	size_t n = strlen(name), m = version ? strlen(version) : 0;

	spg_text_escape(out, name, false);
	/* Not of one whose version is all in its name. */
	if (m == 0 || (n >= m && strcmp(name + n - m, version) == 0))
		return;
	spg_buf_puts(out, " (");
	spg_text_escape(out, version, false);
	spg_buf_puts(out, ")");
}

/* "libfoo.so.1 does not define"; of a host's library "libfoo.so.1 in /srv/app/lib does not
 * define, and server loads that first" */
static void put_lacking(struct spg_buf *out, const struct spg_elf_telling *telling,
	const struct spg_elf_object *library)
{
	size_t n = (size_t)(spg_path_base(library->path) - library->path);
	char *folder =
		telling->hosted ? strndup(library->path, n > 1 ? n - 1 : n) : NULL;

	put_library(out, library);
	if (folder) {
		spg_buf_puts(out, " in ");
		spg_text_escape(out, folder, false);
	}
	spg_buf_puts(out, " does not define");
	if (telling->hosted) {
		spg_buf_puts(out, ", and ");
		put_name(out, spg_elf_set_object(telling->set, telling->host).path);
		spg_buf_puts(out, " loads that first");
	}
	if (telling->hosted && !folder)
		out->failed = true;
	free(folder);
}

static size_t module_of(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack)
{
	return lack->object < telling->set->question->n_modules ? lack->object
	                                                        : telling->root;
}

/* "report needs ", "report loads libfoo.so.1, which needs " */
static void put_who(struct spg_buf *out, const struct spg_elf_telling *telling,
	const struct spg_elf_lack *lack)
{
	struct spg_elf_object who = spg_elf_set_object(telling->set, lack->object);
	size_t module = module_of(telling, lack);

	put_name(out, telling->set->question->modules[module].path);
	if (module != lack->object) {
		spg_buf_puts(out, " loads ");
		put_library(out, &who);
		spg_buf_puts(out, ", which");
	}
	spg_buf_puts(out, " needs ");
}

static int add_gap(struct spg_fit_work *work, size_t module, const char *why)
{
	struct spg_buf text = SPG_BUF_NULL;

	put_name(&text, work->question->modules[module].path);
	spg_buf_printf(&text, " could not be checked: %s", why);
	return spg_fit_add_gap(work, module, &text);
}

/* ---- libraries ---- */

static const char *find_gone(const struct spg_fit_question *question, const char *name)
{
	for (size_t i = 0; i < question->n_gone; i++)
		if (strcmp(spg_path_base(question->gone[i]), name) == 0)
			return question->gone[i];
	return NULL;
}

bool spg_elf_is_outside(const struct spg_fit_question *question, const char *name)
{
	for (size_t i = 0; i < question->n_outside; i++)
		if (spg_name_match(question->outside[i], name, false))
			return true;
	return false;
}

/* "libfoo.so.1 is for arm64, report for x64 and loads it" */
static int tell_machine(const struct spg_elf_telling *telling,
	const struct spg_elf_lack *lack, const struct spg_elf_object *unfit)
{
	struct spg_elf_object who = spg_elf_set_object(telling->set, lack->object);
	char machine[SPG_BINARY_MACHINE_BYTES];
	struct spg_buf text = SPG_BUF_NULL;

	put_library(&text, unfit);
	spg_buf_printf(
		&text, " is for %s, ", spg_binary_machine_name(unfit->binary, machine));
	put_name(&text, who.path);
	spg_buf_printf(&text, " for %s and loads it",
		spg_binary_machine_name(who.binary, machine));
	return spg_fit_add(telling->work, SPG_FINDING_ARCHITECTURE,
		module_of(telling, lack), NULL, spg_path_base(unfit->path), NULL,
		&text);
}

/* A file of that name which is no library. One of the product that is damaged has its own
 * finding. */
static int tell_no_library(const struct spg_elf_telling *telling,
	const struct spg_elf_lack *lack, const char *path, int err, const char *why)
{
	bool inside = lack->other < telling->set->question->n_modules;
	size_t module = inside ? lack->other : module_of(telling, lack);
	bool *blamed = &telling->work->blamed[module];
	struct spg_buf text = SPG_BUF_NULL;

	if (inside && (*blamed || (err != 0 && err != SPG_ERR_INVALID)))
		return 0;
	if (inside)
		*blamed = true;
	put_name(&text, path);
	spg_buf_puts(&text, " is damaged: ");
	spg_text_escape(&text, why ? why : "not an ELF file", false);
	spg_buf_puts(&text, ", and ");
	put_name(&text, spg_elf_set_object(telling->set, lack->object).path);
	spg_buf_puts(&text, " loads it");
	return spg_fit_add(
		telling->work, SPG_FINDING_DAMAGED, module, NULL, NULL, NULL, &text);
}

static int tell_unfit(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack)
{
	const struct spg_fit_question *q = telling->set->question;
	struct spg_elf_object unfit = spg_elf_set_object(telling->set, lack->other);
	const struct spg_module *outside;

	if (unfit.binary && unfit.binary->format == SPG_BINARY_ELF)
		return tell_machine(telling, lack, &unfit);
	if (lack->other < q->n_modules)
		return tell_no_library(telling, lack, unfit.path,
			q->modules[lack->other].err,
			unfit.binary ? NULL : q->modules[lack->other].why);
	outside = q->around->modules[lack->other - q->n_modules];
	return tell_no_library(telling, lack, unfit.path, outside->err, outside->why);
}

/* It may well stand where $ORIGIN leads: say why that does not help. */
static int tell_secure(const struct spg_elf_telling *telling,
	const struct spg_elf_lack *lack, const char *name)
{
	struct spg_buf text = SPG_BUF_NULL;

	put_who(&text, telling, lack);
	spg_text_escape(&text, name, false);
	spg_buf_puts(&text, ", which is in no directory that the loader trusts: ");
	put_name(&text, spg_elf_set_object(telling->set, telling->root).path);
	spg_buf_puts(&text,
		" is setuid or setgid or has capabilities, for which neither "
		"$ORIGIN nor LD_LIBRARY_PATH counts");
	return spg_fit_add(telling->work, SPG_FINDING_MISSING_MODULE,
		module_of(telling, lack), NULL, name, NULL, &text);
}

int spg_elf_tell_library(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack)
{
	struct spg_elf_object who = spg_elf_set_object(telling->set, lack->object);
	const char *name =
		spg_binary_text(who.binary, who.binary->modules[lack->index].name);
	const char *gone = find_gone(telling->set->question, name);
	size_t module = module_of(telling, lack);
	struct spg_buf text = SPG_BUF_NULL;

	if (lack->other != SPG_FIT_NONE)
		return tell_unfit(telling, lack);
	/* One that the product had it had to bring. */
	if (!gone && spg_elf_is_outside(telling->set->question, name))
		return 0;
	if (spg_elf_set_object(telling->set, telling->root).is_secure)
		return tell_secure(telling, lack, name);
	if (module == lack->object)
		return spg_fit_elf_library_missing(telling->work, module, name, gone);
	put_who(&text, telling, lack);
	spg_text_escape(&text, name, false);
	spg_buf_puts(&text, ", which is nowhere");
	return spg_fit_add(telling->work, SPG_FINDING_MISSING_MODULE, module, NULL,
		name, NULL, &text);
}

int spg_elf_tell_elsewhere(struct spg_fit_work *work, const struct spg_elf_set *set,
	size_t root, const struct spg_elf_lack *lack, size_t library, bool hint)
{
	const struct spg_elf_telling telling = {work, set, NULL, root, SPG_FIT_NONE};
	size_t module = module_of(&telling, lack);
	struct spg_buf text = SPG_BUF_NULL;

	if (!hint) {
		put_name(&text, work->question->modules[root].path);
		spg_buf_puts(&text, " could not be checked: ");
	}
	put_who(&text, &telling, lack);
	spg_fit_put_module(&text, &work->question->modules[library], true);
	if (hint) {
		spg_buf_puts(&text, ", if the loader looks there (library-path)");
		return spg_fit_add_hint(work, module, &text);
	}
	spg_buf_puts(&text,
		", where the loader does not look by itself: if what starts it "
		"says so, name the folder with library-path");
	return spg_fit_add_gap(work, root, &text);
}

/* ---- versions and symbols ---- */

int spg_elf_tell_version(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack)
{
	struct spg_elf_object who = spg_elf_set_object(telling->set, lack->object);
	struct spg_elf_object library = spg_elf_set_object(telling->set, lack->other);
	const char *name =
		spg_binary_text(who.binary, who.binary->versions[lack->index].name);
	uint32_t n = 0, first = 0;
	struct spg_buf text = SPG_BUF_NULL;

	for (uint32_t i = who.binary->n_imports; i > 0; i--)
		if (who.binary->imports[i - 1].version == lack->index + 1) {
			first = i - 1;
			n++;
		}
	put_who(&text, telling, lack);
	if (n) {
		spg_text_escape(&text,
			spg_binary_text(who.binary, who.binary->imports[first].name),
			false);
		spg_buf_puts(&text, "@");
		spg_text_escape(&text, name, false);
		if (n > 1)
			spg_buf_printf(&text, " and %u more of that version", n - 1);
	} else {
		spg_buf_puts(&text, "the version ");
		spg_text_escape(&text, name, false);
	}
	spg_buf_puts(&text, ", which ");
	put_lacking(&text, telling, &library);
	return spg_fit_add(telling->work, SPG_FINDING_MISSING_EXPORT,
		module_of(telling, lack), name, name_of(&library), version_of(&library),
		&text);
}

/* The library that has the version, of those that are loaded. */
static size_t library_of(const struct spg_elf_telling *telling,
	const struct spg_binary *binary, const struct spg_binary_import *import)
{
	const char *name =
		import->version ? spg_binary_text(binary,
					  binary->versions[import->version - 1].module)
				: NULL;

	for (size_t i = 0; name && i < telling->loading->n; i++) {
		struct spg_elf_object object =
			spg_elf_set_object(telling->set, telling->loading->objects[i]);
		const char *soname =
			spg_binary_text(object.binary, object.binary->soname);

		if (strcmp(spg_path_base(object.path), name) == 0 ||
			(soname && strcmp(soname, name) == 0))
			return telling->loading->objects[i];
	}
	return SPG_FIT_NONE;
}

static bool needs(const struct spg_binary *who, const char *library)
{
	for (uint32_t i = 0; i < who->n_modules; i++)
		if (strcmp(spg_binary_text(who, who->modules[i].name), library) == 0)
			return true;
	return false;
}

/* The only library of the product that @who needs, SPG_FIT_NONE: there are others, or
 * none. A symbol without a version may have been anybody's, but most likely its. */
static size_t partner_of(
	const struct spg_elf_telling *telling, const struct spg_binary *who)
{
	size_t partner = SPG_FIT_NONE;

	for (size_t i = 1; i < telling->loading->n; i++) {
		size_t object = telling->loading->objects[i];
		struct spg_elf_object library =
			spg_elf_set_object(telling->set, object);

		if (object >= telling->set->question->n_modules ||
			!needs(who, name_of(&library)))
			continue;
		if (partner != SPG_FIT_NONE)
			return SPG_FIT_NONE;
		partner = object;
	}
	return partner;
}

/* @symbol, as it is shown; @ret_library: who should define it, or zeroes. */
static void put_symbol(const struct spg_elf_telling *telling,
	const struct spg_elf_lack *lack, struct spg_buf *symbol,
	struct spg_elf_object *ret_library, struct spg_buf *text)
{
	struct spg_elf_object who = spg_elf_set_object(telling->set, lack->object);
	const struct spg_binary_import *import = &who.binary->imports[lack->index];
	size_t from = library_of(telling, who.binary, import);

	spg_text_escape(symbol, spg_binary_text(who.binary, import->name), false);
	if (import->version) {
		spg_buf_puts(symbol, "@");
		spg_text_escape(symbol,
			spg_binary_text(who.binary,
				who.binary->versions[import->version - 1].name),
			false);
	}
	put_who(text, telling, lack);
	spg_buf_puts(text, spg_buf_text(symbol));
	if (from == SPG_FIT_NONE && !telling->hosted)
		from = telling->host;
	if (from == SPG_FIT_NONE)
		from = partner_of(telling, who.binary);
	if (from != SPG_FIT_NONE) {
		*ret_library = spg_elf_set_object(telling->set, from);
		spg_buf_puts(text, ", which ");
		put_lacking(text, telling, ret_library);
	} else {
		spg_buf_puts(text, ", which nothing that is loaded with it defines");
	}
	if (import->late)
		spg_buf_puts(text, ", when it is first called");
	if (symbol->failed)
		text->failed = true;
}

bool spg_elf_was_told(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack)
{
	const struct spg_fit_question *q = telling->set->question;
	const char *path = q->modules[module_of(telling, lack)].path;
	struct spg_buf text = SPG_BUF_NULL, symbol = SPG_BUF_NULL;
	struct spg_elf_object library = {0};
	bool was;

	if (q->n_told == 0)
		return false;
	put_symbol(telling, lack, &symbol, &library, &text);
	was = text.failed || spg_fit_was_told(q, path, spg_buf_text(&text));
	spg_buf_finish(&symbol);
	spg_buf_finish(&text);
	return was;
}

int spg_elf_tell_symbol(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack)
{
	const struct spg_binary *who =
		spg_elf_set_object(telling->set, lack->object).binary;
	struct spg_buf text = SPG_BUF_NULL, symbol = SPG_BUF_NULL;
	struct spg_elf_object library = {0};
	int err;

	put_symbol(telling, lack, &symbol, &library, &text);
	err = spg_fit_add(telling->work, SPG_FINDING_MISSING_EXPORT,
		module_of(telling, lack), spg_buf_text(&symbol),
		library.path ? name_of(&library) : NULL,
		library.path ? version_of(&library) : NULL, &text);
	/* Where there are too many, the last is another one, and nobody is told of it. */
	if (err == 0 && telling->work->fit->n_more == 0)
		telling->work->fit->findings[telling->work->fit->n_findings - 1].late =
			who->imports[lack->index].late;
	spg_buf_finish(&symbol);
	return err;
}

/* ---- what has no library to blame ---- */

int spg_elf_tell_interpreter(struct spg_fit_work *work, size_t module,
	const char *interpreter, bool by_path, bool hint)
{
	struct spg_buf text = SPG_BUF_NULL;

	put_name(&text, work->question->modules[module].path);
	spg_buf_puts(&text, " needs ");
	spg_text_escape(&text, interpreter, false);
	spg_buf_puts(&text, ", its interpreter, which is ");
	spg_buf_puts(&text, by_path ? "in no directory of PATH" : "not there");
	if (hint)
		return spg_fit_add_hint(work, module, &text);
	return spg_fit_add(work, SPG_FINDING_MISSING_MODULE, module, NULL,
		spg_path_base(interpreter), NULL, &text);
}

int spg_elf_tell_unseen(struct spg_fit_work *work, size_t module)
{
	return add_gap(work, module, "spguardd did not look for all that it loads");
}

int spg_elf_tell_other_loader(struct spg_fit_work *work, size_t module)
{
	return add_gap(work, module,
		"another loader than that of the GNU C library starts it, by rules of "
		"its own");
}

/* "x.so could not be checked: it is a plugin of Python and needs PyErr_Format and 8 more
 * symbols, which nothing here defines: name the program that loads it with loaded-by" */
int spg_elf_tell_unknown_host(struct spg_fit_work *work, const struct spg_elf_set *set,
	size_t module, const struct spg_elf_lack *lack, size_t n)
{
	struct spg_elf_object who = spg_elf_set_object(set, lack->object);
	const char *kind =
		spg_elf_kind_of_plugin(work->question->modules[module].binary);
	struct spg_buf text = SPG_BUF_NULL;

	put_name(&text, work->question->modules[module].path);
	spg_buf_puts(&text, " could not be checked: it ");
	if (kind)
		spg_buf_printf(&text, "is a plugin of %s and ", kind);
	spg_buf_puts(&text, "needs ");
	spg_text_escape(&text,
		spg_binary_text(who.binary, who.binary->imports[lack->index].name),
		false);
	if (n > 1)
		spg_buf_printf(
			&text, " and %zu more symbol%s", n - 1, n > 2 ? "s" : "");
	spg_buf_puts(&text,
		", which nothing here defines: name the program that loads it "
		"with loaded-by");
	return spg_fit_add_gap(work, module, &text);
}

/* By the functions that a program of that kind looks for in each of its plugins. */
static const struct {
	const char *start, *kind;
} plugins[] = {
	{"PyInit_", "Python"},
	{"boot_", "Perl"},
	{"get_module", "PHP"},
	{"Init_", "Ruby"},
	{"JNI_OnLoad", "Java"},
	{"Java_", "Java"},
	{"Pg_magic_func", "PostgreSQL"},
	{"_maria_plugin_interface_version_", "MariaDB"},
	{"_mysql_plugin_interface_version_", "MySQL"},
	{"ngx_modules", "nginx"},
	{"luaopen_", "Lua"},
	{"napi_register_module_v", "Node.js"},
	{"node_register_module_v", "Node.js"},
	{"R_init_", "R"},
	{"pam_sm_", "PAM"},
};

const char *spg_elf_kind_of_plugin(const struct spg_binary *binary)
{
	for (uint32_t i = 0; i < binary->n_exports; i++) {
		const char *name = spg_binary_text(binary, binary->exports[i].name);

		for (size_t k = 0; k < sizeof(plugins) / sizeof(plugins[0]); k++)
			if (strncmp(name, plugins[k].start, strlen(plugins[k].start)) ==
				0)
				return plugins[k].kind;
	}
	return NULL;
}

bool spg_elf_is_of_host(const struct spg_binary *plugin, const char *library)
{
	/* The launcher loads these before anything else: jdk/src/java.base/share/native. */
	static const char *const of_java[] = {"libjvm.so", "libjava.so", "libjli.so"};
	const char *kind = spg_elf_kind_of_plugin(plugin);

	for (size_t i = 0; kind && i < sizeof(of_java) / sizeof(of_java[0]); i++)
		if (strcmp(kind, "Java") == 0 && strcmp(library, of_java[i]) == 0)
			return true;
	return false;
}

bool spg_elf_is_symbol_of_host(const struct spg_binary *plugin, const char *symbol)
{
	static const char *const of_java[] = {"JNI_", "JVM_", "JNU_", "JLI_"};
	const char *kind = spg_elf_kind_of_plugin(plugin);

	for (size_t i = 0; kind && i < sizeof(of_java) / sizeof(of_java[0]); i++)
		if (strcmp(kind, "Java") == 0 &&
			strncmp(symbol, of_java[i], strlen(of_java[i])) == 0)
			return true;
	return false;
}
