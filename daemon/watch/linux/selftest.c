/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/selftest.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"

struct child {
	pid_t pid;
	int go_fd; /* the child ends when this is closed */
};

/* In the child: map one scratch file and close it, open and lock the other, say
 * so, then wait to be let go. Only async-signal-safe calls. */
static void hold(const char *mapped, const char *locked, int said_fd, int go_fd)
{
	int fd = open(mapped, O_RDONLY | O_CLOEXEC);
	char byte = 'n';

	if (fd >= 0 && mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED &&
		close(fd) == 0) {
		fd = open(locked, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX) == 0)
			byte = 'y';
	}
	if (write(said_fd, &byte, 1) == 1)
		while (read(go_fd, &byte, 1) > 0)
			;
	_exit(0);
}

static int start_child(const char *mapped, const char *locked, struct child *ret)
{
	int said[2] = {-1, -1}, go[2] = {-1, -1};
	char byte = 'n';
	pid_t pid = -1;

	if (pipe2(said, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0) {
		close(said[0]);
		close(go[1]);
		hold(mapped, locked, said[1], go[0]);
	}
	if (said[1] >= 0)
		close(said[1]);
	if (go[0] >= 0)
		close(go[0]);
	if (pid > 0 && read(said[0], &byte, 1) != 1)
		byte = 'n';
	if (said[0] >= 0)
		close(said[0]);
	*ret = (struct child){.pid = pid, .go_fd = go[1]};
	return pid > 0 && byte == 'y' ? 0 : SPG_ERR_IO;
}

static void end_child(struct child *child)
{
	if (child->go_fd >= 0)
		close(child->go_fd);
	if (child->pid > 0)
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
}

static void set(struct spg_mechanism *row, const char *name, bool works,
	const char *detail, const char *remedy)
{
	*row = (struct spg_mechanism){.name = name, .works = works};
	snprintf(row->detail, sizeof(row->detail), "%s", detail);
	snprintf(row->remedy, sizeof(row->remedy), "%s", works ? "" : remedy);
}

/* How @pid uses the file called @name, as the survey saw it. */
static unsigned how_of(const struct spg_observation *obs, const char *name, int32_t pid)
{
	unsigned how = 0;

	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].process->id.pid == pid &&
			strcmp(spg_path_base(obs->files[obs->uses[i].file].file->path),
				name) == 0)
			how |= obs->uses[i].how;
	return how;
}

static enum spg_census census_of(const struct spg_observation *obs, const char *name)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (strcmp(spg_path_base(obs->files[i].file->path), name) == 0)
			return obs->files[i].census;
	return SPG_CENSUS_UNKNOWN;
}

/* Judge what the survey of the scratch files found while the child held two. */
static void judge(const struct spg_observation *obs, int32_t child,
	struct spg_mechanism ret[SPG_PROOFS])
{
	bool census = census_of(obs, "mapped") == SPG_CENSUS_BUSY &&
	              census_of(obs, "locked") == SPG_CENSUS_BUSY &&
	              census_of(obs, "free") == SPG_CENSUS_FREE;
	unsigned mapped = how_of(obs, "mapped", child);
	unsigned locked = how_of(obs, "locked", child);
	unsigned self = how_of(obs, "free", getpid()) |
	                how_of(obs, "mapped", getpid()) |
	                how_of(obs, "locked", getpid());

	set(&ret[SPG_PROOF_CENSUS], "lease probe", census,
		census ? "found a file mapped, a file locked, and a file free"
		       : "did not tell a file in use from a free one",
		"run as root, or with CAP_LEASE and CAP_DAC_READ_SEARCH; keep the "
		"state "
		"directory on a local filesystem");
	set(&ret[SPG_PROOF_DESCRIPTORS], "descriptors in /proc",
		(locked & SPG_USE_WRITE) != 0,
		locked & SPG_USE_WRITE ? "found who had a file open"
				       : "did not find who had a file open",
		"give the daemon CAP_SYS_PTRACE and /proc without hidepid");
	set(&ret[SPG_PROOF_MAPPINGS], "mappings in /proc", mapped == SPG_USE_MAPPED,
		mapped == SPG_USE_MAPPED
			? "found who had a file mapped and its descriptor closed"
			: "did not find who had a file mapped",
		"give the daemon CAP_SYS_PTRACE and /proc without hidepid");
	set(&ret[SPG_PROOF_LOCKS], "locks in /proc", (locked & SPG_USE_LOCKED) != 0,
		locked & SPG_USE_LOCKED ? "found who had a file locked"
					: "did not find who had a file locked",
		"let the daemon read /proc/locks (no ProcSubset=pid)");
	set(&ret[SPG_PROOF_INNOCENCE], "not a holder", self == 0 && census,
		self == 0 && census ? "the daemon itself holds no file"
				    : "the daemon was found among the holders",
		"report this: it is a bug of spguard");
}

