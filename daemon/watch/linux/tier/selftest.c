/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/tier/selftest.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#define N_SCRATCH 3
static const char *const scratch_names[N_SCRATCH] = {"free", "mapped", "locked"};

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

#define REMEDY(text)  ((struct spg_remedy){text, NULL})
/* ... which is done in the unit of the service. */
#define IN_UNIT(text) ((struct spg_remedy){text, SPG_COMMAND_EDIT_UNIT})

/* Fill in @row, whose kind and name are there. */
static void set(struct spg_mechanism *row, bool works, const char *detail,
	struct spg_remedy remedy)
{
	row->works = works;
	row->command = works ? NULL : remedy.command;
	snprintf(row->detail, sizeof(row->detail), "%s", detail);
	snprintf(row->remedy, sizeof(row->remedy), "%s", works ? "" : remedy.text);
}

/* What the survey said of one file while the child used the files. */
struct finding {
	enum spg_in_use in_use;
	unsigned child, self; /* how they use it */
};

static struct finding find(
	const struct spg_observation *obs, const char *name, int32_t child)
{
	struct finding found = {.in_use = SPG_IN_USE_UNKNOWN};

	for (size_t i = 0; i < obs->n_files; i++)
		if (strcmp(spg_path_base(obs->files[i].file->path), name) == 0)
			found.in_use = obs->files[i].in_use;
	for (size_t i = 0; i < obs->n_uses; i++) {
		const struct spg_seen_use *use = &obs->uses[i];

		if (strcmp(spg_path_base(obs->files[use->file].file->path), name) != 0)
			continue;
		if (use->process->id.pid == child)
			found.child |= use->how;
		if (use->process->id.pid == getpid())
			found.self |= use->how;
	}
	return found;
}

/* The kinds of the rows, and their names as users know them, by how the tier looks. */
static const struct {
	enum spg_mechanism_kind kind;
	const char *by_lease, *by_bpf;
} row_names[SPG_PROOFS] = {
	[SPG_PROOF_IN_USE] = {SPG_MECHANISM_IN_USE, "lease probe",
		"in-use counters (BPF)"},
	[SPG_PROOF_OPEN] = {SPG_MECHANISM_OPEN, "descriptors in /proc",
		"open files (BPF)"},
	[SPG_PROOF_MAPPED] = {SPG_MECHANISM_MAPPED, "mappings in /proc",
		"mappings (BPF)"},
	[SPG_PROOF_EXECUTING] = {SPG_MECHANISM_EXECUTING, "executables in /proc",
		"executables (BPF)"},
	[SPG_PROOF_LOCKED] = {SPG_MECHANISM_LOCKED, "locks in /proc", "locks in /proc"},
	[SPG_PROOF_INNOCENCE] = {SPG_MECHANISM_INNOCENCE, "not a holder",
		"not a holder"},
	[SPG_PROOF_EVERYBODY] = {SPG_MECHANISM_EVERYBODY, "view of all processes",
		"view of all processes"},
};

static void name_row(struct spg_mechanism rows[], bool bpf, enum spg_proof_of proof)
{
	rows[proof].kind = row_names[proof].kind;
	rows[proof].name = bpf ? row_names[proof].by_bpf : row_names[proof].by_lease;
}

static void tell(struct spg_mechanism rows[], bool bpf, enum spg_proof_of proof,
	bool works, const char *found, const char *missed, struct spg_remedy remedy)
{
	name_row(rows, bpf, proof);
	set(&rows[proof], works, works ? found : missed, remedy);
}

/* Judge what the survey found while the child held two scratch files, and ran
 * the daemon's own executable, called @exe. */
