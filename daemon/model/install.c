/* SPDX-License-Identifier: MIT */
#include "daemon/model/install.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"

/* The kernel cuts names of processes. */
#define KERNEL_NAME_MAX 15

struct spg_install *spg_install_create(
	int64_t id, const char *product, int64_t began_ns)
{
	struct spg_install *install = calloc(1, sizeof(*install));

	if (!install)
		return NULL;
	atomic_init(&install->refs, 1);
	install->id = id;
	install->began_ns = install->last_ns = began_ns;
	install->findings.max = SPG_NOTES_MANY_MAX;
	install->product = strdup(product);
	if (install->product)
		return install;
	free(install);
	return NULL;
}

struct spg_install *spg_install_ref(struct spg_install *install)
{
	if (install)
		atomic_fetch_add_explicit(&install->refs, 1, memory_order_relaxed);
	return install;
}

static void finish_file(struct spg_install_file *file)
{
	for (size_t i = 0; i < file->n_holders; i++)
		spg_process_unref(file->holders[i].process);
	free(file->holders);
	free(file->package);
	free(file->package_version);
	free(file->from_version);
	free(file->to_version);
	free(file->path);
}

static void finish_package(struct spg_install_package *package)
{
	free(package->name);
	free(package->from);
	free(package->to);
}

