/* SPDX-License-Identifier: MIT */
#include "daemon/model/space.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

/* No file is larger; what a client says is, perhaps. */
#define BYTES_MAX (UINT64_C(1) << 50)

void spg_space_finish(struct spg_space *space)
{
	free(space->needs);
	*space = (struct spg_space)SPG_SPACE_NULL;
}

/* ---- the sizes of names ---- */

struct sized {
	const char *name;
	uint64_t bytes;
};

struct sizes {
	struct sized *rows; /* sorted by name */
	size_t n;
	bool ignore_case;
};

static int order_exactly(const void *a, const void *b)
{
	return strcmp(((const struct sized *)a)->name, ((const struct sized *)b)->name);
}

static int order_folded(const void *a, const void *b)
{
	return spg_name_compare(
		((const struct sized *)a)->name, ((const struct sized *)b)->name, true);
}

static int sort_sizes(
	const struct spg_selection *selection, bool ignore_case, struct sizes *ret)
{
	ret->ignore_case = ignore_case;
	ret->n = 0;
	ret->rows =
		calloc((selection ? selection->n_names : 0) + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; selection && selection->sizes && i < selection->n_names; i++)
		if (selection->sizes[i] != SPG_SIZE_UNKNOWN)
			ret->rows[ret->n++] = (struct sized){
				selection->names[i], selection->sizes[i]};
	if (ret->n > 0)
		qsort(ret->rows, ret->n, sizeof(*ret->rows),
			ignore_case ? order_folded : order_exactly);
	return 0;
}

/* The largest of the variants called @name. */
static uint64_t find_name(const struct sizes *sizes, const char *name)
{
	size_t low = 0, high = sizes->n;
	uint64_t bytes = SPG_SIZE_UNKNOWN;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spg_name_compare(
			    sizes->rows[middle].name, name, sizes->ignore_case) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < sizes->n &&
		spg_name_equal(sizes->rows[low].name, name, sizes->ignore_case);
		low++)
		if (bytes == SPG_SIZE_UNKNOWN || sizes->rows[low].bytes > bytes)
			bytes = sizes->rows[low].bytes;
	return bytes;
}

static uint64_t find_size(const struct sizes *sizes, const char *path)
{
	uint64_t bytes = find_name(sizes, path);

	return bytes == SPG_SIZE_UNKNOWN ? find_name(sizes, spg_path_base(path))
	                                 : bytes;
}

/* ---- what is needed ---- */

/* The first mount of the same filesystem stands for it. */
static size_t filesystem_of(const struct spg_observation *obs, size_t mount)
{
	size_t i = 0;

	while (obs->mounts[i].dev != obs->mounts[mount].dev)
		i++;
	return i;
}

static uint64_t blocks_of(const struct spg_seen_mount *mount, uint64_t bytes)
{
	if (bytes > BYTES_MAX)
		bytes = BYTES_MAX;
	return bytes / mount->block_bytes + (bytes % mount->block_bytes != 0);
}

static bool is_full(const struct spg_seen_mount *mount)
{
	return mount->free_blocks < blocks_of(mount, SPG_SPACE_FULL_BYTES);
}

static void add_file(struct spg_space_need *need, const struct spg_observation *obs,
	const struct spg_judged_file *file, uint64_t bytes)
{
	const struct spg_seen_mount *mount = &obs->mounts[need->mount];
	uint64_t blocks = blocks_of(mount, bytes), old = 0;

	need->whole += blocks;
	if (file->seen != SPG_NO_FILE) {
		old = blocks_of(mount, obs->files[file->seen].bytes);
		need->n_replaced++;
	} else {
		need->n_new++;
	}
	if (blocks > old)
		need->growth += blocks - old;
}

/* Where a file is; one that is not there yet comes to where all others are, or nobody
 * knows. SPG_NO_FILE: not known. */
static size_t place_of(
	const struct spg_observation *obs, const struct spg_judged_file *file)
{
	size_t folder;

	if (file->state == SPG_FILE_NEW)
		return obs->n_mounts == 1 ? 0 : SPG_NO_FILE;
	if (file->seen == SPG_NO_FILE || obs->files[file->seen].presence != SPG_PRESENT)
		return SPG_NO_FILE;
	folder = obs->files[file->seen].folder;
	return folder == SPG_NO_FILE ? SPG_NO_FILE
	                             : filesystem_of(obs, obs->folders[folder].mount);
}

static bool is_measured(const struct spg_seen_mount *mount)
{
	return mount->block_bytes > 0 && mount->n_blocks > 0 &&
	       !(mount->obstacles &
		       SPG_OBSTACLE_BIT(SPG_OBSTACLE_READ_ONLY_FILESYSTEM));
}

