/* SPDX-License-Identifier: MIT */
/* What the files of dpkg's database say. Hostile text: lengths count, not zeros. */
#include "daemon/host/linux/dpkg.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/err.h"

/* A piece of a text. */
struct piece {
	const char *data;
	size_t n;
};

/* The next line of *@rest, without its end; false: there is none. */
static bool next_line(struct piece *rest, struct piece *ret)
{
	const char *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->data, '\n', rest->n);
	*ret = (struct piece){rest->data, end ? (size_t)(end - rest->data) : rest->n};
	rest->data += ret->n + (end != NULL);
	rest->n -= ret->n + (end != NULL);
	return true;
}

static char *copy_of(struct piece piece)
{
	return strndup(piece.data, piece.n);
}

/* ---- status ---- */

/* Of one paragraph. */
struct paragraph {
	struct piece name, version, arch, status;
};

/* The value when @line is "FIELD: value". */
static bool is_field(struct piece line, const char *field, struct piece *ret)
{
	size_t n = strlen(field);

	if (line.n <= n || line.data[n] != ':' || strncasecmp(line.data, field, n) != 0)
		return false;
	*ret = (struct piece){line.data + n + 1, line.n - n - 1};
	while (ret->n && (ret->data[0] == ' ' || ret->data[0] == '\t')) {
		ret->data++;
		ret->n--;
	}
	while (ret->n &&
		(ret->data[ret->n - 1] == ' ' || ret->data[ret->n - 1] == '\r'))
		ret->n--;
	return true;
}

static bool is_word(struct piece piece, const char *word)
{
	return piece.n == strlen(word) && memcmp(piece.data, word, piece.n) == 0;
}

/* "installed" of "install ok installed". */
static struct piece last_word(struct piece status)
{
	size_t at = status.n;

	while (at && status.data[at - 1] != ' ')
		at--;
	return (struct piece){status.data + at, status.n - at};
}

/* What is only configuration has no files. */
static bool has_files(struct piece state)
{
	return state.n && !is_word(state, "not-installed") &&
	       !is_word(state, "config-files");
}

static void finish_package(struct spg_dpkg_package *package)
{
	free(package->name);
	free(package->arch);
	free(package->version);
}

static int take_paragraph(struct spg_dpkg_status *status, const struct paragraph *p)
{
	struct spg_dpkg_package package = {
		.order = status->n, .index = SPG_PACKAGE_NONE};

	if (p->name.n == 0)
		return 0;
	if (spg_array_reserve(&status->items, status->n, &status->size,
		    sizeof(*status->items)) < 0)
		return SPG_ERR_NOMEM;
	package.name = copy_of(p->name);
	package.arch = copy_of(p->arch.n ? p->arch : (struct piece){"", 0});
	package.version = copy_of(p->version.n ? p->version : (struct piece){"", 0});
	package.installed = has_files(last_word(p->status)) && p->version.n > 0;
	package.half = is_word(last_word(p->status), "half-installed");
	if (!package.name || !package.arch || !package.version) {
		finish_package(&package);
		return SPG_ERR_NOMEM;
	}
	status->items[status->n++] = package;
	return 0;
}

int spg_dpkg_status_parse(struct spg_dpkg_status *status, const char *text, size_t n)
{
	struct piece rest = {text, n}, line;
	struct paragraph p = {{NULL, 0}};
	int r = 0;

	while (r == 0 && next_line(&rest, &line)) {
		if (line.n == 0) {
			r = take_paragraph(status, &p);
			p = (struct paragraph){{NULL, 0}};
		} else if (line.data[0] != ' ' && line.data[0] != '\t' &&
			   !is_field(line, "Package", &p.name) &&
			   !is_field(line, "Version", &p.version) &&
			   !is_field(line, "Architecture", &p.arch)) {
			(void)is_field(line, "Status", &p.status);
		}
	}
	return r == 0 ? take_paragraph(status, &p) : r;
}

static int compare(const struct spg_dpkg_package *a, const struct spg_dpkg_package *b)
{
	int order = strcmp(a->name, b->name);

	return order ? order : strcmp(a->arch, b->arch);
}

static int compare_packages(const void *a, const void *b)
{
	const struct spg_dpkg_package *one = a, *other = b;
	int order = compare(one, other);

	if (order == 0)
		order = (one->order > other->order) - (one->order < other->order);
	return order;
}

