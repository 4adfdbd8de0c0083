/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Why a verdict or an outcome is what it is (reasons), and what can be done about it
 * (steps): "kind" of the elements of "reasons" and "next" in JSON. Programs decide by
 * the kind; the text beside it is for people and is never looked into. Each list below
 * is the only one: the enumeration, the names and the tables come from it. The database
 * stores the names. Thread-safe: constants.
 */
#include <stdbool.h>

/* clang-format off */
#define SPG_REASON_KINDS(X) \
	X(IN_USE, "in-use")                         /* file, pid, name, how, count; unit, or engine and container */ \
	X(KEPT, "kept")                 /* not open: file, how, place, pid, name, unit */ \
	X(OBSTACLE, "obstacle")                     /* obstacle, file or place */ \
	X(HOLDER_HIDDEN, "holder-hidden")           /* no process shows it: file */ \
	X(BACKS_LOOP, "backs-loop")                 /* file, place: the device */ \
	X(BACKS_MOUNT, "backs-mount")               /* file, place, pid */ \
	X(SWAP_FILE, "swap-file")                   /* file */ \
	X(BINFMT_INTERPRETER, "binfmt-interpreter") /* file, place: the entry */ \
	X(OPENED_LAST, "opened-last")   /* one that no process shows: file, pid, name */ \
	X(CAME_BACK, "came-back")       /* file, pid, name, unit, count, starter */ \
	X(KEEPS_STARTING, "keeps-starting")         /* the same; count: in a minute */ \
	X(WORKING_DIRECTORY, "working-directory")   /* place, pid, name, count */ \
	X(EXPORTED, "exported")                     /* place, name: the server */ \
	X(RUNS_INTERPRETER, "runs-interpreter")     /* file, place: of binfmt_misc */ \
	X(OUTDATED, "outdated")                     /* runs old versions: file, pid, name, unit, command */ \
	X(HOLDERS_UNSURE, "holders-unsure")         /* others than those of setup: file */ \
	X(NOT_OF_PRODUCT, "not-of-product")         /* file */ \
	X(NOT_LOOKED_AT, "not-looked-at")           /* coverage says it: lack, file */ \
	X(NOTHING_INSTALLED, "nothing-installed") \
	X(DISTURBED, "disturbed")                   /* files changed during the proof */ \
	X(UNSETTLED, "unsettled")                   /* free, but not for long enough */ \
	X(CHANGED_UNREAD, "changed-unread")         /* without an event, and not read yet */ \
	X(INSTALLING, "installing")                 /* install, pid, name */ \
	X(NOT_WRITTEN_YET, "not-written-yet")       /* stepped aside: file, sidestep */ \
	X(SIDESTEP_UNSURE, "sidestep-unsure")       /* file, sidestep */ \
	X(NOT_REPLACED, "not-replaced")             /* file */ \
	X(NOT_PAYLOAD, "not-payload")               /* changed to something else: file */ \
	X(MISFIT, "misfit")                         /* file, finding */ \
	X(UNREADABLE, "unreadable")                 /* file */ \
	X(HOLDERS_LOST, "holders-lost")             /* so many files were held */ \
	X(PAST_LOST, "past-lost")                   /* the daemon ended meanwhile */ \
	X(PRODUCT_GONE, "product-gone")             /* out of the configuration */ \
	X(ANOTHER_RELEASE, "another-release")       /* a link leads elsewhere: place */ \
	X(EVENTS_LOST, "events-lost")               /* an install found by its result */ \
	X(UNVERIFIED, "unverified") \
	X(ALL_GONE, "all-gone")                     /* the product has no file any more: count */ \
	X(CHANGED_IN_USE, "changed-in-use") /* in place, while mapped: file, pid, name, how, unit */ \
	X(INSTALLER_FAILED, "installer-failed")             /* pid, name, unit */ \
	X(ACCEPTED, "accepted")                     /* by an administrator: install, name */ \
	X(CLEAN, "clean")                           /* install: that it mended */ \
	X(FILES_IN_USE, "files-in-use")             /* where processes are withheld: count */ \
	X(WITHHELD, "withheld")                     /* the server knows */ \
	X(MORE, "more")                             /* count */ \
	X(OTHER, "other")                           /* of another version of spguardd */

