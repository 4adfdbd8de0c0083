/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Processes as /proc shows them. Everything read here was chosen by somebody
 * else and may change or vanish between two reads: a process is opened once
 * and then read through that descriptor, which never names another process
 * that got the pid later (proc(5): reads fail with ESRCH after its end).
 *
 * Thread-safe: functions on local data; the user names have a lock of their own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/model/process.h"
#include "daemon/watch/linux/proc/read.h"

struct spg_users;

/** Names of users, cached. NULL: out of memory. */
struct spg_users *spg_users_create(void);
void spg_users_destroy(struct spg_users *users); /* takes NULL */

/** What a reader of processes needs. */
struct spg_proc_reader {
	struct spg_users *users;
	/* May wait: for a directory service that has the user's name, or for some time
	 * (memory.h) for the command line of a process that is stuck. Never on the loop. */
	bool may_block;
};

/** Start of the process in clock ticks since boot, its parent and its state
 * letter (proc_pid_stat(5): fields 22, 4 and 3), and its name. Returns 0 or
 * SPG_ERR_NOT_FOUND. Each pointer may be NULL; @name holds SPG_PROC_NAME. */
#define SPG_PROC_NAME 64
int spg_proc_stat(int proc_fd, uint64_t *ret_start, int32_t *ret_ppid, char *ret_state,
	char *name);

/** How the process, which nobody has waited for yet, has ended, as wait(2) has it (field 52),
 * and its start. Returns 0, or SPG_ERR_NOT_FOUND: it runs, or is gone. */
int spg_proc_wait_status(int proc_fd, uint64_t *ret_start, int *ret);

/** The path of the executable of the process behind @proc_fd, as far as it fits. False
 * when it has none, or it is not ours to see. */
bool spg_proc_exe(int proc_fd, char *buf, size_t size);

/**
 * Read all that spguard shows about the process behind @proc_fd into a new
 * record. @key: the backend's identity, or 0. Returns 0 and *ret; or
 * SPG_ERR_NOT_FOUND when it ended meanwhile; or SPG_ERR_NOMEM.
 */
int spg_proc_read(const struct spg_proc_reader *reader, int proc_fd, int32_t pid,
	uint64_t key, struct spg_process **ret);

/** The command line of a process, words joined by blanks, at most @size - 1 bytes; one
 * that is longer ends with "...". Not on the loop, see memory.h. False: not known. */
bool spg_proc_cmdline(int proc_fd, char *buf, size_t size);

/** Complete @name, of SPG_PROC_NAME bytes, which the kernel cuts to 15: @exe or the
 * first word of @cmdline may have the rest (either may be NULL). */
void spg_proc_complete_name(char *name, const char *exe, const char *cmdline);

/** The start of a process as in struct spg_process, from the kernel's own record of
 * it, in nanoseconds since boot. */
void spg_proc_started(
	uint64_t start_boottime, uint64_t *ret_start, int64_t *ret_started_ns);

/** The name of user @uid, or its number, copied into @buf. */
void spg_users_name(
	struct spg_users *users, uint32_t uid, bool may_block, char *buf, size_t size);

/* Whose unit it is: the machine's, or that of a user's manager. */
enum spg_unit_manager { SPG_UNIT_OF_SYSTEM, SPG_UNIT_OF_USER };

/**
 * True when a unit file or drop-in of @unit in systemd's directories says
 * RefuseManualStop=yes (systemd.unit(5)). Reads files under @root ("" for the
 * running system); not on the loop thread.
 */
bool spg_unit_refuses_stop(
	const char *root, enum spg_unit_manager manager, const char *unit);

#define SPG_UNIT_TRIGGERS 512

/**
 * The sockets, paths and timers that start @unit when it has been stopped,
 * by their files in systemd's directories: names with blanks between them, as far as they
 * fit; "" none. They may be stopped themselves. As spg_unit_refuses_stop().
 */
void spg_unit_triggers(const char *root, enum spg_unit_manager manager,
	const char *unit, char ret[SPG_UNIT_TRIGGERS]);

/** True when D-Bus starts @unit for whoever asks for its name: a service of the bus says
 * SystemdService= with its name, or with another one that it was enabled by, and it is not masked. As
 * spg_unit_refuses_stop(). */
bool spg_unit_is_on_bus(
	const char *root, enum spg_unit_manager manager, const char *unit);

/* What the files of a unit say. */
struct spg_unit_facts {
	bool refuses_stop, on_bus;
	char triggers[SPG_UNIT_TRIGGERS];
};

/** All of @unit; the answers of the last second are remembered by each
 * thread, since a service may have thousands of processes. As
 * spg_unit_refuses_stop(). */
void spg_unit_read(
	enum spg_unit_manager manager, const char *unit, struct spg_unit_facts *ret);
