#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Put openrpc.json into C, without the blanks that only people need.

  embed.py openrpc.json contract_data.c
"""
import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        document = json.load(f)
    data = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    with open(sys.argv[2], "w", encoding="ascii") as f:
        f.write("/* Made by embed.py. */\n"
                '#include "daemon/serve/contract/contract.h"\n\n'
                "const unsigned char spg_contract_text[] = {\n")
        for at in range(0, len(data), 24):
            f.write("\t" + "".join(f"{byte}," for byte in data[at:at + 24]) + "\n")
        f.write("};\nconst size_t spg_contract_text_size = sizeof(spg_contract_text);\n")


if __name__ == "__main__":
    main()
