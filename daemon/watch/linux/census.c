/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/census.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct spg_census_result spg_census_probe_fd(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
		return (struct spg_census_result){.census = SPG_CENSUS_FREE};
	}
	if (errno == EAGAIN)
		return (struct spg_census_result){.census = SPG_CENSUS_BUSY};
	return (struct spg_census_result){
		.census = SPG_CENSUS_UNKNOWN, .errnum = errno};
}

static struct spg_census_result probe_layer(const struct spg_linux_file *file,
	size_t index, const struct spg_mounts *by_handle)
{
	struct spg_census_result result;
	int fd = spg_layer_open(file, index, by_handle, SPG_OPEN_READ);

	if (fd < 0) {
		/* EWOULDBLOCK: opening would have to break somebody's lease, so
		 * there is a holder. ETXTBSY cannot come for reading. */
		if (errno == EWOULDBLOCK)
			return (struct spg_census_result){.census = SPG_CENSUS_BUSY};
		/* An inode without users and names is gone. (ENODEV says less: a
		 * filesystem that was unmounted lazily still has users.) */
		if (by_handle && errno == ESTALE)
			return (struct spg_census_result){
				.census = SPG_CENSUS_FREE, .gone = true};
		return (struct spg_census_result){
			.census = SPG_CENSUS_UNKNOWN, .errnum = errno};
	}
	result = spg_census_probe_fd(fd);
	close(fd);
	return result;
}

struct spg_census_result spg_census_probe(
	const struct spg_linux_file *file, const struct spg_mounts *by_handle)
{
	struct spg_census_result all = {.census = SPG_CENSUS_FREE, .gone = true};

	for (size_t i = 0; i < file->n_layers; i++) {
		struct spg_census_result one = probe_layer(file, i, by_handle);

		all.gone = all.gone && one.gone;
		if (one.census == SPG_CENSUS_BUSY)
			return one;
		if (one.census == SPG_CENSUS_UNKNOWN) {
			all.census = one.census;
			all.errnum = one.errnum;
		}
	}
	/* Free as far as could be seen, which is not all. */
	if (file->incomplete)
		return (struct spg_census_result){
			.census = SPG_CENSUS_UNKNOWN, .errnum = ENODATA};
	return all;
}
