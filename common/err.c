/* SPDX-License-Identifier: MIT */
#include "common/err.h"

#include <errno.h>

const char *spg_err_text(int err)
{
	switch (err) {
	case 0:
		return "success";
	case SPG_ERR_NOMEM:
		return "out of memory";
	case SPG_ERR_IO:
		return "the system refused";
	case SPG_ERR_DENIED:
		return "permission denied";
	case SPG_ERR_INVALID:
		return "invalid input";
	case SPG_ERR_UNSUPPORTED:
		return "not supported here";
	case SPG_ERR_BUSY:
		return "busy";
	case SPG_ERR_TIMEOUT:
		return "timed out";
	case SPG_ERR_CORRUPT:
		return "damaged";
	case SPG_ERR_FULL:
		return "full";
	case SPG_ERR_NOT_FOUND:
		return "not found";
	case SPG_ERR_LIMIT:
		return "limit reached";
	case SPG_ERR_EXISTS:
		return "there is one already";
	default:
		return err > 0 ? "an outcome, not an error" : "unknown error";
	}
}

int spg_err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return 0;
	case ENOMEM:
		return SPG_ERR_NOMEM;
	case EACCES:
	case EPERM:
		return SPG_ERR_DENIED;
	case ENOENT:
	case ENOTDIR:
		return SPG_ERR_NOT_FOUND;
	case ENOSPC:
		return SPG_ERR_FULL;
	case EMFILE:
	case ENFILE:
		return SPG_ERR_LIMIT;
	case EBUSY:
	case EADDRINUSE:
		return SPG_ERR_BUSY;
	case EEXIST:
		return SPG_ERR_EXISTS;
	case ETIMEDOUT:
		return SPG_ERR_TIMEOUT;
	case EINVAL:
	case ENAMETOOLONG:
		return SPG_ERR_INVALID;
	case ENOSYS:
	case EOPNOTSUPP:
		return SPG_ERR_UNSUPPORTED;
	default:
		return SPG_ERR_IO;
	}
}

bool spg_errno_is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}
