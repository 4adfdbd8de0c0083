/* SPDX-License-Identifier: MIT */
#include "common/windows/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/windows/messages.h"
#include "common/windows/wide.h"

/* Of the events that were written last, so many are searched for our own, so often. */
#define BATCH_BYTES 65536
#define BATCHES     4
#define TRIES       10
#define TRY_MS      50

static HANDLE source;

/* --- an event --------------------------------------------------------------- */

struct meaning {
	const char *id;
	DWORD event;
	WORD category;
};

static const struct meaning *meaning_of(const struct spg_log_about *about)
{
	static const struct meaning meanings[] = {
		{SPG_LOG_ID_STARTED, SPG_EVENT_STARTED, SPG_CATEGORY_SERVICE},
		{SPG_LOG_ID_READY, SPG_EVENT_READY, SPG_CATEGORY_SERVICE},
		{SPG_LOG_ID_STOPPED, SPG_EVENT_STOPPED, SPG_CATEGORY_SERVICE},
		{SPG_LOG_ID_RELOADED, SPG_EVENT_RELOADED, SPG_CATEGORY_SERVICE},
		{SPG_LOG_ID_RELOAD_REFUSED, SPG_EVENT_RELOAD_REFUSED,
			SPG_CATEGORY_SERVICE},
		{SPG_LOG_ID_VERDICT, SPG_EVENT_VERDICT, SPG_CATEGORY_VERDICT},
		{SPG_LOG_ID_GAP, SPG_EVENT_GAP, SPG_CATEGORY_HISTORY},
		{SPG_LOG_ID_INSTALL_ENDED, SPG_EVENT_INSTALL_ENDED,
			SPG_CATEGORY_INSTALL},
		{SPG_LOG_ID_INSTALL_MIXED, SPG_EVENT_INSTALL_MIXED,
			SPG_CATEGORY_INSTALL},
		{SPG_LOG_ID_HOLD_BEGUN, SPG_EVENT_HOLD_BEGUN, SPG_CATEGORY_HOLD},
		{SPG_LOG_ID_HOLD_ENDED, SPG_EVENT_HOLD_ENDED, SPG_CATEGORY_HOLD},
		{SPG_LOG_ID_STORE_ASIDE, SPG_EVENT_STORE_ASIDE, SPG_CATEGORY_HISTORY},
		{SPG_LOG_ID_STORE_STOPPED, SPG_EVENT_STORE_STOPPED,
			SPG_CATEGORY_HISTORY},
		{SPG_LOG_ID_STORE_RESUMED, SPG_EVENT_STORE_RESUMED,
			SPG_CATEGORY_HISTORY},
		{SPG_LOG_ID_WATCH_LOST, SPG_EVENT_WATCH_LOST, SPG_CATEGORY_SERVICE},
		{SPG_LOG_ID_SURVEY_HANGS, SPG_EVENT_SURVEY_HANGS, SPG_CATEGORY_SERVICE},
	};
	static const struct meaning other = {
		NULL, SPG_EVENT_MESSAGE, SPG_CATEGORY_SERVICE};

	for (size_t i = 0;
		about && about->id && i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcmp(meanings[i].id, about->id) == 0)
			return &meanings[i];
	return &other;
}

static WORD type_of(enum spg_log_level level)
{
	return level <= SPG_LOG_ERROR     ? EVENTLOG_ERROR_TYPE
	       : level == SPG_LOG_WARNING ? EVENTLOG_WARNING_TYPE
	                                  : EVENTLOG_INFORMATION_TYPE;
}

/* A viewer takes "%1" and "%%1" in a string for places where others go (ReportEvent): a
 * blank behind the sign ends that. */
static wchar_t *string_of(const char *text)
{
	wchar_t *wide = spg_wide(text ? text : ""), *clean = NULL;
	size_t n = 0;

	if (wide)
		clean = calloc(2 * wcslen(wide) + 1, sizeof(*clean));
	for (const wchar_t *at = wide; clean && *at; at++) {
		clean[n++] = *at;
		if (*at == L'%' && (at[1] == L'%' || (at[1] >= L'0' && at[1] <= L'9')))
			clean[n++] = L' ';
	}
	free(wide);
	return clean;
}

