/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The database of rpm, where it is SQLite (rpmdb.sqlite, as rpm has it since 4.16): its
 * tables Packages (hnum, blob: a header), Name and Basenames (key, hnum, idx: the number in
 * the header's list). It is read only while its log (-wal) is empty, and then as it lies on
 * the disk: no lock is taken and nothing is written. Background thread.
 *
 * A header (rpm's manual, "Package format"): numbers of its entries and of its bytes of
 * data; each entry with tag, type, offset in the data and count; the data. All numbers have
 * four bytes, the highest first.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/host/linux/asked.h"
#include "daemon/model/package.h"

/* Bytes of a header; rpm itself takes 256 MiB. */
#define SPG_RPM_HEADER_MAX (64U << 20)

struct spg_rpm_header {
	const char *name, *version, *release; /* NULL: it has none */
	uint32_t epoch;
	bool has_epoch;
	/* The path of file i is dirs[number at dir_indexes + 4 * i] and bases[i]. */
	const char **bases, **dirs;
	const unsigned char *dir_indexes;
	size_t n_bases, n_dirs, n_dir_indexes;
};

/** Take apart the @n bytes at @blob, to which @ret refers. Pure. Returns 0, SPG_ERR_INVALID
 * or SPG_ERR_NOMEM; spg_rpm_header_finish() follows either. */
int spg_rpm_header_parse(
	struct spg_rpm_header *ret, const unsigned char *blob, size_t n);

void spg_rpm_header_finish(struct spg_rpm_header *header); /* idempotent */

/** The directory and the last part of the path of file @i; false: there is no such. */
bool spg_rpm_header_file(const struct spg_rpm_header *header, size_t i,
	const char **ret_dir, const char **ret_base);

struct spg_rpm;

/** @path: the directory of the database, copied. NULL: out of memory. */
struct spg_rpm *spg_rpm_create(const char *path);

void spg_rpm_destroy(struct spg_rpm *rpm); /* takes NULL */

/** True when there is one of this kind. */
bool spg_rpm_is_there(const struct spg_rpm *rpm);

/** Begin to read. @asked and @known, see packages.h, are borrowed until the last step. */
void spg_rpm_begin(
	struct spg_rpm *rpm, struct spg_asked *asked, const struct spg_packages *known);

/** As spg_dpkg_step(). */
int spg_rpm_step(struct spg_rpm *rpm, struct spg_packages *ret, int64_t until_ns,
	const char **ret_why);
