/* SPDX-License-Identifier: MIT */
#include "daemon/model/product.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

struct spg_product *spg_product_create(const char *name)
{
	struct spg_product *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	atomic_init(&p->refs, 1);
	p->name = strdup(name);
	if (!p->name) {
		spg_product_unref(p);
		return NULL;
	}
	return p;
}

static const char *const replacements[SPG_REPLACEMENTS] = {
	[SPG_REPLACE_ANYHOW] = "any",
	[SPG_REPLACE_IN_PLACE] = "in-place",
	[SPG_REPLACE_BY_RENAME] = "rename",
};

const char *spg_replacement_name(enum spg_replacement replacement)
{
	return replacements[replacement];
}

int spg_replacement_from_name(const char *name)
{
	for (int i = 0; i < SPG_REPLACEMENTS; i++)
		if (strcmp(replacements[i], name) == 0)
			return i;
	return -1;
}

struct spg_product *spg_product_ref(struct spg_product *product)
{
	if (product)
		atomic_fetch_add_explicit(&product->refs, 1, memory_order_relaxed);
	return product;
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void spg_product_unref(struct spg_product *product)
{
	if (!product ||
		atomic_fetch_sub_explicit(&product->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < product->n_directories; i++) {
		free(product->directories[i].path);
		free(product->directories[i].origin);
	}
	free(product->directories);
	for (size_t i = 0; i < product->n_advice; i++) {
		free(product->advice[i].pattern);
		free(product->advice[i].say);
	}
	free(product->advice);
	free_texts(product->patterns, product->n_patterns);
	free_texts(product->setup_stops, product->n_setup_stops);
	free_texts(product->library_path, product->n_library_path);
	free_texts(product->hosts, product->n_hosts);
	free_texts(product->outside, product->n_outside);
	free(product->install_as);
	free(product->install_gids);
	free(product->name);
	free(product->title);
	free(product);
}

/* Make room for one more element; profiles are short, so no slack is kept. */
static void *grow(void *array, size_t n, size_t element_bytes)
{
	return reallocarray(array, n + 1, element_bytes);
}

static int add_text(char ***texts, size_t *n, const char *text)
{
	char **grown = grow(*texts, *n, sizeof(**texts));

	if (!grown)
		return SPG_ERR_NOMEM;
	*texts = grown;
	grown[*n] = strdup(text);
	if (!grown[*n])
		return SPG_ERR_NOMEM;
	(*n)++;
	return 0;
}

int spg_product_add_directory(
	struct spg_product *product, const char *path, const char *origin)
{
	struct spg_product_directory *grown, d = {strdup(path), strdup(origin)};

	grown = grow(product->directories, product->n_directories, sizeof(*grown));
	if (grown)
		product->directories = grown;
	if (!grown || !d.path || !d.origin) {
		free(d.path);
		free(d.origin);
		return SPG_ERR_NOMEM;
	}
	spg_path_normalise(d.path);
	grown[product->n_directories++] = d;
	return 0;
}

int spg_product_add_pattern(struct spg_product *product, const char *pattern)
{
	return add_text(&product->patterns, &product->n_patterns, pattern);
}

int spg_product_add_setup_stop(struct spg_product *product, const char *name)
{
	return add_text(&product->setup_stops, &product->n_setup_stops, name);
}

static int add_path(char ***paths, size_t *n, const char *path)
{
	int r = add_text(paths, n, path);

	if (r == 0)
		spg_path_normalise((*paths)[*n - 1]);
	return r;
}

int spg_product_add_library_path(struct spg_product *product, const char *path)
{
	return add_path(&product->library_path, &product->n_library_path, path);
}

int spg_product_add_host(struct spg_product *product, const char *path)
{
	return add_path(&product->hosts, &product->n_hosts, path);
}

int spg_product_add_outside(struct spg_product *product, const char *pattern)
{
	return add_text(&product->outside, &product->n_outside, pattern);
}

int spg_product_add_advice(
	struct spg_product *product, const char *pattern, const char *say)
{
	struct spg_advice *grown, a = {strdup(pattern), strdup(say)};

	grown = grow(product->advice, product->n_advice, sizeof(*grown));
	if (grown)
		product->advice = grown;
	if (!grown || !a.pattern || !a.say) {
		free(a.pattern);
		free(a.say);
		return SPG_ERR_NOMEM;
	}
	grown[product->n_advice++] = a;
	return 0;
}

bool spg_product_has_name(const struct spg_product *product, const char *name)
{
	for (size_t i = 0; i < product->n_patterns; i++)
		if (spg_name_match(product->patterns[i], name, product->ignore_case))
			return true;
	return false;
}

bool spg_product_covers(const struct spg_product *product, const char *path)
{
	const char *base = spg_path_base(path);

	for (size_t i = 0; i < product->n_directories; i++) {
		const char *dir = product->directories[i].path;
		size_t len = strlen(dir);

		if (!spg_path_below(path, dir, false))
			continue;
		/* "/" is the one directory whose path ends in a slash. */
		if (product->recursive || base == path + len + (dir[len - 1] != '/'))
			return true;
	}
	return false;
}

bool spg_product_has_path(const struct spg_product *product, const char *path)
{
	return spg_product_covers(product, path) &&
	       spg_product_has_name(product, spg_path_base(path));
}

const char *spg_product_advice(const struct spg_product *product, const char *name)
{
	for (size_t i = 0; i < product->n_advice; i++)
		if (spg_name_match(
			    product->advice[i].pattern, name, product->ignore_case))
			return product->advice[i].say;
	return NULL;
}

bool spg_product_setup_stops(const struct spg_product *product, const char *name,
	const char *exe, const char *service)
{
	for (size_t i = 0; i < product->n_setup_stops; i++) {
		const char *stop = product->setup_stops[i];

		if (name && spg_name_equal(stop, name, product->ignore_case))
			return true;
		if (exe &&
			spg_name_equal(stop, spg_path_base(exe), product->ignore_case))
			return true;
		if (service && spg_name_equal(stop, service, product->ignore_case))
			return true;
	}
	return false;
}
