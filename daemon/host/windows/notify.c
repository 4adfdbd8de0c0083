/* SPDX-License-Identifier: MIT */
#include "daemon/host/notify.h"

#include <stdbool.h>
#include <string.h>

#include "daemon/host/windows/manager.h"

/* One of the lines of @state. */
static bool says(const char *state, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = state; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, line, n) == 0 && (at[n] == '\n' || !at[n]))
			return true;
	}
	return false;
}

/* On a console nobody is told. A reload has no state here: it goes on running. */
void spg_notify(const char *state)
{
	if (says(state, "STOPPING=1"))
		spg_manager_stopping();
	else if (says(state, "READY=1"))
		spg_manager_running();
	else
		spg_manager_starting();
}

void spg_notify_reloading(void)
{
}

/* The manager asks nobody whether he lives. */
uint64_t spg_notify_watchdog_ms(void)
{
	return 0;
}
