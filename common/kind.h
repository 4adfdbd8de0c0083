/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The closed vocabularies that daemon, database and client share, and their
 * names. The numbers of events, locks, gaps and verdicts are stored in the
 * database: append, never renumber. Thread-safe: constants.
 */
#include <stdbool.h>
#include <stdint.h>

/* What happened to a file or to the service; "kind" in JSON. */
enum spg_event_kind {
	SPG_EVENT_OPEN,
	SPG_EVENT_CLOSE,
	SPG_EVENT_EXEC,
	SPG_EVENT_MODIFY,
	SPG_EVENT_CREATE,
	SPG_EVENT_DELETE,
	SPG_EVENT_RENAME,
	SPG_EVENT_LOCK,
	SPG_EVENT_UNLOCK,
	SPG_EVENT_LOCK_WAIT,
	SPG_EVENT_LOCK_FAIL,
	SPG_EVENT_USE_BEGIN,
	SPG_EVENT_USE_END,
	SPG_EVENT_GAP,
	SPG_EVENT_VERDICT,
	SPG_EVENT_INSTALL_BEGIN,
	SPG_EVENT_INSTALL_END,
	SPG_EVENT_HOLD_BEGIN,
	SPG_EVENT_HOLD_END,
	SPG_EVENT_SIDESTEP,
	SPG_EVENT_HOLD_REFUSE,
	SPG_EVENT_KINDS /* how many */
};

#define SPG_EVENT_BIT(kind) (UINT32_C(1) << (kind))

/* How a process uses a file; a set. "how" in JSON. */
enum spg_use_how {
	SPG_USE_OPEN = 1 << 0,      /* an open file description for reading */
	SPG_USE_WRITE = 1 << 1,     /* one for writing */
	SPG_USE_MAPPED = 1 << 2,    /* a mapping, whatever its protection */
	SPG_USE_EXECUTING = 1 << 3, /* the process's main executable */
	SPG_USE_LOCKED = 1 << 4,    /* holds a lock or lease */
	SPG_USE_WAITING = 1 << 5,   /* waits for a lock */
	/* Without having it open, see struct spg_seen_keeper: */
	SPG_USE_PROBED = 1 << 6,  /* a uprobe is in it */
	SPG_USE_MOUNTED = 1 << 7, /* it is mounted by itself */
	SPG_USE_LAYER = 1 << 8,   /* an overlay shows it from one of its layers */
};
#define SPG_USE_HOWS 9

enum spg_lock_kind {
	SPG_LOCK_FLOCK, /* flock(2): belongs to the open file description */
	SPG_LOCK_POSIX, /* fcntl(2) F_SETLK: belongs to the process */
	SPG_LOCK_OFD,   /* fcntl(2) F_OFD_SETLK: to the open file description */
	SPG_LOCK_LEASE, /* fcntl(2) F_SETLEASE */
	SPG_LOCK_KINDS
};

enum spg_lock_mode { SPG_LOCK_READ, SPG_LOCK_WRITE, SPG_LOCK_MODES };

enum spg_lock_state { SPG_LOCK_HELD, SPG_LOCK_WAITING, SPG_LOCK_STATES };

/* End of a lock that reaches to the end of the file, however it grows. */
#define SPG_LOCK_EOF INT64_MAX

enum spg_verdict_kind {
	SPG_VERDICT_SAFE,
	SPG_VERDICT_ATTENTION,
	SPG_VERDICT_BLOCKED,
	SPG_VERDICT_UNKNOWN,
	SPG_VERDICT_KINDS
};

enum spg_file_state {
	SPG_FILE_FREE,
	SPG_FILE_BLOCKED,
	SPG_FILE_HELD_BY_SETUP_STOPPED, /* only by processes that setup ends */
	SPG_FILE_MISSING,               /* named by the product, not there */
	SPG_FILE_NEW, /* in the payload; the product has none of its name */
	SPG_FILE_UNKNOWN,
	SPG_FILE_SIDESTEPPED, /* an old version, renamed aside, that is still in use */
	SPG_FILE_STATES
};

/* What a process that uses a file means for the verdict. */
enum spg_use_class { SPG_CLASS_BLOCKER, SPG_CLASS_SETUP_STOPS, SPG_CLASSES };

