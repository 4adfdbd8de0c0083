/* SPDX-License-Identifier: MIT */
#include "daemon/host/accounts.h"

#include <grp.h>
#include <pwd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

const char spg_accounts_root[] = "root";

void spg_accounts_add_how_to_make(struct spg_buf *out, const char *name)
{
	spg_buf_puts(out, "groupadd --system ");
	spg_text_shell_quote(out, name);
}

int spg_accounts_group(const char *name, gid_t *ret)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return SPG_ERR_NOT_FOUND;
	*ret = group->gr_gid;
	return 0;
}

int spg_accounts_admins(const char *name, struct spg_group *ret)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return SPG_ERR_NOT_FOUND;
	*ret = (struct spg_group){.gid = group->gr_gid};
	for (char **member = group->gr_mem; *member; member++) {
		const struct passwd *user = getpwnam(*member);

		if (!user)
			continue;
		if (spg_array_reserve(&ret->members, ret->n, &ret->size,
			    sizeof(*ret->members)) < 0)
			return SPG_ERR_NOMEM;
		ret->members[ret->n++] = user->pw_uid;
	}
	return 0;
}