void spg_dpkg_status_sort(struct spg_dpkg_status *status)
{
	size_t kept = 0;

	if (status->n)
		qsort(status->items, status->n, sizeof(*status->items),
			compare_packages);
	for (size_t i = 0; i < status->n; i++) {
		if (i + 1 < status->n &&
			compare(&status->items[i], &status->items[i + 1]) == 0)
			finish_package(&status->items[i]);
		else
			status->items[kept++] = status->items[i];
	}
	status->n = kept;
}

/* Index of the first of @name. */
static size_t find_name(const struct spg_dpkg_status *status, const char *name)
{
	size_t low = 0, high = status->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(status->items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct spg_dpkg_package *spg_dpkg_status_of(
	const struct spg_dpkg_status *status, const char *file)
{
	size_t n = strlen(file);
	char name[256], *arch;

	if (n < 6 || n - 5 >= sizeof(name) || strcmp(file + n - 5, ".list") != 0)
		return NULL;
	memcpy(name, file, n - 5);
	name[n - 5] = '\0';
	arch = strchr(name, ':');
	if (arch)
		*arch++ = '\0';
	for (size_t i = find_name(status, name);
		i < status->n && strcmp(status->items[i].name, name) == 0; i++)
		if (status->items[i].installed &&
			(!arch || strcmp(status->items[i].arch, arch) == 0))
			return &status->items[i];
	return NULL;
}

void spg_dpkg_status_finish(struct spg_dpkg_status *status)
{
	for (size_t i = 0; i < status->n; i++)
		finish_package(&status->items[i]);
	free(status->items);
	free(status->arch);
	*status = (struct spg_dpkg_status){NULL, 0, 0, NULL};
}

/* ---- diversions ---- */

static void finish_diversion(struct spg_dpkg_diversion *diversion)
{
	free(diversion->from);
	free(diversion->to);
	free(diversion->package);
}

static int compare_diversions(const void *a, const void *b)
{
	const struct spg_dpkg_diversion *one = a, *other = b;

	return strcmp(one->from, other->from);
}

int spg_dpkg_diversions_parse(
	struct spg_dpkg_diversions *diversions, const char *text, size_t n)
{
	struct piece rest = {text, n}, from, to, package;

	while (next_line(&rest, &from) && next_line(&rest, &to) &&
		next_line(&rest, &package)) {
		struct spg_dpkg_diversion one = {
			copy_of(from), copy_of(to), copy_of(package)};

		if (!one.from || !one.to || !one.package ||
			spg_array_reserve(&diversions->items, diversions->n,
				&diversions->size, sizeof(one)) < 0) {
			finish_diversion(&one);
			return SPG_ERR_NOMEM;
		}
		diversions->items[diversions->n++] = one;
	}
	if (diversions->n)
		qsort(diversions->items, diversions->n, sizeof(*diversions->items),
			compare_diversions);
	return 0;
}

/* strcmp() of @text and the @n bytes at @path. */
static int compare_path(const char *text, const char *path, size_t n)
{
	int order = strncmp(text, path, n);

	return order ? order : text[strnlen(text, n)] != '\0';
}

const char *spg_dpkg_diverted(const struct spg_dpkg_diversions *diversions,
	const char *package, const char *path, size_t n)
{
	size_t low = 0, high = diversions->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct spg_dpkg_diversion *at = &diversions->items[middle];
		int order = compare_path(at->from, path, n);

		if (order == 0)
			return strcmp(at->package, package) == 0 ? NULL : at->to;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void spg_dpkg_diversions_finish(struct spg_dpkg_diversions *diversions)
{
	for (size_t i = 0; i < diversions->n; i++)
		finish_diversion(&diversions->items[i]);
	free(diversions->items);
	*diversions = (struct spg_dpkg_diversions){NULL, 0, 0};
}

/* ---- lists ---- */

int spg_dpkg_list_find(const char *text, size_t n, const char *package,
	const struct spg_dpkg_diversions *diversions, struct spg_asked *asked,
	int (*hit)(void *user, size_t file), void *user)
{
	struct piece rest = {text, n}, line;
	int r = 0;

	while (r == 0 && next_line(&rest, &line)) {
		const char *instead =
			spg_dpkg_diverted(diversions, package, line.data, line.n);
		size_t at;

		if (instead)
			line = (struct piece){instead, strlen(instead)};
		at = line.n;
		while (at && line.data[at - 1] != '/')
			at--;
		r = spg_asked_find(
			asked, line.data, at, line.data + at, line.n - at, hit, user);
	}
	return r;
}
