/* SPDX-License-Identifier: MIT */
#include "daemon/host/access.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

static int no_such_group(const struct spg_config *config, const char *key,
	const char *name, struct spg_buf *problems)
{
	spg_buf_printf(problems, "%s: %s = ", config->path, key);
	spg_text_escape(problems, name, false);
	spg_buf_puts(
		problems, ": there is no such group: create it (groupadd --system ");
	spg_text_shell_quote(problems, name);
	spg_buf_puts(problems, ") or name another\n");
	return SPG_ERR_INVALID;
}

static int add_admins(struct spg_access *access, const struct group *group)
{
	for (char **member = group->gr_mem; *member; member++) {
		const struct passwd *user = getpwnam(*member);

		if (!user)
			continue;
		if (spg_array_reserve(&access->admins, access->n_admins,
			    &access->size_admins, sizeof(*access->admins)) < 0)
			return SPG_ERR_NOMEM;
		access->admins[access->n_admins++] = user->pw_uid;
	}
	return 0;
}

int spg_access_resolve(const struct spg_config *config, struct spg_access *ret,
	struct spg_buf *problems)
{
	struct spg_access access = {.gid = SPG_GID_NONE, .http_gid = SPG_GID_NONE};
	const struct group *group;
	int r = 0;

	if (config->group[0]) {
		group = getgrnam(config->group);
		if (group)
			access.gid = group->gr_gid;
		else if (config->group_given)
			return no_such_group(config, "group", config->group, problems);
		else
			spg_warning("there is no group \"%s\": only root may ask "
				    "(groupadd --system %s)",
				config->group, config->group);
	}
	access.http_gid = access.gid;
	if (config->http_group && config->http_group[0]) {
		group = getgrnam(config->http_group);
		if (!group)
			return no_such_group(
				config, "[http] group", config->http_group, problems);
		access.http_gid = group->gr_gid;
	} else if (config->http_group) {
		access.http_gid = SPG_GID_NONE;
	}
	if (config->admin_group[0]) {
		group = getgrnam(config->admin_group);
		if (!group)
			return no_such_group(
				config, "admin-group", config->admin_group, problems);
		access.has_admin_group = true;
		access.admin_gid = group->gr_gid;
		r = add_admins(&access, group);
	}
	if (r < 0) {
		spg_access_finish(&access);
		return r;
	}
	*ret = access;
	return 0;
}

void spg_access_finish(struct spg_access *access)
{
	free(access->admins);
	*access = (struct spg_access){.gid = SPG_GID_NONE, .http_gid = SPG_GID_NONE};
}

bool spg_access_is_admin(const struct spg_access *access, uint32_t uid, uint32_t gid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	if (access->has_admin_group && gid == access->admin_gid)
		return true;
	for (size_t i = 0; i < access->n_admins; i++)
		if (access->admins[i] == uid)
			return true;
	return false;
}
