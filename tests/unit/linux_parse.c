/* SPDX-License-Identifier: MIT */
/* What Linux says in text: locks, control groups, units, mounts, uprobes. */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "daemon/watch/linux/files/mounts.h"
#include "daemon/watch/linux/proc/control_group.h"
#include "daemon/watch/linux/proc/proc.h"
#include "daemon/watch/linux/survey/locks.h"
#include "daemon/watch/linux/survey/uprobes.h"
#include "tests/support/corpus.h"
#include "tests/support/suite.h"

/* --- locks ----------------------------------------------------------------- */

static const struct {
	const char *line;
	const char *expect; /* see show_lock(); NULL: refused */
} lock_lines[] = {
	{"1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 0 EOF",
		"posix write held 3568 253:0:2531452 0-EOF"},
	{"12: POSIX  ADVISORY  READ  1 08:01:7 1073741824 1073742335",
		"posix read held 1 8:1:7 1073741824-1073742335"},
	{"3: FLOCK  ADVISORY  WRITE 2613 00:16:1149 0 EOF",
		"flock write held 2613 0:22:1149 0-EOF"},
	{"4: OFDLCK ADVISORY  READ  -1 103:00002:99 5 5",
		"ofd read held -1 259:2:99 5-5"},
	{"5: LEASE  ACTIVE    READ  77 fd:00:18446744073709551615 0 EOF",
		"lease read held 77 253:0:18446744073709551615 0-EOF"},
	{"5: LEASE  BREAKING  UNLCK 77 fd:00:1 0 EOF",
		"lease read held 77 253:0:1 0-EOF"},
	{"6: DELEG  ACTIVE    WRITE 77 fd:00:1 0 EOF",
		"lease write held 77 253:0:1 0-EOF"},
	{"7: ACCESS ADVISORY  WRITE 8 fd:00:1 0 EOF",
		"posix write held 8 253:0:1 0-EOF"},
	{"7: POSIX  MANDATORY WRITE 8 fd:00:1 0 EOF",
		"posix write held 8 253:0:1 0-EOF"},
	/* Who waits, and who waits for a waiter. */
	{"1: -> POSIX  ADVISORY  WRITE 3569 fd:00:2531452 0 EOF",
		"posix write waiting 3569 253:0:2531452 0-EOF"},
	{"1:    -> OFDLCK ADVISORY  WRITE -1 fd:00:2531452 0 9",
		"ofd write waiting -1 253:0:2531452 0-9"},
	/* As in fdinfo, behind "lock:". */
	{"\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF",
		"flock write held 359 0:19:11691 0-EOF"},
	{"1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\n",
		"flock write held 359 0:19:11691 0-EOF"},
	/* Not a lock of a file, or not a lock at all. */
	{"1: POSIX  *NOINODE* READ  12 <none>:0 0 EOF", NULL},
	{"1: WEIRD  ADVISORY  WRITE 1 fd:00:1 0 EOF", NULL},
	{"1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 0", NULL},
	{"1: POSIX  ADVISORY  WRITE x fd:00:2531452 0 EOF", NULL},
	{"1: POSIX  ADVISORY  WRITE 1 fd:zz:2531452 0 EOF", NULL},
	{"POSIX  ADVISORY  WRITE 3568 fd:00:2531452 0 EOF", NULL},
	{"1 POSIX  ADVISORY  WRITE 3568 fd:00:2531452 0 EOF", NULL},
	{"1:", NULL},
	{"1: ->", NULL},
	{"", NULL},
	{"pos:\t0", NULL},
	{"1: AVERYLONGWORDTHATISNOKIND ADVISORY WRITE 1 fd:00:1 0 EOF", NULL},
};

static void show_lock(const struct spg_lock_line *line, struct spg_buf *buf)
{
	spg_buf_printf(buf, "%s %s %s %d %u:%u:%llu %lld-",
		spg_lock_kind_name(line->kind), spg_lock_mode_name(line->mode),
		line->waiting ? "waiting" : "held", line->pid, major(line->dev),
		minor(line->dev), (unsigned long long)line->ino,
		(long long)line->start);
	if (line->end == SPG_LOCK_EOF)
		spg_buf_puts(buf, "EOF");
	else
		spg_buf_printf(buf, "%lld", (long long)line->end);
}

