/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * That a function takes a format of printf(3), as C has it: mingw's compiler means that
 * of Microsoft's library by "printf".
 */
#ifdef __MINGW32__
#define SPG_PRINTF(format_at, arguments_at)                                            \
	__attribute__((format(gnu_printf, format_at, arguments_at)))
#else
#define SPG_PRINTF(format_at, arguments_at)                                            \
	__attribute__((format(printf, format_at, arguments_at)))
#endif
