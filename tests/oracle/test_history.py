#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The oracle's comparison of a lock's episodes with the history's intervals, in cases
whose result is known. Times are in ms."""
import unittest

from history import History, join_told, join_true
from truth import END

MS = 1_000_000


def window(at):
    return at * MS, at * MS + MS // 2


def compare(true, told, fresh=()):
    """@true, @told: (begun, ended) of one byte's lock; None: it lasts. @fresh: what
    began of @true before anybody had looked at the file."""
    episodes = [(window(begun), None if ended is None else window(ended))
                for begun, ended in true]
    spans = [(since * MS, None if until is None else until * MS) for since, until in told]
    return list(History.region("byte 0", join_true(episodes), join_told(spans),
                               {window(begun) for begun in fresh}))


class Regions(unittest.TestCase):
    def test_each_has_its_interval(self):
        self.assertEqual(compare([(0, 100), (300, 400)], [(0, 100), (300, 400)]), [])

    def test_one_has_none(self):
        self.assertEqual(len(compare([(0, 100), (300, 400)], [(0, 100)])), 1)

    def test_one_that_was_not(self):
        self.assertEqual(len(compare([(0, 100)], [(0, 100), (300, 400)])), 1)

    def test_fresh_is_told_late_or_not_at_all(self):
        self.assertEqual(compare([(0, 500)], [(200, 500)], fresh=[0]), [])
        self.assertEqual(compare([(0, 500)], [], fresh=[0]), [])
        self.assertEqual(compare([(0, None)], [(200, None)], fresh=[0]), [])

    def test_fresh_leaves_the_next_ones_theirs(self):
        """Three locks within the slack of the clocks, the first from before anybody
        had looked at the file."""
        true = [(0, 500), (501, 502), (503, 504)]
        self.assertEqual(compare(true, [(200, 500), (501, 502), (503, 504)], fresh=[0]), [])
        self.assertEqual(compare(true, [(501, 502), (503, 504)], fresh=[0]), [])

    def test_fresh_hides_no_other_missing_one(self):
        self.assertEqual(len(compare([(0, 500), (501, 502), (603, 604)],
                                     [(200, 500), (501, 502)], fresh=[0])), 1)

    def test_whole_files_have_bytes(self):
        history = History("", "bpf")
        lock = (0, END, window(0), window(100), False)
        self.assertEqual(list(history.regions("a", [lock], [(0, END, 0, 100 * MS)])), [])
        self.assertEqual(len(list(history.regions("a", [lock], [(8, END, 0, 100 * MS)]))), 1)


if __name__ == "__main__":
    unittest.main()
