/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/services.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/text.h"

/* The most that one call gives; the rest comes with the next one. */
#define BUFFER_BYTES (256 * 1024)
#define ROUNDS_MAX   16

static int order(const void *a, const void *b)
{
	const struct spg_win_service *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int take(
	struct spg_win_services *to, const ENUM_SERVICE_STATUS_PROCESSW *from, DWORD n)
{
	struct spg_win_service *more =
		realloc(to->items, (to->n + n + 1) * sizeof(*more));

	if (!more)
		return SPG_ERR_NOMEM;
	to->items = more;
	for (DWORD i = 0; i < n; i++) {
		struct spg_win_service *item = &to->items[to->n];

		item->pid = (int32_t)from[i].ServiceStatusProcess.dwProcessId;
		item->name = spg_wide_to_text(
			from[i].lpServiceName, wcslen(from[i].lpServiceName));
		if (!item->name)
			return SPG_ERR_NOMEM;
		to->n++;
	}
	return 0;
}

int spg_win_services_read(struct spg_win_services *ret)
{
	struct spg_win_services found = {NULL, 0};
	SC_HANDLE manager = OpenSCManagerW(
		NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
	void *buffer = malloc(BUFFER_BYTES);
	DWORD needed, n, resume = 0;
	bool more = true;
	int r = !buffer ? SPG_ERR_NOMEM : manager ? 0 : SPG_ERR_DENIED;

	for (int round = 0; r == 0 && more && round < ROUNDS_MAX; round++) {
		more = !EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO,
			SERVICE_WIN32, SERVICE_ACTIVE, buffer, BUFFER_BYTES, &needed,
			&n, &resume, NULL);
		if (more && GetLastError() != ERROR_MORE_DATA)
			r = SPG_ERR_DENIED;
		else
			r = take(&found, buffer, n);
	}
	if (manager)
		CloseServiceHandle(manager);
	free(buffer);
	if (r < 0) {
		spg_win_services_finish(&found);
		return r;
	}
	if (found.n > 0)
		qsort(found.items, found.n, sizeof(*found.items), order);
	*ret = found;
	return 0;
}

const char *spg_win_services_find(const struct spg_win_services *services, int32_t pid)
{
	size_t low = 0, high = services->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (services->items[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < services->n && services->items[low].pid == pid
	               ? services->items[low].name
	               : NULL;
}

void spg_win_services_finish(struct spg_win_services *services)
{
	for (size_t i = 0; i < services->n; i++)
		free(services->items[i].name);
	free(services->items);
	*services = (struct spg_win_services){NULL, 0};
}
