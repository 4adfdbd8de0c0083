/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What NFS servers of this machine export, by the files that say so. Whoever uses files
 * on another machine shows nowhere here. Worker thread; blocks on those files only.
 *
 * The kernel's server: /var/lib/nfs/etab, which exportfs(8) keeps, while nfsd has threads
 * (/proc/fs/nfsd/threads, or "th" of /proc/net/rpc/nfsd). Servers in user space, while a
 * process of that name runs: unfsd by exports(5), ganesha.nfsd by ganesha-export-config(8).
 */
#include <stdbool.h>
#include <stddef.h>

struct spg_export {
	const char *path; /* as the file has it, unescaped; absolute */
	bool crosses;     /* the filesystems mounted below belong to it */
};

enum spg_exports_format {
	SPG_EXPORTS_TABLE,   /* etab, exports(5) */
	SPG_EXPORTS_GANESHA, /* blocks of "Path = /srv;" */
};

/** Call @each for each export that @text, which is overwritten, says. Returns 0, or what
 * @each returned that was not. */
int spg_exports_parse(char *text, enum spg_exports_format format,
	int (*each)(void *user, const struct spg_export *export), void *user);

/** One server. */
struct spg_nfs_server {
	const char *name; /* of the program, or "nfsd" of the kernel */
	const char *table;
	enum spg_exports_format format;
	bool of_kernel; /* else it runs when a process of that name does */
};

extern const struct spg_nfs_server spg_nfs_servers[];
extern const size_t spg_n_nfs_servers;

/** True when the kernel's server has threads. */
bool spg_nfsd_runs(void);

/** spg_exports_parse() with what @server's table says now; nothing where there is none.
 * Of a table beyond 1 MiB the rest is left out. */
int spg_exports_read(const struct spg_nfs_server *server,
	int (*each)(void *user, const struct spg_export *export), void *user);
