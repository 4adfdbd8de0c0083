/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/bpf/reason.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "common/err.h"
#include "common/format.h"
#include "common/log.h"
#include "daemon/model/observation.h"

#define BTF "/sys/kernel/btf/vmlinux"

/* The first pid namespace has a fixed number (linux/proc_ns.h). */
static bool is_first_pid_namespace(void)
{
	char text[64];
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strcmp(text, "pid:[4026531836]") == 0;
}

int spg_bpf_preconditions(struct spg_bpf_reason *reason)
{
	FILE *btf;
	int first;

	if (!is_first_pid_namespace()) {
		snprintf(reason->why, sizeof(reason->why),
			"in a pid namespace, where processes have other numbers");
		snprintf(reason->remedy, sizeof(reason->remedy),
			"run spguardd on the host, outside of containers");
		return SPG_ERR_UNSUPPORTED;
	}
	btf = fopen(BTF, "re");
	first = btf ? getc(btf) : EOF;
	if (btf)
		fclose(btf);
	if (first == EOF) {
		snprintf(reason->why, sizeof(reason->why),
			"the kernel does not describe its types (no BTF at %s)", BTF);
		snprintf(reason->remedy, sizeof(reason->remedy),
			"use a kernel built with CONFIG_DEBUG_INFO_BTF, and mount "
			"/sys");
		return SPG_ERR_UNSUPPORTED;
	}
	return 0;
}

int spg_bpf_explain(struct spg_bpf_reason *reason, const char *what, int errnum)
{
	const char *remedy = "use a kernel from 6.1 on; the log says more at "
			     "log-level = debug";
	int r = SPG_ERR_UNSUPPORTED;

	if (errnum == EPERM || errnum == EACCES) {
		remedy = "give the daemon CAP_BPF and CAP_PERFMON, and let bpf(2) "
			 "through its system call filter";
		reason->command = SPG_COMMAND_EDIT_UNIT;
		r = SPG_ERR_DENIED;
	}
	snprintf(reason->why, sizeof(reason->why), "%s refused: %s", what,
		strerror(errnum));
	snprintf(reason->remedy, sizeof(reason->remedy), "%s", remedy);
	return r;
}

SPG_PRINTF(2, 0)
static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	spg_debug("%s", line);
	return 0;
}

void spg_bpf_log(void)
{
	libbpf_set_print(print);
}
