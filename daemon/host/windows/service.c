/* SPDX-License-Identifier: MIT */
#include "daemon/host/service.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/windows/log.h"
#include "daemon/host/windows/install.h"
#include "daemon/host/windows/manager.h"

enum { EXIT_USAGE = 2 };

/* For service_main(), which the manager calls with arguments of its own. */
static struct {
	int argc;
	char **argv;
	spg_service_run *run;
	int status;
} own;

/* --- a start by the manager ------------------------------------------------- */

static void WINAPI service_main(DWORD n, wchar_t **arguments)
{
	DWORD err = spg_manager_begin(SPG_SERVICE_NAME);

	(void)n;
	(void)arguments;
	if (err != NO_ERROR) {
		own.status = EXIT_FAILURE;
		return;
	}
	own.status = own.run(own.argc, own.argv);
	/* Static data may be gone when this returns. */
	spg_manager_ended(own.status);
}

static int run_service(int argc, char **argv, spg_service_run *run)
{
	wchar_t name[] = SPG_SERVICE_NAME;
	const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};

	spg_log_expect_no_stderr();
	/* argv[0], then what stands behind "service". */
	argv[1] = argv[0];
	own.argc = argc - 1;
	own.argv = argv + 1;
	own.run = run;
	if (StartServiceCtrlDispatcherW(table))
		return own.status;
	if (GetLastError() == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		fputs("spguardd: \"service\" is for the service manager: install the "
		      "service with \"spguardd install-service\" and start it with "
		      "\"net start spguard\", or run \"spguardd\" alone\n",
			stderr);
		return EXIT_USAGE;
	}
	fprintf(stderr, "spguardd: the service manager does not answer: error %lu\n",
		GetLastError());
	return EXIT_FAILURE;
}

/* --- commands --------------------------------------------------------------- */

static int refuse(const char *command, const char *argument)
{
	fprintf(stderr,
		"spguardd: %s: unexpected argument \"%s\". Try: spguardd --help\n",
		command, argument);
	return EXIT_USAGE;
}

static int install(int argc, char **argv)
{
	const char *config = NULL;

	for (int i = 2; i < argc; i++) {
		if (strncmp(argv[i], "--config=", 9) == 0 && argv[i][9])
			config = argv[i] + 9;
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			config = argv[++i];
		else
			return refuse(argv[1], argv[i]);
	}
	return spg_service_install(config);
}

int spg_service_command(int argc, char **argv, spg_service_run *run)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "service") == 0)
		return run_service(argc, argv, run);
	if (strcmp(command, "install-service") == 0)
		return install(argc, argv);
	if (strcmp(command, "remove-service") == 0)
		return argc > 2 ? refuse(command, argv[2]) : spg_service_remove();
	return -1;
}

const char *spg_service_help(void)
{
	return "\n"
	       "spguardd install-service [--config FILE]\n"
	       "                      make it a service that starts with Windows, or\n"
	       "                      change the one that is there; it does not start "
	       "it\n"
	       "spguardd remove-service\n"
	       "                      stop the service and remove it; its data stays\n"
	       "spguardd service      what the service manager starts\n";
}
