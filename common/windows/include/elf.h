/* SPDX-License-Identifier: MIT */
#pragma once
/* The machines of ELF files (System V ABI, "ELF Header") that common/binary.h names. */
#define EM_386       3
#define EM_MIPS      8
#define EM_PPC64     21
#define EM_S390      22
#define EM_ARM       40
#define EM_X86_64    62
#define EM_AARCH64   183
#define EM_RISCV     243
#define EM_LOONGARCH 258
