/* SPDX-License-Identifier: MIT */
#include "daemon/host/windows/data.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include "common/windows/wide.h"

/* What lets somebody bring in a file, change one, or take rights. */
#define CHANGES                                                                        \
	(FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD | DELETE | WRITE_DAC | \
		WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)

/* Inherited by everything in the folder. */
#define RULES L"O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

/* The installer of Windows itself: "NT SERVICE\TrustedInstaller". */
static const wchar_t installer[] =
	L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

static bool is_installer(PSID sid)
{
	PSID own = NULL;
	bool is = ConvertStringSidToSidW(installer, &own) && EqualSid(own, sid);

	LocalFree(own);
	return is;
}

static bool is_trusted(PSID sid)
{
	return sid && (IsWellKnownSid(sid, WinLocalSystemSid) ||
			      IsWellKnownSid(sid, WinBuiltinAdministratorsSid) ||
			      is_installer(sid));
}

/* Rules of a kind that is not known here are taken for somebody's. */
static bool is_harmless(const ACE_HEADER *header)
{
	const ACCESS_ALLOWED_ACE *ace = (const ACCESS_ALLOWED_ACE *)header;

	if (header->AceType == ACCESS_DENIED_ACE_TYPE)
		return true;
	return header->AceType == ACCESS_ALLOWED_ACE_TYPE &&
	       (!(ace->Mask & CHANGES) || is_trusted((PSID)&ace->SidStart));
}

static bool is_private(const wchar_t *path)
{
	PSECURITY_DESCRIPTOR descriptor = NULL;
	PSID owner = NULL;
	PACL rules = NULL;
	bool is = false;

	if (GetNamedSecurityInfoW((wchar_t *)path, SE_FILE_OBJECT,
		    OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner,
		    NULL, &rules, NULL, &descriptor) != ERROR_SUCCESS)
		return false;
	is = rules && is_trusted(owner);
	for (DWORD i = 0; is && i < rules->AceCount; i++) {
		void *ace = NULL;

		is = GetAce(rules, i, &ace) && is_harmless(ace);
	}
	LocalFree(descriptor);
	return is;
}

/* Who installs, and who owns what he makes (TokenOwner): he could have written it anyhow. */
static bool is_own(PSID sid)
{
	union {
		TOKEN_USER user;
		TOKEN_OWNER owner;
		char bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
	} own;
	HANDLE token;
	bool is;
	DWORD n;

	if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
		return false;
	is = GetTokenInformation(token, TokenUser, &own, sizeof(own), &n) &&
	     EqualSid(sid, own.user.User.Sid);
	is = is || (GetTokenInformation(token, TokenOwner, &own, sizeof(own), &n) &&
			   EqualSid(sid, own.owner.Owner));
	CloseHandle(token);
	return is;
}

static bool is_somebodys(const wchar_t *path)
{
	PSECURITY_DESCRIPTOR descriptor = NULL;
	PSID owner = NULL;
	bool is;

	if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
		return false;
	if (GetNamedSecurityInfoW((wchar_t *)path, SE_FILE_OBJECT,
		    OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
		    &descriptor) != ERROR_SUCCESS)
		return true;
	is = !owner || !(is_trusted(owner) || is_own(owner));
	LocalFree(descriptor);
	return is;
}

/* The first in @folder that is somebody's; NULL: none is. */
static char *search_below(const char *folder)
{
	const struct dirent *entry;
	char *path = NULL, *found = NULL;
	wchar_t *wide;
	DIR *dir = opendir(folder);

	while (dir && !found && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0 ||
			asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		wide = spg_wide_path(path);
		if (!wide || is_somebodys(wide))
			found = path;
		else
			free(path);
		free(wide);
	}
	if (dir)
		closedir(dir);
	return found;
}

char *spg_data_strangers(const char *folder)
{
	wchar_t *wide = spg_wide_path(folder);
	char *products = NULL, *found = NULL;

	if (!wide || is_somebodys(wide))
		found = strdup(folder);
	free(wide);
	if (!found)
		found = search_below(folder);
	if (!found && asprintf(&products, "%s/products", folder) >= 0) {
		found = search_below(products);
		free(products);
	}
	return found;
}

/* The folder and all that is in it: whoever owns a file there could change it still. */
static DWORD take_over(wchar_t *path)
{
	PSECURITY_DESCRIPTOR descriptor = NULL;
	BOOL present, defaulted;
	DWORD err = ERROR_SUCCESS;
	PSID owner;
	PACL rules;

	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
		    RULES, SDDL_REVISION_1, &descriptor, NULL))
		return GetLastError();
	if (!GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) ||
		!GetSecurityDescriptorDacl(descriptor, &present, &rules, &defaulted))
		err = GetLastError();
	else
		err = TreeResetNamedSecurityInfoW(path, SE_FILE_OBJECT,
			OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
				PROTECTED_DACL_SECURITY_INFORMATION,
			owner, NULL, rules, NULL, FALSE, NULL, ProgressInvokeNever,
			NULL);
	/* Wine says yes and does nothing. */
	if (err == ERROR_SUCCESS && !is_private(path))
		err = SetNamedSecurityInfoW(path, SE_FILE_OBJECT,
			DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
			NULL, NULL, rules, NULL);
	LocalFree(descriptor);
	return err;
}

/* A link would lead to what somebody else has chosen. */
static DWORD make(const wchar_t *path)
{
	DWORD attributes;

	if (!CreateDirectoryW(path, NULL) && GetLastError() != ERROR_ALREADY_EXISTS)
		return GetLastError();
	attributes = GetFileAttributesW(path);
	if (attributes == INVALID_FILE_ATTRIBUTES)
		return GetLastError();
	if (!(attributes & FILE_ATTRIBUTE_DIRECTORY))
		return ERROR_DIRECTORY;
	return attributes & FILE_ATTRIBUTE_REPARSE_POINT ? ERROR_CANT_RESOLVE_FILENAME
	                                                 : ERROR_SUCCESS;
}

unsigned spg_data_secure(const char *folder, enum spg_data_state *ret)
{
	wchar_t *path = spg_wide_path(folder);
	DWORD err = path ? make(path) : ERROR_NOT_ENOUGH_MEMORY;

	if (err == ERROR_SUCCESS && is_private(path)) {
		*ret = SPG_DATA_PRIVATE;
	} else if (err == ERROR_SUCCESS) {
		err = take_over(path);
		*ret = is_private(path) ? SPG_DATA_MADE_PRIVATE : SPG_DATA_UNSURE;
	}
	free(path);
	return err;
}
