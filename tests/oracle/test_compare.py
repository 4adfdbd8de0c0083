#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The oracle's comparison of an answer with the truth, in cases whose result is known."""
import unittest
from collections import Counter

from compare import Comparer


class Truth:
    def __init__(self, *states):
        self.path, self.chosen = "/a.dll", set(states)

    def states(self):
        return self.chosen


class NothingThere(unittest.TestCase):
    """A product whose files have all gone: whether that is the right directory nobody
    knows."""

    @staticmethod
    def product(verdict, **states):
        answer = {"verdict": verdict, "reasons": []}
        return list(Comparer("bpf").verdict(answer, Counter(states)))

    @staticmethod
    def selection(verdict, *wanted):
        return list(Comparer("bpf").selection(wanted, {"verdict": verdict, "reasons": []}))

    def test_product(self):
        self.assertEqual(self.product("unknown"), [])
        self.assertEqual(len(self.product("safe")), 1)
        self.assertEqual(self.product("safe", free=1), [])
        self.assertEqual(len(self.product("unknown", free=1)), 1)

    def test_selection(self):
        self.assertEqual(self.selection("unknown"), [])
        self.assertEqual(len(self.selection("safe")), 1)
        self.assertEqual(self.selection("safe", Truth("free")), [])
        self.assertEqual(len(self.selection("unknown", Truth("free"))), 1)


if __name__ == "__main__":
    unittest.main()
