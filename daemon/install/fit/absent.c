/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/absent.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/placement_folders.h"

#define PRESENT_MIN 2 /* files of a folder, or nobody knows whether it is meant */
#define SHARE       4 /* one of so many may be absent */
#define SHARE_LOOSE 8 /* where the folder's name does not tell its place */

/* Programs that install a pack, which lie beside what they install. */
static const char *const setup_names[] = {"*setup*.exe", "*install*.exe", "unins*.exe",
	"update.exe", "hotfix.exe", "*redist*.exe"};

/* Something that the product has in a folder: files with this ending. */
struct sort_of_file {
	struct spg_place_text folder, ending;
};

/* ".dll"; empty: it has none. */
static struct spg_place_text ending_of(const char *path)
{
	const char *dot = strrchr(spg_path_base(path), '.');

	return (struct spg_place_text){dot ? dot : path, dot ? strlen(dot) : 0};
}

static int compare(const void *a, const void *b, void *user)
{
	const struct sort_of_file *one = a, *two = b;
	bool fold = *(const bool *)user;
	int order = spg_place_compare(one->folder, two->folder, fold);

	/* .DLL is .dll to everybody. */
	return order ? order : spg_place_compare(one->ending, two->ending, true);
}

static bool is_setup(const char *name)
{
	for (size_t i = 0; i < sizeof(setup_names) / sizeof(setup_names[0]); i++)
		if (spg_name_match(setup_names[i], name, true))
			return true;
	return false;
}

struct search {
	const struct spg_placement *placement;
	const struct spg_placement_question *question;
	const bool *foreign;
	struct sort_of_file *sorts; /* of the product, sorted */
	size_t *n, *n_present;      /* of each folder of the pack */
	bool *strays;               /* of each: some of it is elsewhere */
};

static bool has_sort(const struct search *search, const struct sort_of_file *sort)
{
	bool fold = search->question->ignore_case;
	size_t low = 0, high = search->question->n_installed;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&search->sorts[middle], sort, &fold) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < search->question->n_installed &&
	       compare(&search->sorts[low], sort, &fold) == 0;
}

/* Does the product have such files where it belongs? */
static bool is_meant(const struct search *search, size_t file)
{
	const char *path = search->question->offered[file];
	const struct spg_place_folder *folder =
		&search->placement->folders[search->placement->offered[file].folder];
	const struct sort_of_file sort = {
		{folder->home, folder->home_n}, ending_of(path)};

	return folder->home && !search->foreign[file] && sort.ending.n > 0 &&
	       !is_setup(spg_path_base(path)) && has_sort(search, &sort);
}

static bool is_absent(const struct search *search, size_t file)
{
	const struct spg_place *place = &search->placement->offered[file];

	return place->kind == SPG_PLACE_ABSENT &&
	       (!place->named || search->placement->folders[place->folder].sure) &&
	       is_meant(search, file);
}

static bool is_stray(const struct search *search, const struct spg_place *place)
{
	const struct spg_place_folder *folder =
		&search->placement->folders[place->folder];
	struct spg_place_text home = {folder->home, folder->home_n};

	return place->kind == SPG_PLACE_FOUND &&
	       (!folder->home ||
		       spg_place_compare(
			       spg_place_folder_of(
				       search->question->installed[place->installed]),
			       home, search->question->ignore_case) != 0);
}

static void count(struct search *search)
{
	for (size_t i = 0; i < search->question->n_offered; i++) {
		const struct spg_place *place = &search->placement->offered[i];

		if (is_stray(search, place))
			search->strays[place->folder] = true;
		if (!is_meant(search, i))
			continue;
		search->n[place->folder]++;
		search->n_present[place->folder] += place->kind == SPG_PLACE_FOUND;
	}
}

/* Is so much of a folder there that the rest should be? */
static bool is_whole(const struct search *search, size_t folder)
{
	size_t n = search->n[folder], n_absent = n - search->n_present[folder];
	bool sure = search->placement->folders[folder].sure;

	return search->n_present[folder] >= PRESENT_MIN &&
	       (sure || !search->strays[folder]) &&
	       (sure ? SHARE : SHARE_LOOSE) * n_absent <= n;
}

static size_t list(const struct search *search, struct spg_absent *ret)
{
	size_t n_found = 0;

	for (size_t i = 0; i < search->question->n_offered; i++) {
		size_t folder = search->placement->offered[i].folder;

		if (is_whole(search, folder) && is_absent(search, i))
			ret[n_found++] = (struct spg_absent){
				i, search->n_present[folder], search->n[folder]};
	}
	return n_found;
}

int spg_absent_find(const struct spg_placement *placement,
	const struct spg_placement_question *question, const bool *foreign,
	struct spg_absent **ret, size_t *ret_n)
{
	size_t n = question->n_installed;
	bool fold = question->ignore_case;
	struct search search = {placement, question, foreign,
		calloc(n + 1, sizeof(*search.sorts)),
		calloc(placement->n_folders + 1, sizeof(*search.n)),
		calloc(placement->n_folders + 1, sizeof(*search.n_present)),
		calloc(placement->n_folders + 1, sizeof(*search.strays))};
	struct spg_absent *found = calloc(question->n_offered + 1, sizeof(*found));
	int r = SPG_ERR_NOMEM;

	if (found && search.sorts && search.n && search.n_present && search.strays) {
		for (size_t i = 0; i < n; i++)
			search.sorts[i] = (struct sort_of_file){
				spg_place_folder_of(question->installed[i]),
				ending_of(question->installed[i])};
		qsort_r(search.sorts, n, sizeof(*search.sorts), compare, &fold);
		count(&search);
		*ret_n = list(&search, found);
		*ret = found;
		found = NULL;
		r = 0;
	}
	free(found);
	free(search.sorts);
	free(search.n);
	free(search.n_present);
	free(search.strays);
	return r;
}

char *spg_absent_path(const struct spg_placement *placement,
	const struct spg_placement_question *question, const struct spg_absent *absent)
{
	const struct spg_place_folder *folder =
		&placement->folders[placement->offered[absent->offered].folder];
	struct spg_buf path = SPG_BUF_NULL;

	spg_buf_add(&path, folder->home, folder->home_n);
	spg_buf_printf(&path, "/%s", spg_path_base(question->offered[absent->offered]));
	return spg_buf_take(&path);
}

void spg_absent_tell(struct spg_buf *out, const struct spg_placement_question *question,
	const struct spg_absent *absent)
{
	spg_text_escape(out, spg_path_base(question->offered[absent->offered]), false);
	spg_buf_printf(out,
		" of the service pack is not installed, although %zu of the %zu files "
		"of its folder are",
		absent->n_present, absent->n);
}