START_TEST(lock_line)
{
	struct spg_lock_line line;
	struct spg_buf buf = SPG_BUF_NULL;
	bool ok = spg_lock_line_parse(lock_lines[_i].line, &line);

	ck_assert_int_eq(ok, lock_lines[_i].expect != NULL);
	if (ok) {
		show_lock(&line, &buf);
		ck_assert_str_eq(spg_buf_text(&buf), lock_lines[_i].expect);
	}
	spg_buf_finish(&buf);
}
END_TEST

/* --- control groups -------------------------------------------------------- */

#define USER "0::/user.slice/user-1000.slice/user@1000.service"
#define LONG                                                                           \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaa"
#define NONE                  SPG_UID_UNKNOWN

#define NUMBER                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IN(engine, container) SPG_CONTAINER_##engine, container

static const struct {
	const char *cgroup, *unit;
	uint32_t manager_uid;
	enum spg_container_engine engine;
	const char *container;
} groups[] = {
	{"0::/system.slice/perfmon.service\n", "perfmon.service", NONE},
	{"0::/system.slice/system-getty.slice/getty@tty1.service\n",
		"getty@tty1.service", NONE},
	{"0::/system.slice/dev\\x2ddisk.service", "dev\\x2ddisk.service", NONE},
	/* A service that has groups of its own below. */
	{"0::/system.slice/foo.service/payload/1\n", "foo.service", NONE},
	{"0::/system.slice/containerd.service/kubepods/pod1.service\n",
		"containerd.service", NONE},
	/* The old hierarchy, and both of them. */
	{"12:pids:/system.slice/wrong.service\n"
	 "1:name=systemd:/system.slice/a.service\n",
		"a.service", NONE},
	{"1:name=systemd:/system.slice/a.service\n0::/\n", "a.service", NONE},
	{"1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n",
		"a.service", NONE},
	{"0::/system.slice/b.service\n1:name=systemd:/\n", "b.service", NONE},
	{"4:memory:/system.slice/a.service\n", "", NONE},
	/* A user's own services, the manager, and what has no service. */
	{USER "/app.slice/indexer.service\n", "indexer.service", 1000},
	{USER "/app.slice/app-x.slice/indexer@2.service/sub\n", "indexer@2.service",
		1000},
	{USER "/init.scope\n", "user@1000.service", NONE},
	{USER "\n", "user@1000.service", NONE},
	{USER "/app.slice/app-gnome-editor-7.scope\n", "", NONE},
	{"0::/user.slice/user-1000.slice/session-3.scope\n", "", NONE},
	{"0::/user.slice/user-1000.slice/user@bad.service/x.service\n",
		"user@bad.service", NONE},
	/* Above the root of our own namespace. */
	{"0::/../../system.slice/a.service\n", "a.service", NONE},
	{"0::/../system-getty.slice/getty@tty1.service\n", "getty@tty1.service", NONE},
	{"0::/../docker-0123.scope\n", "", NONE, IN(DOCKER, "0123")},
	{"0::/\n", "", NONE},
	/* Names that somebody chose below a group that is his own. */
	{"0::/system.slice/a.service/system.slice/ssh.service\n", "a.service", NONE},
	{"0::/system.slice/a.service/ssh.service\n", "a.service", NONE},
	{USER "/x.slice/ssh.service\n", "ssh.service", 1000},
	{USER "/x.slice/a.service/ssh.service\n", "a.service", 1000},
	{USER "/mine/system.slice/ssh.service\n", "", NONE},
	{USER "/x.scope/system.slice/ssh.service\n", "", NONE},
	{"0::/user.slice/user-1000.slice/session-3.scope/system.slice/ssh.service\n",
		"", NONE},
	{"0::/mine/system.slice/ssh.service\n", "", NONE},
	{"0::/system.slice/mine.slice/ssh.service\n", "", NONE},
	{"0::/system.slice/mine/ssh.service\n", "", NONE},
	{"7:pids:/x:name=systemd:/system.slice/ssh.service\n0::/mine\n", "", NONE},
	{"0::/mine/x:name=systemd:/system.slice/ssh.service\n", "", NONE},
	/* Containers, and what their own manager says below. */
	{"0::/system.slice/docker-" NUMBER ".scope\n", "", NONE, IN(DOCKER, NUMBER)},
	{"0::/system.slice/docker-0123.scope/system.slice/ssh.service\n", "", NONE,
		IN(DOCKER, "0123")},
	{"0::/docker/0123/system.slice/nginx.service\n", "", NONE, IN(DOCKER, "0123")},
	{"0::/docker/0123/docker/4567\n", "", NONE, IN(DOCKER, "0123")},
	{"0::/actions_job/0123\n", "", NONE, IN(DOCKER, "0123")},
	{"1:name=systemd:/docker/0123\n0::/\n", "", NONE, IN(DOCKER, "0123")},
	/* An engine that leaves the hierarchy of systemd alone. */
	{"9:freezer:/docker/0123\n1:name=systemd:/system.slice/ssh.service\n", "", NONE,
		IN(DOCKER, "0123")},
	{"0::/machine.slice/libpod-77aa.scope/container/system.slice/db.service\n", "",
		NONE, IN(PODMAN, "77aa")},
	{"0::/machine.slice/machine-libpod_pod_1.slice/libpod-77aa.scope\n", "", NONE,
		IN(PODMAN, "77aa")},
	{"0::/machine.slice/libpod-conmon-77aa.scope\n", "", NONE, IN(PODMAN, "77aa")},
	{"0::/libpod_parent/libpod-77aa\n", "", NONE, IN(PODMAN, "77aa")},
	{USER "/user.slice/libpod-9.scope/container/system.slice/web.service\n", "",
		1000, IN(PODMAN, "9")},
	{USER "/app.slice/docker-9.scope\n", "", 1000, IN(DOCKER, "9")},
	/* Of a unit that is the container itself. */
	{"0::/system.slice/web.service/libpod-payload-77aa\n", "web.service", NONE},
	{"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-88.scope\n", "", NONE,
		IN(KUBERNETES, "88")},
	{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/"
	 "crio-88.scope/system.slice/ssh.service\n",
		"", NONE, IN(KUBERNETES, "88")},
	{"0::/kubepods.slice/kubepods-pod1.slice/docker-88.scope\n", "", NONE,
		IN(KUBERNETES, "88")},
	{"0::/kubepods/besteffort/pod1/" NUMBER "/ssh.service\n", "", NONE,
		IN(KUBERNETES, NUMBER)},
	{"0::/default/" NUMBER "\n", "", NONE, IN(CONTAINERD, "default/" NUMBER)},
	{"0::/system.slice/nerdctl-" NUMBER ".scope\n", "", NONE, IN(NERDCTL, NUMBER)},
	{"0::/lxc.payload.web1/system.slice/nginx.service\n", "", NONE,
		IN(LXC, "web1")},
	{"0::/lxc.monitor.web1\n", "", NONE, IN(LXC, "web1")},
	{"0::/lxc/web1/init.scope\n", "", NONE, IN(LXC, "web1")},
	{"0::/user.slice/user-1000.slice/session-3.scope/lxc.payload.c/a.service\n", "",
		1000, IN(LXC, "c")},
	{"0::/machine.slice/machine-db\\x2d1.scope/payload/system.slice/ssh.service\n",
		"", NONE, IN(MACHINE, "db-1")},
	{"0::/machine.slice/systemd-nspawn@db.service/payload/ssh.service\n", "", NONE,
		IN(MACHINE, "db")},
	{"0::/machine.slice/machine-qemu\\x2d3\\x2dwin\\x2d10.scope/libvirt/emulator\n",
		"", NONE, IN(LIBVIRT, "win-10")},
	{"0::/machine.slice/machine-lxc\\x2d3\\x2dc1.scope\n", "", NONE,
		IN(LIBVIRT_LXC, "c1")},
	{"0::/garden/h4n/system.slice/ssh.service\n", "", NONE, IN(OTHER, "h4n")},
	/* No engine would take it for a name. */
	{"0::/docker/--all\n", "", NONE},
	{"0::/lxc.payload.-n\n", "", NONE},
	{"0::/system.slice/docker-.scope\n", "", NONE},
	/* Garbage. */
	{"", "", NONE},
	{"\n\n", "", NONE},
	{"0::", "", NONE},
	{"garbage", "", NONE},
	{"a:b\n:\n::\n", "", NONE},
	{"0::/.service\n", "", NONE},
	{"0::////a.service\n", "", NONE},
	{"0::/" LONG LONG LONG LONG ".service\n", "", NONE},
	{"0::/a.slice/a.slice/b.service\n", "", NONE},
	{"0::/docker/" LONG LONG LONG LONG "\n", "", NONE},
};

