/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Filesystems whose own structures the BPF programs read. A kernel may have one as a
 * module: its types are known from when that is loaded, and a program that was loaded
 * before goes without them. Then it has to be loaded anew.
 */

/** Which of them the kernel has now, as a set of bits; /proc/filesystems says. */
unsigned spg_bpf_types(void);
