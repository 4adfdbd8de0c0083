/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/views.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/watch/windows/bounded.h"
#include "daemon/watch/windows/mapped.h"
#include "daemon/watch/windows/text.h"

#define LOADER_TICKS 4000000 /* 400 ms, in FILETIME's 100 ns */
#define PATIENCE_MS  500
#define TICK_EVERY   256

/* One reading under way. */
struct work {
	struct spg_bounded_work base;
	struct spg_win_process *processes;
	bool *looked, *opaque, *ended;
	/* With the lock. Slots of the hash table are indices + 1; 0: free. */
	struct spg_win_mapping mapping;
	size_t *slots;
	size_t n_slots; /* a power of two */
	bool no_memory;
};

/* What a step has found of one process, before it counts. */
struct found {
	struct {
		wchar_t *name;
		uint64_t base;
		bool image;
	} * items;
	size_t n, size;
};

void spg_win_mapping_finish(struct spg_win_mapping *mapping)
{
	for (size_t i = 0; i < mapping->n_names; i++) {
		free(mapping->names[i].device);
		free(mapping->names[i].native);
	}
	free(mapping->names);
	free(mapping->views);
	free(mapping->opaque);
	free(mapping->ended);
	*mapping = (struct spg_win_mapping){.views = NULL};
}

static void destroy_work(struct spg_bounded_work *base)
{
	struct work *work = (struct work *)base;

	spg_win_mapping_finish(&work->mapping);
	free(work->processes);
	free(work->looked);
	free(work->opaque);
	free(work->ended);
	free(work->slots);
	free(work);
}

static void finish_found(struct found *found)
{
	for (size_t i = 0; i < found->n; i++)
		free(found->items[i].name);
	free(found->items);
}

/* --- the names -------------------------------------------------------------- */

static uint64_t hash(const wchar_t *name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *name; name++)
		h = (h ^ (uint64_t)*name) * UINT64_C(1099511628211);
	return h;
}

static size_t *find_slot(const struct work *work, const wchar_t *name)
{
	size_t at = hash(name) & (work->n_slots - 1);

	while (work->slots[at] > 0 &&
		wcscmp(work->mapping.names[work->slots[at] - 1].device, name) != 0)
		at = (at + 1) & (work->n_slots - 1);
	return &work->slots[at];
}

static int grow_slots(struct work *work)
{
	size_t n = work->n_slots ? 2 * work->n_slots : 1024;
	size_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return SPG_ERR_NOMEM;
	free(work->slots);
	work->slots = slots;
	work->n_slots = n;
	for (size_t i = 0; i < work->mapping.n_names; i++)
		*find_slot(work, work->mapping.names[i].device) = i + 1;
	return 0;
}

/* The index of @*name, which is taken over where it is new. Negative: no memory. */
static int take_name(struct work *work, wchar_t **name, size_t *ret)
{
	struct spg_win_mapping *mapping = &work->mapping;
	size_t *slot;

	if (2 * (mapping->n_names + 1) > work->n_slots && grow_slots(work) < 0)
		return SPG_ERR_NOMEM;
	slot = find_slot(work, *name);
	if (*slot == 0) {
		if (spg_array_reserve(&mapping->names, mapping->n_names,
			    &mapping->size_names, sizeof(*mapping->names)) < 0)
			return SPG_ERR_NOMEM;
		mapping->names[mapping->n_names] =
			(struct spg_win_mapped){.device = *name};
		*name = NULL;
		*slot = ++mapping->n_names;
	}
	*ret = *slot - 1;
	return 0;
}

static int take_found(struct work *work, int32_t pid, struct found *found)
{
	struct spg_win_mapping *mapping = &work->mapping;

	for (size_t i = 0; i < found->n; i++) {
		struct spg_win_view view = {.pid = pid,
			.base = found->items[i].base,
			.image = found->items[i].image};

		if (take_name(work, &found->items[i].name, &view.name) < 0 ||
			spg_array_reserve(&mapping->views, mapping->n_views,
				&mapping->size_views, sizeof(view)) < 0)
			return SPG_ERR_NOMEM;
		mapping->views[mapping->n_views++] = view;
	}
	return 0;
}

