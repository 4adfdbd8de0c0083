/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Users and groups of Windows, which have identifiers of up to 68 bytes (SIDs), as the
 * numbers that the rest of spguard knows.
 *
 *  - 0: who has all rights here: LocalSystem, and a token in which the group
 *    Administrators is switched on. The token that UAC gives an administrator who has not
 *    asked for more is an ordinary user's.
 *  - Everybody else, and every group: from SPG_WINDOWS_FIRST on. The number is made of the
 *    SID, and so it is the same after a restart, unless two SIDs fall on one number: the
 *    later one then gets the next that is free.
 *
 * What a number stands for is kept as long as the process runs. Thread-safe. What asks for
 * a name may wait for a domain controller: never on the loop thread.
 */
#include <stddef.h>
#include <stdint.h>

#define SPG_WINDOWS_FIRST  1000
/* Nobody: what could not be found out, or more users than are kept. */
#define SPG_WINDOWS_NOBODY UINT32_MAX

/** The number of @sid (a PSID); SPG_WINDOWS_NOBODY when it is none. */
uint32_t spg_windows_number(const void *sid);

/** The SID of @number, of up to SECURITY_MAX_SID_SIZE bytes, into @ret; 0 is
 * BUILTIN\Administrators. Returns 0 or SPG_ERR_NOT_FOUND. */
int spg_windows_copy_sid(uint32_t number, void *ret, size_t size);

/** The same in letters, as SDDL has it ("S-1-5-32-544"): the caller's, for free(). NULL: there
 * is no such number, or no memory. */
char *spg_windows_sid_of(uint32_t number);

/** In letters: the user that this process runs as. NULL: it cannot be found out. */
char *spg_windows_own_sid(void);

/** "DOMAIN\name" of @number, the SID in letters where nobody knows a name: the caller's, for
 * free(). NULL: there is no such number, or no memory. */
char *spg_windows_name(uint32_t number);

/**
 * Whose @token (a HANDLE with TOKEN_QUERY and TOKEN_DUPLICATE) is.
 *
 * @ret_gid  the group of spg_windows_group() to which it belongs, also by way of other
 *           groups; of several one that was asked for as @of_admins, else the first; its
 *           primary group where there is none. NULL: nobody needs it
 *
 * Returns 0, or SPG_ERR_IO, which says nothing of the user.
 */
int spg_windows_token_user(void *token, uint32_t *ret_uid, uint32_t *ret_gid);

/** "DOMAIN\name" of the user of @token, also of an administrator; as spg_windows_name(). */
char *spg_windows_token_name(void *token);

/**
 * The number of the group called @name ("spguard", "DOMAIN\name"), which
 * spg_windows_token_user() tells of from now on.
 *
 * @of_admins  before all others
 *
 * Returns 0; SPG_ERR_NOT_FOUND: there is nothing of this name, or it is no group;
 * SPG_ERR_NOMEM.
 */
int spg_windows_group(const char *name, int of_admins, uint32_t *ret);

/**
 * The users who are direct members of the local group @name, as numbers.
 *
 * @ret  the caller's, for free()
 *
 * Returns 0, also with none; SPG_ERR_NOT_FOUND: it is no group of this machine;
 * SPG_ERR_NOMEM; SPG_ERR_IO.
 */
int spg_windows_members(const char *name, uint32_t **ret, size_t *ret_n);