static uint64_t above(uint64_t wanted, uint64_t there)
{
	return wanted > there ? wanted - there : 0;
}

/* What is known of what comes to a filesystem. */
enum known { KNOWN_NOTHING, KNOWN_FILES, KNOWN_SIZES };

static void compare_inodes(const struct spg_seen_mount *mount,
	enum spg_replacement replacement, struct spg_space_need *need)
{
	/* A new file is there before the old one goes. */
	uint64_t wanted = need->n_new;

	if (replacement != SPG_REPLACE_IN_PLACE && need->n_replaced > 0)
		wanted++;
	if (mount->n_inodes == 0)
		return; /* this filesystem makes them as it needs them */
	need->lacks_inodes = above(wanted, mount->free_inodes);
	if (replacement == SPG_REPLACE_ANYHOW && need->n_new <= mount->free_inodes)
		need->surely = false;
}

static void compare(const struct spg_observation *obs, enum known known,
	struct spg_space_need *need)
{
	const struct spg_seen_mount *mount = &obs->mounts[need->mount];
	enum spg_replacement replacement = obs->product->replacement;

	if (known == KNOWN_FILES) {
		if (is_full(mount))
			need->lacks_blocks = blocks_of(mount, SPG_SPACE_FULL_BYTES);
		need->lacks_inodes = replacement != SPG_REPLACE_IN_PLACE &&
		                     mount->n_inodes > 0 && mount->free_inodes == 0;
		return;
	}
	need->surely = true;
	need->asked = replacement == SPG_REPLACE_IN_PLACE ? need->growth : need->whole;
	if (replacement == SPG_REPLACE_ANYHOW && need->growth > mount->free_blocks)
		need->asked = need->growth;
	else if (replacement == SPG_REPLACE_ANYHOW && need->whole > mount->free_blocks)
		need->surely = false;
	need->lacks_blocks = above(need->asked, mount->free_blocks);
	if (need->lacks_blocks == 0)
		compare_inodes(mount, replacement, need);
}

/* Keep those that lack something. */
static void compare_all(const struct spg_observation *obs, const enum known *known,
	struct spg_space *space)
{
	size_t n = 0;

	for (size_t i = 0; i < space->n; i++) {
		if (known[i] == KNOWN_NOTHING || !is_measured(&obs->mounts[i]))
			continue;
		compare(obs, known[i], &space->needs[i]);
		if (space->needs[i].lacks_blocks > 0 ||
			space->needs[i].lacks_inodes > 0)
			space->needs[n++] = space->needs[i];
	}
	space->n = n;
}

int spg_space_measure(const struct spg_observation *obs,
	const struct spg_selection *selection, const struct spg_verdict *verdict,
	struct spg_space *ret)
{
	struct spg_space space = {
		calloc(obs->n_mounts + 1, sizeof(*space.needs)), obs->n_mounts};
	enum known *known = calloc(obs->n_mounts + 1, sizeof(*known));
	struct sizes sizes = {NULL, 0, NULL};
	int r = space.needs && known ? 0 : SPG_ERR_NOMEM;

	if (r == 0)
		r = sort_sizes(selection, obs->product->ignore_case, &sizes);
	for (size_t i = 0; r == 0 && i < space.n; i++)
		space.needs[i].mount = i;
	for (size_t i = 0; r == 0 && i < verdict->n_files; i++) {
		const struct spg_judged_file *file = &verdict->files[i];
		size_t at = place_of(obs, file);
		uint64_t bytes;

		if (at == SPG_NO_FILE || !is_measured(&obs->mounts[at]))
			continue;
		bytes = sizes.n > 0 ? find_size(&sizes, file->path) : SPG_SIZE_UNKNOWN;
		if (known[at] == KNOWN_NOTHING)
			known[at] = KNOWN_FILES;
		if (bytes == SPG_SIZE_UNKNOWN)
			continue;
		known[at] = KNOWN_SIZES;
		add_file(&space.needs[at], obs, file, bytes);
	}
	if (r == 0)
		compare_all(obs, known, &space);
	free(sizes.rows);
	free(known);
	if (r < 0)
		spg_space_finish(&space);
	else
		*ret = space;
	return r;
}

