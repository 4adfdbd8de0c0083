/* SPDX-License-Identifier: MIT */
/*
 * .NET: references to assemblies against the assemblies that are installed.
 *
 * A reference names an assembly, its version and its key. Who loads it decides which
 * version will do, so each program of the product is followed through its references: a
 * context. What no program refers to, plug-ins and web applications, is looked at by
 * itself, and every configuration in its directory counts.
 *
 * A finding needs a file that the runtime would find by the name, and that is another
 * version or has another key. What is not found at all may be in the global assembly
 * cache or come from the framework: nothing is said of that here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/assembly_rules.h"
#include "daemon/install/fit/parts.h"

/* References followed, and files compared with them, of one question: a second. */
#define STEPS_MAX 5000000U

/* Who loads: programs of one directory whose configurations say the same, or the
 * modules of a directory that no program refers to. */
struct context {
	struct spg_fit_text directory;
	const struct spg_binding *const *bindings;
	size_t n_bindings;
	bool is_core;
	bool is_loose;   /* whose program is not known */
	bool is_partial; /* a reference was not judged since a binding is */
};

struct search {
	struct spg_fit_work *work;
	const struct spg_fit_module *modules;
	size_t *by_name; /* assemblies, folded, then in the product's order */
	size_t n_named;
	size_t *by_directory; /* all that are managed */
	size_t n_managed;
	size_t *stack;
	bool *visited; /* in this context */
	bool *reached; /* in any */
	bool **told;   /* of the module's references; NULL: none */
	const struct spg_binding **bindings; /* of the context */
	uint32_t steps;
};

static const char *name_of(const struct spg_fit_module *module)
{
	return spg_binary_text(module->binary, module->binary->assembly.name);
}

static bool is_managed(const struct spg_fit_module *module)
{
	return module->binary && module->binary->is_managed;
}

static bool is_core(const struct spg_fit_module *module)
{
	return module->binding && module->binding->is_core;
}

/* A library with a configuration of .NET Core is a program: its start is native. */
static bool is_program(const struct spg_fit_module *module)
{
	return !module->binary->is_dll || is_core(module);
}

/* ---- sorted ---- */

static int compare_names(const void *a, const void *b, void *user)
{
	const struct spg_fit_module *modules = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	int order = strcasecmp(name_of(&modules[one]), name_of(&modules[two]));

	return order ? order : (one > two) - (one < two);
}

static int compare_directories(const void *a, const void *b, void *user)
{
	const struct search *search = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	int order = spg_fit_compare(spg_fit_directory(&search->modules[one]),
		spg_fit_directory(&search->modules[two]),
		search->work->question->ignore_case);

	return order ? order : (one > two) - (one < two);
}

static bool same_directory(
	const struct search *search, struct spg_fit_text a, struct spg_fit_text b)
{
	return spg_fit_compare(a, b, search->work->question->ignore_case) == 0;
}

