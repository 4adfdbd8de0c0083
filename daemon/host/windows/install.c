/* SPDX-License-Identifier: MIT */
#include "daemon/host/windows/install.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include "common/defaults.h"
#include "common/windows/wide.h"
#include "daemon/host/windows/data.h"

/* As main.c has them. */
enum { EXIT_NO_RIGHTS = 77, EXIT_CONFIG = 78 };

#define PATH_UNITS     32768
#define STOP_WAIT_MS   60000
#define PRESHUTDOWN_MS 30000
#define EVENTS_KEY                                                                     \
	L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\spguard"
#define DAY_S (24 * 60 * 60)

static wchar_t description[] =
	L"Watches the files of applications and answers whether a service pack can be "
	L"applied safely. Ask it with spguard.exe.";

/* --- errors ----------------------------------------------------------------- */

static int fail(const char *what, DWORD err)
{
	wchar_t wide[512];
	char *text = NULL;
	DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM |
					 FORMAT_MESSAGE_IGNORE_INSERTS |
					 FORMAT_MESSAGE_MAX_WIDTH_MASK,
		NULL, err, 0, wide, sizeof(wide) / sizeof(wide[0]), NULL);

	while (n > 0 && (wide[n - 1] == L' ' || wide[n - 1] == L'.'))
		n--;
	if (n > 0)
		text = spg_wide_to_text(wide, n);
	if (text)
		fprintf(stderr, "spguardd: %s: %s", what, text);
	else
		fprintf(stderr, "spguardd: %s: error %lu", what, err);
	free(text);
	if (err == ERROR_ACCESS_DENIED)
		fputs(": run it from a command prompt that was opened with \"Run as "
		      "administrator\"",
			stderr);
	else if (err == ERROR_SERVICE_MARKED_FOR_DELETE)
		fputs(": close the windows that show services, and try again", stderr);
	fputc('\n', stderr);
	return err == ERROR_ACCESS_DENIED ? EXIT_NO_RIGHTS : EXIT_FAILURE;
}

/* --- install ---------------------------------------------------------------- */

static wchar_t *own_path(void)
{
	wchar_t *path = calloc(PATH_UNITS, sizeof(*path));
	DWORD n = path ? GetModuleFileNameW(NULL, path, PATH_UNITS) : 0;

	if (n > 0 && n < PATH_UNITS)
		return path;
	free(path);
	return NULL;
}

/* "C:\...\spguardd.exe" service --config "C:\...\x.conf". A name of Windows has no
 * quotation mark; what it ends with is no '\' here, which would take the mark's meaning. */
static wchar_t *command_line(const wchar_t *config)
{
	wchar_t *program = own_path(), *line = NULL;

	if (program)
		line = calloc(wcslen(program) + (config ? wcslen(config) : 0) + 64,
			sizeof(*line));
	if (line) {
		wcscpy(line, L"\"");
		wcscat(line, program);
		wcscat(line, L"\" service");
		if (config) {
			wcscat(line, L" --config \"");
			wcscat(line, config);
			wcscat(line, L"\"");
		}
	}
	free(program);
	return line;
}

/* @config as the service, which has another directory to work in, finds it. Returns 0 and
 * *ret, for free(), or the exit status. */
