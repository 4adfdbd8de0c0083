/* SPDX-License-Identifier: MIT */
#include "common/windows/users.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <lm.h>
#include <sddl.h>

#include "common/array.h"
#include "common/err.h"
#include "common/windows/wide.h"

/* More users than ever logged in on one machine; a number for each costs 100 bytes. */
#define USERS_MAX  65536
#define GROUPS_MAX 32

struct known {
	uint32_t number;
	char *name; /* NULL: nobody has asked */
	BYTE sid[SECURITY_MAX_SID_SIZE];
};

struct asked_group {
	uint32_t number;
	bool of_admins;
	BYTE sid[SECURITY_MAX_SID_SIZE];
};

static struct {
	SRWLOCK lock;
	struct known **all; /* by number */
	size_t n, size;
	struct asked_group groups[GROUPS_MAX];
	size_t n_groups;
} users = {.lock = SRWLOCK_INIT};

/* --- numbers ---------------------------------------------------------------- */

/* FNV-1a, into the numbers that look like users of other systems. */
static uint32_t number_for(const BYTE *sid, size_t n)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ sid[i]) * 16777619u;
	return SPG_WINDOWS_FIRST + hash % (INT32_MAX - SPG_WINDOWS_FIRST);
}

/* Where @number is, or belongs. With the lock. */
static size_t place_of(uint32_t number)
{
	size_t low = 0, high = users.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (users.all[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct known *find(uint32_t number)
{
	size_t at = place_of(number);

	return at < users.n && users.all[at]->number == number ? users.all[at] : NULL;
}

static uint32_t add(const BYTE *sid, DWORD n, uint32_t number)
{
	struct known *known;
	size_t at;

	if (users.n >= USERS_MAX || spg_array_reserve(&users.all, users.n, &users.size,
					    sizeof(*users.all)) < 0)
		return SPG_WINDOWS_NOBODY;
	known = calloc(1, sizeof(*known));
	if (!known)
		return SPG_WINDOWS_NOBODY;
	known->number = number;
	memcpy(known->sid, sid, n);
	at = place_of(number);
	memmove(&users.all[at + 1], &users.all[at],
		(users.n - at) * sizeof(*users.all));
	users.all[at] = known;
	users.n++;
	return number;
}

uint32_t spg_windows_number(const void *sid)
{
	BYTE copy[SECURITY_MAX_SID_SIZE] = {0};
	const struct known *known;
	uint32_t number;
	DWORD n;

	if (!sid || !IsValidSid((PSID)sid))
		return SPG_WINDOWS_NOBODY;
	n = GetLengthSid((PSID)sid);
	if (n > sizeof(copy))
		return SPG_WINDOWS_NOBODY;
	memcpy(copy, sid, n);
	if (IsWellKnownSid(copy, WinLocalSystemSid) ||
		IsWellKnownSid(copy, WinBuiltinAdministratorsSid))
		return 0;
	number = number_for(copy, n);
	AcquireSRWLockExclusive(&users.lock);
	while ((known = find(number)) && !EqualSid((PSID)known->sid, copy))
		number++;
	if (!known)
		number = add(copy, n, number);
	ReleaseSRWLockExclusive(&users.lock);
	return number;
}

int spg_windows_copy_sid(uint32_t number, void *ret, size_t size)
{
	DWORD n = (DWORD)size;
	const struct known *known;
	bool fits;

	if (number == 0)
		return CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, ret, &n)
		               ? 0
		               : SPG_ERR_NOT_FOUND;
	AcquireSRWLockShared(&users.lock);
	known = find(number);
	fits = known && CopySid(n, ret, (PSID)known->sid);
	ReleaseSRWLockShared(&users.lock);
	return fits ? 0 : SPG_ERR_NOT_FOUND;
}

/* --- names ------------------------------------------------------------------ */

static char *text_of(const wchar_t *wide)
{
	return spg_wide_to_text(wide, wcslen(wide));
}

static char *sid_in_letters(PSID sid)
{
	wchar_t *wide = NULL;
	char *text = NULL;

	if (ConvertSidToStringSidW(sid, &wide)) {
		text = text_of(wide);
		LocalFree(wide);
	}
	return text;
}

char *spg_windows_sid_of(uint32_t number)
{
	BYTE sid[SECURITY_MAX_SID_SIZE];

	return spg_windows_copy_sid(number, sid, sizeof(sid)) == 0 ? sid_in_letters(sid)
	                                                           : NULL;
}

static char *look_up_name(PSID sid)
{
	wchar_t name[256], domain[256], both[512];
	DWORD n_name = 256, n_domain = 256;
	SID_NAME_USE use;

	if (!LookupAccountSidW(NULL, sid, name, &n_name, domain, &n_domain, &use))
		return sid_in_letters(sid);
	both[0] = '\0';
	if (domain[0]) {
		wcscat(both, domain);
		wcscat(both, L"\\");
	}
	wcscat(both, name);
	return text_of(both);
}

/* The copy of what is kept; and keeps @fresh, which is taken over, where nothing is. */
static char *kept_name(uint32_t number, char *fresh)
{
	char *name = NULL;
	struct known *known;

	AcquireSRWLockExclusive(&users.lock);
	known = find(number);
	if (known && !known->name) {
		known->name = fresh;
		fresh = NULL;
	}
	if (known && known->name)
		name = strdup(known->name);
	ReleaseSRWLockExclusive(&users.lock);
	free(fresh);
	return name;
}

char *spg_windows_name(uint32_t number)
{
	BYTE sid[SECURITY_MAX_SID_SIZE];
	char *name = kept_name(number, NULL);

	if (name || spg_windows_copy_sid(number, sid, sizeof(sid)) < 0)
		return name;
	name = look_up_name(sid);
	return name && number != 0 ? kept_name(number, name) : name;
}

/* --- tokens ----------------------------------------------------------------- */

/* What a token says of @class; for free(). */
static void *ask_token(HANDLE token, TOKEN_INFORMATION_CLASS class)
{
	DWORD n = 0;
	void *info;

	GetTokenInformation(token, class, NULL, 0, &n);
	if (n == 0 || n > 1 << 20)
		return NULL;
	info = calloc(1, n);
	if (info && !GetTokenInformation(token, class, info, n, &n)) {
		free(info);
		return NULL;
	}
	return info;
}

/* CheckTokenMembership() takes a token that somebody could act as; a process has another
 * kind. NULL: there is none. */
static HANDLE token_to_check(HANDLE token)
{
	HANDLE copy = NULL;

	return DuplicateToken(token, SecurityIdentification, &copy) ? copy : NULL;
}

static bool is_member(HANDLE token, PSID sid)
{
	BOOL member = FALSE;

	return CheckTokenMembership(token, sid, &member) && member;
}

static bool has_all_rights(HANDLE token, PSID user)
{
	BYTE sid[SECURITY_MAX_SID_SIZE];
	DWORD n = sizeof(sid);

	return IsWellKnownSid(user, WinLocalSystemSid) ||
	       (CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &n) &&
		       is_member(token, sid));
}

/* A copy, since membership is asked of the security subsystem: not under the lock. */
static size_t copy_groups(struct asked_group *ret)
{
	size_t n;

	AcquireSRWLockShared(&users.lock);
	n = users.n_groups;
	memcpy(ret, users.groups, n * sizeof(*ret));
	ReleaseSRWLockShared(&users.lock);
	return n;
}

static uint32_t group_of(HANDLE token, HANDLE to_check)
{
	struct asked_group groups[GROUPS_MAX];
	size_t n = copy_groups(groups);
	uint32_t found = SPG_WINDOWS_NOBODY;
	TOKEN_PRIMARY_GROUP *primary;

	for (size_t i = 0; i < n; i++) {
		if (!is_member(to_check, groups[i].sid))
			continue;
		if (groups[i].of_admins)
			return groups[i].number;
		if (found == SPG_WINDOWS_NOBODY)
			found = groups[i].number;
	}
	if (found != SPG_WINDOWS_NOBODY)
		return found;
	primary = ask_token(token, TokenPrimaryGroup);
	found = primary ? spg_windows_number(primary->PrimaryGroup)
	                : SPG_WINDOWS_NOBODY;
	free(primary);
	/* Administrators is nobody's group number: whose token has it is 0 already. */
	return found ? found : SPG_WINDOWS_NOBODY;
}

int spg_windows_token_user(void *token, uint32_t *ret_uid, uint32_t *ret_gid)
{
	TOKEN_USER *user = ask_token(token, TokenUser);
	HANDLE to_check = user ? token_to_check(token) : NULL;
	uint32_t uid = SPG_WINDOWS_NOBODY;

	if (to_check) {
		uid = has_all_rights(to_check, user->User.Sid)
		              ? 0
		              : spg_windows_number(user->User.Sid);
		if (ret_gid && uid != SPG_WINDOWS_NOBODY)
			*ret_gid = group_of(token, to_check);
		CloseHandle(to_check);
	}
	free(user);
	if (uid == SPG_WINDOWS_NOBODY)
		return SPG_ERR_IO;
	*ret_uid = uid;
	return 0;
}

char *spg_windows_token_name(void *token)
{
	TOKEN_USER *user = ask_token(token, TokenUser);
	uint32_t number;
	char *name;

	if (!user)
		return NULL;
	number = spg_windows_number(user->User.Sid);
	/* LocalSystem has a name of its own, the administrators' number has another. */
	name = number != 0 && number != SPG_WINDOWS_NOBODY
	               ? spg_windows_name(number)
	               : look_up_name(user->User.Sid);
	free(user);
	return name;
}

char *spg_windows_own_sid(void)
{
	HANDLE token;
	TOKEN_USER *user = NULL;
	char *text = NULL;

	if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
		user = ask_token(token, TokenUser);
		CloseHandle(token);
	}
	if (user)
		text = sid_in_letters(user->User.Sid);
	free(user);
	return text;
}