/* How an install ended. */
enum spg_install_outcome {
	SPG_INSTALL_RUNNING,
	SPG_INSTALL_CLEAN,   /* what is there fits together, nothing was left out */
	SPG_INSTALL_MIXED,   /* it does not, or something was */
	SPG_INSTALL_UNKNOWN, /* could not be verified */
	SPG_INSTALL_OUTCOMES
};

/* What became of a file in an install. */
enum spg_install_change {
	SPG_CHANGE_REPLACED, /* another file has its name now */
	SPG_CHANGE_MODIFIED, /* the same file, written to */
	SPG_CHANGE_CREATED,
	SPG_CHANGE_DELETED,
	SPG_CHANGE_SKIPPED, /* it should have been replaced, and was not */
	SPG_CHANGES
};

/* How far a step aside has come; see sidestep in README. */
enum spg_sidestep_state {
	SPG_SIDESTEP_PLANNED,  /* in the journal, perhaps not done */
	SPG_SIDESTEP_RENAMED,  /* the name is free for setup */
	SPG_SIDESTEP_FINISHED, /* setup has written a new file */
	SPG_SIDESTEP_UNDONE,   /* the old file has its name again */
	SPG_SIDESTEP_CLEANED,  /* the old file is removed */
	SPG_SIDESTEP_FAILED,   /* the rename did not happen */
	SPG_SIDESTEP_REFUSED,  /* it would not help, or would harm; never stored */
	SPG_SIDESTEP_STATES
};

/* Why a stretch of history may be incomplete. */
enum spg_gap_reason {
	SPG_GAP_DOWNTIME, /* the daemon was not running */
	SPG_GAP_OVERFLOW, /* the kernel's event queue overflowed */
	SPG_GAP_MERGED,   /* the kernel merged events of one process and file */
	SPG_GAP_DROPPED,  /* records dropped: the store was behind */
	SPG_GAP_STORE,    /* the store could not write: disk full, I/O error */
	SPG_GAP_DAMAGED,  /* the database was damaged and set aside */
	SPG_GAP_WATCH,    /* a directory was not watched: no mark, no access */
	SPG_GAP_REASONS
};

/* clang-format off */
/* What could not be looked at: "kind" in coverage, and "what" for people. */
#define SPG_LACK_KINDS(X) \
	X(MECHANISM, "mechanism", "a means of looking") \
	X(FILE, "file", "a file")                       /* cannot be probed */ \
	X(MORE_FILES, "more-files", "more files")       /* nor others */ \
	X(HELD_FILE, "held-file", "a file")             /* a hold refuses it */ \
	X(LINK, "link", "a file")                       /* cannot be read or followed */ \
	X(DELETED_FILE, "deleted-file", "a deleted file") \
	X(SEARCH, "search", "every process") \
	X(PROCESSES, "processes", "processes") \
	X(LOCKS, "locks", "locks") \
	X(LOCK_EVENTS, "lock-events", "lock events") \
	X(LINKED_FILE_EVENTS, "linked-file-events", "events of a file with several names") \
	X(DIRECTORY_MISSING, "directory-missing", "a directory") \
	X(DIRECTORY_UNREADABLE, "directory-unreadable", "a directory") \
	X(DIRECTORY_SILENT, "directory-silent", "a directory") /* its server is gone */ \
	X(DIRECTORY_EVENTS, "directory-events", "events of a directory") \
	X(USERS_ELSEWHERE, "users-elsewhere", "users elsewhere") /* of a network filesystem */ \
	X(MOUNTS, "mounts", "the mount table") \
	X(DEADLINE, "deadline", "the files in time") \
	X(NO_SUCH_FILE, "no-such-file", "a file")       /* no product has it */ \
	X(MODULE, "module", "a module")                 /* verify cannot read it */ \
	X(PROOF, "proof", "the whole product")          /* see the reasons */

/* What keeps setup from replacing a file, whoever uses it: "obstacle". The kinds with a
 * directory or a mount are about every file there. */