static void judge(const struct spg_observation *obs, bool bpf, const char *exe,
	int32_t child, struct spg_mechanism ret[SPG_PROOFS])
{
	const struct spg_remedy see_all =
		IN_UNIT("give the daemon CAP_SYS_PTRACE and /proc without hidepid");
	struct finding unused = find(obs, "free", child);
	struct finding mapped = find(obs, "mapped", child);
	struct finding locked = find(obs, "locked", child);
	struct finding running = find(obs, exe, child);
	bool in_use = mapped.in_use == SPG_IN_USE_YES &&
	              locked.in_use == SPG_IN_USE_YES && unused.in_use == SPG_IN_USE_NO;

	tell(ret, bpf, SPG_PROOF_IN_USE, in_use,
		"found a file mapped, a file locked, and a file free",
		"did not tell a file in use from a free one",
		IN_UNIT("run as root, or with CAP_LEASE and CAP_DAC_READ_SEARCH; keep "
			"the state directory on a local filesystem"));
	tell(ret, bpf, SPG_PROOF_OPEN, (locked.child & SPG_USE_WRITE) != 0,
		"found who had a file open", "did not find who had a file open",
		see_all);
	tell(ret, bpf, SPG_PROOF_MAPPED, mapped.child == SPG_USE_MAPPED,
		"found who had a file mapped and its descriptor closed",
		"did not find who had a file mapped", see_all);
	tell(ret, bpf, SPG_PROOF_EXECUTING, (running.child & SPG_USE_EXECUTING) != 0,
		"found who ran a program", "did not find who ran a program", see_all);
	tell(ret, bpf, SPG_PROOF_LOCKED, (locked.child & SPG_USE_LOCKED) != 0,
		"found who had a file locked", "did not find who had a file locked",
		REMEDY("let the daemon read /proc/locks (no ProcSubset=pid)"));
	tell(ret, bpf, SPG_PROOF_INNOCENCE,
		in_use && (unused.self | mapped.self | locked.self) == 0,
		"the daemon itself holds no file",
		"the daemon was found among the holders",
		REMEDY("report this: it is a bug of spguard"));
}

/* Where the daemon's own executable is: every child runs it. False: gone. */
static bool find_own(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	if (n <= 0)
		return false;
	path[n] = '\0';
	return access(path, F_OK) == 0;
}

/* @exe: the daemon's executable. */
static int survey_scratch(struct spg_survey_tools *tools, const char *dir,
	const char *exe, struct spg_observation **ret)
{
	struct spg_product *product = spg_product_create("selftest");
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;
	struct spg_survey_request request = {
		.product = product, .scope = &scope, .find_users = true};
	struct spg_survey_tools quiet = *tools;
	char folder[PATH_MAX];
	int r = product ? 0 : SPG_ERR_NOMEM;

	quiet.marks = NULL;
	quiet.trace_files = NULL;
	quiet.progress = NULL;
	snprintf(folder, sizeof(folder), "%.*s",
		(int)(spg_path_base(exe) - exe > 1 ? spg_path_base(exe) - exe - 1 : 1),
		exe);
	if (r == 0)
		r = spg_product_add_directory(product, dir, "self-test");
	if (r == 0)
		r = spg_product_add_directory(product, folder, "self-test");
	for (int i = 0; r == 0 && i < N_SCRATCH; i++)
		r = spg_product_add_pattern(product, scratch_names[i]);
	if (r == 0)
		r = spg_product_add_pattern(product, spg_path_base(exe));
	if (r == 0)
		r = spg_survey_run(&quiet, &request, ret);
	spg_product_unref(product);
	return r;
}

/* --- lock events and processes ---------------------------------------------- */

static int copy_inode(void *user, const struct spg_bpf_inode *inode)
{
	struct spg_bpf_inode *copy = user;

	if (inode->fd == copy->fd)
		*copy = *inode;
	return 0;
}

/* Have locks of the file at @path told. Returns 0, *ret names it then. */
static int watch_locks(struct spg_survey_tools *tools, struct spg_trace *trace,
	const char *path, struct spg_bpf_inode *ret)
{
	int r;

	*ret = (struct spg_bpf_inode){.fd = open(path, SPG_OPEN_NAME)};
	if (ret->fd < 0)
		return SPG_ERR_IO;
	r = spg_look_in_use(tools->look, copy_inode, ret);
	close(ret->fd);
	if (r == 0 && ret->inode == 0)
		r = SPG_ERR_IO;
	/* A number that no file has: what the child does last is heard by the loop. */
	return r == 0 ? spg_trace_watch(trace, &ret->key, UINT32_MAX) : r;
}

struct heard {
	int32_t pid;
	bool locked;
};

static int hear(void *user, const struct spg_bpf_lock *lock)
{
	struct heard *heard = user;

	heard->locked = heard->locked ||
	                (lock->tgid == heard->pid && lock->kind == SPG_BPF_FLOCK &&
				lock->result == 0);
	return 0;
}

static void judge_trace(struct spg_trace *trace, int32_t child,
	struct spg_mechanism ret[SPG_PROOFS_TRACE])
{
	struct heard heard = {.pid = child};
	struct spg_bpf_process process;
	bool known;