START_TEST(cgroup)
{
	struct spg_control_group group;

	spg_control_group_parse(groups[_i].cgroup, &group);
	ck_assert_str_eq(group.unit, groups[_i].unit);
	ck_assert_uint_eq(group.manager_uid, groups[_i].manager_uid);
	ck_assert_int_eq(group.engine, groups[_i].engine);
	ck_assert_str_eq(
		group.container, groups[_i].container ? groups[_i].container : "");
}
END_TEST

/* --- units that refuse ----------------------------------------------------- */

#define ETC    "/etc/systemd/system/"
#define LIB    "/usr/lib/systemd/system/"
#define REFUSE "[Unit]\nRefuseManualStop=yes\n"

static const struct {
	const char *unit;
	const char *files[6]; /* path, contents, ... */
	bool refuses;
} units[] = {
	{"a.service", {NULL}, false},
	{"a.service", {LIB "a.service", "[Unit]\nDescription=A\n"}, false},
	{"a.service", {LIB "a.service", REFUSE}, true},
	{"b.service", {LIB "a.service", REFUSE}, false},
	{"a.service", {"/run/systemd/transient/a.service", REFUSE}, true},
	{"a.service", {LIB "a.service", "\t RefuseManualStop = TRUE \n"}, true},
	{"a.service", {LIB "a.service", "RefuseManualStop=1\r\n"}, true},
	{"a.service", {LIB "a.service", "RefuseManualStop=on"}, true},
	{"a.service", {LIB "a.service", "RefuseManualStop=no\n"}, false},
	{"a.service", {LIB "a.service", "#RefuseManualStop=yes\n"}, false},
	{"a.service", {LIB "a.service", "RefuseManualStart=yes\n"}, false},
	{"a.service", {LIB "a.service", "RefuseManualStopping=yes\n"}, false},
	/* The last one counts. */
	{"a.service", {LIB "a.service", REFUSE "RefuseManualStop=no\n"}, false},
	/* The administrator's file hides the package's, also when it is silent. */
	{"a.service", {ETC "a.service", REFUSE, LIB "a.service", "[Unit]\n"}, true},
	{"a.service", {ETC "a.service", "[Unit]\n", LIB "a.service", REFUSE}, false},
	/* Drop-ins win over the file. */
	{"a.service",
		{LIB "a.service", "[Unit]\n", ETC "a.service.d/10-x.conf", REFUSE},
		true},
	{"a.service",
		{LIB "a.service", REFUSE, ETC "a.service.d/10-x.conf",
			"RefuseManualStop=no\n"},
		false},
	{"a.service",
		{LIB "a.service", REFUSE, ETC "a.service.d/10-x.conf", "[Unit]\n"},
		true},
	{"a.service", {LIB "a.service.d/x.conf", REFUSE}, true},
	{"a.service", {ETC "a.service.d/notes.txt", REFUSE}, false},
	/* Templates. */
	{"getty@tty1.service", {LIB "getty@.service", REFUSE}, true},
	{"getty@tty1.service", {LIB "getty@tty1.service", REFUSE}, true},
	{"getty@tty1.service", {ETC "getty@.service.d/x.conf", REFUSE}, true},
	{"getty@tty1.service", {LIB "getty@tty2.service", REFUSE}, false},
	{"getty@.service", {LIB "getty@.service", REFUSE}, true},
	/* A name that is no unit's. */
	{"../../../a.service", {"/a.service", "[Unit]\n"}, false},
	{"", {NULL}, false},
};

