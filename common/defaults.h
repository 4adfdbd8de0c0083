/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where things are when nobody says otherwise.
 */
#ifdef _WIN32
/* %ProgramData% of every Windows since Vista, unless it was moved at its installation. */
#define SPG_DEFAULT_DIRECTORY "C:/ProgramData/spguard"
#define SPG_DEFAULT_SOCKET    "//./pipe/spguard"
#define SPG_DEFAULT_DATABASE  SPG_DEFAULT_DIRECTORY "/spguard.db"
#else
#define SPG_DEFAULT_DIRECTORY SPG_SYSCONFDIR "/spguard"
#define SPG_DEFAULT_SOCKET    "/run/spguard/spguard.sock"
#define SPG_DEFAULT_DATABASE  "/var/lib/spguard/spguard.db"
#endif

#define SPG_DEFAULT_CONFIG   SPG_DEFAULT_DIRECTORY "/spguard.conf"
#define SPG_DEFAULT_PRODUCTS SPG_DEFAULT_DIRECTORY "/products"
#define SPG_DEFAULT_PROFILES SPG_DATADIR "/spguard/profiles"