/* --- groups ----------------------------------------------------------------- */

/* Returns 0, SPG_ERR_NOT_FOUND or SPG_ERR_NOMEM. */
static int look_up_group(const char *name, BYTE sid[SECURITY_MAX_SID_SIZE])
{
	wchar_t *wide = spg_wide(name), domain[256];
	DWORD n = SECURITY_MAX_SID_SIZE, n_domain = 256;
	SID_NAME_USE use = SidTypeUnknown;
	BOOL found;

	if (!wide)
		return errno == ENOMEM ? SPG_ERR_NOMEM : SPG_ERR_NOT_FOUND;
	memset(sid, 0, SECURITY_MAX_SID_SIZE);
	found = LookupAccountNameW(NULL, wide, sid, &n, domain, &n_domain, &use);
	free(wide);
	return found && (use == SidTypeAlias || use == SidTypeGroup ||
				use == SidTypeWellKnownGroup)
	               ? 0
	               : SPG_ERR_NOT_FOUND;
}

/* With the lock. Of too many, which only reloads bring about, the oldest is forgotten. */
static void ask_for(uint32_t number, const BYTE *sid, bool of_admins)
{
	struct asked_group group = {.number = number, .of_admins = of_admins};

	for (size_t i = 0; i < users.n_groups; i++)
		if (users.groups[i].number == number) {
			users.groups[i].of_admins |= of_admins;
			return;
		}
	if (users.n_groups == GROUPS_MAX)
		memmove(&users.groups[0], &users.groups[1],
			--users.n_groups * sizeof(users.groups[0]));
	memcpy(group.sid, sid, sizeof(group.sid));
	users.groups[users.n_groups++] = group;
}