/* --- one address space ------------------------------------------------------- */

/* Returns 0; SPG_ERR_NOMEM; or SPG_ERR_IO: which file it is of, the system does not say. */
static int note_view(
	HANDLE process, const MEMORY_BASIC_INFORMATION *info, struct found *found)
{
	wchar_t *name = NULL;
	int r = spg_win_mapped_name(process, info->BaseAddress, &name);

	if (r != 0)
		return r == SPG_WIN_NO_FILE ? 0 : r;
	if (spg_array_reserve(
		    &found->items, found->n, &found->size, sizeof(*found->items)) < 0) {
		free(name);
		return SPG_ERR_NOMEM;
	}
	found->items[found->n].name = name;
	found->items[found->n].base = (uint64_t)(uintptr_t)info->AllocationBase;
	found->items[found->n++].image = info->Type == MEM_IMAGE;
	return 0;
}

/* Returns 0, SPG_ERR_NOMEM, SPG_ERR_TIMEOUT: given up, or SPG_ERR_IO: a view's file is not
 * known. @ret_any: something answered, since every process has a program mapped. */
static int walk(HANDLE process, struct spg_bounded_runner *runner, struct found *found,
	bool *ret_any)
{
	MEMORY_BASIC_INFORMATION info;
	const void *last = NULL;
	bool unknown = false;
	uintptr_t at = 0;
	size_t n = 0;
	int r = 0;

	*ret_any = false;
	while (r == 0 && VirtualQueryEx(process, (void *)at, &info, sizeof(info)) > 0) {
		uintptr_t next = (uintptr_t)info.BaseAddress + info.RegionSize;

		*ret_any = true;
		if (info.State != MEM_FREE && info.Type != MEM_PRIVATE &&
			info.AllocationBase != last) {
			last = info.AllocationBase;
			r = note_view(process, &info, found);
		}
		/* The other views count nevertheless. */
		if (r == SPG_ERR_IO) {
			unknown = true;
			r = 0;
		}
		if (next <= at)
			break;
		at = next;
		if (++n % TICK_EVERY == 0 && r == 0 && !spg_bounded_tick(runner))
			r = SPG_ERR_TIMEOUT;
	}
	return r == 0 && unknown ? SPG_ERR_IO : r;
}

static bool is_running(HANDLE process)
{
	return WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
}

/* Wine answers a question about an address space within that process, and one whose loader
 * is at work may not come out of that again: there, not before it has had its time. */
static void spare_loader(HANDLE process, struct spg_bounded_runner *runner)
{
	uint64_t created = spg_win_process_created(process), now;
	FILETIME time;

	if (!GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version"))
		return;
	GetSystemTimeAsFileTime(&time);
	now = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
	if (created == 0 || now < created || now - created >= LOADER_TICKS)
		return;
	(void)spg_bounded_tick(runner);
	Sleep((DWORD)((LOADER_TICKS - (now - created)) / 10000));
	(void)spg_bounded_tick(runner);
}

/* Returns false when it cannot be looked into; true too when it has ended. @ret_ended: it
 * ended meanwhile, and what it used may be another one's by now. */
static bool look_into(const struct spg_win_process *process,
	struct spg_bounded_runner *runner, struct found *found, bool *ret_ended,
	int *ret_err)
{
	HANDLE handle =
		OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ | SYNCHRONIZE,
			FALSE, (DWORD)process->id.pid);
	bool any, seen;

	*ret_err = 0;
	*ret_ended = !handle && GetLastError() == ERROR_INVALID_PARAMETER;
	if (!handle)
		return *ret_ended;
	spare_loader(handle, runner);
	*ret_err = walk(handle, runner, found, &any);
	*ret_ended = !is_running(handle);
	seen = (any && *ret_err != SPG_ERR_IO) || *ret_ended;
	CloseHandle(handle);
	return seen;
}