/* Place in by_name of the first assembly called @name, or where it would be. */
static size_t first_called(const struct search *search, const char *name)
{
	size_t low = 0, high = search->n_named;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t module = search->by_name[middle];

		if (strcasecmp(name_of(&search->modules[module]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- one reference ---- */

/* "policy.15.1.Exchange.Net": a publisher's policy redirects, in a way that is not
 * read. */
static bool has_policy(const struct search *search, const char *name,
	const struct spg_binary_assembly *reference)
{
	char policy[SPG_PE_ASSEMBLY_MAX + 32];
	size_t at;

	snprintf(policy, sizeof(policy), "policy.%u.%u.%s", reference->version[0],
		reference->version[1], name);
	at = first_called(search, policy);
	return at < search->n_named &&
	       strcasecmp(name_of(&search->modules[search->by_name[at]]), policy) == 0;
}

/* Would the runtime look into the directory of @candidate for what @importer needs? */
static bool is_in_reach(const struct search *search, const struct context *context,
	size_t importer, size_t candidate)
{
	struct spg_fit_text directory = spg_fit_directory(&search->modules[candidate]);
	const char *name = name_of(&search->modules[candidate]);
	bool fold = search->work->question->ignore_case;

	if (spg_fit_is_probed(fold, directory, context->directory, NULL, name) ||
		spg_fit_is_probed(fold, directory,
			spg_fit_directory(&search->modules[importer]), NULL, name))
		return true;
	for (size_t i = 0; i < context->n_bindings; i++) {
		const struct spg_binding *binding = context->bindings[i];

		for (size_t k = 0; k < binding->n_paths; k++)
			if (spg_fit_is_probed(fold, directory, context->directory,
				    binding->paths[k], name))
				return true;
	}
	return false;
}

/* How a reference is read in a context. */
struct wanted {
	const struct spg_binary_assembly *reference;
	const char *name;
	struct context *context;
	bool is_core; /* a later version will do */
};

/* What the configuration makes of the reference; without it, the reference. */
static const uint16_t *version_by(
	const struct wanted *wanted, const struct spg_binding *binding)
{
	const struct spg_binary_assembly *reference = wanted->reference;
	const struct spg_binding_redirect *redirect = spg_binding_find(binding,
		wanted->name, reference->has_token ? reference->token : NULL,
		reference->version);

	return redirect ? redirect->to : reference->version;
}

static bool version_will_do(const struct wanted *wanted, const uint16_t version[4])
{
	const struct context *context = wanted->context;

	if (wanted->is_core)
		return spg_binding_compare_versions(
			       version, wanted->reference->version) >= 0;
	if (!wanted->reference->has_token)
		return true;
	for (size_t i = 0; i < context->n_bindings; i++)
		if (spg_binding_compare_versions(
			    version_by(wanted, context->bindings[i]), version) == 0)
			return true;
	return context->n_bindings == 0 &&
	       spg_binding_compare_versions(wanted->reference->version, version) == 0;
}

static bool key_will_do(
	const struct wanted *wanted, const struct spg_binary_assembly *assembly)
{
	return !wanted->reference->has_token ||
	       (assembly->has_token && memcmp(assembly->token, wanted->reference->token,
					       SPG_BINARY_TOKEN_BYTES) == 0);
}

/* Is it said in a way that is not followed here? */
static bool is_beyond_us(const struct search *search, const struct wanted *wanted)
{
	const struct spg_binary_assembly *reference = wanted->reference;

	if (reference->is_retargetable || reference->is_windows_runtime ||
		reference->culture || spg_fit_is_framework(reference, wanted->name) ||
		has_policy(search, wanted->name, reference))
		return true;
	for (size_t i = 0; i < wanted->context->n_bindings; i++) {
		const struct spg_binding *binding = wanted->context->bindings[i];
		const struct spg_binding_redirect *redirect;

		if (binding->is_partial) {
			wanted->context->is_partial = true;
			return true;
		}
		redirect = spg_binding_find(binding, wanted->name,
			reference->has_token ? reference->token : NULL,
			reference->version);
		if (redirect && redirect->elsewhere)
			return true;
	}
	return false;
}

/* The assembly that @wanted of @importer leads to; SPG_FIT_NONE: none is found.
 * *ret_fits: it will do. */
static size_t resolve(struct search *search, const struct wanted *wanted,
	size_t importer, bool *ret_fits)
{
	size_t wrong = SPG_FIT_NONE;

	*ret_fits = true;
	for (size_t at = first_called(search, wanted->name); at < search->n_named;
		at++) {
		size_t candidate = search->by_name[at];
		const struct spg_fit_module *module = &search->modules[candidate];
		bool near;

		if (strcasecmp(name_of(module), wanted->name) != 0)
			break;
		search->steps++;
		if (module->binary->assembly.culture)
			continue;
		near = is_in_reach(search, wanted->context, importer, candidate);
		if ((near || spg_fit_is_in_cache(module)) &&
			key_will_do(wanted, &module->binary->assembly) &&
			version_will_do(wanted, module->binary->assembly.version))
			return candidate;
		if (near && spg_fit_is_found_as(module, wanted->name) &&
			wrong == SPG_FIT_NONE)
			wrong = candidate;
	}
	*ret_fits = wrong == SPG_FIT_NONE;
	return wrong;
}

/* ---- findings ---- */

static void put_token(struct spg_buf *out, const struct spg_binary_assembly *assembly)
{
	if (!assembly->has_token) {
		spg_buf_puts(out, "no key");
		return;
	}
	spg_buf_puts(out, "the key ");
	for (size_t i = 0; i < SPG_BINARY_TOKEN_BYTES; i++)
		spg_buf_printf(out, "%02x", assembly->token[i]);
}

/* The version that would be right. *ret_redirected: by a configuration. */
static const uint16_t *version_for(const struct wanted *wanted, bool *ret_redirected)
{
	const struct context *context = wanted->context;

	*ret_redirected = false;
	for (size_t i = 0; !wanted->is_core && i < context->n_bindings; i++) {
		const uint16_t *version = version_by(wanted, context->bindings[i]);

		if (version != wanted->reference->version) {
			*ret_redirected = true;
			return version;
		}
	}
	return wanted->reference->version;
}

/* "Exchange.Data.dll needs Exchange.Net 15.1.2507.39, which is not here: Exchange.Net.dll
 * is 15.1.2375.7" */
static int tell_wrong(struct search *search, const struct wanted *wanted,
	size_t importer, size_t wrong)
{
	const struct spg_fit_module *module = &search->modules[wrong];
	const struct spg_binary_assembly *assembly = &module->binary->assembly;
	char version[SPG_BINARY_VERSION_TEXT_BYTES],
		needed[SPG_BINARY_VERSION_TEXT_BYTES];
	struct spg_buf text = SPG_BUF_NULL, needs = SPG_BUF_NULL;
	bool redirected;
	int err;

	spg_binary_version_format(version_for(wanted, &redirected), needed);
	spg_buf_printf(&needs, "%s %s", wanted->name, needed);
	spg_binary_version_format(assembly->version, version);
	spg_text_escape(&text, search->modules[importer].name, false);
	spg_buf_puts(&text, " needs ");
	spg_text_escape(&text, spg_buf_text(&needs), false);
	if (wanted->is_core)
		spg_buf_puts(&text, " or later");
	if (redirected)
		spg_buf_puts(&text, ", by the configuration");
	spg_buf_puts(&text, ", which is not here: ");
	spg_text_escape(&text, module->name, false);
	if (!same_directory(search, spg_fit_directory(module),
		    spg_fit_directory(&search->modules[importer]))) {
		struct spg_fit_text directory = spg_fit_directory(module);
		char *copy = strndup(directory.text, directory.n);

		spg_buf_puts(&text, " in ");
		if (copy)
			spg_text_escape(&text, copy, false);
		else
			text.failed = true;
		free(copy);
	}
	if (key_will_do(wanted, assembly)) {
		spg_buf_printf(&text, " is %s", version);
	} else {
		spg_buf_puts(&text, " has ");
		put_token(&text, assembly);
		spg_buf_puts(&text, ", not ");
		put_token(&text, wanted->reference);
	}
	if (needs.failed)
		text.failed = true;
	err = spg_fit_add(search->work, SPG_FINDING_ASSEMBLY_VERSION, importer,
		spg_buf_text(&needs), module->name, version, &text);
	spg_buf_finish(&needs);
	return err;
}

/* Each reference once, though several programs may lead to it. */
static int tell_once(struct search *search, const struct wanted *wanted,
	size_t importer, size_t wrong, uint32_t reference)
{
	bool **told = &search->told[importer];

	if (!*told)
		*told = calloc(
			search->modules[importer].binary->n_references, sizeof(bool));
	if (!*told)
		return SPG_ERR_NOMEM;
	if ((*told)[reference])
		return 0;
	(*told)[reference] = true;
	if (wrong == SPG_FIT_NONE)
		return spg_fit_assembly_missing(search->work, importer, wanted->name);
	return tell_wrong(search, wanted, importer, wrong);
}

/* "A.exe: what its assemblies refer to could not be checked: ..." */
static int tell_gap(struct search *search, size_t module, const char *why)
{
	struct spg_buf text = SPG_BUF_NULL;

	spg_text_escape(&text, search->modules[module].name, false);
	spg_buf_printf(
		&text, ": the assemblies that it needs could not be checked: %s", why);
	return spg_fit_add_gap(search->work, module, &text);
}

/* ---- a context ---- */

/* All that is reached from the @n modules on the stack. */
static int follow(struct search *search, struct context *context, size_t n)
{
	size_t first = search->stack[0];

	while (n > 0 && search->steps < STEPS_MAX) {
		size_t importer = search->stack[--n];
		const struct spg_binary *binary = search->modules[importer].binary;
		bool core = context->is_core ||
		            spg_fit_is_for_core(binary, context->is_loose);

		search->reached[importer] = true;
		for (uint32_t i = 0; i < binary->n_references; i++) {
			struct wanted wanted = {&binary->references[i],
				spg_binary_text(binary, binary->references[i].name),
				context, core};
			size_t found;
			bool fits;
			int err = 0;

			search->steps++;
			if (is_beyond_us(search, &wanted))
				continue;
			found = resolve(search, &wanted, importer, &fits);
			if (!fits || found == SPG_FIT_NONE)
				err = tell_once(search, &wanted, importer, found, i);
			if (err < 0)
				return err;
			if (found != SPG_FIT_NONE && !search->visited[found]) {
				search->visited[found] = true;
				search->stack[n++] = found;
			}
		}
	}
	if (context->is_partial)
		return tell_gap(
			search, first, "the configuration beside it is not understood");
	return 0;
}

static size_t push(struct search *search, size_t module, size_t n)
{
	search->visited[module] = true;
	search->stack[n] = module;
	return n + 1;
}

static void begin(struct search *search)
{
	memset(search->visited, 0, search->work->question->n_modules);
}

/* Is one of .NET Core's programs in @directory, or above it? */
static bool is_core_place(const struct search *search, struct spg_fit_text directory)
{
	for (size_t i = 0; i < search->n_managed; i++) {
		const struct spg_fit_module *module =
			&search->modules[search->by_directory[i]];
		struct spg_fit_text above;

		if (!is_core(module))
			continue;
		above = spg_fit_directory(module);
		if (directory.n >= above.n &&
			(directory.n == above.n || directory.text[above.n] == '/') &&
			same_directory(search,
				(struct spg_fit_text){directory.text, above.n}, above))
			return true;
	}
	return false;
}

/* The programs of one directory: those without a configuration at once, each other one
 * by itself. @from and @to are places in by_directory. */
static int check_programs(struct search *search, size_t from, size_t to)
{
	struct context context = {
		spg_fit_directory(&search->modules[search->by_directory[from]])};
	size_t n_plain = 0;
	int err = 0;

	context.is_core = is_core_place(search, context.directory);
	context.bindings = search->bindings;
	begin(search);
	for (size_t i = from; i < to; i++) {
		size_t module = search->by_directory[i];

		if (is_program(&search->modules[module]) &&
			(context.is_core || !search->modules[module].binding))
			n_plain = push(search, module, n_plain);
	}
	if (n_plain)
		err = follow(search, &context, n_plain);
	context.n_bindings = 1;
	for (size_t i = from; err == 0 && !context.is_core && i < to; i++) {
		size_t module = search->by_directory[i];
		const struct spg_binding *binding = search->modules[module].binding;

		if (!is_program(&search->modules[module]) || !binding)
			continue;
		search->bindings[0] = binding;
		context.is_partial = false;
		begin(search);
		err = follow(search, &context, push(search, module, 0));
	}
	return err;
}

/* What no program of the product refers to, in one directory. */
static int check_loose(struct search *search, size_t from, size_t to)
{
	struct context context = {
		spg_fit_directory(&search->modules[search->by_directory[from]])};
	size_t n = 0;

	begin(search);
	for (size_t i = from; i < to; i++) {
		size_t module = search->by_directory[i];

		if (search->modules[module].binding)
			search->bindings[context.n_bindings++] =
				search->modules[module].binding;
		if (!search->reached[module])
			n = push(search, module, n);
	}
	if (n == 0)
		return 0;
	context.bindings = search->bindings;
	context.is_core = is_core_place(search, context.directory);
	context.is_loose = true;
	return follow(search, &context, n);
}

static int check_all(struct search *search)
{
	int err = 0;

	for (int loose = 0; loose < 2; loose++) {
		for (size_t from = 0, to; err == 0 && from < search->n_managed;
			from = to) {
			struct spg_fit_text directory = spg_fit_directory(
				&search->modules[search->by_directory[from]]);

			for (to = from + 1; to < search->n_managed; to++)
				if (!same_directory(search, directory,
					    spg_fit_directory(
						    &search->modules
							     [search->by_directory
									     [to]])))
					break;
			err = loose ? check_loose(search, from, to)
			            : check_programs(search, from, to);
		}
	}
	if (err == 0 && search->steps >= STEPS_MAX)
		err = tell_gap(search, search->by_directory[0], "there are too many");
	return err;
}

static void search_finish(struct search *search)
{
	for (size_t i = 0; search->told && i < search->work->question->n_modules; i++)
		free(search->told[i]);
	free(search->told);
	free(search->by_name);
	free(search->by_directory);
	free(search->stack);
	free(search->visited);
	free(search->reached);
	free(search->bindings);
}

static int search_init(struct search *search)
{
	size_t n = search->work->question->n_modules;

	search->by_name = calloc(n + 1, sizeof(*search->by_name));
	search->by_directory = calloc(n + 1, sizeof(*search->by_directory));
	search->stack = calloc(n + 1, sizeof(*search->stack));
	search->visited = calloc(n + 1, sizeof(*search->visited));
	search->reached = calloc(n + 1, sizeof(*search->reached));
	search->told = calloc(n + 1, sizeof(*search->told));
	search->bindings = calloc(n + 1, sizeof(*search->bindings));
	if (!search->by_name || !search->by_directory || !search->stack ||
		!search->visited || !search->reached || !search->told ||
		!search->bindings)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!is_managed(&search->modules[i]))
			continue;
		search->by_directory[search->n_managed++] = i;
		if (search->modules[i].binary->assembly.name)
			search->by_name[search->n_named++] = i;
	}
	/* The modules are only read. */
	qsort_r(search->by_name, search->n_named, sizeof(*search->by_name),
		compare_names, (void *)search->modules);
	qsort_r(search->by_directory, search->n_managed, sizeof(*search->by_directory),
		compare_directories, search);
	return 0;
}

int spg_fit_assemblies(struct spg_fit_work *work)
{
	struct search search = {.work = work, .modules = work->question->modules};
	int err = search_init(&search);

	if (err == 0)
		err = check_all(&search);
	search_finish(&search);
	return err;
}
