/* SPDX-License-Identifier: MIT */
#include "tests/unit/store_vfs.h"

#include <stdatomic.h>
#include <string.h>

#include <sqlite3.h>

/* A test's process has one such layer: SQLite's own registry is global too. */
static sqlite3_vfs layer;
static sqlite3_vfs *below;
static atomic_int mode, fail_at, fail_on, calls, syncs;

struct layered {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct layered *)file)->real;
}

/* What the call that is about to change a file shall return. */
static int verdict(int is_sync)
{
	int n = atomic_fetch_add(&calls, 1) + 1;
	int now = atomic_load(&mode);

	if (is_sync)
		atomic_fetch_add(&syncs, 1);
	if (now == FAULT_NONE || n < atomic_load(&fail_at) ||
		(n > atomic_load(&fail_at) && !atomic_load(&fail_on)))
		return SQLITE_OK;
	if (now == FAULT_FULL)
		return is_sync ? SQLITE_OK : SQLITE_FULL;
	return is_sync ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
}

void vfs_fail(enum fault fault, int nth, int for_ever)
{
	atomic_store(&mode, FAULT_NONE);
	atomic_store(&calls, 0);
	atomic_store(&syncs, 0);
	atomic_store(&fail_at, nth);
	atomic_store(&fail_on, for_ever);
	atomic_store(&mode, (int)fault);
}

int vfs_count(void)
{
	return atomic_load(&calls);
}

int vfs_syncs(void)
{
	return atomic_load(&syncs);
}

static int layer_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int layer_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int layer_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = verdict(0);

	return rc ? rc : real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int layer_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = verdict(0);

	return rc ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int layer_sync(sqlite3_file *f, int flags)
{
	int rc = verdict(1);

	return rc ? rc : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int layer_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int layer_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int layer_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int layer_check_lock(sqlite3_file *f, int *ret)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int layer_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int layer_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int layer_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int layer_shm_map(
	sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, p);
}

static int layer_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void layer_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int layer_shm_unmap(sqlite3_file *f, int remove)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

/* Version 2: without the memory mapping of the database that 3 adds. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = layer_close,
	.xRead = layer_read,
	.xWrite = layer_write,
	.xTruncate = layer_truncate,
	.xSync = layer_sync,
	.xFileSize = layer_size,
	.xLock = layer_lock,
	.xUnlock = layer_unlock,
	.xCheckReservedLock = layer_check_lock,
	.xFileControl = layer_control,
	.xSectorSize = layer_sector,
	.xDeviceCharacteristics = layer_traits,
	.xShmMap = layer_shm_map,
	.xShmLock = layer_shm_lock,
	.xShmBarrier = layer_shm_barrier,
	.xShmUnmap = layer_shm_unmap,
};

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
	int *ret_flags)
{
	struct layered *f = (struct layered *)file;
	int rc;

	(void)vfs;
	f->real = (sqlite3_file *)(f + 1);
	rc = below->xOpen(below, name, f->real, flags, ret_flags);
	f->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
	return rc;
}

void vfs_register(void)
{
	sqlite3_initialize();
	below = sqlite3_vfs_find(NULL);
	layer = *below;
	layer.zName = "failing";
	layer.pNext = NULL;
	layer.szOsFile = (int)sizeof(struct layered) + below->szOsFile;
	layer.xOpen = layer_open;
	sqlite3_vfs_register(&layer, 1);
}
