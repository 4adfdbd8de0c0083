/* SPDX-License-Identifier: MIT */
/*
 * Print what programs and libraries of Linux lack when they are loaded, each for itself,
 * to compare it with the loader and with ldd -r.
 *
 *   elf-lacks [-n] [-p] [-L DIRECTORY]... [-o PATTERN]... [FILE...]
 *
 *   Without a FILE, standard input has one a line.
 *
 *   -L   in LD_LIBRARY_PATH
 *   -o   libraries that stand elsewhere
 *   -p   print what verify says of all of them, as of one product
 *   -n   print only how much was looked at
 *
 *   file PATH                     of what is ELF, a block of lines each
 *   error TEXT                    instead of all that follows
 *   unseen                        not all could be looked at
 *   library WHO NAME              is not found
 *   version WHO NAME LIBRARY      the library does not define it
 *   symbol WHO NAME[@VERSION]     is defined nowhere
 *   loads N                       libraries, the file itself among them
 *
 *   With -p:
 *   finding|gap|hint PATH TEXT
 *   verdict TEXT CHECKED FOREIGN
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/elf/elf.h"
#include "daemon/install/elf/search.h"
#include "daemon/install/fit/elf_set.h"
#include "daemon/install/verify.h"

static void die(const char *what)
{
	fprintf(stderr, "elf-lacks: %s\n", what);
	exit(2);
}

static int compare_modules(const void *a, const void *b)
{
	return strcmp((*(struct spg_module *const *)a)->path,
		(*(struct spg_module *const *)b)->path);
}

static struct spg_module *read_module(const char *path)
{
	struct spg_module *module = spg_module_create(path);
	struct spg_buf error = SPG_BUF_NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (!module || fd < 0 || fstat(fd, &st) < 0)
		die(path);
	module->id = (struct spg_file_id){st.st_dev, st.st_ino};
	module->err = spg_elf_read_fd(&module->binary, fd, &error);
	if (module->err == SPG_ERR_INVALID)
		module->err = spg_script_read_fd(&module->binary, fd, &error);
	if (module->err < 0)
		module->why = strdup(
			error.len ? spg_buf_text(&error) : spg_err_text(module->err));
	spg_buf_finish(&error);
	close(fd);
	return module;
}

static struct spg_module_set *read_set(char **paths, int n)
{
	struct spg_module_set *set = spg_module_set_create();

	if (!set)
		die("memory");
	set->modules = calloc((size_t)n + 1, sizeof(set->modules[0]));
	if (!set->modules)
		die("memory");
	for (int i = 0; i < n; i++)
		set->modules[set->n++] = read_module(paths[i]);
	qsort(set->modules, set->n, sizeof(set->modules[0]), compare_modules);
	return set;
}

static void print_lack(const struct spg_elf_set *set, const struct spg_elf_lack *lack)
{
	struct spg_elf_object who = spg_elf_set_object(set, lack->object);
	const struct spg_binary *binary = who.binary;

	switch (lack->kind) {
	case SPG_ELF_NO_LIBRARY:
		printf("library\t%s\t%s\n", who.path,
			spg_binary_text(binary, binary->modules[lack->index].name));
		break;
	case SPG_ELF_NO_VERSION:
		printf("version\t%s\t%s\t%s\n", who.path,
			spg_binary_text(binary, binary->versions[lack->index].name),
			spg_binary_text(binary, binary->versions[lack->index].module));
		break;
	case SPG_ELF_NO_SYMBOL: {
		const struct spg_binary_import *import = &binary->imports[lack->index];

		printf("symbol\t%s\t%s%s%s\n", who.path,
			spg_binary_text(binary, import->name),
			import->version ? "@" : "",
			import->version
				? spg_binary_text(binary,
					  binary->versions[import->version - 1].name)
				: "");
		break;
	}
	}
}

static void print_loading(struct spg_elf_set *set, const struct spg_module *module,
	size_t root, const struct spg_product *product, bool quiet)
{
	struct spg_elf_loading loading;

	if (!quiet)
		printf("file\t%s\n", module->path);
	if (!module->binary && !quiet)
		printf("error\t%s\n", module->why);
	if (!module->binary)
		return;
	if (spg_elf_set_load(set, root, (const char *const *)product->library_path,
		    product->n_library_path, &loading) < 0)
		die("memory");
	for (size_t i = 0; !quiet && i < loading.n_lacks; i++)
		print_lack(set, &loading.lacks[i]);
	if (!quiet)
		printf("%sloads\t%zu\n", loading.is_unseen ? "unseen\n" : "",
			loading.n);
	spg_elf_loading_finish(&loading);
}

static void judge(const struct spg_product *product, struct spg_module_set *set)
{
	struct spg_verification v;

	if (spg_verify(&v, product, set, NULL, NULL) < 0)
		die("memory");
	for (size_t i = 0; i < v.fit.n_findings; i++)
		printf("finding\t%s\t%s\n",
			spg_verification_path(&v, &v.fit.findings[i]),
			v.fit.findings[i].text);
	for (size_t i = 0; i < v.fit.n_gaps; i++)
		printf("gap\t%s\t%s\n", v.modules[v.fit.gaps[i].module].path,
			v.fit.gaps[i].text);
	for (size_t i = 0; i < v.fit.n_hints; i++)
		printf("hint\t%s\t%s\n", v.modules[v.fit.hints[i].module].path,
			v.fit.hints[i].text);
	printf("verdict\t%s\t%zu\t%zu\n", spg_verify_verdict_name(v.verdict),
		v.fit.n_checked, v.fit.n_foreign);
	spg_verification_finish(&v);
}

/* Of standard input. */
static char **read_paths(int *ret_n)
{
	char **paths = NULL, *line = NULL;
	size_t size = 0, n = 0;
	ssize_t length;

	while ((length = getline(&line, &size, stdin)) > 0) {
		paths = reallocarray(paths, n + 1, sizeof(paths[0]));
		if (!paths)
			die("memory");
		line[strcspn(line, "\n")] = '\0';
		paths[n++] = strdup(line);
	}
	free(line);
	*ret_n = (int)n;
	return paths;
}

