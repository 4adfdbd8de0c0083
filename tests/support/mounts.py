# SPDX-License-Identifier: MIT
"""mount(2), and a mount namespace of the test's own."""
import ctypes
import os
import unittest

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE, MS_BIND = 0x20000, 0x4000, 1 << 18, 0x1000
_private = False


def mount(source, target, kind, flags, options=None):
    """mount(2)."""
    as_bytes = [x.encode() if x is not None else None
                for x in (source, target, kind, options)]
    if _libc.mount(as_bytes[0], as_bytes[1], as_bytes[2], ctypes.c_ulong(flags),
                   as_bytes[3]) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {kind or 'bind'} on {target}: {os.strerror(error)}")


def private_mounts():
    """From now on what this process and its children mount is theirs alone,
    and goes with the last of them. Call before the first thread starts."""
    global _private
    if _private:
        return
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise unittest.SkipTest(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _private = True