static void step(
	struct spg_bounded_work *base, size_t index, struct spg_bounded_runner *runner)
{
	struct work *work = (struct work *)base;
	const struct spg_win_process *process = &work->processes[index];
	struct found found = {NULL, 0, 0};
	bool seen, ended = false;
	int err;

	if (process->id.pid == (int32_t)GetCurrentProcessId())
		err = 0, seen = true;
	else
		seen = look_into(process, runner, &found, &ended, &err);
	spg_bounded_lock();
	if (spg_bounded_counts(runner)) {
		work->looked[index] = true;
		work->opaque[index] = !seen;
		work->ended[index] = ended;
		if (err == SPG_ERR_NOMEM ||
			take_found(work, process->id.pid, &found) < 0)
			work->no_memory = true;
	}
	spg_bounded_unlock();
	finish_found(&found);
}

static void on_given_up(struct spg_bounded_work *base, size_t index)
{
	struct work *work = (struct work *)base;

	work->looked[index] = work->opaque[index] = true;
}

/* --- all of them ------------------------------------------------------------- */

static struct work *begin(const struct spg_win_processes *processes)
{
	struct work *work = calloc(1, sizeof(*work));
	size_t n = processes->n;

	if (!work)
		return NULL;
	work->base = (struct spg_bounded_work){.step = step,
		.on_given_up = on_given_up,
		.destroy = destroy_work,
		.n_steps = n};
	spg_bounded_init(&work->base);
	work->processes = calloc(n + 1, sizeof(*work->processes));
	work->looked = calloc(n + 1, sizeof(*work->looked));
	work->opaque = calloc(n + 1, sizeof(*work->opaque));
	work->ended = calloc(n + 1, sizeof(*work->ended));
	if (!work->processes || !work->looked || !work->opaque || !work->ended) {
		spg_bounded_unref(&work->base);
		return NULL;
	}
	if (n > 0)
		memcpy(work->processes, processes->items,
			n * sizeof(*processes->items));
	return work;
}

/* With the lock. */
static int collect(struct work *work, struct spg_win_mapping *ret)
{
	struct spg_win_mapping made = work->mapping;

	work->mapping = (struct spg_win_mapping){.views = NULL};
	made.opaque = calloc(work->base.n_steps + 1, sizeof(*made.opaque));
	made.ended = calloc(work->base.n_steps + 1, sizeof(*made.ended));
	if (!made.opaque || !made.ended || work->no_memory) {
		spg_win_mapping_finish(&made);
		return SPG_ERR_NOMEM;
	}
	for (size_t i = 0; i < work->base.n_steps; i++) {
		if (work->opaque[i])
			made.opaque[made.n_opaque++] = work->processes[i].id.pid;
		if (work->ended[i])
			made.ended[made.n_ended++] = work->processes[i].id.pid;
		made.cut = made.cut || !work->looked[i];
	}
	*ret = made;
	return 0;
}

static int resolve_names(struct spg_win_mapping *mapping)
{
	for (size_t i = 0; i < mapping->n_names; i++) {
		struct spg_win_mapped *name = &mapping->names[i];

		name->native = spg_win_from_device(name->device);
		if (!name->native)
			return SPG_ERR_NOMEM;
		name->found = spg_win_identify_path(name->native, false, &name->file);
		name->error = name->found ? 0 : GetLastError();
	}
	return 0;
}

int spg_win_views_read(const struct spg_win_processes *processes,
	const atomic_bool *cancel, struct spg_win_mapping *ret)
{
	struct spg_win_mapping made = {.views = NULL};
	struct work *work = begin(processes);
	size_t done;
	int r;

	if (!work)
		return SPG_ERR_NOMEM;
	r = spg_bounded_run(&work->base, PATIENCE_MS, cancel, &done);
	spg_bounded_lock();
	if (r == 0 || r == SPG_ERR_LIMIT)
		r = collect(work, &made);
	spg_bounded_unlock();
	spg_bounded_unref(&work->base);
	if (r == 0)
		r = resolve_names(&made);
	if (r < 0) {
		spg_win_mapping_finish(&made);
		return r;
	}
	*ret = made;
	return 0;
}