static int find_config(const char *config, wchar_t **ret)
{
	wchar_t *given = spg_wide(config), *path = calloc(PATH_UNITS, sizeof(*path));
	DWORD n = 0, attributes = INVALID_FILE_ATTRIBUTES;

	if (given && path)
		n = GetFullPathNameW(given, PATH_UNITS, path, NULL);
	if (n > 0 && n < PATH_UNITS)
		attributes = GetFileAttributesW(path);
	free(given);
	if (attributes == INVALID_FILE_ATTRIBUTES ||
		(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
		fprintf(stderr, "spguardd: --config %s: there is no such file\n",
			config);
		free(path);
		return EXIT_CONFIG;
	}
	*ret = path;
	return 0;
}

static void set(SC_HANDLE service, DWORD level, void *info, const char *what)
{
	char text[128];

	if (ChangeServiceConfig2W(service, level, info))
		return;
	snprintf(
		text, sizeof(text), "note: the service is there, but without %s", what);
	(void)fail(text, GetLastError());
}

static void describe(SC_HANDLE service)
{
	SC_ACTION actions[] = {{SC_ACTION_RESTART, 5 * 1000},
		{SC_ACTION_RESTART, 30 * 1000}, {SC_ACTION_RESTART, 5 * 60 * 1000}};
	SERVICE_DESCRIPTIONW about = {description};
	SERVICE_FAILURE_ACTIONSW recovery = {
		.dwResetPeriod = DAY_S, .cActions = 3, .lpsaActions = actions};
	/* Also when it ends in order, with an exit status that is none of success. */
	SERVICE_FAILURE_ACTIONS_FLAG always = {TRUE};
	SERVICE_PRESHUTDOWN_INFO preshutdown = {PRESHUTDOWN_MS};

	set(service, SERVICE_CONFIG_DESCRIPTION, &about, "its description");
	set(service, SERVICE_CONFIG_FAILURE_ACTIONS, &recovery,
		"a new start after a crash");
	set(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &always,
		"a new start after every failure");
	set(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown,
		"time of its own to stop before Windows does");
}

/* Where a viewer of the Event Log finds the texts of the messages: in this program. Without
 * it he shows the strings alone. */
static void register_events(void)
{
	wchar_t *program = own_path();
	DWORD categories = 5, types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE |
	                              EVENTLOG_INFORMATION_TYPE;
	DWORD bytes = program ? (DWORD)((wcslen(program) + 1) * sizeof(*program)) : 0;
	HKEY key;
	LSTATUS err = RegCreateKeyExW(HKEY_LOCAL_MACHINE, EVENTS_KEY, 0, NULL, 0,
		KEY_SET_VALUE, NULL, &key, NULL);

	if (err == ERROR_SUCCESS) {
		err = program ? RegSetValueExW(key, L"EventMessageFile", 0, REG_SZ,
					(const BYTE *)program, bytes)
		              : ERROR_NOT_ENOUGH_MEMORY;
		if (err == ERROR_SUCCESS)
			err = RegSetValueExW(key, L"CategoryMessageFile", 0, REG_SZ,
				(const BYTE *)program, bytes);
		if (err == ERROR_SUCCESS)
			err = RegSetValueExW(key, L"CategoryCount", 0, REG_DWORD,
				(const BYTE *)&categories, sizeof(categories));
		if (err == ERROR_SUCCESS)
			err = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD,
				(const BYTE *)&types, sizeof(types));
		RegCloseKey(key);
	}
	if (err != ERROR_SUCCESS)
		(void)fail(
			"note: the service is there, but without its messages in the "
			"Event Log",
			(DWORD)err);
	free(program);
}

static int secure_data(void)
{
	enum spg_data_state state = SPG_DATA_UNSURE;
	char *strangers = spg_data_strangers(SPG_DEFAULT_DIRECTORY);
	DWORD err;

	if (strangers) {
		fprintf(stderr,
			"spguardd: %s belongs to a user who is no administrator: look "
			"who has put it there, move it away, and try again\n",
			strangers);
		free(strangers);
		return EXIT_FAILURE;
	}
	err = spg_data_secure(SPG_DEFAULT_DIRECTORY, &state);

	if (err != ERROR_SUCCESS)
		return fail("cannot see to the rights on " SPG_DEFAULT_DIRECTORY, err);
	if (state == SPG_DATA_MADE_PRIVATE)
		puts("Only administrators may change " SPG_DEFAULT_DIRECTORY
		     " from now on.");
	else if (state == SPG_DATA_UNSURE)
		fputs("spguardd: note: whether only administrators may "
		      "change " SPG_DEFAULT_DIRECTORY
		      " could not be made sure of: look at its rights\n",
			stderr);
	return 0;
}

