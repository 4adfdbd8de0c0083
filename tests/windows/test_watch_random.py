#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The watch backend of Windows against the truth: holders begin and end at random, in every
way, on a few files; after each step a survey has to name exactly those who hold each file.
SPGUARD_SEED repeats a run, SPGUARD_STATES says how many states."""
import os
import random
import time
import unittest

from watching import Holder, Watch, World, can_run

from tap import main

WAYS = {"share-all": "open", "share-read": "open", "share-none": "open", "write": "write",
        "attributes": "open", "view": "mapped", "writable-view": "mapped",
        "section": "mapped", "image": "mapped", "lock:7:9": "open", "inherited": "open",
        "duplicated": "open"}
# Who comes second after one of these is refused, or refuses.
EXCLUSIVE = {"share-read", "share-none", "image", "writable-view", "write", "lock:7:9"}
N_FILES, N_HOLDERS = 6, 8


@unittest.skipUnless(can_run(), "no Wine, or the programs of tests/windows are not built")
class RandomTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.watch = Watch(self.world)
        self.addCleanup(self.watch.close)
        self.files = [f"f{i}.dll" for i in range(N_FILES)]
        for name in self.files:
            self.world.make_library(name)
        self.holders = []  # (holder, {file: way})
        seed = int(os.environ.get("SPGUARD_SEED", time.time_ns() % 100000))
        self.random = random.Random(seed)
        print(f"# seed {seed}", flush=True)

    def ways_on(self, name):
        return [ways[name] for _, ways in self.holders if name in ways]

    def begin(self):
        ways = {}
        for name in self.random.sample(self.files, self.random.randint(1, 3)):
            way = self.random.choice(list(WAYS))
            others = self.ways_on(name)
            # A handle handed to a child is not this holder's own.
            if way in ("inherited", "duplicated") and ways:
                continue
            if others and (way in EXCLUSIVE or EXCLUSIVE & set(others)):
                continue
            ways[name] = way
            if way in ("inherited", "duplicated"):
                break
        if ways:
            held = [f"{way}=C:/product/{name}" for name, way in ways.items()]
            self.holders.append((Holder(self.world, *held), ways))

    def end(self):
        holder, _ = self.holders.pop(self.random.randrange(len(self.holders)))
        if self.random.random() < 0.3:
            holder.kill()
        holder.close()

    def step(self):
        if self.holders and (len(self.holders) == N_HOLDERS or self.random.random() < 0.45):
            self.end()
        else:
            self.begin()

    def check(self, step):
        survey = self.watch.survey()
        for name in self.files:
            truth = {holder.pid for holder, ways in self.holders if name in ways}
            file = survey.file(name)
            what = f"state {step}: {name} is held {self.ways_on(name)}: {file} {survey.blind}"
            self.assertEqual(file["in_use"], "yes" if truth else "no", what)
            self.assertEqual(set(survey.users(name)), truth, what)
        self.assertTrue(survey.complete)

    def test_random_states(self):
        for step in range(int(os.environ.get("SPGUARD_STATES", "500"))):
            self.step()
            self.check(step)
        for holder, _ in self.holders:
            holder.close()
        self.holders = []
        self.check("last")


if __name__ == "__main__":
    main()
