/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "daemon/model/process.h"

/* --- the profile ----------------------------------------------------------- */

static void add_line(struct spg_buf *buf, char letter, const char *text)
{
	spg_buf_putc(buf, letter);
	spg_buf_puts(buf, text);
	spg_buf_putc(buf, '\0');
}

static void add_process(struct spg_buf *buf, char letter, struct spg_proc_id id)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRId32 " %" PRIu64, id.pid, id.start);
	add_line(buf, letter, text);
}

void spg_guard_profile_write(
	const struct spg_guard_profile *profile, struct spg_buf *buf)
{
	const struct spg_product *product = profile->product;
	char text[32];

	snprintf(text, sizeof(text), "%d", SPG_GUARD_VERSION);
	add_line(buf, 'V', text);
	for (size_t i = 0; i < product->n_directories; i++)
		add_line(buf, 'D', product->directories[i].path);
	for (size_t i = 0; i < product->n_patterns; i++)
		add_line(buf, 'P', product->patterns[i]);
	if (product->recursive)
		add_line(buf, 'r', "");
	if (product->ignore_case)
		add_line(buf, 'i', "");
	for (size_t i = 0; i < profile->n_roots; i++)
		add_process(buf, 'R', profile->roots[i]);
	add_process(buf, 'A', profile->daemon);
	snprintf(text, sizeof(text), "%" PRId64, profile->duration_ns);
	add_line(buf, 'T', text);
}

static int read_process(const char *text, struct spg_proc_id *ret)
{
	return sscanf(text, "%" SCNd32 " %" SCNu64, &ret->pid, &ret->start) == 2
	               ? 0
	               : SPG_ERR_INVALID;
}

static int read_line(const char *line, struct spg_guard_profile *profile)
{
	const char *text = line + 1;

	switch (line[0]) {
	case 'D':
		return spg_product_add_directory(profile->product, text, "");
	case 'P':
		return spg_product_add_pattern(profile->product, text);
	case 'r':
		profile->product->recursive = true;
		return 0;
	case 'i':
		profile->product->ignore_case = true;
		return 0;
	case 'R':
		if (profile->n_roots == SPG_GUARD_ROOTS)
			return SPG_ERR_INVALID;
		return read_process(text, &profile->roots[profile->n_roots++]);
	case 'A':
		return read_process(text, &profile->daemon);
	case 'T':
		return sscanf(text, "%" SCNd64, &profile->duration_ns) == 1
		               ? 0
		               : SPG_ERR_INVALID;
	default:
		return SPG_ERR_INVALID;
	}
}

int spg_guard_profile_read(const char *bytes, size_t n, struct spg_guard_profile *ret)
{
	struct spg_guard_profile profile = SPG_GUARD_PROFILE_NULL;
	size_t at;
	int r = 0;

	if (n < 2 || bytes[n - 1] != '\0' || bytes[0] != 'V' ||
		atoi(bytes + 1) != SPG_GUARD_VERSION)
		return SPG_ERR_INVALID;
	profile.product = spg_product_create("guarded");
	if (!profile.product)
		return SPG_ERR_NOMEM;
	for (at = strlen(bytes) + 1; r == 0 && at < n; at += strlen(bytes + at) + 1)
		r = read_line(bytes + at, &profile);
	if (r == 0 && (profile.product->n_directories == 0 || profile.n_roots == 0 ||
			      profile.duration_ns <= 0))
		r = SPG_ERR_INVALID;
	if (r < 0)
		spg_guard_profile_finish(&profile);
	else
		*ret = profile;
	return r;
}

void spg_guard_profile_finish(struct spg_guard_profile *profile)
{
	spg_product_unref(profile->product);
	*profile = (struct spg_guard_profile)SPG_GUARD_PROFILE_NULL;
}

/* --- messages -------------------------------------------------------------- */

void spg_guard_message_init(struct spg_guard_message *message, enum spg_guard_kind kind)
{
	memset(message, 0, offsetof(struct spg_guard_message, text));
	message->version = SPG_GUARD_VERSION;
	message->kind = (uint16_t)kind;
	message->uid = message->manager_uid = SPG_UID_UNKNOWN;
}

void spg_guard_message_add(struct spg_guard_message *message, const char *text)
{
	size_t room = sizeof(message->text) - message->n_text;
	size_t n = text ? strlen(text) : 0;

	if (room == 0)
		return;
	n = n < room ? n : room - 1;
	if (n > 0)
		memcpy(message->text + message->n_text, text, n);
	message->text[message->n_text + n] = '\0';
	message->n_text += (uint32_t)n + 1;
}

const char *spg_guard_message_text(
	const struct spg_guard_message *message, unsigned index)
{
	for (size_t at = 0; at < message->n_text; at += strlen(message->text + at) + 1)
		if (index-- == 0)
			return message->text + at;
	return "";
}

size_t spg_guard_message_bytes(const struct spg_guard_message *message)
{
	return offsetof(struct spg_guard_message, text) + message->n_text;
}

bool spg_guard_message_is_whole(const struct spg_guard_message *message, size_t n)
{
	return n >= offsetof(struct spg_guard_message, text) &&
	       message->version == SPG_GUARD_VERSION &&
	       message->kind < SPG_GUARD_KINDS &&
	       message->n_text <= sizeof(message->text) &&
	       n == spg_guard_message_bytes(message) &&
	       (message->n_text == 0 || message->text[message->n_text - 1] == '\0');
}

int spg_guard_send(int fd, const struct spg_guard_message *message)
{
	ssize_t n;

	do
		n = send(fd, message, spg_guard_message_bytes(message),
			MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? SPG_ERR_FULL
	                                                              : SPG_ERR_IO;
}

int spg_guard_receive(int fd, struct spg_guard_message *ret)
{
	ssize_t n;

	do
		n = recv(fd, ret, sizeof(*ret), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? SPG_ERR_NOT_FOUND : SPG_ERR_IO;
	if (n == 0)
		return SPG_ERR_IO;
	return spg_guard_message_is_whole(ret, (size_t)n) ? 0 : SPG_ERR_CORRUPT;
}
