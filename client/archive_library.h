/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * libarchive, loaded when the first archive is read: it and what it needs would more
 * than double the time that the client takes to start.
 */
#include <archive.h>
#include <archive_entry.h>

/* What is called of it. */
#define SPG_ARCHIVE_CALLS(X)                                                           \
	X(archive_entry_filetype)                                                      \
	X(archive_entry_hardlink)                                                      \
	X(archive_entry_hardlink_utf8)                                                 \
	X(archive_entry_is_encrypted)                                                  \
	X(archive_entry_pathname)                                                      \
	X(archive_entry_pathname_utf8)                                                 \
	X(archive_entry_size)                                                          \
	X(archive_entry_size_is_set)                                                   \
	X(archive_entry_symlink)                                                       \
	X(archive_entry_symlink_utf8)                                                  \
	X(archive_errno)                                                               \
	X(archive_error_string)                                                        \
	X(archive_filter_bytes)                                                        \
	X(archive_filter_code)                                                         \
	X(archive_filter_count)                                                        \
	X(archive_format)                                                              \
	X(archive_read_data)                                                           \
	X(archive_read_data_skip)                                                      \
	X(archive_read_free)                                                           \
	X(archive_read_has_encrypted_entries)                                          \
	X(archive_read_new)                                                            \
	X(archive_read_next_header)                                                    \
	X(archive_read_open1)                                                          \
	X(archive_read_set_callback_data)                                              \
	X(archive_read_set_read_callback)                                              \
	X(archive_read_set_seek_callback)                                              \
	X(archive_read_support_filter_bzip2)                                           \
	X(archive_read_support_filter_compress)                                        \
	X(archive_read_support_filter_gzip)                                            \
	X(archive_read_support_filter_lz4)                                             \
	X(archive_read_support_filter_lzma)                                            \
	X(archive_read_support_filter_rpm)                                             \
	X(archive_read_support_filter_xz)                                              \
	X(archive_read_support_filter_zstd)                                            \
	X(archive_read_support_format_7zip)                                            \
	X(archive_read_support_format_ar)                                              \
	X(archive_read_support_format_cab)                                             \
	X(archive_read_support_format_cpio)                                            \
	X(archive_read_support_format_iso9660)                                         \
	X(archive_read_support_format_raw)                                             \
	X(archive_read_support_format_tar)                                             \
	X(archive_read_support_format_zip_seekable)

struct spg_archive_library {
#define SPG_ARCHIVE_FIELD(name) __typeof__(&(name)) name;
	SPG_ARCHIVE_CALLS(SPG_ARCHIVE_FIELD)
#undef SPG_ARCHIVE_FIELD
};

/** Load it, once. Not thread-safe. NULL: it cannot be, *@ret_why says why. */
const struct spg_archive_library *spg_archive_library_load(const char **ret_why);
