/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/defaults.h"
#include "common/err.h"
#include "common/log.h"
#include "common/platform.h"
#include "daemon/config/config.h"
#include "daemon/daemon.h"
#include "daemon/host/activation.h"
#include "daemon/host/service.h"
#include "daemon/watch/watch.h"

static const char help[] =
	"usage: spguardd [OPTION...]\n"
	"\n"
	"Watch the files of applications and answer whether a service pack can be\n"
	"applied safely. Clients ask with spguard(1).\n"
	"\n"
	"  --config FILE       read this configuration\n"
	"                      [" SPG_DEFAULT_CONFIG "]\n"
	"  --check-config      say what is wrong with it, and end\n"
	"  --print-config      show what is in force, and end\n"
	"  --foreground        stay in the foreground; it always does, except as a\n"
	"                      Windows service\n"
	"  --tier TIER         how to look: auto (the best that works here); on Linux\n"
	"                      also bpf or procfs\n"
	"  -V, --version       show the version, and end\n"
	"  -h, --help          show this, and end\n"
	"\n"
	"SIGHUP (everywhere: spguard reload) reads the configuration again, SIGTERM\n"
	"or Ctrl-C stops. Exit status: 0 after a clean stop, 1 if it could not start\n"
	"and may at another try. Another try is of no use with 2 (bad usage), 69\n"
	"(this system lacks something), 77 (the daemon lacks rights) and 78 (the\n"
	"configuration is bad or does not fit this system).\n";

/* Those of sysexits(3h) for what no restart mends: conf/spguardd.service names them. */
enum { EXIT_USAGE = 2, EXIT_UNAVAILABLE = 69, EXIT_NO_RIGHTS = 77, EXIT_CONFIG = 78 };

struct options {
	const char *config;
	bool check, print;
	enum spg_tier tier;
};

enum { OPT_CONFIG = 256, OPT_CHECK, OPT_PRINT, OPT_FOREGROUND, OPT_TIER };

/* What came of a start. A lock that another daemon has, a disk that is full or does not
 * answer, and memory that is short may pass. */
static int exit_status_of(int err)
{
	switch (err) {
	case 0:
		return EXIT_SUCCESS;
	case SPG_ERR_INVALID:
	case SPG_ERR_NOT_FOUND:
		return EXIT_CONFIG;
	case SPG_ERR_DENIED:
		return EXIT_NO_RIGHTS;
	case SPG_ERR_UNSUPPORTED:
		return EXIT_UNAVAILABLE;
	default:
		return EXIT_FAILURE;
	}
}

static int parse_tier(const char *name, enum spg_tier *ret)
{
	if (strcmp(name, "auto") == 0) {
		*ret = SPG_TIER_AUTO;
	} else if (strcmp(name, "procfs") == 0) {
		*ret = SPG_TIER_PROCFS;
	} else if (strcmp(name, "bpf") == 0) {
		*ret = SPG_TIER_BPF;
	} else {
		fprintf(stderr,
			"spguardd: there is no tier \"%s\": use auto, bpf or procfs\n",
			name);
		return -1;
	}
	return 0;
}

/* The exit status, once all that was asked for is written. */
static int end_of_output(void)
{
	if (fflush(stdout) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "spguardd: cannot write to standard output: %s\n",
		errno == EBADF ? "it is closed" : strerror(errno));
	return EXIT_FAILURE;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, OPT_CONFIG},
		{"check-config", no_argument, NULL, OPT_CHECK},
		{"print-config", no_argument, NULL, OPT_PRINT},
		{"foreground", no_argument, NULL, OPT_FOREGROUND},
		{"tier", required_argument, NULL, OPT_TIER},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "Vh", options, NULL)) != -1) {
		switch (opt) {
		case OPT_CONFIG:
			o->config = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_PRINT:
			o->print = true;
			break;
		case OPT_FOREGROUND:
			break;
		case OPT_TIER:
			if (parse_tier(optarg, &o->tier) < 0)
				return EXIT_USAGE;
			break;
		case 'V':
			puts("spguardd " SPG_VERSION);
			return end_of_output();
		case 'h':
			fputs(help, stdout);
			fputs(spg_service_help(), stdout);
			return end_of_output();
		default:
			fputs("Try: spguardd --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "spguardd: what is \"%s\"? Try: spguardd --help\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static void tell(struct spg_buf *problems, struct spg_buf *notes)
{
	if (spg_log_is_system())
		spg_log_lines(SPG_LOG_ERROR, spg_buf_text(problems));
	else
		fputs(spg_buf_text(problems), stderr);
	fputs(spg_buf_text(notes), stderr);
	spg_buf_finish(problems);
	spg_buf_finish(notes);
}

static int read_config(const struct options *o, struct spg_config **ret)
{
	struct spg_buf problems = SPG_BUF_NULL, notes = SPG_BUF_NULL;
	int r = spg_config_read(ret, o->config, &problems, o->check ? &notes : NULL);

	tell(&problems, &notes);
	if (r == SPG_ERR_NOT_FOUND)
		fputs("spguardd: name the configuration with --config FILE\n", stderr);
	return r;
}

/* What the files say is good; what they name has to be, too. */
static int check_config(const struct spg_config *config)
{
	struct spg_buf problems = SPG_BUF_NULL, notes = SPG_BUF_NULL;
	int r = spg_daemon_check(config, NULL, &problems, &notes);

	tell(&problems, &notes);
	if (r < 0)
		return exit_status_of(r);
	printf("%s: no fault found\n", config->path);
	return end_of_output();
}

static int print_config(const struct spg_config *config)
{
	struct spg_buf text = SPG_BUF_NULL;
	bool failed;

	spg_config_print(config, &text);
	fputs(spg_buf_text(&text), stdout);
	failed = text.failed;
	spg_buf_finish(&text);
	return failed ? EXIT_FAILURE : end_of_output();
}

static int run(int argc, char **argv)
{
	struct options options = {.config = SPG_DEFAULT_CONFIG};
	struct spg_config *config = NULL;
	int status = parse_options(argc, argv, &options), r;

	if (status >= 0)
		return status;
	spg_log_init("spguardd", SPG_LOG_INFO);
	spg_log_use_system(NULL);
	r = spg_activation_begin(SPG_ACTIVATION_FIRST);
	if (r == 0)
		r = read_config(&options, &config);
	if (r < 0)
		return exit_status_of(r);
	if (options.check || options.print) {
		status = options.print ? print_config(config) : check_config(config);
		spg_config_destroy(config);
		return status;
	}
	spg_log_init("spguardd", config->log_level);
	return exit_status_of(spg_daemon_run(config, options.tier));
}

int main(int argc, char **argv)
{
	int status;

	if (spg_platform_fill_descriptors() < 0 ||
		spg_platform_arguments(&argc, &argv) < 0)
		return EXIT_FAILURE;
	status = spg_watch_helper(argc, argv);
	if (status < 0)
		status = spg_service_command(argc, argv, run);
	return status < 0 ? run(argc, argv) : status;
}
