# SPDX-License-Identifier: MIT
"""Finds tests/support/harness.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from harness import *  # noqa: E402,F401,F403
