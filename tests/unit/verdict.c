/* SPDX-License-Identifier: MIT */
/* From what a survey found to safe, blocked or unknown, and in which words. */
#include "daemon/model/verdict.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/text.h"
#include "daemon/model/judge.h"
#include "daemon/model/verdict_text.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

#define OTHERS "others cannot be ruled out"
#define SHARED ": somebody shares what it has open, and no process shows who"
#define IMMUTABLE                                                                      \
	"? a.dll has the attribute \"immutable\": nobody can replace it or write to "  \
	"it\n"
#define DISK(blocks) "mounted /m ext4 blocks:" #blocks "; folder /m; "
#define HANDED                                                                         \
	" (a loop device, a swap file, a service that passes descriptors on), or "     \
	"restart the machine; then check again\n"

#define WIDEN                                                                          \
	"! have the product look there (\"directory\", \"recursive\"), or name the "   \
	"files that matter with --files\n"

static const struct {
	const char *seen;
	const char *asked;   /* names, separated by blanks; NULL: the product */
	const char *pattern; /* one more pattern of the product, or NULL */
	const char *expect;  /* see help_verdict_text() */
} rows[] = {
	/* Census and nobody. */
	{"file a.dll free; file b.dll free", NULL, NULL,
		"safe files=2\n  a.dll free\n  b.dll free\n"},
	{"file a.dll busy unattributed", NULL, NULL,
		"blocked files=1 blocked=1 unattributed=1\n  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	/* A backend that forgot to mark it. */
	{"file a.dll busy", NULL, NULL,
		"blocked files=1 blocked=1 unattributed=1\n  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	{"file Mdbperf.dll busy unattributed; hidden a_descriptor_in_flight", NULL,
		NULL,
		"blocked files=1 blocked=1 unattributed=1\n"
		"  Mdbperf.dll blocked (hidden): Stop Performance Monitor.\n"
		"? Mdbperf.dll is held by something that no process shows "
		"(a_descriptor_in_flight)\n"
		"! stop what may have handed on Mdbperf.dll" HANDED
		"! Stop Performance Monitor.\n"},
	{"file a.dll unknown; lack a.dll blinds the_lease", NULL, NULL,
		"unknown files=1\n  a.dll unknown\n"
		"? could not look at the_lease: it is dark\n! mend it\n"},
	/* Without a lack it is unknown all the same. */
	{"file a.dll unknown; file b.dll free", NULL, NULL,
		"unknown files=2\n  a.dll unknown\n  b.dll free\n"},
	/* Blockers. */
	{"file a.dll busy; use a.dll perfmon mapped", NULL, NULL,
		"blocked files=1 blocked=1 mapped=1\n  a.dll blocked\n"
		"? a.dll is mapped by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* Found although the census says free, or could not be asked. */
	{"file a.dll free; use a.dll perfmon open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll unknown; use a.dll perfmon write+mapped+executing", NULL, NULL,
		"blocked files=1 blocked=1 open=1 mapped=1 executing=1\n"
		"  a.dll blocked\n"
		"? a.dll is open for writing, mapped and executed by perfmon "
		"(pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* Who writes in place is refused by the kernel, in these words. */
	{"replaces in-place; file a.dll busy; use a.dll perfmon executing", NULL, NULL,
		"blocked files=1 blocked=1 executing=1\n  a.dll blocked\n"
		"? a.dll is executed by perfmon (pid 2113): nobody can write to it "
		"(text file busy)\n"
		"! systemctl stop perfmon.service\n"},
	{"replaces rename; file a.dll busy; use a.dll perfmon executing", NULL, NULL,
		"blocked files=1 blocked=1 executing=1\n  a.dll blocked\n"
		"? a.dll is executed by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll busy; use a.dll perfmon open+locked; use a.dll scanner "
	 "open+waiting",
		NULL, NULL,
		"blocked files=1 blocked=1 open=1 locked=1 waiting=1\n"
		"  a.dll blocked\n"
		"? a.dll is open and locked by perfmon (pid 2113)\n"
		"? a.dll is open and waited for by scanner (pid 2200)\n"
		"! systemctl stop perfmon.service\n! kill 2200   # scanner\n"},
	/* Wine's server has the file for a program, and would take all along. */
	{"file a.dll busy; use a.dll wine open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by wineserver64 (pid 2405)\n"
		"! close the Windows program that uses it: wineserver64 (pid 2405) has "
		"it open for one\n"},
	/* One process and many files: one step. */
	{"file a.dll busy; file b.dll busy; use a.dll perfmon open; "
	 "use b.dll perfmon mapped",
		NULL, NULL,
		"blocked files=2 blocked=2 open=1 mapped=1\n  a.dll blocked\n"
		"  b.dll blocked\n? a.dll is open by perfmon (pid 2113)\n"
		"? b.dll is mapped by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* A visible holder and one more that nobody shows. */
	{"file a.dll busy unattributed; use a.dll perfmon open", NULL, NULL,
		"blocked files=1 blocked=1 open=1 unattributed=1\n"
		"  a.dll blocked (hidden)\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"? a.dll is held by something that no process shows\n"
		"! systemctl stop perfmon.service\n"
		"! stop what may have handed on a.dll" HANDED},
	/* Nobody uses it, and it cannot be replaced. */
	{"file a.dll free immutable; file b.dll free", NULL, NULL,
		"blocked/blocked files=2 blocked=1 obstructed=1\n  a.dll blocked\n"
		"  b.dll free\n" IMMUTABLE "! chattr -i " HELP_DIR
		"/a.dll   # when setup is done: chattr +i\n"},
	{"file a.dll free append-only; replaces in-place", NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? a.dll has the attribute \"append only\": nobody can replace it or "
		"write over it\n"
		"! chattr -a " HELP_DIR "/a.dll   # when setup is done: chattr +a\n"},
	{"file a.dll free mount-point", NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? something is mounted on a.dll: setup cannot reach the file below "
		"it\n"
		"! umount " HELP_DIR "/a.dll\n"},
	{"file a.dll free verity; replaces in-place", NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? a.dll is sealed by fs-verity: nobody can write to it\n"
		"! setup has to put another file in its place by rename, and to write "
		"into no file that is there\n"},
	{"file a.dll free verity; replaces rename", NULL, NULL,
		"safe files=1\n  a.dll free\n"},
	/* Used besides: who uses it comes first, and its end is not enough. */
	{"file a.dll busy immutable; use a.dll perfmon open", NULL, NULL,
		"blocked/blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n" IMMUTABLE
		"! systemctl stop perfmon.service\n"
		"! chattr -i " HELP_DIR "/a.dll   # when setup is done: chattr +i\n"},
	/* Whom setup stops is no reason to call it hidden. */
	{"file a.dll busy immutable; use a.dll dsamain open", NULL, NULL,
		"blocked/blocked files=1 blocked=1 open=1 obstructed=1\n"
		"  a.dll blocked\n" IMMUTABLE "! chattr -i " HELP_DIR
		"/a.dll   # when setup is done: chattr +i\n"},
	/* An old version is not to be replaced. */
	{"file a.dll busy replaced immutable; use a.dll dsamain open; file b.dll free",
		NULL, NULL,
		"safe files=2 open=1\n  a.dll held-by-setup-stopped\n  b.dll free\n"},
	/* Of a directory: told once, and only of those asked about. */
	{"mounted / ext4; folder /d/x directory-immutable; file a.dll free; "
	 "file b.dll free",
		NULL, NULL,
		"blocked/blocked files=2 blocked=2 obstructed=2\n  a.dll blocked\n"
		"  b.dll blocked\n"
		"? /d/x has the attribute \"immutable\": no file can be made, renamed "
		"or removed in it\n"
		"! chattr -i /d/x   # when setup is done: chattr +i\n"},
	{"replaces in-place; mounted / ext4; folder /d/x directory-append-only; "
	 "file a.dll free",
		NULL, NULL, "safe files=1\n  a.dll free\n"},
	{"mounted / ext4; folder /d/x directory-append-only; file a.dll free; "
	 "folder /d/y; file b.dll free",
		"b.dll", NULL, "safe files=1\n  b.dll free\n"},
	/* Of a mount. */
	{"mounted /m ext4 read-only-filesystem; folder /m/x; file a.dll free; "
	 "folder /m/y; file b.dll free",
		NULL, NULL,
		"blocked/blocked files=2 blocked=2 obstructed=2\n  a.dll blocked\n"
		"  b.dll blocked\n? /m is a read-only filesystem (ext4)\n"
		"! mount -o remount,rw /m\n"},
	{"mounted /m ext4 read-only-filesystem failed; folder /m; file a.dll free",
		NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? /m is a read-only filesystem (ext4) since it met an error on its "
		"disk\n"
		"! dmesg --level=err,warn   # see what is wrong with the disk, and "
		"check the filesystem (fsck)\n"},
	{"mounted /m ext4 read-only-filesystem /dev/sdb1; folder /m; file a.dll free",
		NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? /m is a read-only filesystem (ext4), and its device is "
		"write-protected\n"
		"! blockdev --setrw /dev/sdb1 && mount -o remount,rw /m\n"},
	{"mounted /m ext4 read-only-filesystem /dev/loop7 loop; folder /m; file a.dll "
	 "free",
		NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? /m is a read-only filesystem (ext4), and its device is "
		"write-protected\n"
		"! its loop device was set up read-only: unmount it, and mount the "
		"image anew (losetup -l shows which)\n"},
	{"mounted /m squashfs read-only-filesystem bare; folder /m; file a.dll free",
		NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? /m is a read-only filesystem (squashfs)\n"
		"! this filesystem is never written to: make a new image with the new "
		"files, and mount that\n"},
	{"mounted /m ext4 read-only-mount; folder /m; file a.dll free", NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? /m is mounted read-only\n! mount -o remount,bind,rw /m\n"},
	/* Who installs may not. */
	{"installer joe; replaces rename; mounted / ext4; folder /d/x "
	 "directory-no-permission; file a.dll free no-permission",
		NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? joe, who installs, may make no files in /d/x\n"
		"! setfacl -m u:joe:rwx /d/x   # or name in \"install-as\" who may\n"},
	{"installer joe; replaces in-place; mounted / ext4; folder /d/x "
	 "directory-no-permission; file a.dll free no-permission foreign-owner",
		NULL, NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? joe, who installs, may not write to a.dll\n"
		"! setfacl -m u:joe:rw " HELP_DIR
		"/a.dll   # or name in \"install-as\" who may\n"},
	{"installer joe; replaces rename; mounted / ext4; folder /d/x "
	 "directory-unreachable /d; file a.dll free foreign-owner; file b.dll free",
		NULL, NULL,
		"blocked/blocked files=2 blocked=2 obstructed=2\n  a.dll blocked\n"
		"  b.dll blocked\n"
		"? joe, who installs, may replace in a sticky directory only what is "
		"his: a.dll\n"
		"? joe, who installs, may not pass through /d\n"
		"! chown joe " HELP_DIR "/a.dll   # or name in \"install-as\" who may\n"
		"! setfacl -m u:joe:x /d   # or name in \"install-as\" who may\n"},
	/* Room for the service pack: all of it beside the old files, ... */
	{"replaces rename; " DISK(14) "file a.dll free bytes:9000; "
				      "file b.dll free bytes:9000",
		"a.dll:9500 b.dll:5000", NULL,
		"blocked/blocked files=2 blocked=2 obstructed=2\n  a.dll blocked\n"
		"  b.dll blocked\n"
		"? the service pack needs 15.0 kB on /m, where 14.0 kB are free\n"
		"! df -h /m   # free 1.0 kB there\n"},
	{"replaces rename; " DISK(14) "file \xc3\xa4.dll free bytes:9000; "
				      "file b.dll free bytes:9000",
		"\xc3\x84.dll:9500 b.dll:5000", NULL,
		"blocked/blocked files=2 blocked=2 obstructed=2\n  \xc3\xa4.dll "
		"blocked\n"
		"  b.dll blocked\n"
		"? the service pack needs 15.0 kB on /m, where 14.0 kB are free\n"
		"! df -h /m   # free 1.0 kB there\n"},
	{"replaces rename; " DISK(15) "file a.dll free bytes:9000; "
				      "file b.dll free bytes:9000",
		"A.dll:9500 b.dll:5000", NULL,
		"safe files=2\n  a.dll free\n  b.dll free\n"},
	/* ... what they grow by, ... */
	{"replaces in-place; " DISK(1) "file a.dll free bytes:9000; "
				       "file b.dll free bytes:9000",
		"a.dll:9900 b.dll:5000", NULL,
		"safe files=2\n  a.dll free\n  b.dll free\n"},
	{"replaces in-place; " DISK(1) "file a.dll free bytes:9000", "a.dll:11001",
		NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? the service pack needs 3.0 kB on /m, where 1.0 kB are free\n"
		"! df -h /m   # free 2.0 kB there\n"},
	/* ... or nobody knows how it is put there. */
	{DISK(1) "file a.dll free bytes:9000", "a.dll:9000", NULL,
		"attention files=1\n  a.dll free\n"
		"? the service pack needs 9.0 kB on /m, where 1.0 kB are free, unless "
		"setup writes in place\n"
		"! df -h /m   # free 8.0 kB there\n"},
	{DISK(1) "file a.dll free bytes:9000", "a.dll:12000", NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? the service pack needs 3.0 kB on /m, where 1.0 kB are free\n"
		"! df -h /m   # free 2.0 kB there\n"},
	/* The larger of two variants; what comes anew; sizes nobody can mean. */
	{"replaces rename; " DISK(10) "file a.dll free", "a.dll:9000 a.dll:11000", NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? the service pack needs 11.0 kB on /m, where 10.0 kB are free\n"
		"! df -h /m   # free 1.0 kB there\n"},
	{"replaces in-place; " DISK(10) "file a.dll free bytes:900",
		"a.dll:900 new.dll:11000", NULL,
		"blocked/blocked files=2 blocked=1 obstructed=1\n  a.dll blocked\n"
		"  new.dll new\n"
		"? the service pack needs 11.0 kB on /m, where 10.0 kB are free\n"
		"! df -h /m   # free 1.0 kB there\n"},
	{"replaces rename; " DISK(10) "file a.dll free", "a.dll:9223372036854775807",
		NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? the service pack needs 1125.9 TB on /m, where 10.0 kB are free\n"
		"! df -h /m   # free 1125.9 TB there\n"},
	/* Nothing is free, and nobody knows how much is needed. */
	{DISK(0) "file a.dll free", NULL, NULL,
		"attention files=1\n  a.dll free\n? /m is full: 0 bytes are free\n"
		"! df -h /m   # free 66.0 kB there\n"},
	{DISK(0) "file a.dll busy; use a.dll perfmon open", NULL, NULL,
		"blocked/attention files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? /m is full: 0 bytes are free\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! df -h /m   # free 66.0 kB there\n! systemctl stop "
		"perfmon.service\n"},
	{DISK(0) "file a.dll free; mounted /n ext4 blocks:500; folder /n; file b.dll "
		 "free",
		"b.dll", NULL, "safe files=1\n  b.dll free\n"},
	/* Inodes, where a filesystem counts them. */
	{"replaces rename; mounted /m ext4 blocks:900 inodes:0; folder /m; file a.dll "
	 "free",
		NULL, NULL,
		"attention files=1\n  a.dll free\n"
		"? /m has no room for new files: 0 of its 100 inodes are free\n"
		"! df -i /m   # free 1 inodes there\n"},
	{"replaces rename; mounted /m ext4 blocks:900 inodes:0; folder /m; file a.dll "
	 "free",
		"a.dll:10", NULL,
		"blocked/blocked files=1 blocked=1 obstructed=1\n  a.dll blocked\n"
		"? /m has no room for new files: 0 of its 100 inodes are free\n"
		"! df -i /m   # free 1 inodes there\n"},
	{"replaces in-place; mounted /m ext4 blocks:900 inodes:0; folder /m; "
	 "file a.dll free bytes:10",
		"a.dll:10", NULL, "safe files=1\n  a.dll free\n"},
	/* Kept by somebody who does not have it open, and by whom. */
	{"file a.dll free; keeper a.dll perfmon probe -", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll has a probe in it, of perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll free; keeper a.dll scanner probe -", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll has a probe in it, of scanner (pid 2200)\n"
		"! kill 2200   # scanner\n"},
	{"file a.dll free; keeper a.dll - probe g/n", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll has a probe in it: the event g/n\n"
		"! cd /sys/kernel/tracing && echo 0 >events/g/n/enable && echo -:g/n "
		">>uprobe_events\n"},
	{"file a.dll free; keeper a.dll - probe -", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll has a probe in it, of a BPF link that no process has open\n"
		"! find who pinned it: bpftool link; take the pin away (rm), then "
		"check again\n"},
	{"file a.dll free; keeper a.dll - mount /mnt/a.dll here", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll is mounted at /mnt/a.dll\n! umount /mnt/a.dll\n"},
	{"file a.dll free; keeper a.dll scanner mount /lib/a.dll", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll is mounted at /lib/a.dll in the mount namespace of scanner "
		"(pid 2200)\n"
		"! nsenter -t 2200 -m umount /lib/a.dll\n"},
	{"file a.dll free; keeper a.dll perfmon mount /lib/a.dll", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll is mounted at /lib/a.dll in the mount namespace of perfmon "
		"(pid 2113), perfmon.service\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll free; keeper a.dll - mount -", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll is mounted in a mount namespace without a process\n"
		"! find who keeps that namespace or mount: lsns -t mnt, or restart the "
		"machine; then check again\n"},
	{"file a.dll free; keeper a.dll scanner detached -", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll has a mount that is attached nowhere, which is open in "
		"scanner (pid 2200)\n"
		"! kill 2200   # scanner\n"},
	{"file a.dll free; keeper a.dll scanner layer /merged", NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll is shown by an overlay at /merged in the mount namespace of "
		"scanner (pid 2200)\n"
		"! nsenter -t 2200 -m umount /merged\n"},
	{"file a.dll free kept", NULL, NULL,
		"blocked files=1 blocked=1 unattributed=1\n  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	/* Where it matters. */
	{"replaces rename; file a.dll free; keeper a.dll - probe g/n", NULL, NULL,
		"safe files=1\n  a.dll free\n"},
	{"replaces in-place; file a.dll free; keeper a.dll scanner mount /x; "
	 "keeper a.dll scanner layer /m; keeper a.dll scanner detached -",
		NULL, NULL, "safe files=1\n  a.dll free\n"},
	{"replaces in-place; file a.dll free; keeper a.dll - probe g/n; "
	 "keeper a.dll scanner mount /x",
		NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll has a probe in it: the event g/n\n"
		"! cd /sys/kernel/tracing && echo 0 >events/g/n/enable && echo -:g/n "
		">>uprobe_events\n"},
	{"replaces rename; file a.dll free; keeper a.dll - mount /x here; "
	 "keeper a.dll - mount /x here",
		NULL, NULL,
		"blocked files=1 blocked=1\n  a.dll blocked\n"
		"? a.dll is mounted at /x\n! umount /x\n"},
	/* It has been replaced already, by rename: a mount of the old version matters
	 * whatever setup does, and a probe in that no more. */
	{"replaces in-place; file a.dll free replaced; keeper a.dll scanner mount /x; "
	 "keeper a.dll - probe g/n; file b.dll free",
		NULL, NULL,
		"blocked files=2 blocked=1\n  a.dll blocked\n  b.dll free\n"
		"? an old version of a.dll is mounted at /x in the mount namespace of "
		"scanner (pid 2200)\n"
		"! nsenter -t 2200 -m umount /x\n"},
	/* Beside one who has it open. */
	{"file a.dll busy; use a.dll store open; keeper a.dll - mount /x here", NULL,
		NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is mounted at /x\n! umount /x\n"},
	/* What setup stops, by name and by executable, whatever the case. */
	{"file a.dll busy; use a.dll store open", NULL, NULL,
		"safe files=1 open=1\n  a.dll held-by-setup-stopped\n"},
	{"file Mdbperf.dll busy; use Mdbperf.dll dsamain mapped", NULL, NULL,
		"safe files=1 mapped=1\n"
		"  Mdbperf.dll held-by-setup-stopped: Stop Performance Monitor.\n"},
	{"file a.dll busy; use a.dll store open; use a.dll perfmon open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* One bit of census: others may hide behind it, whatever was looked at. */
	{"file a.dll busy; use a.dll store open; uncounted", NULL, NULL,
		"unknown files=1 open=1\n  a.dll unknown\n"
		"? a.dll is held by a process that setup stops, and " OTHERS
		": the tier says whether somebody has it, not how many\n"
		"! systemctl stop exchange-store.service\n"},
	{"file a.dll busy; use a.dll store open; hidden too_many_sockets", NULL, NULL,
		"safe files=1 open=1\n  a.dll held-by-setup-stopped\n"},
	{"file a.dll busy; use a.dll store open; uncounted; hidden too_many_sockets",
		NULL, NULL,
		"unknown files=1 open=1\n  a.dll unknown\n"
		"? a.dll is held by a process that setup stops, and " OTHERS
		": too_many_sockets\n"
		"! systemctl stop exchange-store.service\n"},
	/* What store has open, somebody else has too. */
	{"file a.dll busy shared; use a.dll store open", NULL, NULL,
		"unknown files=1 open=1\n  a.dll unknown\n"
		"? a.dll is held by a process that setup stops, and " OTHERS SHARED
		"\n! systemctl stop exchange-store.service\n"},
	{"file a.dll busy shared; use a.dll store open; hidden a_ring", NULL, NULL,
		"unknown files=1 open=1\n  a.dll unknown\n"
		"? a.dll is held by a process that setup stops, and " OTHERS SHARED
		": a_ring\n! systemctl stop exchange-store.service\n"},
	{"file a.dll busy shared; use a.dll perfmon open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll unknown; use a.dll store open; lack a.dll blinds the_lease", NULL,
		NULL,
		"unknown files=1 open=1\n  a.dll unknown\n"
		"? could not look at the_lease: it is dark\n! mend it\n"},
	{"file a.dll busy unattributed; use a.dll store open", NULL, NULL,
		"blocked files=1 blocked=1 open=1 unattributed=1\n"
		"  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	/* Hidden holders do not matter where there is none at all. */
	{"file a.dll free; hidden why", NULL, NULL, "safe files=1\n  a.dll free\n"},
	/* Locks. */
	{"file a.dll busy; use a.dll perfmon open; "
	 "lock a.dll perfmon held posix write 0 eof",
		NULL, NULL,
		"blocked files=1 blocked=1 open=1 locked=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll free; lock a.dll - held ofd write 0 9", NULL, NULL,
		"blocked files=1 blocked=1 locked=1 unattributed=1\n"
		"  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	{"file a.dll busy; use a.dll store open+locked; "
	 "lock a.dll store held flock write 0 eof",
		NULL, NULL,
		"safe files=1 open=1 locked=1\n  a.dll held-by-setup-stopped\n"},
	{"file a.dll busy; use a.dll store open+locked; "
	 "lock a.dll store held flock write 0 eof; "
	 "lock a.dll - held posix read 0 0",
		NULL, NULL,
		"blocked files=1 blocked=1 open=1 locked=1 unattributed=1\n"
		"  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	/* An owner who shows nowhere else is named all the same. */
	{"file a.dll busy; lock a.dll scanner held posix write 0 9", NULL, NULL,
		"blocked files=1 blocked=1 locked=1\n  a.dll blocked\n"
		"? a.dll is locked by scanner (pid 2200)\n"
		"! kill 2200   # scanner\n"},
	/* Who only waits has the file open: the census decides. */
	{"file a.dll busy; use a.dll store open; "
	 "lock a.dll - waiting ofd write 0 9",
		NULL, NULL,
		"safe files=1 open=1 waiting=1\n  a.dll held-by-setup-stopped\n"},
	{"file a.dll busy; lock a.dll - waiting ofd write 0 9", NULL, NULL,
		"blocked files=1 blocked=1 waiting=1 unattributed=1\n"
		"  a.dll blocked (hidden)\n"
		"? a.dll is held by something that no process shows\n"
		"! stop what may have handed on a.dll" HANDED},
	/* Presence. */
	{"file a.dll free; file a.dll busy replaced; use a.dll perfmon mapped", NULL,
		NULL,
		"blocked files=2 blocked=1 mapped=1\n  a.dll free\n  a.dll blocked\n"
		"? an old version of a.dll is mapped by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll busy replaced unattributed; file b.dll free", NULL, NULL,
		"blocked files=2 blocked=1 unattributed=1\n  a.dll blocked (hidden)\n"
		"  b.dll free\n"
		"? an old version of a.dll is held by something that no process "
		"shows\n"
		"! stop what may have handed on a.dll" HANDED},
	{"file a.dll free gone; file b.dll free", NULL, NULL,
		"safe files=1\n  b.dll free\n"},
	{"file a.dll free gone", NULL, NULL,
		"unknown\n? no file of exchange was found in its directories\n"
		"! see whether \"directory\" and \"files\" of the product are right: "
		"spguard status\n"},
	/* Nothing is never safe. */
	{"", NULL, NULL,
		"unknown\n? no file of exchange was found in its directories\n"
		"! see whether \"directory\" and \"files\" of the product are right: "
		"spguard status\n"},
	/* Lacks. */
	{"file a.dll free; lack * blinds the_whole", NULL, NULL,
		"unknown files=1\n  a.dll free\n"
		"? could not look at the_whole: it is dark\n! mend it\n"},
	{"file a.dll free; lack a.dll blinds the_maps", NULL, NULL,
		"unknown files=1\n  a.dll free\n"
		"? could not look at the_maps: it is dark\n! mend it\n"},
	{"file a.dll free; lack * harmless some_events; lack a.dll harmless x", NULL,
		NULL, "safe files=1\n  a.dll free\n"},
	{"lack * blinds the_directory", NULL, NULL,
		"unknown\n? could not look at the_directory: it is dark\n! mend it\n"},
	/* Blocked stays blocked, and the lack is told too. */
	{"file a.dll busy; use a.dll scanner open; lack * blinds the_rest", NULL, NULL,
		"blocked/unknown files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"? could not look at the_rest: it is dark\n"
		"! kill 2200   # scanner\n! mend it\n"},
	/* How to get rid of whom. */
	{"file a.dll busy; use a.dll init open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by systemd (pid 1)\n"
		"! systemd (pid 1) cannot be stopped by hand: restart the machine, "
		"then check again\n"},
	{"file a.dll busy; use a.dll refuser open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by dbus-daemon (pid 400)\n"
		"! dbus-daemon (pid 400) cannot be stopped by hand (dbus.service): "
		"restart the machine, then check again\n"},
	{"file a.dll busy; use a.dll indexer open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by indexer (pid 2400)\n"
		"! systemctl --user --machine=mia@ stop indexer.service\n"},
	{"file a.dll busy; use a.dll odd open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by odd (pid 2401)\n"
		"! systemctl stop 'a b;reboot.service'\n"},
	{"file a.dll busy; use a.dll evil open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by evil\\x0akill -9 1 # \\x1b[2J (pid 2402)\n"
		"! kill 2402   # evil\\x0akill -9 1 # \\x1b[2J\n"},
	{"file a.dll busy; use a.dll nameless mapped", NULL, NULL,
		"blocked files=1 blocked=1 mapped=1\n  a.dll blocked\n"
		"? a.dll is mapped by a process (pid 2403)\n! kill 2403\n"},
	/* What ends a process depends on what it is doing. */
	{"file a.dll busy; use a.dll scanner open; state scanner stopped", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! kill 2200 && kill -CONT 2200   # scanner, which is stopped\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner deaf", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! kill -9 2200   # scanner, which takes no SIGTERM\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner stopped deaf", NULL,
		NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! kill -9 2200   # scanner, which takes no SIGTERM\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner traced", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! kill -9 2200   # scanner, which g\\x0adb (pid 88) traces: to let it "
		"end in order, detach that\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner frozen-v1", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! echo THAWED >/sys/fs/cgroup/freezer/a/freezer.state && kill 2200 "
		"&& kill -CONT 2200   "
		"# scanner, in a control group that is frozen\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner frozen stopped", NULL,
		NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! echo 0 >'/sys/fs/cgroup/it'\\''s/cgroup.freeze' && kill 2200 && "
		"kill -CONT 2200   # scanner, in a control group that is frozen\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner dumping", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! scanner (pid 2200) writes a core dump and ends by itself: wait "
		"until it has, then check again\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner stuck", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! kill -9 2200   # scanner, which waits in the kernel (io_schedule): "
		"if it stays, no signal ends it: give it what it waits for (a disk, a "
		"server, a FUSE mount), or restart the machine\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner in-runit", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! sv down '/etc/sv/a b'   # scanner, which runit starts again\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner in-runit deaf", NULL,
		NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! sv down '/etc/sv/a b' && kill -9 2200   # scanner, which runit "
		"starts again\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner below-s6", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! s6-svc -d /run/s6/a && kill 2200   # scanner, which s6 starts "
		"again\n"},
	{"file a.dll busy; use a.dll scanner open; state scanner in-supervisord", NULL,
		NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n"
		"! supervisorctl status   # scanner, which supervisord starts again: "
		"find its name, then supervisorctl stop NAME\n"},
	{"file a.dll busy; use a.dll perfmon open; state perfmon stopped deaf traced",
		NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	{"file a.dll busy; use a.dll perfmon open; state perfmon frozen-unit", NULL,
		NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl thaw perfmon.service && systemctl stop perfmon.service\n"},
	{"file a.dll busy; use a.dll perfmon open; state perfmon frozen-v1", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! echo THAWED >/sys/fs/cgroup/freezer/a/freezer.state && systemctl "
		"stop perfmon.service\n"},
	{"file a.dll busy; use a.dll perfmon open; state perfmon stuck", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service   # may wait in vain: the process "
		"waits in the kernel\n"},
	{"file a.dll busy; use a.dll triggered open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by print (pid 2412)\n"
		"! systemctl stop cups.socket 'a\\x2db.path' cups.service\n"},
	/* Containers. */
	{"file a.dll busy; use a.dll docker open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by nginx (pid 2406)\n"
		"! docker stop 3f2a9c012345   # nginx\n"},
	{"file a.dll busy; use a.dll docker open; state docker frozen", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by nginx (pid 2406)\n"
		"! docker unpause 3f2a9c012345; docker stop 3f2a9c012345   # "
		"nginx\n"},
	{"file a.dll busy; use a.dll podman open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by web (pid 2407)\n"
		"! cd / && runuser -u mia -- podman stop 9   # web\n"},
	{"file a.dll busy; use a.dll kubernetes open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by pod (pid 2408)\n"
		"! crictl stop 88   # the kubelet starts it again: kubectl drain this "
		"node, or scale its workload down\n"},
	{"file a.dll busy; use a.dll containerd open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by task (pid 2409)\n"
		"! ctr --namespace k8s.io tasks kill --all --signal SIGKILL 'it'\\''s' "
		"  # task\n"},
	{"file a.dll busy; use a.dll garden open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by garden (pid 2410)\n"
		"! kill 2410   # garden\n"},
	/* Managers: what runs is an old version, and a new one takes over. */
	{"file a.dll busy; use a.dll init mapped", NULL, NULL,
		"blocked files=1 blocked=1 mapped=1\n  a.dll blocked\n"
		"? a.dll is mapped by systemd (pid 1)\n"
		"! systemctl daemon-reexec   # systemd, which goes on with the program "
		"that is there then\n"},
	{"file a.dll busy; use a.dll manager mapped", NULL, NULL,
		"blocked files=1 blocked=1 mapped=1\n  a.dll blocked\n"
		"? a.dll is mapped by systemd (pid 2411)\n"
		"! systemctl --user --machine=mia@ daemon-reexec   # systemd, which "
		"goes on with the program that is there then\n"},
	{"file a.dll busy; use a.dll manager open", NULL, NULL,
		"blocked files=1 blocked=1 open=1\n  a.dll blocked\n"
		"? a.dll is open by systemd (pid 2411)\n"
		"! systemctl stop user@1000.service\n"},
	/* A payload's names, by the product's rule of case. */
	{"file Mdbperf.dll busy; file b.dll free; use Mdbperf.dll perfmon open",
		"B.DLL", NULL, "safe files=1\n  b.dll free\n"},
	{"file Mdbperf.dll busy; file b.dll free; use Mdbperf.dll perfmon open",
		"MDBPERF.DLL", NULL,
		"blocked files=1 blocked=1 open=1\n"
		"  Mdbperf.dll blocked: Stop Performance Monitor.\n"
		"? Mdbperf.dll is open by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* A name in several directories is all of them; a path is one. */
	{"file a.dll free; file /srv/system32/a.dll busy; "
	 "use /srv/system32/a.dll scanner open",
		"a.dll", NULL,
		"blocked files=2 blocked=1 open=1\n  a.dll free\n"
		"  /srv/system32/a.dll blocked\n"
		"? a.dll is open by scanner (pid 2200)\n! kill 2200   # scanner\n"},
	{"file a.dll free; file /srv/system32/a.dll busy; "
	 "use /srv/system32/a.dll scanner open",
		"/srv/bin/a.dll", NULL, "safe files=1\n  a.dll free\n"},
	{"file a.dll free; file /srv/system32/a.dll free", "/srv/SYSTEM32/A.dll", NULL,
		"safe files=1\n  /srv/system32/a.dll free\n"},
	{"file \xc3\xa4x.dll busy; use \xc3\xa4x.dll perfmon mapped; file b.dll free",
		"\xc3\x84X.DLL b.dll", NULL,
		"blocked files=2 blocked=1 mapped=1\n  \xc3\xa4x.dll blocked\n"
		"  b.dll free\n? \xc3\xa4x.dll is mapped by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* Not of the product's patterns, but of the payload. */
	{"file readme.txt busy; file a.dll free; use readme.txt scanner open",
		"readme.txt a.dll", NULL,
		"blocked files=2 blocked=1 open=1\n  readme.txt blocked\n"
		"  a.dll free\n? readme.txt is open by scanner (pid 2200)\n"
		"! kill 2200   # scanner\n"},
	{"file readme.txt busy; file a.dll free; use readme.txt scanner open", NULL,
		NULL, "safe files=1\n  a.dll free\n"},
	/* New files; alone they prove nothing. */
	{"file a.dll free", "a.dll new.dll", NULL,
		"safe files=2\n  a.dll free\n  new.dll new\n"},
	{"file a.dll free", "new.dll /srv/bin/sub.dll", NULL,
		"unknown files=2\n  new.dll new\n  sub.dll new\n"
		"? none of the files asked about is installed in the directories of "
		"exchange\n"
		"! see whether this is the payload of that product\n"},
	{"file a.dll free", "", NULL,
		"unknown\n"
		"? none of the files asked about is installed in the directories of "
		"exchange\n"
		"! see whether this is the payload of that product\n"},
	/* A place that is none of the product's was not looked at. */
	{"file a.dll free", "a.dll /opt/x.dll /srv/bin/deep/y.dll", NULL,
		"unknown files=3\n  a.dll free\n  /opt/x.dll unknown\n"
		"  deep/y.dll unknown\n"
		"? /opt/x.dll is in no directory of exchange: nobody has looked who "
		"uses it\n"
		"? /srv/bin/deep/y.dll is in no directory of exchange: nobody has "
		"looked who uses it\n" WIDEN},
	/* Gone is new again; an old version that runs is both. */
	{"file a.dll free gone; file b.dll free", "a.dll b.dll", NULL,
		"safe files=2\n  b.dll free\n  a.dll new\n"},
	{"file a.dll busy replaced; use a.dll perfmon mapped; file b.dll free",
		"a.dll b.dll", NULL,
		"blocked files=3 blocked=1 mapped=1\n  a.dll blocked\n  b.dll free\n"
		"  a.dll new\n"
		"? an old version of a.dll is mapped by perfmon (pid 2113)\n"
		"! systemctl stop perfmon.service\n"},
	/* A lack about a file that nobody asks about. */
	{"file a.dll unknown; file b.dll free; lack a.dll blinds the_lease", "b.dll",
		NULL, "safe files=1\n  b.dll free\n"},
	{"file a.dll unknown; file b.dll free; lack a.dll blinds the_lease",
		"A.DLL b.dll", NULL,
		"unknown files=2\n  a.dll unknown\n  b.dll free\n"
		"? could not look at the_lease: it is dark\n! mend it\n"},
	{"file a.dll free; file b.dll free; lack * blinds the_lease", "b.dll", NULL,
		"unknown files=1\n  b.dll free\n"
		"? could not look at the_lease: it is dark\n! mend it\n"},
	/* Names that the product says and that are not there: told, not judged. */
	{"file a.dll free", NULL, "Core.exe",
		"safe files=1\n  a.dll free\n  Core.exe missing\n"},
	{"file a.dll free; file CORE.EXE free", NULL, "Core.exe",
		"safe files=2\n  a.dll free\n  CORE.EXE free\n"},
	{"file a.dll free", "a.dll", "Core.exe", "safe files=1\n  a.dll free\n"},
	{"", NULL, "Core.exe",
		"unknown\n  Core.exe missing\n"
		"? no file of exchange was found in its directories\n"
		"! see whether \"directory\" and \"files\" of the product are right: "
		"spguard status\n"},
};

/* The names in @text, "NAME" or "NAME:BYTES", as a selection; free with free_selection(). */
static struct spg_selection make_selection(const char *text)
{
	struct spg_selection selection = {.names = calloc(16, sizeof(char *)),
		.sizes = calloc(16, sizeof(uint64_t))};
	char *copy = strdup(text), *save = NULL;

	ck_assert(selection.names && selection.sizes && copy);
	for (char *name = strtok_r(copy, " ", &save); name;
		name = strtok_r(NULL, " ", &save)) {
		ck_assert_uint_lt(selection.n_names, 16);
		selection.sizes[selection.n_names] = SPG_SIZE_UNKNOWN;
		if (strchr(name, ':')) {
			selection.sizes[selection.n_names] =
				strtoull(strchr(name, ':') + 1, NULL, 10);
			*strchr(name, ':') = '\0';
		}
		selection.names[selection.n_names++] = strdup(name);
	}
	free(copy);
	return selection;
}

static void free_selection(struct spg_selection *selection)
{
	for (size_t i = 0; i < selection->n_names; i++)
		free(selection->names[i]);
	free(selection->names);
	free(selection->sizes);
}

static bool is_of_shell(enum spg_note_kind kind)
{
	static const enum spg_note_kind kinds[] = {SPG_STEP_STOP_UNIT,
		SPG_STEP_STOP_CONTAINER, SPG_STEP_STOP_PROCESS, SPG_STEP_STOP_FAMILY,
		SPG_STEP_RESUME_PROCESS, SPG_STEP_THAW_PROCESS, SPG_STEP_KILL_PROCESS,
		SPG_STEP_KILL_TRACED, SPG_STEP_KILL_STUCK, SPG_STEP_STOP_SUPERVISED,
		SPG_STEP_REEXEC_MANAGER, SPG_STEP_UNMOUNT, SPG_STEP_REMOVE_PROBE};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

/* An obstacle may have no command that ends it. A command is the step, but for a
 * comment. */
static void check_step(const struct spg_note *step)
{
	ck_assert(spg_text_is_clean(step->text));
	if (step->command)
		ck_assert_int_eq(
			strncmp(step->text, step->command, strlen(step->command)), 0);
	if (step->kind == SPG_STEP_CLEAR_OBSTACLE)
		return;
	ck_assert_int_eq(is_of_shell(step->kind), step->command != NULL);
}

START_TEST(judge)
{
	struct spg_product *product = help_product();
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_selection selection =
		make_selection(rows[_i].asked ? rows[_i].asked : "");
	struct spg_observation *obs;
	char *text;

	if (rows[_i].pattern)
		ck_assert_int_eq(spg_product_add_pattern(product, rows[_i].pattern), 0);
	obs = help_observe(product, SPG_SURVEY_FULL, 100, rows[_i].seen);
	ck_assert_int_eq(spg_verdict_judge(obs, rows[_i].asked ? &selection : NULL,
				 NULL, &verdict),
		0);
	text = help_verdict_text(&verdict);
	ck_assert_msg(strcmp(text, rows[_i].expect) == 0, "%s\nis judged:\n%snot:\n%s",
		rows[_i].seen, text, rows[_i].expect);
	for (size_t i = 0; i < verdict.reasons.n; i++)
		ck_assert(spg_text_is_clean(verdict.reasons.items[i].text));
	for (size_t i = 0; i < verdict.next.n; i++)
		check_step(&verdict.next.items[i]);
	free(text);
	free_selection(&selection);
	spg_verdict_finish(&verdict);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* A package has files outside: one is the product's by another path, one a document, and of
 * a program nobody has looked who uses it. */
START_TEST(places_outside)
{
	struct spg_product *product = help_product();
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_selection selection = make_selection("a.dll tool readme new.dll");
	struct spg_observation *obs =
		help_observe(product, SPG_SURVEY_FULL, 100, "file a.dll free");
	struct spg_selected_place places[] = {
		{"/x/a.dll", obs->files[0].file->id, true},
		{"/usr/bin/tool", {1, 4711}, true},
		{"/usr/share/readme", {1, 4712}, false}, {.path = NULL}};
	char *text;

	selection.places = places;
	ck_assert_int_eq(spg_verdict_judge(obs, &selection, NULL, &verdict), 0);
	text = help_verdict_text(&verdict);
	ck_assert_str_eq(text,
		"unknown files=3\n  a.dll free\n  /usr/bin/tool unknown\n"
		"  new.dll new\n? /usr/bin/tool is in no directory of exchange: nobody "
		"has looked who uses it\n" WIDEN);
	free(text);
	free_selection(&selection);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* What is asked about by paths of watched files is the product's, if none is there. */
START_TEST(own_files_that_are_new)
{
	struct spg_product *product = help_product();
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_selection selection = make_selection("/srv/bin/new.dll");
	struct spg_observation *obs =
		help_observe(product, SPG_SURVEY_FULL, 100, "file a.dll free");

	selection.own = true;
	ck_assert_int_eq(spg_verdict_judge(obs, &selection, NULL, &verdict), 0);
	ck_assert_int_eq(verdict.kind, SPG_VERDICT_SAFE);
	ck_assert_uint_eq(verdict.reasons.n, 0);
	ck_assert_int_eq(verdict.files[0].state, SPG_FILE_NEW);
	free_selection(&selection);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* Nobody reads a thousand lines: fifty, and how many there are besides. */
static const struct {
	int n_files;
	size_t n_lines;
	const char *last_reason, *last_step;
	int more;
} limits[] = {
	{1, 1, "f0000.dll is held by something that no process shows", NULL, 0},
	{50, 50, "f0049.dll is held by something that no process shows", NULL, 0},
	{51, 51, "and 1 more reasons", "and 1 more steps", 1},
	{1000, 51, "and 950 more reasons", "and 950 more steps", 950},
};

START_TEST(limit)
{
	struct spg_product *product = help_product();
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_buf script = SPG_BUF_NULL;
	struct spg_observation *obs;
	const struct spg_note *last;

	for (int i = 0; i < limits[_i].n_files; i++)
		spg_buf_printf(&script, "file f%04d.dll busy unattributed;", i);
	obs = help_observe(product, SPG_SURVEY_FULL, 100, spg_buf_text(&script));
	ck_assert_int_eq(spg_verdict_judge(obs, NULL, NULL, &verdict), 0);
	ck_assert_uint_eq(verdict.counts.blocked, (size_t)limits[_i].n_files);
	ck_assert_uint_eq(verdict.n_files, (size_t)limits[_i].n_files);
	ck_assert_uint_eq(verdict.reasons.n, limits[_i].n_lines);
	ck_assert_uint_eq(verdict.next.n, limits[_i].n_lines);
	last = &verdict.reasons.items[verdict.reasons.n - 1];
	ck_assert_str_eq(last->text, limits[_i].last_reason);
	ck_assert_int_eq(last->kind == SPG_REASON_MORE, last->count > 0);
	ck_assert_int_eq(last->count, limits[_i].more);
	last = &verdict.next.items[verdict.next.n - 1];
	ck_assert_int_eq(last->kind == SPG_STEP_MORE, last->count > 0);
	if (limits[_i].last_step)
		ck_assert_str_eq(last->text, limits[_i].last_step);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
	spg_buf_finish(&script);
	spg_product_unref(product);
}
END_TEST

START_TEST(make_unknown)
{
	struct spg_product *product = help_product();
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_observation *obs = help_observe(product, SPG_SURVEY_FULL, 100,
		"file a.dll free; lack a.dll blinds the_maps");

	ck_assert_int_eq(spg_verdict_judge(obs, NULL, NULL, &verdict), 0);
	ck_assert_int_eq(spg_verdict_make_unknown(obs, &verdict), 0);
	ck_assert_int_eq(verdict.kind, SPG_VERDICT_UNKNOWN);
	ck_assert_uint_eq(verdict.reasons.n, 2);
	ck_assert_int_eq(verdict.reasons.items[0].kind, SPG_REASON_DISTURBED);
	ck_assert_int_eq(verdict.reasons.items[1].kind, SPG_REASON_NOT_LOOKED_AT);
	ck_assert_str_eq(verdict.reasons.items[1].text,
		"could not look at the_maps: it is dark");
	spg_verdict_finish(&verdict);
	/* Of nothing, too. */
	ck_assert_int_eq(spg_verdict_make_unknown(obs, &verdict), 0);
	ck_assert_uint_eq(verdict.reasons.n, 1);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* What installs have left. */
static const struct {
	const char *seen;
	const char *installing, *unread, *mixed, *next;
	const char *aside; /* path of a file stepped aside */
	bool unsure;
	bool other; /* ... which is not the first one seen */
	bool missing;
	const char *expect;
} standings[] = {
	{"file a.dll free", .installing = "setup runs",
		.expect = "blocked files=1\n  a.dll free\n? setup runs\n"
			  "! let it end: spguard installs\n"},
	{"file a.dll free", .mixed = "a needs b", .next = "run it again",
		.expect = "attention files=1\n  a.dll free\n? a needs b\n"
			  "! run it again\n"},
	/* What blocks, or is unknown, comes first. */
	{"file a.dll busy; use a.dll perfmon mapped", .mixed = "a needs b",
		.expect = "blocked/attention files=1 blocked=1 mapped=1\n"
			  "  a.dll blocked\n"
			  "? a.dll is mapped by perfmon (pid 2113)\n? a needs b\n"
			  "! systemctl stop perfmon.service\n"},
	{"file a.dll unknown", .mixed = "a needs b",
		.expect = "unknown files=1\n  a.dll unknown\n? a needs b\n"},
	/* Nobody knows yet what it is that has changed. */
	{"file a.dll free", .unread = "a changed", .mixed = "a needs b",
		.expect = "unknown files=1\n  a.dll free\n? a changed\n? a needs b\n"},
	{"file a.dll busy; use a.dll perfmon mapped", .unread = "a changed",
		.expect = "blocked/unknown files=1 blocked=1 mapped=1\n"
			  "  a.dll blocked\n"
			  "? a.dll is mapped by perfmon (pid 2113)\n? a changed\n"
			  "! systemctl stop perfmon.service\n"},
	/* Stepped aside: no new one yet; then a new one, the old one in use; then
	 * nobody uses it any more. */
	{"file b.dll free", .aside = "/srv/bin/a.dll", .missing = true,
		.expect = "attention files=1\n  b.dll free\n"
			  "? a.dll is renamed to a.old, and setup has not written a "
			  "new one yet\n! run the service pack now, or take the step "
			  "back: spguard sidestep --undo 3\n"},
	{"file a.dll busy replaced; use a.dll perfmon mapped; "
	 "file a.dll free fresh",
		.aside = "/srv/bin/a.dll",
		.expect = "attention files=2 mapped=1\n  a.dll sidestepped\n"
			  "  a.dll free\n"
			  "? an old version of a.dll is mapped by perfmon (pid 2113)\n"
			  "! systemctl stop perfmon.service\n"},
	/* Whoever else has it, it is in nobody's way. */
	{"file a.dll busy replaced; use a.dll store mapped; uncounted; "
	 "file a.dll free fresh",
		.aside = "/srv/bin/a.dll",
		.expect =
			"attention files=2 mapped=1\n  a.dll sidestepped\n"
			"  a.dll free\n"
			"? an old version of a.dll is mapped by Store.EXE (pid 2300)\n"
			"! systemctl stop exchange-store.service\n"},
	{"file a.dll free", .aside = "/srv/bin/a.dll", .other = true,
		.expect = "safe files=1\n  a.dll free\n"},
	/* The daemon ended in the middle of it. */
	{"file a.dll free", .aside = "/srv/bin/a.dll", .other = true, .unsure = true,
		.expect = "attention files=1\n  a.dll free\n"
			  "? spguardd ended while it renamed a.dll to a.old, and is "
			  "finding out whether that was done\n"
			  "! check again in a moment: spguard check\n"},
	/* Another old version than the one stepped aside still blocks. */
	{"file a.dll busy replaced; use a.dll perfmon mapped",
		.aside = "/srv/bin/a.dll", .other = true,

		.expect = "blocked files=1 blocked=1 mapped=1\n  a.dll blocked\n"
			  "? an old version of a.dll is mapped by perfmon (pid 2113)\n"
			  "! systemctl stop perfmon.service\n"},
};

START_TEST(standing)
{
	struct spg_product *product = help_product();
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_standing left = SPG_STANDING_NULL;
	struct spg_observation *obs;
	char *text;

	if (standings[_i].installing)
		help_note(&left.installing, SPG_REASON_INSTALLING,
			standings[_i].installing);
	if (standings[_i].unread)
		help_note(
			&left.unread, SPG_REASON_CHANGED_UNREAD, standings[_i].unread);
	if (standings[_i].mixed)
		help_note(&left.mixed, SPG_REASON_MISFIT, standings[_i].mixed);
	if (standings[_i].next)
		help_note(&left.next, SPG_STEP_INSTALL, standings[_i].next);
	obs = help_observe(product, SPG_SURVEY_FULL, 100, standings[_i].seen);
	if (standings[_i].aside) {
		struct spg_stepped_aside aside = {.id = obs->files[0].file->id,
			.path = (char *)standings[_i].aside,
			.old_path = "/srv/bin/a.old",
			.number = 3,
			.missing = standings[_i].missing,
			.unsure = standings[_i].unsure};

		aside.id.ino += standings[_i].other;
		ck_assert_int_eq(spg_standing_add_aside(&left, &aside), 0);
	}
	ck_assert_int_eq(spg_verdict_judge(obs, NULL, &left, &verdict), 0);
	text = help_verdict_text(&verdict);
	ck_assert_str_eq(text, standings[_i].expect);
	free(text);
	spg_verdict_finish(&verdict);
	spg_standing_finish(&left);
	spg_standing_finish(&left);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

static const struct {
	const char *who;
	enum spg_use_class class;
} classes[] = {
	{"perfmon", SPG_CLASS_BLOCKER},
	{"store", SPG_CLASS_SETUP_STOPS},
	{"dsamain", SPG_CLASS_SETUP_STOPS},
	{"nameless", SPG_CLASS_BLOCKER},
};

START_TEST(classify)
{
	struct spg_product *product = help_product();
	struct spg_process *process = help_process(classes[_i].who);

	ck_assert_int_eq(spg_use_classify(product, process), classes[_i].class);
	spg_process_unref(process);
	spg_product_unref(product);
}
END_TEST

/* Services of the machine have the name that root gave them, those of a user any. */
START_TEST(classify_services)
{
	static const struct {
		const char *unit, *unit_user;
		int class;
	} services[] = {{"perfmon.service", NULL, SPG_CLASS_SETUP_STOPS},
		{"perfmon", NULL, SPG_CLASS_BLOCKER},
		{"perfmon.service", "mia", SPG_CLASS_BLOCKER},
		{"perfmon2", NULL, SPG_CLASS_BLOCKER}};
	struct spg_product *product = help_product();

	ck_assert_int_eq(spg_product_add_setup_stop(product, "perfmon.service"), 0);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		const struct spg_process_info info = {.id = {7, 7},
			.name = "x",
			.unit = services[i].unit,
			.unit_user = services[i].unit_user};
		struct spg_process *process = spg_process_create(&info);

		ck_assert_ptr_nonnull(process);
		ck_assert_int_eq(spg_use_classify(product, process), services[i].class);
		spg_process_unref(process);
	}
	spg_product_unref(product);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("verdict");

	spg_add_rows(tc, judge, rows);
	tcase_add_test(tc, places_outside);
	tcase_add_test(tc, own_files_that_are_new);
	spg_add_rows(tc, limit, limits);
	tcase_add_test(tc, make_unknown);
	spg_add_rows(tc, standing, standings);
	spg_add_rows(tc, classify, classes);
	tcase_add_test(tc, classify_services);
	return spg_run_suite("verdict", tc);
}