int spg_windows_group(const char *name, int of_admins, uint32_t *ret)
{
	BYTE sid[SECURITY_MAX_SID_SIZE];
	int r = look_up_group(name, sid);
	uint32_t number;

	if (r < 0)
		return r;
	number = spg_windows_number(sid);
	if (number == SPG_WINDOWS_NOBODY)
		return SPG_ERR_NOMEM;
	AcquireSRWLockExclusive(&users.lock);
	ask_for(number, sid, of_admins != 0);
	ReleaseSRWLockExclusive(&users.lock);
	*ret = number;
	return 0;
}

/* A local group is asked for without its domain: "BUILTIN\x" and "MACHINE\x" are "x". */
static NET_API_STATUS list_members(
	const char *name, LOCALGROUP_MEMBERS_INFO_0 **ret, DWORD *ret_n)
{
	const char *base = strrchr(name, '\\');
	wchar_t *wide = spg_wide(base ? base + 1 : name);
	NET_API_STATUS status = ERROR_NOT_ENOUGH_MEMORY;
	DWORD total;

	if (wide)
		status = NetLocalGroupGetMembers(NULL, wide, 0, (LPBYTE *)ret,
			MAX_PREFERRED_LENGTH, ret_n, &total, NULL);
	free(wide);
	return status;
}

int spg_windows_members(const char *name, uint32_t **ret, size_t *ret_n)
{
	LOCALGROUP_MEMBERS_INFO_0 *members = NULL;
	uint32_t *numbers = NULL;
	size_t n_numbers = 0;
	DWORD n = 0;
	NET_API_STATUS status = list_members(name, &members, &n);

	if (status == NERR_GroupNotFound || status == ERROR_NO_SUCH_ALIAS)
		return SPG_ERR_NOT_FOUND;
	if (status != NERR_Success)
		return status == ERROR_NOT_ENOUGH_MEMORY ? SPG_ERR_NOMEM : SPG_ERR_IO;
	if (n > 0)
		numbers = calloc(n, sizeof(*numbers));
	for (DWORD i = 0; numbers && i < n; i++) {
		uint32_t number = spg_windows_number(members[i].lgrmi0_sid);

		if (number != SPG_WINDOWS_NOBODY)
			numbers[n_numbers++] = number;
	}
	NetApiBufferFree(members);
	if (n > 0 && !numbers)
		return SPG_ERR_NOMEM;
	*ret = numbers;
	*ret_n = n_numbers;
	return 0;
}
