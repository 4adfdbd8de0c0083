#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The written contract (daemon/serve/contract/openrpc.json) is whole, is what the
program's lists say, and the daemons that tests invent keep it."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import contract  # noqa: E402
import jsonschema  # noqa: E402
from tap import main  # noqa: E402

import fake_daemon  # noqa: E402

ROOT = contract.ROOT

# Component of the contract: the list in the sources whose names it has.
VOCABULARIES = {
    "Verdict": "verdicts", "EventKind": "event_kinds", "How": "use_hows",
    "FileState": "file_states", "UseClass": "use_classes", "LockKind": "lock_kinds",
    "LockMode": "lock_modes", "LockState": "lock_states", "GapReason": "gap_reasons",
    "InstallOutcome": "install_outcomes", "InstallChange": "install_changes",
    "SidestepState": "sidestep_states", "LackKind": "SPG_LACK_KINDS",
    "MechanismKind": "SPG_MECHANISM_KINDS", "StoreFault": "SPG_STORE_FAULTS",
    "FindingKind": "SPG_FINDING_KINDS",
    "VerifyVerdict": "SPG_VERIFY_VERDICTS", "ContainerEngine": "SPG_CONTAINER_ENGINES",
    "ReasonKind": "SPG_REASON_KINDS", "StepKind": "SPG_STEP_KINDS",
    "ObstacleKind": "SPG_OBSTACLE_KINDS", "HoldEnd": "SPG_HOLD_CAUSES",
}


def source(*names):
    text = ""
    for name in names:
        with open(os.path.join(ROOT, name), encoding="utf-8") as f:
            text += f.read()
    return text


def names_of(vocabulary):
    text = source("common/kind.c", "common/kind.h", "common/note_kind.h")
    if vocabulary.isupper():
        rows = re.search(rf"#define {vocabulary}\(X\)((?:[^\n]*\\\n)*[^\n]*)", text).group(1)
        return re.findall(r'X\(\w+, "([^"]+)"', rows)
    rows = re.search(rf"\b{vocabulary}\[\w*\] = \{{(.*?)\}};", text, re.S).group(1)
    return re.findall(r'"([^"]+)"', rows)


def references(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def names_in(value):
    """Of fields and of the closed vocabularies."""
    if isinstance(value, dict):
        yield from value.get("properties", ())
        yield from (word for word in value.get("enum", ()) if word)
        for item in value.values():
            yield from names_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from names_in(item)


class Document(unittest.TestCase):
    def test_it_is_openrpc(self):
        document = contract.document()
        self.assertRegex(document["openrpc"], r"^1\.\d+\.\d+$")
        self.assertLessEqual({"title", "version"}, document["info"].keys())
        names = [method["name"] for method in document["methods"]]
        self.assertEqual(len(set(names)), len(names))
        for method in document["methods"]:
            with self.subTest(method=method["name"]):
                self.assertEqual(method["paramStructure"], "by-name")
                self.assertTrue(method["summary"])
                self.assertLessEqual({"name", "schema"}, method["result"].keys())
                params = method["params"]
                self.assertEqual(len({p["name"] for p in params}), len(params))
                for param in params:
                    self.assertTrue(param["summary"])
                    jsonschema.Draft7Validator.check_schema(param["schema"])

    def test_every_schema_is_one(self):
        for name, schema in contract.schemas().items():
            with self.subTest(schema=name):
                jsonschema.Draft7Validator.check_schema(schema)

    def test_every_component_is_there_and_used(self):
        document = contract.document()
        used = {name.rpartition("/")[2] for name in references(document)}
        self.assertEqual(used, document["components"]["schemas"].keys())

    def test_every_object_is_closed(self):
        """A name that is in no schema is a breach, not an extra."""
        def look(value, where):
            if isinstance(value, dict):
                if "properties" in value and "rpc.discover" not in where:
                    self.assertIs(value.get("additionalProperties"), False, where)
                    self.assertLessEqual(set(value.get("required", ())),
                                         value["properties"].keys(), where)
                for key, item in value.items():
                    look(item, f"{where}/{key}")
            elif isinstance(value, list):
                for item in value:
                    look(item, where)
        for name, schema in contract.schemas().items():
            look(schema, name)

    def test_the_names_are_those_of_the_program(self):
        components = contract.document()["components"]["schemas"]
        for component, vocabulary in VOCABULARIES.items():
            with self.subTest(vocabulary=vocabulary):
                self.assertEqual(components[component]["enum"], names_of(vocabulary))

    def test_every_method_has_a_handler(self):
        handled = re.findall(r'\{"([a-z_.]+)", spg_method_\w+\}',
                             source("daemon/serve/methods/methods.c"))
        self.assertEqual(sorted(handled),
                         sorted(m["name"] for m in contract.document()["methods"]))

    def test_the_manual_has_every_name(self):
        text = source("man/spguard-json.5.scd")
        words = set(re.findall(r"(?<![\w*])\*([\w.-]+)\*", text))
        for name, schema in contract.schemas().items():
            with self.subTest(schema=name):
                missing = set(names_in(schema)) - words - {"PayloadFile"}
                if name != "#PayloadFile":
                    self.assertFalse(missing)
        headings = set(re.findall(r"[\w.]+", " ".join(re.findall(r"^## (.*)", text, re.M))))
        self.assertEqual(headings, {m["name"] for m in contract.document()["methods"]})

    def test_a_breach_is_found(self):
        answer = {"hold": 1, "until": fake_daemon.AT}
        contract.hold("hold.renew", answer)
        for change in {"hold": "1"}, {"until": "soon"}, {"untill": 1}:
            with self.assertRaises(contract.Breach):
                contract.hold("hold.renew", {**answer, **change})
        with self.assertRaises(contract.Breach):
            contract.hold("hold.renew", {"hold": 1})
        contract.hold("hold.renew", {"hold": 1}, withheld=True)


class Invented(unittest.TestCase):
    def test_answers(self):
        worlds = {"default": fake_daemon.DEFAULT, **fake_daemon.SCENARIOS}
        for world, answers in worlds.items():
            for method, answer in answers.items():
                answer = getattr(answer, "result", answer)
                with self.subTest(world=world, method=method):
                    contract.hold(method, answer)


if __name__ == "__main__":
    main()
