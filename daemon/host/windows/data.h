/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The folder of the configuration and the history, %ProgramData%\spguard. Windows lets every
 * user write to a new folder in %ProgramData%, and whoever makes it before the installation
 * owns it: such a user could add configuration that the system's account reads.
 */
enum spg_data_state {
	SPG_DATA_PRIVATE, /* only the system and administrators may change what is in it */
	SPG_DATA_MADE_PRIVATE,
	SPG_DATA_UNSURE, /* Windows said that it is done, and shows something else */
};

/** What is in @folder, or in its "products", and belongs to a user who is no administrator,
 * or @folder itself: everybody may have put it there before spguard came. The caller frees.
 * NULL: nothing is. */
char *spg_data_strangers(const char *folder);

/**
 * See to it that only the system and administrators may change what is in @folder; it is
 * made if it is not there. What somebody else has put into it before becomes theirs, and
 * stays. Returns 0 and *ret, or the system's error: then @folder is not to be trusted.
 */
unsigned spg_data_secure(const char *folder, enum spg_data_state *ret);
