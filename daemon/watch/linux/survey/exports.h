/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What NFS servers of this machine export, by the files that say so. Whoever uses files
 * on another machine shows nowhere here. Worker thread.
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

/* One server. */
struct spg_nfs_server {
	const char *name; /* of the program, or "nfsd" of the kernel */
	const char *table;
	enum spg_exports_format format;
	bool of_kernel; /* else it runs when a process of that name does */
};

#define SPG_N_NFS_SERVERS 3
extern const struct spg_nfs_server spg_nfs_servers[SPG_N_NFS_SERVERS];

/* What the servers' files said. */
struct spg_nfs_tables {
	bool kernel_runs;
	char *texts[SPG_N_NFS_SERVERS]; /* of each server; NULL: no such file */
};

/**
 * Read them, for @timeout_ms at most: they may lie on another server, and the kernel's
 * own waits while it stops. Of a table beyond 1 MiB the rest is left out. Returns 0 and
 * *ret, which spg_nfs_tables_destroy() releases; SPG_ERR_TIMEOUT; or SPG_ERR_NOMEM.
 */
int spg_nfs_tables_read(unsigned timeout_ms, struct spg_nfs_tables **ret);
void spg_nfs_tables_destroy(struct spg_nfs_tables *tables); /* takes NULL */
