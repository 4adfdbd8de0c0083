/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the daemon and its guard (guard.h) say to each other.
 *
 * The profile, all that the guard has to know, comes as a file that the daemon
 * wrote before (memfd_create(2)): lines that end in a zero byte, the first one the
 * version, each other one a letter and its text:
 *   D  a directory      P  a pattern of file names       R  "PID START", a root of
 *   r  recursive        i  names ignore case             the installer's tree
 *   T  nanoseconds      A  "PID START", the daemon itself
 * Messages go over a socket that keeps their bounds (SOCK_SEQPACKET): a fixed head
 * in the machine's own byte order, then texts that end in a zero byte each. Both
 * ends are the same program, so that another version is a mistake, not a case.
 *
 * Pure, but for send and receive, which never block.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/identity.h"
#include "daemon/model/product.h"

#define SPG_GUARD_VERSION    1
#define SPG_GUARD_TEXT_MAX   6144
#define SPG_GUARD_ROOTS      32

/* The descriptors that the guard starts with, and the arguments. */
#define SPG_GUARD_SOCKET     3
#define SPG_GUARD_PROFILE    4
#define SPG_GUARD_NAME       "spguard-guard"
#define SPG_GUARD_ARGUMENT   "--guard"

/* Each tells the other that it lives so often, and is taken for stuck after so
 * long. An opener waits for the sum at most. */
#define SPG_GUARD_BEAT_MS    250
#define SPG_GUARD_SILENCE_MS 1250
/* As long as nobody can be waiting: directories are listed, a disk may be slow. */
#define SPG_GUARD_FIRST_MS   10000

struct spg_guard_profile {
	struct spg_product *product;
	struct spg_proc_id roots[SPG_GUARD_ROOTS];
	size_t n_roots;
	struct spg_proc_id daemon;
	int64_t duration_ns;
};

#define SPG_GUARD_PROFILE_NULL                                                         \
	{                                                                              \
		.product = NULL                                                        \
	}

/** Append @profile to @buf; buf->failed tells of missing memory. */
void spg_guard_profile_write(
	const struct spg_guard_profile *profile, struct spg_buf *buf);

/** The reverse, from @n bytes that end in a zero byte. Returns 0, SPG_ERR_INVALID
 * or SPG_ERR_NOMEM. */
int spg_guard_profile_read(const char *bytes, size_t n, struct spg_guard_profile *ret);

/** Idempotent; takes SPG_GUARD_PROFILE_NULL. */
void spg_guard_profile_finish(struct spg_guard_profile *profile);

enum spg_guard_kind {
	/* The daemon's. */
	SPG_GUARD_SAY_BEAT,
	SPG_GUARD_SAY_RENEW, /* number: nanoseconds from now */
	SPG_GUARD_SAY_WALK,  /* directories appeared: find them */
	SPG_GUARD_SAY_END,
	/* The guard's. number: refusals so far; more: of which not told. */
	SPG_GUARD_TELL_BEAT,
	SPG_GUARD_TELL_BEGUN,   /* number: files; more: directories */
	SPG_GUARD_TELL_FAILED,  /* text 0: why */
	SPG_GUARD_TELL_REFUSED, /* number: how many times; more: 1 for an execution;
	                           at_ns, process, file, uid; texts: path, name,
	                           executable, unit */
	SPG_GUARD_TELL_ENDED,   /* cause: an enum spg_guard_end */
	SPG_GUARD_KINDS
};

struct spg_guard_message {
	uint16_t version, kind;
	uint32_t n_text; /* bytes of text in use */
	struct spg_proc_id process;
	struct spg_file_id file;
	uint32_t uid;
	uint32_t manager_uid; /* whose service manager runs the unit; SPG_UID_UNKNOWN */
	uint32_t cause;
	uint64_t number, more;
	int64_t at_ns; /* UTC */
	char text[SPG_GUARD_TEXT_MAX];
};

/** An empty message. */
void spg_guard_message_init(
	struct spg_guard_message *message, enum spg_guard_kind kind);

/** Append a text, NULL as an empty one; what there is no room for is cut off. */
void spg_guard_message_add(struct spg_guard_message *message, const char *text);

/** Text @index; "" when there is none. */
const char *spg_guard_message_text(
	const struct spg_guard_message *message, unsigned index);

/** Bytes that travel. */
size_t spg_guard_message_bytes(const struct spg_guard_message *message);

/** True when @n bytes are a whole message of this version. */
bool spg_guard_message_is_whole(const struct spg_guard_message *message, size_t n);

/** Returns 0; SPG_ERR_FULL when the other end does not read; or SPG_ERR_IO when it
 * has gone. */
int spg_guard_send(int fd, const struct spg_guard_message *message);

/** The next message. Returns 0; SPG_ERR_NOT_FOUND when there is none now;
 * SPG_ERR_IO when the other end has gone; SPG_ERR_CORRUPT. */
int spg_guard_receive(int fd, struct spg_guard_message *ret);
