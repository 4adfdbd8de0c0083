/* SPDX-License-Identifier: MIT */
#include "common/pe_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/pe_other.h"

struct file {
	int fd;
	int errnum;
	bool shortened;
};

static int read_exactly(void *user, uint64_t offset, void *buf, size_t n)
{
	struct file *file = user;
	char *to = buf;

	while (n > 0) {
		ssize_t got = pread(file->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			file->errnum = errno;
			return spg_err_from_errno(errno);
		}
		if (got == 0) {
			file->shortened = true;
			return SPG_ERR_BUSY;
		}
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int spg_pe_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error)
{
	return spg_pe_read_named_fd(ret, fd, "", error);
}

int spg_pe_read_named_fd(
	struct spg_binary **ret, int fd, const char *name, struct spg_buf *error)
{
	struct file file = {.fd = fd};
	struct spg_pe_source source = {&file, read_exactly, 0};
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0) {
		spg_buf_clear(error);
		spg_buf_puts(error, strerror(errno));
		return spg_err_from_errno(errno);
	}
	source.size = (uint64_t)st.st_size;
	err = spg_pe_read(ret, &source, error);
	if (err == SPG_ERR_INVALID)
		err = spg_pe_judge_other(&source, name, error);
	if (file.errnum || file.shortened) {
		spg_buf_clear(error);
		spg_buf_puts(error, file.errnum
					    ? strerror(file.errnum)
					    : "it became shorter while it was read");
	}
	return err;
}

int spg_pe_signed_begin_fd(struct spg_pe_signed *ret, int fd)
{
	struct file file = {.fd = fd};
	struct spg_pe_source source = {&file, read_exactly, 0};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return spg_err_from_errno(errno);
	source.size = (uint64_t)st.st_size;
	return spg_pe_signed_begin(ret, &source);
}
