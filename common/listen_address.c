/* SPDX-License-Identifier: MIT */
#include "common/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

#define HOST_MAX 64

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long port = 0;

	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return false;
	port = strtoul(text, NULL, 10);
	*ret = htons((uint16_t)port);
	return port > 0 && port <= 65535;
}

static int parse_ip(struct spg_listen_address *ret, const char *text)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->address;
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	char host[HOST_MAX];
	uint16_t port;
	size_t n;

	if (!colon || !parse_port(colon + 1, &port))
		return SPG_ERR_INVALID;
	n = (size_t)(colon - text);
	if (bracketed && (n < 2 || text[n - 1] != ']'))
		return SPG_ERR_INVALID;
	text += bracketed;
	n -= bracketed ? 2 : 0;
	if (n >= sizeof(host))
		return SPG_ERR_INVALID;
	memcpy(host, text, n);
	host[n] = '\0';
	if (bracketed && inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		ret->address_len = sizeof(*in6);
		return 0;
	}
	if (!bracketed && inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = port;
		ret->address_len = sizeof(*in);
		return 0;
	}
	return SPG_ERR_INVALID;
}

int spg_listen_address_parse(
	struct spg_listen_address *ret, const char *text, const char **ret_why)
{
	struct spg_listen_address address = {.text = strdup(text)};
	bool is_unix = strncmp(text, "unix:", 5) == 0;
	int r = address.text ? 0 : SPG_ERR_NOMEM;

	*ret_why = "write such as 127.0.0.1:9763, [::1]:9763 or "
		   "unix:/run/spguard/http.sock";
	if (r == 0 && is_unix) {
		r = text[5] == '/' && spg_text_is_clean(text) ? 0 : SPG_ERR_INVALID;
		address.path = r == 0 ? strdup(text + 5) : NULL;
		if (address.path)
			spg_path_normalise(address.path);
		else if (r == 0)
			r = SPG_ERR_NOMEM;
	} else if (r == 0) {
		r = parse_ip(&address, text);
	}
	if (r < 0)
		spg_listen_address_finish(&address);
	else
		*ret = address;
	return r;
}

bool spg_listen_address_overlaps(
	const struct spg_listen_address *a, const struct spg_listen_address *b)
{
	const struct sockaddr_in *in[] = {(const struct sockaddr_in *)&a->address,
		(const struct sockaddr_in *)&b->address};
	const struct sockaddr_in6 *in6[] = {(const struct sockaddr_in6 *)&a->address,
		(const struct sockaddr_in6 *)&b->address};

	if (a->path || b->path)
		return a->path && b->path && strcmp(a->path, b->path) == 0;
	if (a->address.ss_family != b->address.ss_family)
		return false;
	if (a->address.ss_family == AF_INET)
		return in[0]->sin_port == in[1]->sin_port &&
		       (in[0]->sin_addr.s_addr == in[1]->sin_addr.s_addr ||
			       in[0]->sin_addr.s_addr == htonl(INADDR_ANY) ||
			       in[1]->sin_addr.s_addr == htonl(INADDR_ANY));
	return in6[0]->sin6_port == in6[1]->sin6_port &&
	       (IN6_ARE_ADDR_EQUAL(&in6[0]->sin6_addr, &in6[1]->sin6_addr) ||
		       IN6_IS_ADDR_UNSPECIFIED(&in6[0]->sin6_addr) ||
		       IN6_IS_ADDR_UNSPECIFIED(&in6[1]->sin6_addr));
}

bool spg_listen_address_is_local(const struct spg_listen_address *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->address;

	if (address->path)
		return true;
	if (address->address.ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

void spg_listen_address_finish(struct spg_listen_address *address)
{
	free(address->text);
	free(address->path);
	*address = (struct spg_listen_address){.text = NULL};
}