#define SPG_OBSTACLE_KINDS(X) \
	X(MOUNT_POINT, "mount-point")                   /* something is mounted on the file */ \
	X(IMMUTABLE, "immutable")                       /* chattr(1) */ \
	X(APPEND_ONLY, "append-only") \
	X(VERITY, "verity")                             /* sealed by fs-verity */ \
	X(DIRECTORY_IMMUTABLE, "directory-immutable") \
	X(DIRECTORY_APPEND_ONLY, "directory-append-only") \
	X(READ_ONLY_FILESYSTEM, "read-only-filesystem") \
	X(READ_ONLY_MOUNT, "read-only-mount")           /* of one that is not */ \
	X(NO_PERMISSION, "no-permission")               /* to write to the file */ \
	X(FOREIGN_OWNER, "foreign-owner")               /* in a sticky directory */ \
	X(DIRECTORY_NO_PERMISSION, "directory-no-permission") \
	X(DIRECTORY_UNREACHABLE, "directory-unreachable") /* what is above bars the way */ \
	X(NO_SPACE, "no-space")                         /* for the service pack, or at all */ \
	X(NO_INODES, "no-inodes")

/* What does not fit together, or is not the service pack's. Stored: append only. */
#define SPG_FINDING_KINDS(X) \
	X(MISSING_EXPORT, "missing-export") \
	X(MISSING_MODULE, "missing-module")             /* imported, and gone or nowhere */ \
	X(DAMAGED, "damaged") \
	X(ARCHITECTURE, "architecture") \
	X(NOT_PAYLOAD, "not-payload")                   /* another content, no version to compare */ \
	X(OLDER, "older")                               /* than the service pack's */ \
	X(NEWER, "newer") \
	X(ASSEMBLY_VERSION, "assembly-version")         /* of .NET: another version or key than is needed */ \
	X(NOT_INSTALLED, "not-installed")               /* of the pack: removed, or the rest of its folder is */ \
	X(NO_MODULE, "no-module")                       /* an install has put something else there */ \
	X(NOT_EXECUTABLE, "not-executable")             /* a program that an install has taken x from */

/* What verify says of a product, from best to worst. */
#define SPG_VERIFY_VERDICTS(X) \
	X(FITS, "fits") \
	X(NOT_CHECKED, "not-checked")                   /* nothing is there that could be */ \
	X(UNKNOWN, "unknown")                           /* not all could be looked at, or nothing is there */ \
	X(MIXED, "mixed")

/* Why a hold ended: "cause". */
#define SPG_HOLD_CAUSES(X) \
	X(NONE, "none")                                 /* it has not ended */ \
	X(ENDED, "ended")                               /* its command did */ \
	X(TIME_OVER, "time-over") \
	X(NOT_BEGUN, "not-begun") \
	X(GUARD_HUNG, "guard-hung") \
	X(GUARD_DIED, "guard-died") \
	X(DAEMON_HUNG, "daemon-hung") \
	X(DAEMON_STOPPED, "daemon-stopped") \
	X(CONNECTION_ENDED, "connection-ended")

/* One means of looking. */
#define SPG_MECHANISM_KINDS(X) \
	X(FILE_EVENTS, "file-events") \
	X(IN_USE, "in-use-probe")                       /* does anybody use this file? */ \
	X(OPEN, "open-files") \
	X(MAPPED, "mappings") \
	X(EXECUTING, "executables") \
	X(LOCKED, "locks") \
	X(INNOCENCE, "innocence")                       /* the daemon is no holder */ \
	X(EVERYBODY, "process-view")                    /* it may look into everybody */ \
	X(LOCK_EVENTS, "lock-events") \
	X(PROCESS_TABLE, "process-table") \
	X(COUNTERS, "kernel-counters")                  /* all that tier "bpf" needs */ \
	X(SELF_TEST, "self-test") \
	X(USER_LIST, "user-list")                       /* a filesystem's own, of a file */ \
	X(WRITE_PROBE, "write-probe") \
	X(SERVICES, "services")                         /* which process is which */

/* Why the history is not written just now. */
#define SPG_STORE_FAULTS(X) \
	X(FULL, "full")                                 /* the disk, or a quota */ \
	X(LOCKED, "locked")                             /* by another program */ \
	X(DENIED, "denied")                             /* read-only, or not the daemon's */ \
	X(DAMAGED, "damaged")                           /* and cannot be set aside */ \
	X(MEMORY, "memory") \
	X(DISK, "disk")                                 /* it does not do its part */