/* "command" is what does it, ready for a shell; without it the step is for a person. */
#define SPG_STEP_KINDS(X) \
	X(STOP_UNIT, "stop-unit")                   /* unit, pid, name, command */ \
	X(STOP_CONTAINER, "stop-container")         /* engine, container, pid, name, command */ \
	X(STOP_PROCESS, "stop-process")             /* pid, name, command */ \
	X(STOP_FAMILY, "stop-family")               /* it, and what it started: count, pid, name, command */ \
	X(RESUME_PROCESS, "resume-process")         /* it is stopped: pid, name, command */ \
	X(THAW_PROCESS, "thaw-process")             /* it is frozen: place, pid, name, command */ \
	X(KILL_PROCESS, "kill-process")             /* it takes no SIGTERM: pid, name, command */ \
	X(KILL_TRACED, "kill-traced")               /* tracer, pid, name, command */ \
	X(KILL_STUCK, "kill-stuck")                 /* that may not help: pid, name, command */ \
	X(AWAIT_DUMP, "await-dump")                 /* it dumps core: pid, name */ \
	X(STOP_SUPERVISED, "stop-supervised")       /* it is started again: place, pid, name, command */ \
	X(LEAVE_SESSION, "leave-session")           /* who asks is in it: pid, name */ \
	X(RESTART_DAEMON, "restart-daemon")         /* spguardd itself, afterwards: pid, name, unit */ \
	X(REEXEC_MANAGER, "reexec-manager")         /* of systemd: pid, name, unit, command */ \
	X(RESTART_MACHINE, "restart-machine")       /* pid, name, unit: cannot be stopped */ \
	X(CLOSE_PROGRAM, "close-program")           /* of Wine: pid, name */ \
	X(REMOVE_PROBE, "remove-probe")             /* place, command */ \
	X(DETACH_LOOP, "detach-loop")               /* place, command */ \
	X(SWAP_OFF, "swap-off")                     /* file, command */ \
	X(REMOVE_BINFMT, "remove-binfmt")           /* place, command */ \
	X(UNMOUNT, "unmount")                       /* place, pid, command */ \
	X(CLEAR_OBSTACLE, "clear-obstacle")         /* obstacle, file or place, command */ \
	X(FIND_PIN, "find-pin")                     /* of a probe */ \
	X(FIND_MOUNT, "find-mount") \
	X(FIND_HOLDER, "find-holder")               /* that no process shows: file */ \
	X(ADVICE, "advice")                         /* of the configuration: file */ \
	X(REMEDY, "remedy")                         /* coverage says it: lack, file */ \
	X(CHECK_PAYLOAD, "check-payload") \
	X(CHECK_CONFIGURATION, "check-configuration") \
	X(AWAIT_INSTALL, "await-install") \
	X(FINISH_SIDESTEP, "finish-sidestep")       /* file, sidestep */ \
	X(CHECK_AGAIN, "check-again")               /* command, unless it is a moment later */ \
	X(SIDESTEP, "sidestep")                     /* file, command */ \
	X(INSTALL, "install")                       /* run the service pack */ \
	X(ACCEPT, "accept")                         /* if it is meant to be so: install, command */ \
	X(RESTART, "restart")                       /* it runs what was written over: pid, name, unit, command */ \
	X(VERIFY, "verify")                         /* command */ \
	X(END_VIEWS, "end-views")                   /* of old versions: reasons "kept" */ \
	X(DIAGNOSE, "diagnose")                     /* command */ \
	X(ASK_SERVER, "ask-server")                 /* where processes are withheld */ \
	X(MORE, "more")                             /* count */ \
	X(OTHER, "other")                           /* of another version of spguardd */
/* clang-format on */

#define SPG_REASON_ENUM(id, name) SPG_REASON_##id,
#define SPG_STEP_ENUM(id, name)   SPG_STEP_##id,

enum spg_note_kind {
	SPG_REASON_KINDS(SPG_REASON_ENUM) SPG_STEP_KINDS(SPG_STEP_ENUM) SPG_NOTE_KINDS
};

/** As in JSON and in the database; "?" for a number that is none. */
const char *spg_note_kind_name(enum spg_note_kind kind);

/** The reason, or the step, with @name; NULL or an unknown one: SPG_REASON_OTHER,
 * SPG_STEP_OTHER. */
enum spg_note_kind spg_reason_kind_from_name(const char *name);
enum spg_note_kind spg_step_kind_from_name(const char *name);
