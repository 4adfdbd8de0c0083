/* SPDX-License-Identifier: MIT */
#include "daemon/host/access.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"

static int no_such_group(const struct spg_config *config, const char *key,
	const char *name, struct spg_buf *problems)
{
	spg_buf_printf(problems, "%s: %s = ", config->path, key);
	spg_text_escape(problems, name, false);
	spg_buf_puts(problems, ": there is no such group: create it (");
	spg_accounts_add_how_to_make(problems, name);
	spg_buf_puts(problems, ") or name another\n");
	return SPG_ERR_INVALID;
}

static void warn_of_no_group(const char *name)
{
	struct spg_buf how = SPG_BUF_NULL;

	spg_accounts_add_how_to_make(&how, name);
	spg_warning("there is no group \"%s\": only %s may ask (%s)", name,
		spg_accounts_root, spg_buf_text(&how));
	spg_buf_finish(&how);
}

static int resolve(const struct spg_config *config, struct spg_access *access,
	struct spg_buf *problems)
{
	int r = 0;

	if (config->group[0])
		r = spg_accounts_group(config->group, &access->gid);
	if (r == SPG_ERR_NOT_FOUND && config->group_given)
		return no_such_group(config, "group", config->group, problems);
	if (r == SPG_ERR_NOT_FOUND)
		warn_of_no_group(config->group);
	else if (r < 0)
		return r;
	access->http_gid = access->gid;
	r = 0;
	if (config->http_group) {
		access->http_gid = SPG_GID_NONE;
		if (config->http_group[0])
			r = spg_accounts_group(config->http_group, &access->http_gid);
	}
	if (r == SPG_ERR_NOT_FOUND)
		return no_such_group(
			config, "[http] group", config->http_group, problems);
	if (r == 0 && config->admin_group[0]) {
		r = spg_accounts_admins(config->admin_group, &access->admins);
		access->has_admin_group = r == 0;
	}
	if (r == SPG_ERR_NOT_FOUND)
		return no_such_group(
			config, "admin-group", config->admin_group, problems);
	return r;
}

int spg_access_resolve(const struct spg_config *config, struct spg_access *ret,
	struct spg_buf *problems)
{
	struct spg_access access = {.gid = SPG_GID_NONE, .http_gid = SPG_GID_NONE};
	int r = resolve(config, &access, problems);

	if (r < 0) {
		spg_access_finish(&access);
		return r;
	}
	*ret = access;
	return 0;
}

void spg_access_finish(struct spg_access *access)
{
	free(access->admins.members);
	*access = (struct spg_access){.gid = SPG_GID_NONE, .http_gid = SPG_GID_NONE};
}

bool spg_access_is_admin(const struct spg_access *access, uint32_t uid, uint32_t gid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	if (access->has_admin_group && gid == access->admins.gid)
		return true;
	for (size_t i = 0; i < access->admins.n; i++)
		if (access->admins.members[i] == uid)
			return true;
	return false;
}