/* What runs the container that a process is in; "engine" in JSON. */
#define SPG_CONTAINER_ENGINES(X) \
	X(NONE, "none")                                 /* it is in none */ \
	X(DOCKER, "docker") \
	X(PODMAN, "podman") \
	X(KUBERNETES, "kubernetes")                     /* whatever the kubelet runs it by */ \
	X(CONTAINERD, "containerd")                     /* by itself: NAMESPACE/ID */ \
	X(NERDCTL, "nerdctl") \
	X(LXC, "lxc") \
	X(MACHINE, "machine")                           /* of systemd: systemd-nspawn(1) */ \
	X(LIBVIRT, "libvirt") \
	X(LIBVIRT_LXC, "libvirt-lxc") \
	X(OTHER, "other")
/* clang-format on */

#define SPG_LACK_ENUM(id, name, what)  SPG_LACK_##id,
#define SPG_OBSTACLE_ENUM(id, name)    SPG_OBSTACLE_##id,
#define SPG_FINDING_ENUM(id, name)     SPG_FINDING_##id,
#define SPG_VERIFY_ENUM(id, name)      SPG_VERIFY_##id,
#define SPG_HOLD_ENUM(id, name)        SPG_HOLD_CAUSE_##id,
#define SPG_MECHANISM_ENUM(id, name)   SPG_MECHANISM_##id,
#define SPG_CONTAINER_ENUM(id, name)   SPG_CONTAINER_##id,
#define SPG_STORE_FAULT_ENUM(id, name) SPG_STORE_FAULT_##id,

enum spg_lack_kind { SPG_LACK_KINDS(SPG_LACK_ENUM) SPG_LACK_N_KINDS };
enum spg_obstacle_kind { SPG_OBSTACLE_KINDS(SPG_OBSTACLE_ENUM) SPG_OBSTACLE_N_KINDS };
enum spg_finding_kind { SPG_FINDING_KINDS(SPG_FINDING_ENUM) SPG_FINDING_N_KINDS };
enum spg_verify_verdict { SPG_VERIFY_VERDICTS(SPG_VERIFY_ENUM) };
enum spg_hold_cause { SPG_HOLD_CAUSES(SPG_HOLD_ENUM) };
enum spg_container_engine { SPG_CONTAINER_ENGINES(SPG_CONTAINER_ENUM) };
enum spg_mechanism_kind {
	SPG_MECHANISM_KINDS(SPG_MECHANISM_ENUM) SPG_MECHANISM_N_KINDS
};
enum spg_store_fault { SPG_STORE_FAULTS(SPG_STORE_FAULT_ENUM) SPG_STORE_N_FAULTS };

#define SPG_OBSTACLE_BIT(kind) (1U << (kind))

/**
 * Names as in JSON and in the database's views; never NULL for a member of
 * the enumeration, "?" for any other number.
 */
const char *spg_event_kind_name(enum spg_event_kind kind);
const char *spg_use_how_name(enum spg_use_how bit);
const char *spg_lock_kind_name(enum spg_lock_kind kind);
const char *spg_lock_mode_name(enum spg_lock_mode mode);
const char *spg_lock_state_name(enum spg_lock_state state);
const char *spg_verdict_name(enum spg_verdict_kind verdict);
const char *spg_file_state_name(enum spg_file_state state);
const char *spg_use_class_name(enum spg_use_class class);
const char *spg_gap_reason_name(enum spg_gap_reason reason);
const char *spg_install_outcome_name(enum spg_install_outcome outcome);
const char *spg_install_change_name(enum spg_install_change change);
const char *spg_sidestep_state_name(enum spg_sidestep_state state);

const char *spg_lack_kind_name(enum spg_lack_kind kind);
const char *spg_obstacle_kind_name(enum spg_obstacle_kind kind);
const char *spg_finding_kind_name(enum spg_finding_kind kind);
const char *spg_verify_verdict_name(enum spg_verify_verdict verdict);
const char *spg_hold_cause_name(enum spg_hold_cause cause);
const char *spg_mechanism_kind_name(enum spg_mechanism_kind kind);
const char *spg_container_engine_name(enum spg_container_engine engine);
const char *spg_store_fault_name(enum spg_store_fault fault);

/** What could not be looked at, for people. */
const char *spg_lack_kind_what(enum spg_lack_kind kind);

/** The kind with @name (NULL: none); -1 when there is none. */
int spg_lack_kind_from_name(const char *name);
int spg_mechanism_kind_from_name(const char *name);
int spg_store_fault_from_name(const char *name);
int spg_event_kind_from_name(const char *name);
