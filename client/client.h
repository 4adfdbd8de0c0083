/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * spguard, the client: what every command gets, and the list of commands.
 *
 * A command reads its options (spg_client_options), asks the daemon
 * (spg_client_ask), and either passes the result through as JSON or tells it to
 * a person. It returns the exit code and prints every complaint itself.
 *
 * To add a command: one file with its run function and its help, a declaration
 * here, a row in commands[] of main.c.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "common/format.h"

#include "client/connection.h"
#include "client/error.h"
#include "client/output.h"

#define SPG_CLIENT_TIMEOUT_NS (30 * INT64_C(1000000000))

enum spg_exit {
	SPG_EXIT_OK = 0,
	SPG_EXIT_FAILED = 1,
	SPG_EXIT_USAGE = 2,
	SPG_EXIT_UNWRITABLE = 3, /* the answer is there, and could not be written */
	/* check: the verdict, and 3 for everything that is no answer. */
	SPG_EXIT_SAFE = 0,
	SPG_EXIT_ATTENTION = 1,
	SPG_EXIT_BLOCKED = 2,
	SPG_EXIT_UNKNOWN = 3,
	/* verify, which has SPG_EXIT_UNKNOWN too. */
	SPG_EXIT_FITS = 0,
	SPG_EXIT_MIXED = 2,
};

struct spg_client;

/* What a command is for: its place in the list of commands. */
enum spg_purpose {
	SPG_PURPOSE_DAEMON,  /* to look after the daemon */
	SPG_PURPOSE_NOW,     /* who is in the way now */
	SPG_PURPOSE_INSTALL, /* to apply a service pack */
	SPG_PURPOSE_HISTORY, /* what was */
	SPG_PURPOSES
};

struct spg_command {
	const char *name;
	const char *summary; /* for the list of commands */
	enum spg_purpose purpose;
	const char *help; /* usage, options and examples */
	/* @argv[0] is the command. Returns the exit code. */
	int (*run)(struct spg_client *client, int argc, char **argv);
	/* What it runs writes to stdout: an error is no JSON there. */
	bool lends_stdout;
	int exit_usage, exit_failed; /* codes for bad usage and for no answer */
};

struct spg_client {
	const struct spg_command *command;
	const char *socket_path;
	int64_t timeout_ns;
	bool json, no_color, utc;
	bool quiet;            /* no word about how long an answer takes */
	struct spg_output out; /* usable once options are read */
	struct spg_connection connection;
};

/* What spg_client_options() returns besides a command's own option letters. */
#define SPG_OPTIONS_DONE 0
#define SPG_OPTIONS_EXIT (-1) /* help was shown, or the usage was wrong */

/**
 * The next option of the command: one of its own, or SPG_OPTIONS_DONE when all
 * are read (operands are argv[optind..]), or SPG_OPTIONS_EXIT with *@ret_exit.
 * Options that all commands have are handled here.
 *
 * @options  the command's own long options, ended by a null one, values > 0;
 *           at most 16; NULL: none
 * @letters  its own short options, as in getopt(3), without "h"
 */
int spg_client_options(struct spg_client *client, int argc, char **argv,
	const struct option *options, const char *letters, int *ret_exit);

/** Print "spguard COMMAND: TEXT" and where the help is; returns the exit code
 * for bad usage. */
int spg_client_usage(const struct spg_client *client, const char *format, ...)
	SPG_PRINTF(2, 3);

/** True when no operands are left; else complains, and *@ret_exit is set. */
bool spg_client_no_operands(
	const struct spg_client *client, int argc, char **argv, int *ret_exit);

/** Read TIME for option @name; else complains, and *@ret_exit is set. */
bool spg_client_duration(const struct spg_client *client, const char *name,
	const char *text, int64_t *ret_ns, int *ret_exit);

/** Read the number N, 1..@max, for @name, such as "--limit"; else complains, and
 * *@ret_exit is set. */
bool spg_client_number(const struct spg_client *client, const char *name,
	const char *text, int64_t max, int64_t *ret, int *ret_exit);

/** Put @text from the command line (NULL: nothing) as @key into @params; what is no
 * UTF-8 cannot be asked about: complains, and *@ret_exit is set. */
bool spg_client_set_text(const struct spg_client *client, json_t *params,
	const char *key, const char *text, int *ret_exit);

/** Put a duration in seconds as @key into @params. */
void spg_client_set_seconds(json_t *params, const char *key, int64_t ns);

/**
 * Ask the daemon, connecting first if need be. @params are taken over.
 *
 * @more_ns  wait that much longer than usual
 *
 * Returns the result, a reference for the caller; NULL after the complaint was
 * printed.
 */
json_t *spg_client_ask(
	struct spg_client *client, const char *method, json_t *params, int64_t more_ns);

/** As spg_client_ask(), but the complaint goes to @why. */
json_t *spg_client_try(struct spg_client *client, const char *method, json_t *params,
	int64_t more_ns, struct spg_complaint *why);

/** Print the complaint as this command's; returns its code for no answer. */
int spg_client_failed(const struct spg_client *client, const struct spg_complaint *why);

/** Write what was collected; @code, or the code for no answer when it cannot be
 * written. */
int spg_client_finish(struct spg_client *client, int code);

/**
 * Ask, and write the answer: as it is for --json, else with @tell. @params are
 * taken over; @more_ns as for spg_client_ask(). Returns the exit code.
 */
int spg_client_ask_and_tell(struct spg_client *client, const char *method,
	json_t *params, int64_t more_ns,
	void (*tell)(struct spg_output *out, const json_t *result));

/** @result as it is, for --json; returns as spg_client_finish(). */
int spg_client_pass(struct spg_client *client, const json_t *result, int code);

/**
 * Turn the operands into what the daemon understands: absolute paths stay, bare
 * names without '/' stay (the daemon looks for them in every directory of its
 * products), other relative paths must exist and are made absolute.
 *
 * Returns an array, NULL after the complaint was printed.
 */
json_t *spg_client_paths(const struct spg_client *client, int n, char **paths);

/* Those of this system, in the order in which help names them within their purposes; NULL
 * ends them. */
extern const struct spg_command *const spg_commands[];

/* Lines of the help: commands of this system, and where its manual is. */
extern const char spg_help_examples[], spg_help_manual[];

extern const struct spg_command spg_command_check;
extern const struct spg_command spg_command_who;
extern const struct spg_command spg_command_locks;
extern const struct spg_command spg_command_watch;
extern const struct spg_command spg_command_log;
extern const struct spg_command spg_command_installs;
extern const struct spg_command spg_command_verify;
extern const struct spg_command spg_command_sidestep;
extern const struct spg_command spg_command_maintenance;
extern const struct spg_command spg_command_status;
extern const struct spg_command spg_command_doctor;
extern const struct spg_command spg_command_metrics;
extern const struct spg_command spg_command_hold;
extern const struct spg_command spg_command_run;
extern const struct spg_command spg_command_flush;
extern const struct spg_command spg_command_packages;
extern const struct spg_command spg_command_profile;
extern const struct spg_command spg_command_reload;
