/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/peer.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform.h"

static void take_user(struct spg_http_peer_key *key, uint32_t uid)
{
	key->family = AF_UNIX;
	memcpy(key->id, &uid, sizeof(uid));
}

static void take_ip4(struct spg_http_peer_key *key, const unsigned char *address)
{
	static const unsigned char loopback[4] = {127, 0, 0, 1};

	key->family = AF_INET;
	memcpy(key->id, address[0] == 127 ? loopback : address, sizeof(loopback));
}

static void take_ip6(struct spg_http_peer_key *key, const struct in6_addr *address)
{
	static const unsigned char loopback[4] = {127, 0, 0, 1};

	if (IN6_IS_ADDR_LOOPBACK(address))
		take_ip4(key, loopback);
	else if (IN6_IS_ADDR_V4MAPPED(address))
		take_ip4(key, address->s6_addr + 12);
	else
		memcpy(key->id, address->s6_addr, 8);
}

struct spg_http_peer_key spg_http_peer_key(
	int fd, const struct sockaddr *address, bool knows_users)
{
	bool is_ip = address->sa_family == AF_INET || address->sa_family == AF_INET6;
	struct spg_http_peer_key key;
	struct spg_peer peer;
	uint32_t uid;

	memset(&key, 0, sizeof(key));
	key.family = address->sa_family;
	if (is_ip && knows_users && spg_platform_tcp_user(fd, &uid) == 0)
		take_user(&key, uid);
	else if (key.family == AF_INET)
		take_ip4(&key,
			(const unsigned char *)&((const struct sockaddr_in *)address)
				->sin_addr);
	else if (key.family == AF_INET6)
		take_ip6(&key, &((const struct sockaddr_in6 *)address)->sin6_addr);
	else /* those who cannot be told apart are one */
		take_user(&key,
			spg_platform_peer(fd, &peer) == 0 ? peer.uid : UINT32_MAX);
	return key;
}

struct spg_http_peer *spg_http_peer_get(
	struct spg_http_peer **list, const struct spg_http_peer_key *key)
{
	struct spg_http_peer *peer;

	for (peer = *list; peer; peer = peer->next) {
		if (peer->key.family == key->family &&
			memcmp(peer->key.id, key->id, sizeof(key->id)) == 0)
			return spg_http_peer_ref(peer);
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->refs = 1;
	peer->key = *key;
	peer->next = *list;
	if (peer->next)
		peer->next->prev = peer;
	*list = peer;
	return peer;
}

struct spg_http_peer *spg_http_peer_ref(struct spg_http_peer *peer)
{
	peer->refs++;
	return peer;
}

void spg_http_peer_unref(struct spg_http_peer **list, struct spg_http_peer *peer)
{
	if (--peer->refs)
		return;
	if (peer->prev)
		peer->prev->next = peer->next;
	else
		*list = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	free(peer);
}
