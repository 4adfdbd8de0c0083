/* SPDX-License-Identifier: MIT */
#include "client/archive_magic.h"

#include <string.h>

#include "common/text.h"

static const struct {
	size_t at, n;
	const char *bytes;
	enum spg_archive_magic magic;
} magics[] = {
	{0, 21, "!<arch>\ndebian-binary", SPG_MAGIC_PACKAGE},
	{0, 4, "\xed\xab\xee\xdb", SPG_MAGIC_PACKAGE}, /* rpm */
	{0, 4, "MSCF", SPG_MAGIC_PACKAGE},
	{0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SPG_MAGIC_INSTALLER},
	{0, 4, "PK\x03\x04", SPG_MAGIC_ARCHIVE},
	{0, 6, "7z\xbc\xaf\x27\x1c", SPG_MAGIC_ARCHIVE},
	{0, 2, "\x1f\x8b", SPG_MAGIC_ARCHIVE},
	{0, 2, "\x1f\x9d", SPG_MAGIC_ARCHIVE},
	{0, 3, "BZh", SPG_MAGIC_ARCHIVE},
	{0, 6,
		"\xfd"
		"7zXZ",
		SPG_MAGIC_ARCHIVE},
	{0, 4, "\x28\xb5\x2f\xfd", SPG_MAGIC_ARCHIVE}, /* zstd */
	{257, 5, "ustar", SPG_MAGIC_ARCHIVE},
	{32769, 5, "CD001", SPG_MAGIC_ARCHIVE},
	{0, 2, "MZ", SPG_MAGIC_PROGRAM},
};

enum spg_archive_magic spg_archive_magic_of(const char *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (n >= magics[i].at + magics[i].n &&
			memcmp(bytes + magics[i].at, magics[i].bytes, magics[i].n) == 0)
			return magics[i].magic;
	return SPG_MAGIC_OTHER;
}

bool spg_archive_is_program(const char *bytes, size_t n)
{
	return (n >= 4 && memcmp(bytes,
				  "\x7f"
				  "ELF",
				  4) == 0) ||
	       (n >= 2 && memcmp(bytes, "MZ", 2) == 0);
}

bool spg_archive_is_program_name(const char *name)
{
	static const char *const patterns[] = {"*.so", "*.so.[0-9]*", "*.dll", "*.exe",
		"*.ocx", "*.jar", "*.war", "*.ear", "*.node", "*.pyd"};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (spg_name_match(patterns[i], name, true))
			return true;
	return false;
}
