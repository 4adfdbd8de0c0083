/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/permission.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* linux/posix_acl_xattr.h, linux/posix_acl.h: in little endian. */
struct acl_head {
	uint32_t version;
};
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
#define ACL_VERSION 2
enum {
	ACL_USER_OWNER = 0x01,
	ACL_USER = 0x02,
	ACL_GROUP_OWNER = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
	ACL_OTHER = 0x20
};

int spg_permission_read(const char *path, struct spg_permission *ret)
{
	struct stat st;
	ssize_t n;

	if (stat(path, &st) < 0)
		return -1;
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	ret->mode = (uint16_t)st.st_mode;
	n = getxattr(path, "system.posix_acl_access", ret->acl, sizeof(ret->acl));
	if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return -1;
	ret->acl_bytes = n > 0 ? (size_t)n : 0;
	return 0;
}

static bool has_group(const struct spg_somebody *who, uint32_t gid)
{
	for (size_t i = 0; i < who->n_gids; i++)
		if (who->gids[i] == gid)
			return true;
	return false;
}

static bool by_mode(const struct spg_permission *permission,
	const struct spg_somebody *who, unsigned wanted)
{
	unsigned granted = permission->mode;

	if (who->uid == permission->uid)
		granted >>= 6;
	else if (has_group(who, permission->gid))
		granted >>= 3;
	return (granted & wanted) == wanted;
}

static size_t n_entries(const struct spg_permission *permission)
{
	struct acl_head head;

	if (permission->acl_bytes < sizeof(head))
		return 0;
	memcpy(&head, permission->acl, sizeof(head));
	return le32toh(head.version) == ACL_VERSION
	               ? (permission->acl_bytes - sizeof(head)) /
	                         sizeof(struct acl_entry)
	               : 0;
}

static struct acl_entry entry_at(const struct spg_permission *permission, size_t index)
{
	struct acl_entry raw;

	memcpy(&raw, permission->acl + sizeof(struct acl_head) + index * sizeof(raw),
		sizeof(raw));
	return (struct acl_entry){le16toh(raw.tag), le16toh(raw.perm), le32toh(raw.id)};
}

static unsigned mask_of(const struct spg_permission *permission)
{
	for (size_t i = 0; i < n_entries(permission); i++)
		if (entry_at(permission, i).tag == ACL_MASK)
			return entry_at(permission, i).perm;
	return SPG_MAY_READ | SPG_MAY_WRITE | SPG_MAY_SEARCH;
}

/* As posix_acl_permission() in fs/posix_acl.c: the first user that fits decides; of the
 * groups any one that grants all; others only where no group fits. */
static bool by_acl(const struct spg_permission *permission,
	const struct spg_somebody *who, unsigned wanted)
{
	bool any_group = false;

	for (size_t i = 0; i < n_entries(permission); i++) {
		struct acl_entry entry = entry_at(permission, i);
		bool grants = (entry.perm & wanted) == wanted;
		bool masked = (entry.perm & mask_of(permission) & wanted) == wanted;

		switch (entry.tag) {
		case ACL_USER_OWNER:
			if (who->uid == permission->uid)
				return grants;
			break;
		case ACL_USER:
			if (who->uid == entry.id)
				return masked;
			break;
		case ACL_GROUP_OWNER:
		case ACL_GROUP:
			if (!has_group(who, entry.tag == ACL_GROUP ? entry.id
								   : permission->gid))
				break;
			any_group = true;
			if (grants)
				return masked;
			break;
		case ACL_OTHER:
			return !any_group && grants;
		default:
			break;
		}
	}
	return false;
}

bool spg_permission_allows(const struct spg_permission *permission,
	const struct spg_somebody *who, unsigned wanted)
{
	return n_entries(permission) > 0 ? by_acl(permission, who, wanted)
	                                 : by_mode(permission, who, wanted);
}