static int survey_scratch(
	struct spg_surveyor *surveyor, const char *dir, struct spg_observation **ret)
{
	struct spg_product *product = spg_product_create("selftest");
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;
	struct spg_survey_request request = {
		.product = product, .scope = &scope, .attribute = true};
	struct spg_surveyor quiet = *surveyor;
	int r = product ? 0 : SPG_ERR_NOMEM;

	quiet.marks = NULL;
	quiet.progress = NULL;
	if (r == 0)
		r = spg_product_add_directory(product, dir, "self-test");
	if (r == 0)
		r = spg_product_add_pattern(product, "*");
	if (r == 0)
		r = spg_survey_run(&quiet, &request, ret);
	spg_product_unref(product);
	return r;
}

static int create_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return SPG_ERR_IO;
	if (write(fd, "spguard\n", 8) != 8) {
		close(fd);
		return SPG_ERR_IO;
	}
	return close(fd) == 0 ? 0 : SPG_ERR_IO;
}

/* The initial namespaces have fixed numbers (linux/proc_ns.h). */
static bool is_initial(const char *link, const char *expected)
{
	char text[64];
	ssize_t n = readlink(link, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strcmp(text, expected) == 0;
}

/*
 * The census counts every user of a file that is at its place. Of an old version
 * that lost its place before the daemon started only the search can tell, and it
 * has to see everybody.
 */
static void judge_view(struct spg_mechanism *row)
{
	const char *why = NULL, *remedy = "";

	if (!is_initial("/proc/self/ns/pid", "pid:[4026531836]")) {
		why = "in a pid namespace: processes outside are not seen";
		remedy = "run spguardd on the host, outside of containers";
	} else if (!is_initial("/proc/self/ns/user", "user:[4026531837]")) {
		why = "in a user namespace: other users' processes are not seen";
		remedy = "run spguardd on the host, outside of containers";
	} else if (capng_get_caps_process() < 0 ||
		   !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE)) {
		why = "other users' processes may not be looked into";
		remedy = "run the daemon as root, or with CAP_SYS_PTRACE";
	}
	set(row, "view of all processes", !why,
		why ? why : "in the first namespaces, with CAP_SYS_PTRACE", remedy);
}

void spg_selftest_run(struct spg_surveyor *surveyor, const char *scratch_dir,
	struct spg_mechanism ret[SPG_PROOFS])
{
	static const char *const names[] = {"free", "mapped", "locked"};
	char dir[4000], paths[3][4096];
	struct spg_observation *obs = NULL;
	struct child child = {.pid = -1, .go_fd = -1};
	int r = 0;

	for (int i = 0; i < SPG_PROOF_EVERYBODY; i++)
		set(&ret[i], "self-test", false, "the self-test could not run",
			"make the state directory writable, with some space left");
	snprintf(dir, sizeof(dir), "%s/selftest-XXXXXX", scratch_dir);
	judge_view(&ret[SPG_PROOF_EVERYBODY]);
	if (!mkdtemp(dir))
		return;
	for (int i = 0; i < 3; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, names[i]);
		r = r == 0 ? create_file(paths[i]) : r;
	}
	if (r == 0)
		r = start_child(paths[1], paths[2], &child);
	if (r == 0)
		r = survey_scratch(surveyor, dir, &obs);
	end_child(&child);
	if (r == 0)
		judge(obs, child.pid, ret);
	spg_observation_destroy(obs);
	for (int i = 0; i < 3; i++)
		(void)unlink(paths[i]);
	(void)rmdir(dir);
}
