/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/handles.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/watch/windows/bounded.h"
#include "daemon/watch/windows/handle_table.h"
#include "daemon/watch/windows/mapped.h"
#include "daemon/watch/windows/native.h"
#include "daemon/watch/windows/text.h"

#define PATIENCE_MS 200
#define HUNG_MAX    64
#define ENDING_MS   10
/* One that did not answer is spared for so long. */
#define SPARE_MS    60000

enum outcome { UNTRIED, FILE_FOUND, NO_FILE, CLOSED, ENDED, REFUSED, HUNG };

struct asked {
	struct spg_nt_handle handle;
	bool section;
	struct spg_win_open found;
	enum outcome outcome;
};

struct owner {
	int32_t pid;
	HANDLE process; /* NULL: it cannot be opened */
	bool gone;
};

/* One reading under way. */
struct work {
	struct spg_bounded_work base;
	struct asked *asked;
	struct owner *owners;
	size_t n_owners;
};

struct hung {
	ULONG_PTR pid, handle;
	ULONG access;
	void *object;
	ULONGLONG tried_ms;
};

struct spg_win_handles {
	struct hung hung[HUNG_MAX]; /* those that did not answer */
	size_t n_hung;
};

struct spg_win_handles *spg_win_handles_create(void)
{
	return calloc(1, sizeof(struct spg_win_handles));
}

void spg_win_handles_destroy(struct spg_win_handles *handles)
{
	free(handles);
}

void spg_win_reading_finish(struct spg_win_reading *reading)
{
	for (size_t i = 0; i < reading->n_opens; i++)
		free(reading->opens[i].section);
	free(reading->opens);
	free(reading->opaque);
	*reading = (struct spg_win_reading){.opens = NULL};
}

static void destroy_work(struct spg_bounded_work *base)
{
	struct work *work = (struct work *)base;

	for (size_t i = 0; i < work->n_owners; i++)
		if (work->owners[i].process)
			CloseHandle(work->owners[i].process);
	for (size_t i = 0; i < work->base.n_steps; i++)
		free(work->asked[i].found.section);
	free(work->owners);
	free(work->asked);
	free(work);
}