unsigned spg_space_obstacles(
	const struct spg_space *space, const struct spg_observation *obs, size_t index)
{
	size_t folder = obs->files[index].folder;

	if (folder == SPG_NO_FILE || obs->files[index].presence != SPG_PRESENT)
		return 0;
	for (size_t i = 0; i < space->n; i++) {
		const struct spg_space_need *need = &space->needs[i];

		if (need->mount != filesystem_of(obs, obs->folders[folder].mount) ||
			!need->surely)
			continue;
		return SPG_OBSTACLE_BIT(need->lacks_blocks > 0
						? SPG_OBSTACLE_NO_SPACE
						: SPG_OBSTACLE_NO_INODES);
	}
	return 0;
}

/* ---- words ---- */

/* "12.3 MB", as df(1) with --si would. */
static void put_bytes(
	struct spg_buf *buf, uint64_t blocks, const struct spg_seen_mount *mount)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
	double value = (double)blocks * (double)mount->block_bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	spg_buf_printf(buf, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void put_space(struct spg_buf *buf, const struct spg_space_need *need,
	const struct spg_seen_mount *mount)
{
	if (need->lacks_inodes > 0) {
		spg_text_escape(buf, mount->place, false);
		spg_buf_printf(buf,
			" has no room for new files: %" PRIu64 " of its %" PRIu64
			" inodes are free",
			mount->free_inodes, mount->n_inodes);
		return;
	}
	if (need->asked == 0) {
		spg_text_escape(buf, mount->place, false);
		spg_buf_puts(buf, " is full: ");
		put_bytes(buf, mount->free_blocks, mount);
		spg_buf_puts(buf, " are free");
		return;
	}
	spg_buf_puts(buf, "the service pack needs ");
	put_bytes(buf, need->asked, mount);
	spg_buf_puts(buf, " on ");
	spg_text_escape(buf, mount->place, false);
	spg_buf_puts(buf, ", where ");
	put_bytes(buf, mount->free_blocks, mount);
	spg_buf_puts(buf, " are free");
	if (!need->surely)
		spg_buf_puts(buf, ", unless setup writes in place");
}

/* The command shows it: what is to go, a person decides. */
static void put_step(struct spg_buf *command, struct spg_buf *text,
	const struct spg_space_need *need, const struct spg_seen_mount *mount)
{
	spg_buf_puts(command, need->lacks_inodes > 0 ? "df -i " : "df -h ");
	spg_text_shell_quote(command, mount->place);
	spg_buf_printf(text, "%s   # free ", spg_buf_text(command));
	if (need->lacks_inodes > 0)
		spg_buf_printf(text, "%" PRIu64 " inodes", need->lacks_inodes);
	else
		put_bytes(text, need->lacks_blocks, mount);
	spg_buf_puts(text, " there");
}

static int put_first(
	struct spg_notes *notes, struct spg_note *note, const struct spg_buf *text)
{
	note->text = spg_buf_text(text);
	return text->failed ? SPG_ERR_NOMEM : spg_notes_put_first(notes, note);
}

/* Bytes, or inodes, that lack. */
static int64_t count_of(
	const struct spg_space_need *need, const struct spg_seen_mount *mount)
{
	int64_t bytes;

	if (need->lacks_inodes > 0)
		return (int64_t)need->lacks_inodes;
	return __builtin_mul_overflow(need->lacks_blocks, mount->block_bytes, &bytes)
	               ? INT64_MAX
	               : bytes;
}

static int explain(const struct spg_space_need *need,
	const struct spg_seen_mount *mount, struct spg_verdict *verdict)
{
	struct spg_note note = {.kind = SPG_REASON_OBSTACLE,
		.obstacle = need->lacks_inodes > 0 ? SPG_OBSTACLE_NO_INODES
	                                           : SPG_OBSTACLE_NO_SPACE,
		.place = mount->place,
		.count = count_of(need, mount)};
	struct spg_buf text = SPG_BUF_NULL, command = SPG_BUF_NULL;
	int r;

	put_space(&text, need, mount);
	r = put_first(&verdict->reasons, &note, &text);
	spg_buf_clear(&text);
	put_step(&command, &text, need, mount);
	note.kind = SPG_STEP_CLEAR_OBSTACLE;
	note.command = spg_buf_text(&command);
	if (r == 0 && command.failed)
		r = SPG_ERR_NOMEM;
	if (r == 0)
		r = put_first(&verdict->next, &note, &text);
	spg_buf_finish(&text);
	spg_buf_finish(&command);
	return r;
}

int spg_space_explain(const struct spg_space *space, const struct spg_observation *obs,
	struct spg_verdict *verdict)
{
	int r = 0;

	for (size_t i = space->n; r == 0 && i-- > 0;)
		r = explain(
			&space->needs[i], &obs->mounts[space->needs[i].mount], verdict);
	return r;
}