void spg_install_unref(struct spg_install *install)
{
	if (!install ||
		atomic_fetch_sub_explicit(&install->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < install->n_files; i++)
		finish_file(&install->files[i]);
	for (size_t i = 0; i < install->n_packages; i++)
		finish_package(&install->packages[i]);
	for (size_t i = 0; i < install->n_held; i++) {
		spg_process_unref(install->held[i].process);
		free(install->held[i].path);
	}
	for (size_t i = 0; i < install->n_actors; i++)
		spg_process_unref(install->actors[i]);
	spg_notes_finish(&install->reasons);
	spg_notes_finish(&install->next);
	spg_notes_finish(&install->findings);
	spg_notes_finish(&install->shown);
	spg_process_unref(install->by);
	free(install->files);
	free(install->held);
	free(install->packages);
	free(install->product);
	free(install);
}

struct spg_install *spg_install_copy_head(const struct spg_install *install)
{
	struct spg_install *copy =
		spg_install_create(install->id, install->product, install->began_ns);

	if (!copy)
		return NULL;
	copy->follows = install->follows;
	copy->last_ns = install->last_ns;
	copy->ended_ns = install->ended_ns;
	copy->outcome = install->outcome;
	copy->by = spg_process_ref(install->by);
	return copy;
}

/* Where @path is, or would be. */
static size_t place_of(const struct spg_install *install, const char *path, bool *found)
{
	size_t low = 0, high = install->n_files;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(install->files[middle].path, path);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct spg_install_file *spg_install_find(
	const struct spg_install *install, const char *path)
{
	bool found;
	size_t at = place_of(install, path, &found);

	return found ? &install->files[at] : NULL;
}

struct spg_install_file *spg_install_add_file(
	struct spg_install *install, const char *path)
{
	bool found;
	size_t at = place_of(install, path, &found);
	char *copy;

	if (found)
		return &install->files[at];
	if (install->n_files >= SPG_INSTALL_FILES_MAX) {
		install->n_more++;
		return NULL;
	}
	copy = strdup(path);
	if (!copy || spg_array_reserve(&install->files, install->n_files,
			     &install->size_files, sizeof(*install->files)) < 0) {
		free(copy);
		return NULL;
	}
	memmove(install->files + at + 1, install->files + at,
		(install->n_files - at) * sizeof(*install->files));
	install->files[at] = (struct spg_install_file){.path = copy};
	install->n_files++;
	return &install->files[at];
}

static int note_path(
	struct spg_install *install, const char *path, const struct spg_event *event)
{
	struct spg_install_file *file = spg_install_add_file(install, path);

	if (!file)
		return install->n_files >= SPG_INSTALL_FILES_MAX ? 0 : SPG_ERR_NOMEM;
	file->kinds |= event->kinds & SPG_INSTALL_KINDS;
	return 0;
}

void spg_install_note_actor(struct spg_install *install, struct spg_process *process)
{
	if (!process || install->n_actors == SPG_INSTALL_ACTORS_MAX ||
		spg_install_is_actor(install, process))
		return;
	install->actors[install->n_actors++] = spg_process_ref(process);
}

int spg_install_note(struct spg_install *install, const struct spg_product *product,
	const struct spg_event *event)
{
	const char *paths[2] = {event->file->path, NULL};
	int r = 0;

	if (event->kind == SPG_EVENT_RENAME)
		paths[1] = event->detail;
	for (int i = 0; r == 0 && i < 2; i++)
		if (paths[i] && spg_product_has_path(product, paths[i]))
			r = note_path(install, paths[i], event);
	spg_install_note_actor(install, event->process);
	if (event->at_ns > install->last_ns)
		install->last_ns = event->at_ns;
	return r;
}

int spg_install_note_use(struct spg_install *install, const struct spg_file *file,
	struct spg_process *process, unsigned how)
{
	struct spg_install_held held = {.id = file->id, .how = how};

	if (!process)
		return 0;
	for (size_t i = 0; i < install->n_held; i++) {
		struct spg_install_held *known = &install->held[i];

		if (spg_proc_id_equal(known->process->id, process->id) &&
			spg_file_id_equal(known->id, file->id) &&
			strcmp(known->path, file->path) == 0) {
			known->how |= how;
			return 0;
		}
	}
	if (install->n_held >= SPG_INSTALL_HELD_MAX) {
		install->held_more = true;
		return 0;
	}
	held.path = strdup(file->path);
	if (!held.path || spg_array_reserve(&install->held, install->n_held,
				  &install->size_held, sizeof(*install->held)) < 0) {
		free(held.path);
		return SPG_ERR_NOMEM;
	}
	held.process = spg_process_ref(process);
	install->held[install->n_held++] = held;
	return 0;
}

bool spg_install_is_actor(
	const struct spg_install *install, const struct spg_process *process)
{
	for (size_t i = 0; i < install->n_actors; i++)
		if (spg_proc_id_equal(install->actors[i]->id, process->id))
			return true;
	return install->by && spg_proc_id_equal(install->by->id, process->id);
}

int spg_install_add_holder(
	struct spg_install_file *file, struct spg_process *process, unsigned how)
{
	for (size_t i = 0; i < file->n_holders; i++) {
		if (!spg_proc_id_equal(file->holders[i].process->id, process->id))
			continue;
		file->holders[i].how |= how;
		return 0;
	}
	if (spg_array_reserve(&file->holders, file->n_holders, &file->size_holders,
		    sizeof(*file->holders)) < 0)
		return SPG_ERR_NOMEM;
	file->holders[file->n_holders++] = (struct spg_install_holder){
		.process = spg_process_ref(process), .how = how};
	return 0;
}

int spg_install_add_package(
	struct spg_install *install, const struct spg_install_package *package)
{
	struct spg_install_package copy = {.from_known = package->from_known};

	if (install->n_packages == SPG_INSTALL_PACKAGES_MAX)
		return 0;
	copy.name = strdup(package->name);
	copy.from = package->from ? strdup(package->from) : NULL;
	copy.to = package->to ? strdup(package->to) : NULL;
	if (!copy.name || (package->from && !copy.from) || (package->to && !copy.to) ||
		spg_array_reserve(&install->packages, install->n_packages,
			&install->size_packages, sizeof(copy)) < 0) {
		finish_package(&copy);
		return SPG_ERR_NOMEM;
	}
	install->packages[install->n_packages++] = copy;
	return 0;
}

static bool is_word_of(const char *name, const char *word, size_t n)
{
	size_t n_name = strlen(name);

	return n >= n_name && memcmp(name, word, n_name) == 0 &&
	       (n == n_name || n_name == KERNEL_NAME_MAX);
}

/* Where the last part of the path begins that the word at @word of @n bytes is. */
static const char *base_of(const char *word, size_t n)
{
	const char *base = word;

	for (size_t i = 0; i + 1 < n; i++)
		if (word[i] == '/')
			base = word + i + 1;
	return base;
}

/* Of "/usr/bin/python3 /usr/bin/dnf upgrade" the process is called dnf. */
void spg_install_put_command(const struct spg_install *install, struct spg_buf *buf)
{
	const char *line = install->by ? install->by->cmdline : NULL;
	const char *name = install->by ? install->by->name : NULL;
	const char *first, *second;
	size_t n_first, n_second;

	if (!line)
		return;
	n_first = strcspn(line, " ");
	first = base_of(line, n_first);
	second = line + n_first + (line[n_first] != '\0');
	n_second = strcspn(second, " ");
	n_first -= (size_t)(first - line);
	if (name && *name && !is_word_of(name, first, n_first)) {
		const char *base = base_of(second, n_second);

		if (is_word_of(name, base, n_second - (size_t)(base - second)))
			first = base;
	}
	spg_buf_puts(buf, first);
}

size_t spg_install_count(
	const struct spg_install *install, enum spg_install_change change)
{
	size_t n = 0;

	for (size_t i = 0; i < install->n_files; i++)
		n += install->files[i].change == change;
	return n;
}

void spg_install_keep(struct spg_install *install,
	bool (*keep)(void *user, const struct spg_install_file *file), void *user)
{
	size_t kept = 0;

	for (size_t i = 0; i < install->n_files; i++) {
		if (keep(user, &install->files[i]))
			install->files[kept++] = install->files[i];
		else
			finish_file(&install->files[i]);
	}
	install->n_files = kept;
}

int spg_install_note_running(const struct spg_install *install, struct spg_notes *notes)
{
	const struct spg_process *by = install->by;
	struct spg_note note = spg_note_about(SPG_REASON_INSTALLING, by);
	struct spg_buf buf = SPG_BUF_NULL;

	note.install = install->id;
	spg_buf_printf(
		&buf, "an install is running: number %lld", (long long)install->id);
	if (by) {
		spg_buf_puts(&buf, ", by ");
		spg_text_escape(&buf, by->name ? by->name : "a process", false);
		spg_buf_printf(&buf, " (pid %d)", by->id.pid);
	}
	return spg_notes_add(notes, &note, &buf);
}

struct spg_event *spg_install_event(
	const struct spg_install *install, enum spg_event_kind kind, int64_t at_ns)
{
	struct spg_event *event = spg_event_create(kind, at_ns, NULL, install->by);
	size_t skipped = spg_install_count(install, SPG_CHANGE_SKIPPED);
	size_t changed = install->n_files + install->n_more - skipped;
	struct spg_buf detail = SPG_BUF_NULL;

	if (!event)
		return NULL;
	spg_buf_printf(&detail, "install %lld", (long long)install->id);
	if (kind == SPG_EVENT_INSTALL_END)
		spg_buf_printf(&detail, ": %s, %zu file%s changed, %zu skipped",
			spg_install_outcome_name(install->outcome), changed,
			changed == 1 ? "" : "s", skipped);
	event->subject = install->id;
	event->outcome = install->outcome;
	event->product = strdup(install->product);
	event->detail = spg_buf_take(&detail);
	event->durable = true;
	return event;
}