static int order_owners(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static const struct owner *find_owner(const struct work *work, ULONG_PTR pid)
{
	struct owner key = {.pid = (int32_t)pid};

	return bsearch(&key, work->owners, work->n_owners, sizeof(key), order_owners);
}

/* Devices that have files. Others are pipes, sockets, consoles: not even a name is asked
 * of them, since it may not come. */
static bool has_files(ULONG type)
{
	static const ULONG types[] = {
		0x02, 0x03, /* CD */
		0x07, 0x08, /* disk */
		0x10, 0x14, /* network */
		0x24, 0x2d, /* virtual disk, mass storage */
		0x35, 0x36, /* distributed */
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* An error of a handle to a device that has files, and is not one of them: a volume. */
static bool is_no_file(DWORD error)
{
	return error == ERROR_INVALID_FUNCTION || error == ERROR_INVALID_PARAMETER ||
	       error == ERROR_NOT_SUPPORTED || error == ERROR_INVALID_HANDLE;
}

static enum outcome ask_copy(HANDLE copy, struct spg_win_identity *ret)
{
	struct spg_nt_fs_device device = {0, 0};
	IO_STATUS_BLOCK io;

	/* The kernel answers this without asking who may be busy. */
	if (NtQueryVolumeInformationFile(copy, &io, &device, sizeof(device),
		    SPG_FS_DEVICE) == SPG_STATUS_SUCCESS &&
		!has_files(device.type))
		return NO_FILE;
	if (spg_win_identify(copy, ret))
		return FILE_FOUND;
	return is_no_file(GetLastError()) ? NO_FILE : REFUSED;
}

/* Only a view has a name. What is found is what is at the name now. */
static enum outcome ask_section(HANDLE copy, struct spg_win_open *ret)
{
	wchar_t *name = NULL;
	void *view = MapViewOfFile(copy, FILE_MAP_READ, 0, 0, 1);
	int r;

	/* A program's is mapped as a whole. */
	if (!view)
		view = MapViewOfFile(copy, FILE_MAP_READ, 0, 0, 0);
	/* It was closed, and its number is of something else by now. */
	if (!view)
		return GetLastError() == ERROR_INVALID_HANDLE ? CLOSED : REFUSED;
	r = spg_win_mapped_name(GetCurrentProcess(), view, &name);
	UnmapViewOfFile(view);
	if (r != 0)
		return r == SPG_WIN_NO_FILE ? NO_FILE : REFUSED;
	ret->section = spg_win_from_device(name);
	free(name);
	if (!ret->section)
		return REFUSED;
	if (!spg_win_identify_path(ret->section, false, &ret->file))
		ret->error = GetLastError();
	return FILE_FOUND;
}

static enum outcome ask(
	const struct work *work, const struct asked *asked, struct spg_win_open *ret)
{
	const struct spg_nt_handle *handle = &asked->handle;
	const struct owner *owner = find_owner(work, handle->pid);
	enum outcome outcome;
	HANDLE copy;

	if (!owner || owner->gone)
		return ENDED;
	if (!owner->process)
		return REFUSED;
	if (!DuplicateHandle(owner->process, (HANDLE)handle->handle,
		    GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
		DWORD error = GetLastError();

		/* Who ends closes his handles first. */
		if (WaitForSingleObject(owner->process,
			    error == ERROR_INVALID_HANDLE ? ENDING_MS : 0) ==
			WAIT_OBJECT_0)
			return ENDED;
		return error == ERROR_INVALID_HANDLE ? CLOSED : REFUSED;
	}
	outcome = asked->section ? ask_section(copy, ret) : ask_copy(copy, &ret->file);
	CloseHandle(copy);
	return outcome;
}

static void step(
	struct spg_bounded_work *base, size_t index, struct spg_bounded_runner *runner)
{
	struct work *work = (struct work *)base;
	struct asked *asked = &work->asked[index];
	struct spg_win_open found = {.section = NULL};
	enum outcome outcome;

	if (asked->outcome != UNTRIED)
		return;
	outcome = ask(work, asked, &found);
	spg_bounded_lock();
	if (spg_bounded_counts(runner)) {
		asked->found = found;
		asked->outcome = outcome;
		found.section = NULL;
	}
	spg_bounded_unlock();
	free(found.section);
}

static void on_given_up(struct spg_bounded_work *base, size_t index)
{
	struct work *work = (struct work *)base;

	if (work->asked[index].outcome == UNTRIED)
		work->asked[index].outcome = HUNG;
}

/* --- before and after -------------------------------------------------------- */

static const struct hung *find_hung(
	const struct spg_win_handles *handles, const struct spg_nt_handle *h)
{
	for (size_t i = 0; i < handles->n_hung; i++) {
		const struct hung *hung = &handles->hung[i];

		if (hung->pid == h->pid && hung->handle == h->handle &&
			hung->access == h->access && hung->object == h->object)
			return hung;
	}
	return NULL;
}

static bool is_spared(
	const struct spg_win_handles *handles, const struct spg_nt_handle *h)
{
	const struct hung *hung = find_hung(handles, h);

	return hung && GetTickCount64() - hung->tried_ms < SPARE_MS;
}

/* Those that hang now are those to be spared next time. */
static void remember_hung(struct spg_win_handles *handles, const struct work *work)
{
	struct spg_win_handles now = {.n_hung = 0};

	for (size_t i = 0; i < work->base.n_steps; i++) {
		const struct spg_nt_handle *h = &work->asked[i].handle;
		const struct hung *before = find_hung(handles, h);

		if (work->asked[i].outcome != HUNG || now.n_hung == HUNG_MAX)
			continue;
		now.hung[now.n_hung++] =
			(struct hung){h->pid, h->handle, h->access, h->object,
				before && is_spared(handles, h) ? before->tried_ms
								: GetTickCount64()};
	}
	*handles = now;
}

static int order_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;

	if (x->handle.pid != y->handle.pid)
		return x->handle.pid < y->handle.pid ? -1 : 1;
	return (x->handle.handle > y->handle.handle) -
	       (x->handle.handle < y->handle.handle);
}

/* Open each process that has handles to files. */
static int open_owners(struct work *work)
{
	for (size_t i = 0; i < work->base.n_steps; i++) {
		int32_t pid = (int32_t)work->asked[i].handle.pid;
		struct owner *owner;

		if (work->n_owners > 0 && work->owners[work->n_owners - 1].pid == pid)
			continue;
		if ((work->n_owners & (work->n_owners + 1)) == 0) {
			owner = realloc(work->owners,
				2 * (work->n_owners + 1) * sizeof(*owner));
			if (!owner)
				return SPG_ERR_NOMEM;
			work->owners = owner;
		}
		owner = &work->owners[work->n_owners++];
		*owner = (struct owner){.pid = pid};
		owner->process = OpenProcess(
			PROCESS_DUP_HANDLE | SYNCHRONIZE, FALSE, (DWORD)pid);
		if (!owner->process)
			owner->gone = GetLastError() == ERROR_INVALID_PARAMETER;
	}
	return 0;
}

static struct work *begin(
	struct spg_win_handles *handles, struct spg_handle_table *table)
{
	struct work *work = calloc(1, sizeof(*work));

	if (!work)
		return NULL;
	work->base = (struct spg_bounded_work){
		.step = step, .on_given_up = on_given_up, .destroy = destroy_work};
	spg_bounded_init(&work->base);
	work->asked = calloc(table->n + 1, sizeof(*work->asked));
	if (!work->asked) {
		spg_bounded_unref(&work->base);
		return NULL;
	}
	work->base.n_steps = table->n;
	for (size_t i = 0; i < table->n; i++) {
		work->asked[i].handle = table->items[i];
		work->asked[i].section = table->items[i].type == table->section_type;
		if (is_spared(handles, &table->items[i]))
			work->asked[i].outcome = HUNG;
	}
	qsort(work->asked, table->n, sizeof(*work->asked), order_asked);
	if (open_owners(work) < 0) {
		spg_bounded_unref(&work->base);
		return NULL;
	}
	return work;
}

/* What is known of the same handle to the same object needs no question. */
static void take_over(struct work *work, const struct spg_win_reading *earlier)
{
	size_t k = 0;

	for (size_t i = 0; earlier && i < work->base.n_steps; i++) {
		struct asked *asked = &work->asked[i];
		const struct spg_win_open *open;

		while (k < earlier->n_opens &&
			((uint32_t)earlier->opens[k].pid < asked->handle.pid ||
				((uint32_t)earlier->opens[k].pid == asked->handle.pid &&
					earlier->opens[k].handle <
						asked->handle.handle)))
			k++;
		if (k == earlier->n_opens)
			return;
		open = &earlier->opens[k];
		if (!asked->handle.object || asked->section ||
			asked->outcome != UNTRIED ||
			(uint32_t)open->pid != asked->handle.pid ||
			open->handle != asked->handle.handle ||
			open->object != asked->handle.object)
			continue;
		asked->found.file = open->file;
		asked->outcome = FILE_FOUND;
	}
}

static void note_opaque(struct spg_win_reading *to, int32_t pid, bool hung)
{
	if (to->n_opaque > 0 && to->opaque[to->n_opaque - 1].pid == pid) {
		to->opaque[to->n_opaque - 1].hung |= hung;
		return;
	}
	to->opaque[to->n_opaque++] = (struct spg_win_opaque){.pid = pid, .hung = hung};
}

static struct spg_win_open take_open(struct asked *asked)
{
	struct spg_win_open open = asked->found;

	asked->found.section = NULL;
	open.pid = (int32_t)asked->handle.pid;
	open.access = asked->handle.access;
	open.handle = asked->handle.handle;
	open.object = asked->handle.object;
	return open;
}

/* With the lock, so that no thread that was given up writes meanwhile. */
static int collect(struct work *work, struct spg_win_reading *ret)
{
	struct spg_win_reading made = {.opens = NULL};
	size_t n = work->base.n_steps;

	made.opens = calloc(n + 1, sizeof(*made.opens));
	made.opaque = calloc(work->n_owners + 1, sizeof(*made.opaque));
	if (!made.opens || !made.opaque) {
		spg_win_reading_finish(&made);
		return SPG_ERR_NOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct asked *asked = &work->asked[i];
		int32_t pid = (int32_t)asked->handle.pid;

		if (asked->outcome == FILE_FOUND)
			made.opens[made.n_opens++] = take_open(asked);
		else if (asked->outcome == REFUSED || asked->outcome == HUNG)
			note_opaque(&made, pid, asked->outcome == HUNG);
		else if (asked->outcome == ENDED)
			made.ended = true;
		else if (asked->outcome == UNTRIED)
			made.cut = true;
	}
	*ret = made;
	return 0;
}

int spg_win_handles_read(struct spg_win_handles *handles,
	const struct spg_win_reading *earlier, const atomic_bool *cancel,
	struct spg_win_reading *ret)
{
	struct spg_handle_table table = {NULL, 0, 0, 0};
	struct work *work;
	size_t done = 0;
	int r = spg_handle_table_read(&table);

	if (r < 0)
		return r;
	work = begin(handles, &table);
	spg_handle_table_finish(&table);
	if (!work)
		return SPG_ERR_NOMEM;
	take_over(work, earlier);
	r = spg_bounded_run(&work->base, PATIENCE_MS, cancel, &done);
	spg_bounded_lock();
	remember_hung(handles, work);
	if (r == 0 || r == SPG_ERR_LIMIT)
		r = collect(work, ret);
	spg_bounded_unlock();
	spg_bounded_unref(&work->base);
	return r;
}