/* NULL: the error is the system's. */
static SC_HANDLE create_or_change(SC_HANDLE manager, const wchar_t *line, bool *ret_new)
{
	SC_HANDLE service = CreateServiceW(manager, SPG_SERVICE_NAME, SPG_SERVICE_NAME,
		SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
		SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, NULL, NULL);

	*ret_new = service != NULL;
	if (service || GetLastError() != ERROR_SERVICE_EXISTS)
		return service;
	service = OpenServiceW(manager, SPG_SERVICE_NAME, SERVICE_ALL_ACCESS);
	if (service && !ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS,
			       SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, line, NULL,
			       NULL, NULL, NULL, NULL, NULL)) {
		DWORD err = GetLastError();

		CloseServiceHandle(service);
		SetLastError(err);
		return NULL;
	}
	return service;
}

int spg_service_install(const char *config)
{
	wchar_t *path = NULL, *line = NULL;
	SC_HANDLE manager = NULL, service = NULL;
	bool is_new;
	int status = config ? find_config(config, &path) : 0;

	if (status == 0)
		status = secure_data();
	if (status != 0) {
		free(path);
		return status;
	}
	line = command_line(path);
	if (line)
		manager = OpenSCManagerW(
			NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
	if (manager)
		service = create_or_change(manager, line, &is_new);
	if (service) {
		describe(service);
		register_events();
		printf("The service spguard is %s. %s: net start spguard\n",
			is_new ? "installed" : "changed",
			is_new ? "Start it" : "It takes effect at its next start");
		CloseServiceHandle(service);
	} else {
		status = fail("cannot install the service",
			line ? GetLastError() : ERROR_NOT_ENOUGH_MEMORY);
	}
	if (manager)
		CloseServiceHandle(manager);
	free(line);
	free(path);
	return status;
}

/* --- remove ----------------------------------------------------------------- */

static bool ask_state(SC_HANDLE service, SERVICE_STATUS_PROCESS *ret)
{
	DWORD n;

	return QueryServiceStatusEx(
		service, SC_STATUS_PROCESS_INFO, (BYTE *)ret, sizeof(*ret), &n);
}

/* One that starts or stops already refuses the request until it has done so. Returns the
 * exit status. */
static int stop(SC_HANDLE service)
{
	ULONGLONG begin = GetTickCount64();
	SERVICE_STATUS_PROCESS state;
	SERVICE_STATUS ignored;

	for (;;) {
		if (!ask_state(service, &state))
			return fail("cannot ask how the service is", GetLastError());
		if (state.dwCurrentState == SERVICE_STOPPED)
			return 0;
		if (GetTickCount64() - begin > STOP_WAIT_MS)
			break;
		if (state.dwCurrentState == SERVICE_RUNNING &&
			!ControlService(service, SERVICE_CONTROL_STOP, &ignored) &&
			GetLastError() == ERROR_ACCESS_DENIED)
			return fail("cannot stop the service", ERROR_ACCESS_DENIED);
		Sleep(100);
	}
	fprintf(stderr,
		"spguardd: the service (process %lu) has not stopped within %d s: end "
		"it "
		"with \"taskkill /f /pid %lu\", and try again\n",
		state.dwProcessId, STOP_WAIT_MS / 1000, state.dwProcessId);
	return EXIT_FAILURE;
}

int spg_service_remove(void)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = NULL;
	int status;

	if (manager)
		service = OpenServiceW(manager, SPG_SERVICE_NAME,
			DELETE | SERVICE_STOP | SERVICE_QUERY_STATUS);
	if (!service && GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST) {
		fputs("spguardd: there is no service spguard\n", stderr);
		status = EXIT_FAILURE;
	} else if (!service) {
		status = fail("cannot open the service", GetLastError());
	} else {
		status = stop(service);
		if (status == 0 && !DeleteService(service))
			status = fail("cannot remove the service", GetLastError());
		if (status == 0)
			(void)RegDeleteKeyW(HKEY_LOCAL_MACHINE, EVENTS_KEY);
		if (status == 0)
			puts("The service spguard is removed.");
		CloseServiceHandle(service);
	}
	if (manager)
		CloseServiceHandle(manager);
	return status;
}
