/* SPDX-License-Identifier: MIT */
#pragma once
/* Reading directories: see common/windows/posix.h. */
#include <stdint.h>

enum { DT_UNKNOWN, DT_DIR = 4, DT_REG = 8, DT_LNK = 10 };

struct dirent {
	uint64_t d_ino; /* 0: ask stat() */
	unsigned char d_type;
	char d_name[1024]; /* UTF-8: 255 characters of UTF-16 and more */
};

typedef struct spg_posix_dir DIR;

DIR *opendir(const char *path);

/** Takes over @fd when it returns a directory. */
DIR *fdopendir(int fd);

/** Belongs to @dir until the next call. NULL at the end, and with errno on an error. */
struct dirent *readdir(DIR *dir);

int closedir(DIR *dir);
