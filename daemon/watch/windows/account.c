/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <sddl.h>

#include "common/windows/users.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/bounded.h"
#include "daemon/watch/windows/text.h"

#define PATIENCE_MS 500
#define NAME_MAX_W  256
#define CACHE_MAX   64
#define SID_BYTES   SECURITY_MAX_SID_SIZE

struct name {
	unsigned char sid[SID_BYTES];
	char *text;
};

/* With spg_bounded_lock(). The oldest gives way. */
static struct name cache[CACHE_MAX];
static size_t n_cached;

struct lookup {
	struct spg_bounded_work work;
	unsigned char sid[SID_BYTES];
	char *found;
};

static char *join_account(const wchar_t *domain, const wchar_t *name)
{
	wchar_t both[2 * NAME_MAX_W + 2];

	swprintf(both, sizeof(both) / sizeof(both[0]), L"%ls%ls%ls", domain,
		domain[0] ? L"\\" : L"", name);
	return spg_wide_to_text(both, wcslen(both));
}

static void look_up(
	struct spg_bounded_work *work, size_t index, struct spg_bounded_runner *runner)
{
	struct lookup *lookup = (struct lookup *)work;
	wchar_t name[NAME_MAX_W], domain[NAME_MAX_W];
	DWORD n_name = NAME_MAX_W, n_domain = NAME_MAX_W;
	SID_NAME_USE use;
	char *text = NULL;

	(void)index;
	if (LookupAccountSidW(
		    NULL, lookup->sid, name, &n_name, domain, &n_domain, &use))
		text = join_account(domain, name);
	spg_bounded_lock();
	if (spg_bounded_counts(runner)) {
		lookup->found = text;
		text = NULL;
	}
	spg_bounded_unlock();
	free(text);
}

static void on_given_up(struct spg_bounded_work *work, size_t index)
{
	(void)work;
	(void)index;
}

static void destroy(struct spg_bounded_work *work)
{
	struct lookup *lookup = (struct lookup *)work;

	free(lookup->found);
	free(lookup);
}

static char *from_cache(const unsigned char *sid)
{
	char *text = NULL;

	spg_bounded_lock();
	for (size_t i = 0; i < CACHE_MAX && !text; i++)
		if (cache[i].text && EqualSid((PSID)cache[i].sid, (PSID)sid))
			text = strdup(cache[i].text);
	spg_bounded_unlock();
	return text;
}

static void into_cache(const unsigned char *sid, const char *text)
{
	struct name *slot;

	spg_bounded_lock();
	slot = &cache[n_cached++ % CACHE_MAX];
	free(slot->text);
	memcpy(slot->sid, sid, SID_BYTES);
	slot->text = strdup(text);
	spg_bounded_unlock();
}

static char *name_of(const unsigned char *sid)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	char *text = NULL, *sid_text;
	size_t done;

	if (!lookup)
		return NULL;
	memcpy(lookup->sid, sid, SID_BYTES);
	lookup->work = (struct spg_bounded_work){.step = look_up,
		.on_given_up = on_given_up,
		.destroy = destroy,
		.n_steps = 1};
	spg_bounded_init(&lookup->work);
	(void)spg_bounded_run(&lookup->work, PATIENCE_MS, NULL, &done);
	spg_bounded_lock();
	text = lookup->found;
	lookup->found = NULL;
	spg_bounded_unlock();
	spg_bounded_unref(&lookup->work);
	if (!text && ConvertSidToStringSidA((PSID)sid, &sid_text)) {
		text = strdup(sid_text);
		LocalFree(sid_text);
	}
	return text;
}

char *spg_win_account_of_process(void *handle, uint32_t *ret_uid)
{
	union {
		TOKEN_USER user;
		char bytes[sizeof(TOKEN_USER) + SID_BYTES];
	} data;
	unsigned char sid[SID_BYTES] = {0};
	HANDLE token;
	char *text = NULL;
	DWORD n;

	*ret_uid = SPG_WINDOWS_NOBODY;
	if (!OpenProcessToken(handle, TOKEN_QUERY | TOKEN_DUPLICATE, &token) &&
		!OpenProcessToken(handle, TOKEN_QUERY, &token))
		return NULL;
	if (spg_windows_token_user(token, ret_uid, NULL) < 0)
		*ret_uid = SPG_WINDOWS_NOBODY;
	if (GetTokenInformation(token, TokenUser, &data, sizeof(data), &n) &&
		CopySid(sizeof(sid), sid, data.user.User.Sid)) {
		text = from_cache(sid);
		if (!text) {
			text = name_of(sid);
			if (text)
				into_cache(sid, text);
		}
	}
	CloseHandle(token);
	return text;
}
