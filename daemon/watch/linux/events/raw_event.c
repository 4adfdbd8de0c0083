/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/raw_event.h"

#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>

/* Copy a fid record of @len bytes at @record; false when it does not fit what
 * fanotify(7) says. */
static bool parse_fid(
	const char *record, size_t len, struct spg_fid *fid, const char **ret_name)
{
	struct fanotify_event_info_fid info;
	struct file_handle head;
	const char *at = record + sizeof(info), *end = record + len;

	memset(fid, 0, sizeof(*fid));
	if (len < sizeof(info) + sizeof(head))
		return false;
	memcpy(&info, record, sizeof(info));
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	if (head.handle_bytes > SPG_HANDLE_MAX ||
		head.handle_bytes > (size_t)(end - at))
		return false;
	memcpy(&fid->fsid, &info.fsid, sizeof(fid->fsid));
	fid->handle.type = head.handle_type;
	fid->handle.n_bytes = head.handle_bytes;
	memcpy(fid->handle.bytes, at, head.handle_bytes);
	at += head.handle_bytes;
	if (ret_name)
		*ret_name = at < end && memchr(at, '\0', (size_t)(end - at)) ? at : "";
	return true;
}

static void parse_info(
	uint8_t type, const char *record, size_t len, struct spg_raw_event *event)
{
	struct fanotify_event_info_pidfd pidfd;

	switch (type) {
	case FAN_EVENT_INFO_TYPE_FID:
		event->has_target = parse_fid(record, len, &event->target, NULL);
		break;
	case FAN_EVENT_INFO_TYPE_DFID_NAME:
	case FAN_EVENT_INFO_TYPE_DFID:
	case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
		event->old_name.has = parse_fid(
			record, len, &event->old_name.fid, &event->old_name.name);
		break;
	case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
		event->new_name.has = parse_fid(
			record, len, &event->new_name.fid, &event->new_name.name);
		break;
	case FAN_EVENT_INFO_TYPE_PIDFD:
		if (len < sizeof(pidfd))
			break;
		memcpy(&pidfd, record, sizeof(pidfd));
		event->pidfd = pidfd.pidfd >= 0 ? pidfd.pidfd : -1;
		break;
	default:
		break; /* a kind of record that a newer kernel adds */
	}
}

size_t spg_raw_fanotify(const char *at, size_t len, struct spg_raw_event *ret)
{
	struct fanotify_event_metadata metadata;
	const char *info, *end;

	*ret = (struct spg_raw_event){.pidfd = -1, .fd = -1};
	if (len < sizeof(metadata))
		return 0;
	memcpy(&metadata, at, sizeof(metadata));
	if (metadata.event_len < sizeof(metadata) || metadata.event_len > len)
		return 0;
	if (metadata.vers != FANOTIFY_METADATA_VERSION)
		return metadata.event_len;
	ret->mask = metadata.mask;
	ret->pid = metadata.pid;
	ret->fd = metadata.fd >= 0 ? metadata.fd : -1;
	info = at + metadata.metadata_len;
	end = at + metadata.event_len;
	while (info + sizeof(struct fanotify_event_info_header) <= end) {
		struct fanotify_event_info_header header;

		memcpy(&header, info, sizeof(header));
		if (header.len < sizeof(header) || header.len > end - info)
			break;
		parse_info(header.info_type, info, header.len, ret);
		info += header.len;
	}
	return metadata.event_len;
}

/* Copy the event's fixed part. Returns its length, or 0. */
static size_t take_inotify(const char *at, size_t len, struct inotify_event *ret)
{
	if (len < sizeof(*ret))
		return 0;
	memcpy(ret, at, sizeof(*ret));
	return ret->len <= len - sizeof(*ret) ? sizeof(*ret) + ret->len : 0;
}

static struct spg_raw_name name_of(const struct inotify_event *event, const char *at)
{
	/* The kernel fills the name up with zeros. */
	return (struct spg_raw_name){.has = true,
		.fid = spg_fid_of_watch(event->wd),
		.name = event->len > 0 ? at + sizeof(*event) : ""};
}

size_t spg_raw_inotify(const char *at, size_t len, struct spg_raw_event *ret)
{
	static const uint32_t moved = IN_MOVED_FROM | IN_MOVED_TO;
	struct inotify_event event, next;
	size_t used = take_inotify(at, len, &event), used_next;

	*ret = (struct spg_raw_event){.pidfd = -1, .fd = -1, .anonymous = true};
	if (used == 0)
		return 0;
	ret->mask = event.mask & ~(uint64_t)(moved | IN_IGNORED | IN_UNMOUNT);
	if (event.wd < 0)
		return used;
	ret->mark_gone = (event.mask & IN_IGNORED) != 0;
	if (event.mask & moved)
		ret->mask |= FAN_RENAME;
	if (event.mask & IN_MOVED_TO)
		ret->new_name = name_of(&event, at);
	else
		ret->old_name = name_of(&event, at);
	if (!(event.mask & IN_MOVED_FROM))
		return used;
	used_next = take_inotify(at + used, len - used, &next);
	if (used_next == 0 || !(next.mask & IN_MOVED_TO) || next.cookie != event.cookie)
		return used;
	ret->new_name = name_of(&next, at + used);
	return used + used_next;
}