/* --- what starts units again ---------------------------------------------- */

static const struct {
	const char *unit;
	const char *files[6]; /* path, contents, ... */
	const char *triggers;
} triggered[] = {
	{"a.service", {NULL}, ""},
	{"a.service", {LIB "a.socket", "[Socket]\nListenStream=1\n"}, "a.socket"},
	{"a.service", {LIB "a.timer", "[Timer]\n"}, "a.timer"},
	{"a.service", {ETC "a.path", "[Path]\n"}, "a.path"},
	{"a.service", {LIB "b.socket", "[Socket]\n"}, ""},
	{"a.service", {LIB "a.target", "[Unit]\n"}, ""},
	/* By another name than their own. */
	{"a.service", {LIB "b.socket", "[Socket]\n Service = a.service\r\n"},
		"b.socket"},
	{"a.service", {LIB "b.timer", "[Timer]\nUnit=a.service\n"}, "b.timer"},
	{"a.service", {LIB "a.socket", "[Socket]\nService=b.service\n"}, ""},
	{"a.service", {LIB "b.socket", "[Socket]\n#Service=a.service\n"}, ""},
	/* Two directories, and what the administrator hides. */
	{"a.service", {ETC "a.socket", "[Socket]\n", LIB "a.socket", "[Socket]\n"},
		"a.socket"},
	{"a.service",
		{ETC "a.socket", "[Socket]\nService=b.service\n", LIB "a.socket",
			"[Socket]\n"},
		""},
	{"a.service", {ETC "a.socket", "[Socket]\n", LIB "a.timer", "[Timer]\n"},
		"a.socket a.timer"},
	/* Instances. */
	{"a@7.service", {LIB "a.socket", "[Socket]\nAccept=yes\n"}, "a.socket"},
	{"a@7.service", {LIB "a@7.timer", "[Timer]\n"}, "a@7.timer"},
	{"a@7.service", {LIB "a@8.timer", "[Timer]\n"}, ""},
	/* No name for a shell. */
	{"a.service", {LIB "x y.timer", "Unit=a.service\n"}, ""},
	{"a.service", {LIB "-x.timer", "Unit=a.service\n"}, ""},
};