bool spg_event_log_put(
	enum spg_log_level level, const struct spg_log_about *about, const char *text)
{
	const struct meaning *meaning = meaning_of(about);
	const char *const texts[] = {text, about ? about->product : NULL,
		about ? about->verdict : NULL, about ? about->outcome : NULL,
		about ? about->gap : NULL};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	wchar_t *strings[N];
	bool done = true;

	for (int i = 0; i < N; i++) {
		strings[i] = string_of(texts[i]);
		done = done && strings[i];
	}
	if (done)
		done = ReportEventW(source, type_of(level), meaning->category,
			meaning->event, NULL, N, 0, (const wchar_t **)strings, NULL);
	for (int i = 0; i < N; i++)
		free(strings[i]);
	return done;
}

/* --- the proof -------------------------------------------------------------- */

/* @text is a string at @offset of the record. */
static bool has_text(const EVENTLOGRECORD *record, size_t offset, const wchar_t *text)
{
	size_t n = (wcslen(text) + 1) * sizeof(*text);

	return offset <= record->Length && n <= record->Length - offset &&
	       memcmp((const BYTE *)record + offset, text, n) == 0;
}

static bool find_in(const BYTE *bytes, DWORD n, const wchar_t *mark)
{
	const EVENTLOGRECORD *record;

	for (DWORD at = 0; n - at >= sizeof(*record); at += record->Length) {
		record = (const EVENTLOGRECORD *)(bytes + at);
		if (record->Length < sizeof(*record) || record->Length > n - at)
			break;
		if (record->EventID == SPG_EVENT_LOG_BEGUN &&
			has_text(record, sizeof(*record), SPG_EVENT_SOURCE) &&
			has_text(record, record->StringOffset, mark))
			return true;
	}
	return false;
}

static bool find_mark(const wchar_t *mark)
{
	HANDLE events = OpenEventLogW(NULL, L"Application");
	BYTE *bytes = malloc(BATCH_BYTES);
	bool found = false;
	DWORD n, needed;

	for (int i = 0; events && bytes && !found && i < BATCHES; i++) {
		if (!ReadEventLogW(events,
			    EVENTLOG_SEQUENTIAL_READ | EVENTLOG_BACKWARDS_READ, 0,
			    bytes, BATCH_BYTES, &n, &needed))
			break;
		found = n <= BATCH_BYTES && find_in(bytes, n, mark);
	}
	free(bytes);
	if (events)
		CloseEventLog(events);
	return found;
}

bool spg_event_log_open(const char **ret_why)
{
	wchar_t mark[128];
	const wchar_t *strings[] = {mark};

	source = RegisterEventSourceW(NULL, SPG_EVENT_SOURCE);
	if (!source) {
		*ret_why = "the Event Log cannot be opened: this file has the messages";
		return false;
	}
	/* One that no event before has. */
	swprintf(mark, sizeof(mark) / sizeof(mark[0]),
		L"spguardd writes here from now on (process %lu, %llu ms after the "
		L"start of Windows)",
		GetCurrentProcessId(), GetTickCount64());
	*ret_why = "the Event Log takes no event: this file has the messages";
	if (ReportEventW(source, EVENTLOG_INFORMATION_TYPE, SPG_CATEGORY_SERVICE,
		    SPG_EVENT_LOG_BEGUN, NULL, 1, 0, strings, NULL)) {
		*ret_why =
			"the Event Log does not keep what it is given: this file has "
			"the messages";
		for (int i = 0; i < TRIES; i++) {
			if (find_mark(mark))
				return true;
			Sleep(TRY_MS);
		}
	}
	DeregisterEventSource(source);
	source = NULL;
	return false;
}