	(void)spg_trace_read(trace, hear, &heard);
	ret[SPG_PROOF_LOCK_EVENTS] = (struct spg_mechanism){
		.kind = SPG_MECHANISM_LOCK_EVENTS, .name = "lock events (BPF)"};
	set(&ret[SPG_PROOF_LOCK_EVENTS], heard.locked,
		heard.locked ? "told of a lock as it was taken"
			     : "did not tell of a lock",
		REMEDY("locks are read every lock-poll instead; see the log at "
		       "log-level = debug"));
	known = spg_trace_process(trace, child, &process) && process.comm[0];
	ret[SPG_PROOF_PROCESS_TABLE] = (struct spg_mechanism){
		.kind = SPG_MECHANISM_PROCESS_TABLE, .name = "process table (BPF)"};
	set(&ret[SPG_PROOF_PROCESS_TABLE], known,
		known ? "knew a process from its start on"
		      : "did not know a process that was started",
		REMEDY("processes that end at once may have no name in the history"));
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
 * The in-use probe counts every user of a file that is at its place. Of an old version
 * that lost its place before the daemon started only the search can tell, and it
 * has to see everybody.
 */
static void judge_view(struct spg_mechanism *row)
{
	const char *why = NULL;
	struct spg_remedy remedy = REMEDY("");

	if (!is_initial("/proc/self/ns/pid", "pid:[4026531836]")) {
		why = "in a pid namespace: processes outside are not seen";
		remedy = REMEDY("run spguardd on the host, outside of containers");
	} else if (!is_initial("/proc/self/ns/user", "user:[4026531837]")) {
		why = "in a user namespace: other users' processes are not seen";
		remedy = REMEDY("run spguardd on the host, outside of containers");
	} else if (capng_get_caps_process() < 0 ||
		   !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE)) {
		why = "other users' processes may not be looked into";
		remedy = IN_UNIT("run the daemon as root, or with CAP_SYS_PTRACE");
	}
	set(row, !why, why ? why : "in the first namespaces, with CAP_SYS_PTRACE",
		remedy);
}

void spg_selftest_run(struct spg_survey_tools *tools, struct spg_trace *trace,
	const char *scratch_dir, struct spg_mechanism ret[SPG_PROOFS],
	struct spg_mechanism ret_trace[SPG_PROOFS_TRACE])
{
	char dir[4000], paths[N_SCRATCH][4096], exe[PATH_MAX];
	struct spg_observation *obs = NULL;
	struct child child = {.pid = -1, .go_fd = -1};
	struct spg_bpf_inode watched;
	bool has_exe = find_own(exe, sizeof(exe));
	int r = 0;

	for (int i = 0; i < SPG_PROOFS; i++) {
		ret[i] = (struct spg_mechanism){
			.kind = SPG_MECHANISM_SELF_TEST, .name = "self-test"};
		set(&ret[i], false, "the self-test could not run",
			REMEDY("make the state directory writable, with some space "
			       "left"));
	}
	for (int i = 0; trace && i < SPG_PROOFS_TRACE; i++)
		ret_trace[i] = ret[0];
	name_row(ret, tools->look != NULL, SPG_PROOF_EVERYBODY);
	snprintf(dir, sizeof(dir), "%s/selftest-XXXXXX", scratch_dir);
	judge_view(&ret[SPG_PROOF_EVERYBODY]);
	if (!mkdtemp(dir))
		return;
	for (int i = 0; i < N_SCRATCH; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, scratch_names[i]);
		r = r == 0 ? create_file(paths[i]) : r;
	}
	if (!has_exe)
		snprintf(exe, sizeof(exe), "%s", paths[0]);
	if (r == 0 && trace)
		r = watch_locks(tools, trace, paths[2], &watched);
	if (r == 0)
		r = start_child(paths[1], paths[2], &child);
	if (r == 0)
		r = survey_scratch(tools, dir, exe, &obs);
	if (r == 0 && trace)
		judge_trace(trace, child.pid, ret_trace);
	end_child(&child);
	if (r == 0)
		judge(obs, tools->look != NULL, spg_path_base(exe), child.pid, ret);
	if (r == 0 && !has_exe)
		set(&ret[SPG_PROOF_EXECUTING], true,
			"not tried: the daemon's own program file was replaced",
			REMEDY(""));
	if (trace && r == 0)
		spg_trace_unwatch(trace, &watched.key);
	spg_observation_destroy(obs);
	for (int i = 0; i < N_SCRATCH; i++)
		(void)unlink(paths[i]);
	(void)rmdir(dir);
}
