# SPDX-License-Identifier: MIT
"""Windows libraries of nothing but a version."""
import struct


def library(version):
    """The bytes of a PE32+ library with the version @version."""
    text = "VS_VERSION_INFO".encode("utf-16-le") + b"\0\0"
    parts = [int(part) for part in version.split(".")]
    fixed = struct.pack("<4I", 0xFEEF04BD, 0x10000, parts[0] << 16 | parts[1],
                        parts[2] << 16 | parts[3]).ljust(52, b"\0")
    block = struct.pack("<HHH", 92, 52, 0) + text + b"\0\0" + fixed
    tree = b"".join(struct.pack("<12xHHII", 0, 1, number, below) for number, below in
                    ((16, 0x80000018), (1, 0x80000030), (0x409, 72)))
    rsrc = (tree + struct.pack("<4I", 0x1000 + 88, len(block), 0, 0) + block)
    head = struct.pack("<2s22xH34xI", b"MZ", 64, 64) + b"PE\0\0" + struct.pack(
        "<HH12xHH", 0x8664, 1, 240, 0x2022)
    optional = struct.pack("<H30xII20xI44xI", 0x20B, 0x1000, 512, 512, 16)
    optional += b"".join(struct.pack("<II", 0x1000 if i == 2 else 0, len(rsrc))
                         for i in range(16))
    section = struct.pack("<8s4I16x", b".rsrc", len(rsrc), 0x1000, 512, 512)
    return (head + optional + section).ljust(512, b"\0") + rsrc.ljust(512, b"\0")
