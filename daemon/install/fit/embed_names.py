#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Put a list of names, one a line, into C.

  embed_names.py windows_libraries.txt windows_libraries.c
"""
import sys


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        names = sorted({line.strip().lower() for line in f
                        if line.strip() and not line.startswith("#")})
    with open(sys.argv[2], "w", encoding="ascii") as f:
        f.write("/* Made by embed_names.py. */\n"
                '#include "daemon/install/fit/windows_libraries.h"\n\n'
                "const char *const spg_windows_libraries[] = {\n")
        f.writelines(f'\t"{name}",\n' for name in names)
        f.write(f"}};\nconst size_t spg_n_windows_libraries = {len(names)};\n")


if __name__ == "__main__":
    main()
