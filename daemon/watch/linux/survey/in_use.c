/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/in_use.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/host/linux/bounded.h"

struct spg_in_use_result spg_in_use_probe_fd(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
		return (struct spg_in_use_result){.in_use = SPG_IN_USE_NO};
	}
	if (errno == EAGAIN)
		return (struct spg_in_use_result){.in_use = SPG_IN_USE_YES};
	return (struct spg_in_use_result){
		.in_use = SPG_IN_USE_UNKNOWN, .errnum = errno};
}

/* True when what cannot be opened by its handle, for @errnum, is a symbolic link or a
 * socket: nobody has any of its content. */
static bool is_no_file(const struct spg_linux_file *file, size_t index,
	const struct spg_mounts *by_handle, int errnum)
{
	struct stat st;
	bool is_other;
	int fd;

	if (errnum != ELOOP && errnum != ENXIO)
		return false;
	fd = spg_layer_open(file, index, by_handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	is_other = fd >= 0 && fstat(fd, &st) == 0 &&
	           (S_ISLNK(st.st_mode) || S_ISSOCK(st.st_mode));
	if (fd >= 0)
		close(fd);
	errno = errnum;
	return is_other;
}

static struct spg_in_use_result probe_layer(const struct spg_linux_file *file,
	size_t index, const struct spg_mounts *by_handle)
{
	struct spg_in_use_result result;
	int fd = spg_layer_open(file, index, by_handle, SPG_OPEN_READ);

	if (fd < 0) {
		/* EWOULDBLOCK: opening would have to break somebody's lease, so
		 * there is a holder. ETXTBSY cannot come for reading. */
		if (errno == EWOULDBLOCK)
			return (struct spg_in_use_result){.in_use = SPG_IN_USE_YES};
		/* An inode without users and names is gone. (ENODEV says less: a
		 * filesystem that was unmounted lazily still has users.) */
		if (by_handle &&
			(errno == ESTALE || is_no_file(file, index, by_handle, errno)))
			return (struct spg_in_use_result){
				.in_use = SPG_IN_USE_NO, .gone = true};
		return (struct spg_in_use_result){
			.in_use = SPG_IN_USE_UNKNOWN, .errnum = errno};
	}
	result = spg_in_use_probe_fd(fd);
	close(fd);
	return result;
}

struct spg_in_use_result spg_in_use_probe(
	const struct spg_linux_file *file, const struct spg_mounts *by_handle)
{
	struct spg_in_use_result all = {.in_use = SPG_IN_USE_NO, .gone = true};

	for (size_t i = 0; i < file->n_layers; i++) {
		struct spg_in_use_result one = probe_layer(file, i, by_handle);

		all.gone = all.gone && one.gone;
		if (one.in_use == SPG_IN_USE_YES)
			return one;
		if (one.in_use == SPG_IN_USE_UNKNOWN) {
			all.in_use = one.in_use;
			all.errnum = one.errnum;
		}
	}
	/* Free as far as could be seen, which is not all. */
	if (file->incomplete)
		return (struct spg_in_use_result){
			.in_use = SPG_IN_USE_UNKNOWN, .errnum = ENODATA};
	return all;
}

/* Files to probe on another thread; owns what it works on. */
struct probing {
	struct spg_linux_file **files;
	struct spg_in_use_result *results;
	size_t n;
	int64_t until_ns; /* nobody waits any more: leases would be in somebody's way */
};

static void destroy_probing(void *arg)
{
	struct probing *p = arg;

	for (size_t i = 0; p->files && i < p->n; i++)
		spg_file_unref(&p->files[i]->base);
	free(p->files);
	free(p->results);
	free(p);
}

static void probe_all(void *arg)
{
	struct probing *p = arg;

	for (size_t i = 0; i < p->n && spg_clock_mono_ns() < p->until_ns; i++)
		p->results[i] = spg_in_use_probe(p->files[i], NULL);
}

static struct probing *make_probing(struct spg_linux_file *const *files, size_t n)
{
	struct probing *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->files = calloc(n + 1, sizeof(struct spg_linux_file *));
	p->results = calloc(n + 1, sizeof(*p->results));
	p->until_ns = spg_clock_mono_ns() + SPG_IN_USE_PATIENCE_MS * SPG_NS_PER_MS;
	if (!p->files || !p->results) {
		destroy_probing(p);
		return NULL;
	}
	for (p->n = 0; p->n < n; p->n++) {
		p->files[p->n] = spg_linux_file(spg_file_ref(&files[p->n]->base));
		p->results[p->n] = (struct spg_in_use_result){
			.in_use = SPG_IN_USE_UNKNOWN, .errnum = ETIMEDOUT};
	}
	return p;
}

int spg_in_use_probe_in_time(const char *dir, struct spg_linux_file *const *files,
	size_t n, struct spg_in_use_result *ret)
{
	struct probing *p = make_probing(files, n);
	struct spg_buf place = SPG_BUF_NULL;
	int r = p ? 0 : SPG_ERR_NOMEM;

	spg_buf_printf(&place, "census:%s", dir);
	if (place.failed)
		r = SPG_ERR_NOMEM;
	if (r == 0)
		r = spg_bounded_call(spg_buf_text(&place), SPG_IN_USE_PATIENCE_MS,
			probe_all, destroy_probing, p);
	spg_buf_finish(&place);
	if (r == SPG_ERR_TIMEOUT) {
		for (size_t i = 0; i < n; i++)
			ret[i] = (struct spg_in_use_result){
				.in_use = SPG_IN_USE_UNKNOWN, .errnum = ETIMEDOUT};
		return 0;
	}
	if (r == 0)
		memcpy(ret, p->results, n * sizeof(*ret));
	if (p)
		destroy_probing(p);
	return r;
}
