/* SPDX-License-Identifier: MIT */
#include "daemon/host/accounts.h"

#include <string.h>

#include "common/err.h"
#include "common/identity.h"
#include "common/text.h"
#include "common/windows/users.h"

const char spg_accounts_root[] = "administrators";

/* For cmd.exe: a name has no quotation marks (LookupAccountName). */
void spg_accounts_add_how_to_make(struct spg_buf *out, const char *name)
{
	const char *quote = strpbrk(name, " &|<>^()") ? "\"" : "";

	spg_buf_printf(out, "net localgroup %s", quote);
	spg_text_escape(out, name, false);
	spg_buf_printf(out, "%s /add", quote);
}

int spg_accounts_group(const char *name, gid_t *ret)
{
	return spg_windows_group(name, false, ret);
}

/* A group of a domain has its members there: whose token has it is one. */
int spg_accounts_admins(const char *name, struct spg_group *ret)
{
	int r;

	*ret = (struct spg_group){.gid = SPG_GID_NONE};
	r = spg_windows_group(name, true, &ret->gid);
	if (r < 0)
		return r;
	r = spg_windows_members(name, &ret->members, &ret->n);
	ret->size = ret->n;
	return r == SPG_ERR_NOT_FOUND ? 0 : r;
}