static void print_each(
	const struct spg_product *product, struct spg_module_set *set, bool quiet)
{
	struct spg_fit_module *modules = calloc(set->n + 1, sizeof(modules[0]));
	struct spg_fit_question question = {
		.modules = modules, .n_modules = set->n, .around = set->around};
	struct spg_elf_set elf;

	for (size_t i = 0; modules && i < set->n; i++)
		modules[i] = (struct spg_fit_module){.at = i,
			.path = set->modules[i]->path,
			.name = spg_path_base(set->modules[i]->path),
			.binary = set->modules[i]->binary};
	if (!modules || spg_elf_set_init(&elf, &question) < 0)
		die("memory");
	for (size_t i = 0; i < set->n; i++)
		if (set->modules[i]->err != SPG_ERR_INVALID &&
			(!set->modules[i]->binary ||
				set->modules[i]->binary->format == SPG_BINARY_ELF))
			print_loading(&elf, set->modules[i], i, product, quiet);
	if (quiet)
		printf("%zu files, %zu libraries outside, %zu paths looked at\n",
			set->n, set->around->n_modules, set->around->n_places);
	spg_elf_set_finish(&elf);
	free(modules);
}

int main(int argc, char **argv)
{
	struct spg_product *product = spg_product_create("compared");
	struct spg_module_set *set;
	bool quiet = false, whole = false;
	char **paths, **read = NULL;
	int option, n;

	while ((option = getopt(argc, argv, "npL:o:")) != -1) {
		if (option == 'n')
			quiet = true;
		else if (option == 'p')
			whole = true;
		else if ((option != 'L' ||
				 spg_product_add_library_path(product, optarg) < 0) &&
			 (option != 'o' ||
				 spg_product_add_outside(product, optarg) < 0))
			die("elf-lacks [-n] [-p] [-L DIRECTORY]... [-o PATTERN]... "
			    "[FILE...]");
	}
	paths = argv + optind;
	n = argc - optind;
	if (n == 0)
		paths = read = read_paths(&n);
	set = read_set(paths, n);
	for (int i = 0; read && i < n; i++)
		free(read[i]);
	free(read);
	if (spg_search_around(set, product) < 0)
		die("memory");
	if (whole)
		judge(product, set);
	else
		print_each(product, set, quiet);
	spg_module_set_unref(set);
	spg_product_unref(product);
	return 0;
}