static char root[64];

static int remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void make_root(void)
{
	snprintf(root, sizeof(root), "/tmp/spg-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
	nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_below(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + strlen(root); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(triggers)
{
	char found[SPG_UNIT_TRIGGERS];

	for (int i = 0; i < 6 && triggered[_i].files[i]; i += 2)
		write_below(triggered[_i].files[i], triggered[_i].files[i + 1]);
	spg_unit_triggers(root, SPG_UNIT_OF_SYSTEM, triggered[_i].unit, found);
	ck_assert_str_eq(found, triggered[_i].triggers);
}
END_TEST

/* A user's units are started by a user's sockets. */
START_TEST(user_triggers)
{
	char found[SPG_UNIT_TRIGGERS];

	write_below("/usr/lib/systemd/user/pipewire.socket", "[Socket]\n");
	write_below("/usr/lib/systemd/system/other.socket",
		"[Socket]\nService=pipewire.service\n");
	spg_unit_triggers(root, SPG_UNIT_OF_USER, "pipewire.service", found);
	ck_assert_str_eq(found, "pipewire.socket");
	spg_unit_triggers(root, SPG_UNIT_OF_SYSTEM, "pipewire.service", found);
	ck_assert_str_eq(found, "other.socket");
}
END_TEST

#define BUS "/usr/share/dbus-1/system-services/"

static const struct {
	const char *service; /* what the bus's service says */
	const char *link[2]; /* path, target */
	bool on_bus;
} buses[] = {
	{"[D-BUS Service]\nName=a\nSystemdService=a.service\n", {NULL}, true},
	{"[D-BUS Service]\nSystemdService = a.service \r\n", {NULL}, true},
	{"[D-BUS Service]\nName=a\nExec=/bin/a\n", {NULL}, false},
	{"#SystemdService=a.service\n", {NULL}, false},
	{"SystemdService=b.service\n", {NULL}, false},
	{"SystemdService=dbus-a.service\n", {NULL}, false},
	{"SystemdService=dbus-a.service\n", {ETC "dbus-a.service", LIB "a.service"},
		true},
	{"SystemdService=dbus-a.service\n", {LIB "dbus-a.service", "a.service"}, true},
	{"SystemdService=dbus-a.service\n", {ETC "dbus-a.service", LIB "b.service"},
		false},
	{"SystemdService=../../a.service\n", {NULL}, false},
};

START_TEST(bus)
{
	char path[512];

	write_below(BUS "org.a.service", buses[_i].service);
	write_below(BUS "org.a.conf", "SystemdService=a.service\n");
	if (buses[_i].link[0]) {
		write_below(buses[_i].link[0], "");
		snprintf(path, sizeof(path), "%s%s", root, buses[_i].link[0]);
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(symlink(buses[_i].link[1], path), 0);
	}
	ck_assert_int_eq(spg_unit_is_on_bus(root, SPG_UNIT_OF_SYSTEM, "a.service"),
		buses[_i].on_bus);
	ck_assert(!spg_unit_is_on_bus(root, SPG_UNIT_OF_USER, "a.service"));
	ck_assert(!spg_unit_is_on_bus(root, SPG_UNIT_OF_SYSTEM, "a.scope"));
	/* Masked by the administrator, nothing starts it. */
	write_below(ETC "none", "");
	snprintf(path, sizeof(path), "%s%s", root, ETC "a.service");
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert(!spg_unit_is_on_bus(root, SPG_UNIT_OF_SYSTEM, "a.service"));
}
END_TEST

START_TEST(refuses)
{
	for (int i = 0; i < 6 && units[_i].files[i]; i += 2)
		write_below(units[_i].files[i], units[_i].files[i + 1]);
	ck_assert_int_eq(
		spg_unit_refuses_stop(root, SPG_UNIT_OF_SYSTEM, units[_i].unit),
		units[_i].refuses);
}
END_TEST

/* --- mounts ---------------------------------------------------------------- */

static const struct {
	const char *type;
	enum spg_fs_class class;
} types[] = {
	{"ext4", SPG_FS_LOCAL},
	{"btrfs", SPG_FS_LOCAL},
	{"tmpfs", SPG_FS_LOCAL},
	{"overlay", SPG_FS_OVERLAY},
	{"nfs", SPG_FS_FOREIGN},
	{"nfs4", SPG_FS_FOREIGN},
	{"cifs", SPG_FS_FOREIGN},
	{"fuse", SPG_FS_FOREIGN},
	{"fuse.sshfs", SPG_FS_FOREIGN},
	{"fuseblk", SPG_FS_FOREIGN},
	{"fusectl", SPG_FS_LOCAL},
	{"autofs", SPG_FS_FOREIGN},
	{"9p", SPG_FS_FOREIGN},
	{"", SPG_FS_LOCAL},
};

START_TEST(classify)
{
	ck_assert_int_eq(spg_fs_classify(types[_i].type), types[_i].class);
}
END_TEST

/* As /proc/self/mountinfo has them: commas, blanks, backslashes as \ooo. */
#define NEW "ro,lowerdir+=l:1,lowerdir+=l\\0542,lowerdir+=l\\0403,lowerdir+=l\\1344"

static const struct {
	const char *options, *option;
	size_t index;
	const char *expect;
} layers[] = {
	{"rw,lowerdir=/l,upperdir=/u,workdir=/w", "upperdir", 0, "/u"},
	{"rw,lowerdir=/l,upperdir=/u,workdir=/w", "lowerdir", 0, "/l"},
	{"rw,lowerdir=/l,upperdir=/u,workdir=/w", "lowerdir", 1, NULL},
	{"rw,lowerdir=/l,upperdir=/u,workdir=/w", "workdir", 0, "/w"},
	{"ro,lowerdir=/a:/b:/c", "lowerdir", 0, "/a"},
	{"ro,lowerdir=/a:/b:/c", "lowerdir", 1, "/b"},
	{"ro,lowerdir=/a:/b:/c", "lowerdir", 2, "/c"},
	{"ro,lowerdir=/a:/b:/c", "lowerdir", 3, NULL},
	{"ro,lowerdir=/a:/b:/c", "upperdir", 0, NULL},
	/* Layers behind "::" hold data, no names. */
	{"ro,lowerdir=/a:/b::/d1::/d2", "lowerdir", 1, "/b"},
	{"ro,lowerdir=/a:/b::/d1::/d2", "lowerdir", 2, NULL},
	/* What the old way to mount makes of "l\:1", "l\,2", "l 3", "l\\4". */
	{"rw,lowerdir=l\\134:1:l\\134\\0542:l\\0403:l\\134\\1344,upperdir=u\\134\\054p",
		"lowerdir", 0, "l:1"},
	{"rw,lowerdir=l\\134:1:l\\134\\0542:l\\0403:l\\134\\1344,upperdir=u\\134\\054p",
		"lowerdir", 1, "l,2"},
	{"rw,lowerdir=l\\134:1:l\\134\\0542:l\\0403:l\\134\\1344,upperdir=u\\134\\054p",
		"lowerdir", 2, "l 3"},
	{"rw,lowerdir=l\\134:1:l\\134\\0542:l\\0403:l\\134\\1344,upperdir=u\\134\\054p",
		"lowerdir", 3, "l\\4"},
	{"rw,lowerdir=l\\134:1:l\\134\\0542:l\\0403:l\\134\\1344,upperdir=u\\134\\054p",
		"upperdir", 0, "u,p"},
	/* And the new one. */
	{NEW, "lowerdir", 0, "l:1"},
	{NEW, "lowerdir", 1, "l,2"},
	{NEW, "lowerdir", 2, "l 3"},
	{NEW, "lowerdir", 3, "l\\4"},
	{NEW, "lowerdir", 4, NULL},
	{"ro,lowerdir+=/a,datadir+=/d,lowerdir+=/b", "lowerdir", 1, "/b"},
	/* Names that only look like it. */
	{"rw,xupperdir=/x,upperdirs=/y,upperdir=/u", "upperdir", 0, "/u"},
	{"upperdir=/first,upperdir=/second", "upperdir", 0, "/first"},
	{"rw,upperdir", "upperdir", 0, NULL},
	{"rw,upperdir=", "upperdir", 0, ""},
	{"", "upperdir", 0, NULL},
	{",,,", "lowerdir", 0, NULL},
	{"lowerdir=\\", "lowerdir", 0, "\\"},
};

START_TEST(layer)
{
	char *options = strdup(layers[_i].options);
	const struct spg_mount mount = {.options = options};
	char *path = spg_mount_layer(&mount, layers[_i].option, layers[_i].index);

	if (layers[_i].expect) {
		ck_assert_ptr_nonnull(path);
		ck_assert_str_eq(path, layers[_i].expect);
	} else {
		ck_assert_ptr_null(path);
	}
	free(path);
	free(options);
}
END_TEST

/* A line of a mountinfo table: "ID PARENT DEV ROOT at PATH TYPE", or "" for none. */
static const struct {
	const char *line, *expect;
} mount_lines[] = {
	{"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=x",
		"36 35 98:0 /mnt1 at /mnt2 ext3"},
	{"36 35 98:0 / / rw - tmpfs none rw", "36 35 98:0 / at / tmpfs"},
	/* Without optional fields, with many, without options. */
	{"1 2 3:4 /a /b rw shared:1 master:2 propagate_from:3 - xfs d",
		"1 2 3:4 /a at /b xfs"},
	/* Blanks and the like are escaped; a backslash that is no escape stays. */
	{"1 2 3:4 /a\\040b\\011c /d\\012e\\134f rw - xfs d rw",
		"1 2 3:4 /a b\tc at /d\ne\\f xfs"},
	{"1 2 3:4 /a\\04 /b\\499 rw - xfs d rw", "1 2 3:4 /a\\04 at /b\\499 xfs"},
	{"1 2 3:4 /a\\040-\\040b /c rw - xfs d rw", "1 2 3:4 /a - b at /c xfs"},
	{"1 2 3:4 /lib/x.so//deleted /c rw - xfs d rw",
		"1 2 3:4 /lib/x.so//deleted at /c xfs"},
	{"1 2 0:4 mnt:[4026532189] /c rw - nsfs nsfs rw",
		"1 2 0:4 mnt:[4026532189] at /c nsfs"},
	/* No such line. */
	{"", ""},
	{"- ", ""},
	{" - ", ""},
	{"1 2 3:4 /a /b rw", ""},
	{"1 2 3:4 /a - xfs d rw", ""},
	{"x 2 3:4 /a /b rw - xfs d rw", ""},
	{"1 2 3 /a /b rw - xfs d rw", ""},
	{"1 2 3:4 /a /b rw - ", ""},
};

START_TEST(mount_line)
{
	char line[200], text[200] = "";
	struct spg_mount mount;
	int r;

	snprintf(line, sizeof(line), "%s", mount_lines[_i].line);
	r = spg_mount_parse(line, &mount);
	ck_assert(r == 0 || r == SPG_ERR_INVALID);
	if (r == 0) {
		snprintf(text, sizeof(text), "%d %d %u:%u %s at %s %s", mount.id,
			mount.parent, major(mount.dev), minor(mount.dev), mount.root,
			mount.path, mount.type);
		spg_mount_finish(&mount);
	}
	ck_assert_str_eq(text, mount_lines[_i].expect);
}
END_TEST

/* --- uprobes --------------------------------------------------------------- */

/* "EVENT in PATH", or "" for none. */
static const struct {
	const char *line, *expect;
} probe_lines[] = {
	{"p:g/n /bin/a:0x0000000000002500", "g/n in /bin/a"},
	{"r:g/n /bin/a:0x2500 a=%ax b=$retval", "g/n in /bin/a"},
	{"r8:g/n /bin/a:0x2500", "g/n in /bin/a"},
	{"p:g/n /bin/a:0x2500(0x4010) arg1=+8(%di):string", "g/n in /bin/a"},
	{"p:g/n /bin/a:0x2500%return", "g/n in /bin/a"},
	/* A path is what whoever defined it wrote. */
	{"p:g/n ../lib/x.so:0x1", "g/n in ../lib/x.so"},
	{"p:g/n /a:b:0x1:0x2500", "g/n in /a:b:0x1"},
	/* No such line. */
	{"", ""},
	{"p", ""},
	{"p:", ""},
	{"p:g/n", ""},
	{"p:n /bin/a:0x1", ""},
	{"p /bin/a:0x1", ""},
	{"p:g/n /bin/a", ""},
	{"p:g/n :0x1", ""},
	{"p:g/n do_sys_open", ""},
	{"# a comment /b:0x1", ""},
};

START_TEST(probe_line)
{
	char line[200], text[200] = "";
	struct spg_probe probe;

	snprintf(line, sizeof(line), "%s", probe_lines[_i].line);
	if (spg_probe_parse(line, &probe))
		snprintf(text, sizeof(text), "%s in %s", probe.event, probe.path);
	ck_assert_str_eq(text, probe_lines[_i].expect);
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_LINUX, 34);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("linux-parse");

	tcase_add_checked_fixture(tc, make_root, remove_root);
	spg_add_rows(tc, lock_line, lock_lines);
	spg_add_rows(tc, cgroup, groups);
	spg_add_rows(tc, refuses, units);
	spg_add_rows(tc, triggers, triggered);
	spg_add_rows(tc, bus, buses);
	tcase_add_test(tc, user_triggers);
	spg_add_rows(tc, classify, types);
	spg_add_rows(tc, layer, layers);
	spg_add_rows(tc, mount_line, mount_lines);
	spg_add_rows(tc, probe_line, probe_lines);
	tcase_add_test(tc, corpus);
	return spg_run_suite("linux-parse", tc);
}
