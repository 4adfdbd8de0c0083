#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real zabbix_agentd prints the item of conf/monitoring/zabbix, unmodified, and every
item of the template finds its value in it. Of the template itself what Zabbix 6.0 checks
at an import is checked here: identifiers, references, parameters."""
import json
import os
import re
import subprocess
import unittest
import uuid
import xml.etree.ElementTree as ET

from support import BUILD, MONITORING, PATH, Product, SystemTest, main, program

TEMPLATE = os.path.join(MONITORING, "zabbix", "template_spguard.xml")
MASTER = "spguard.status"
LIMIT = 512 * 1024  # of an item's value, in the agent


class NotFound(Exception):
    pass


def json_path(path, document):
    """The value at a path of those forms that the template uses."""
    found, at = [document], 1
    for step in re.finditer(r"\.(\w+)(\(\))?|\[\?\((.*?)\)\]|\['(.*?)'\]", path):
        if step.start() != at:
            raise ValueError(path)
        at = step.end()
        name, call, condition, union = step.groups()
        if call:
            if name == "length":
                is_list = isinstance(found[0], list) if len(found) == 1 else False
                return len(found[0] if is_list else found)
            if not found:
                raise NotFound(path)
            return {"first": lambda: found[0], "sum": lambda: sum(found)}[name]()
        if condition:
            found = [e for e in found[0] if all(holds(c, e) for c in condition.split(" && "))]
        elif union:
            found = [found[0][key] for key in union.split("','")]
        else:
            if not isinstance(found[0], dict) or name not in found[0]:
                raise NotFound(path)
            found = [found[0][name]]
    if at != len(path) or path[0] != "$":
        raise ValueError(path)
    return found[0]


def holds(condition, element):
    path, operator, value = re.fullmatch(r"@([\w.]+) ?(==|>) ?(.*)", condition).groups()
    for name in path[1:].split("."):
        element = element[name]
    if operator == "==":
        return element == value.strip("'")
    return element is not None and element > float(value)


class Template(unittest.TestCase):
    def setUp(self):
        self.root = ET.parse(TEMPLATE).getroot()
        self.template = self.root.find("templates/template")
        self.name = self.template.findtext("template")

    def items(self):
        return self.template.findall("items/item") + self.template.findall(
            "discovery_rules/discovery_rule/item_prototypes/item_prototype")

    def test_identifiers(self):
        self.assertEqual(self.root.findtext("version"), "6.0")
        uuids = [e.text for e in self.root.iter("uuid")]
        self.assertEqual(len(set(uuids)), len(uuids))
        for text in uuids:
            self.assertRegex(text, "^[0-9a-f]{32}$")
            self.assertEqual(uuid.UUID(text).version, 4, text)
            self.assertEqual(uuid.UUID(text).variant, uuid.RFC_4122, text)
        keys = [i.findtext("key") for i in self.items()]
        self.assertEqual(len(set(keys)), len(keys))

    def test_references(self):
        keys = {i.findtext("key") for i in self.items()}
        groups = {g.findtext("name") for g in self.root.findall("groups/group")}
        self.assertEqual({g.findtext("name") for g in self.template.findall("groups/group")},
                         groups)
        valuemaps = {v.findtext("name") for v in self.template.findall("valuemaps/valuemap")}
        used = {v.findtext("name") for i in self.items() for v in i.findall("valuemap")}
        self.assertEqual(used, valuemaps)
        for master in self.template.iter("master_item"):
            self.assertEqual(master.findtext("key"), MASTER)
        for graphed in self.template.iter("graph_item"):
            self.assertEqual(graphed.findtext("item/host"), self.name)
            self.assertIn(graphed.findtext("item/key"), keys)
        macros = {m.findtext("macro") for m in self.template.findall("macros/macro")}
        expressions = "".join(e.text for e in self.template.iter("expression"))
        self.assertEqual({m + "}" for m in re.findall(r"\{\$[A-Z.]+", expressions)}, macros)

    def test_triggers(self):
        triggers = {}
        for item in self.items():
            for kind in "triggers/trigger", "trigger_prototypes/trigger_prototype":
                for trigger in item.findall(kind):
                    expression = trigger.findtext("expression")
                    asked = set(re.findall(r"/([^/]+)/([^,)]+)", expression))
                    # Of one item, the one that it stands below.
                    self.assertEqual(asked, {(self.name, item.findtext("key"))})
                    triggers[trigger.findtext("name")] = expression
                    self.assertTrue(trigger.findtext("description"))
        for dependency in self.template.iter("dependency"):
            self.assertEqual(triggers[dependency.findtext("name")],
                             dependency.findtext("expression"))
        for what in "blocked", "nobody knows", "mixed set", "gaps", "written more slowly", \
                "not answer", "No data":
            self.assertTrue(any(what in name for name in triggers), what)

    def test_steps(self):
        for item in self.items():
            dependent = item.findtext("type") == "DEPENDENT"
            self.assertEqual(dependent, item.findtext("key") != MASTER)
            self.assertEqual(item.findtext("delay"), "0" if dependent else "1m")
            steps = item.findall("preprocessing/step")
            self.assertEqual(bool(steps), dependent)
            for step in steps:
                self.assertIsNotNone(step.find("parameters/parameter"))
            if dependent:
                self.assertEqual(steps[0].findtext("type"), "JSONPATH")
                self.assertIn(steps[0].findtext("error_handler"),
                              ("DISCARD_VALUE", "CUSTOM_VALUE"))


class Agent(SystemTest):
    def setUp(self):
        super().setUp()
        self.program = program("zabbix_agentd")
        self.dll = self.file("Mdbperf.dll")
        self.file("Gwperf.dll")
        self.config = self.path("zabbix_agentd.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"Server=127.0.0.1\nLogType=console\nAllowRoot=1\n"
                    f"Include={MONITORING}/zabbix/spguard.conf\n")
        template = ET.parse(TEMPLATE).getroot().find("templates/template")
        self.items = template.findall("items/item[type='DEPENDENT']")
        self.rule = template.find("discovery_rules/discovery_rule")
        self.prototypes = self.rule.findall("item_prototypes/item_prototype")

    def document(self, daemon):
        """What the agent prints for the master item, as text and decoded."""
        env = {"PATH": os.path.join(BUILD, "client") + ":" + PATH,
               "SPGUARD_SOCKET": daemon.socket}
        done = subprocess.run([self.program, "-c", self.config, "-t", MASTER], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        printed = re.search(r"^spguard\.status +\[t\|(.*)\]$", done.stdout, re.M)
        self.assertTrue(printed, done.stdout + done.stderr)
        self.assertLess(len(printed[1].encode()), LIMIT)
        return json.loads(printed[1])

    def values(self, document):
        """{key: value} as the first step of each item finds them; an item whose value
        would be discarded is not in it."""
        values = {}

        def take(item, replace=lambda text: text):
            step = item.find("preprocessing/step")
            try:
                value = json_path(replace(step.findtext("parameters/parameter")), document)
            except NotFound:
                if step.findtext("error_handler") == "DISCARD_VALUE":
                    return
                value = step.findtext("error_handler_params")
            values[replace(item.findtext("key"))] = value
        for item in self.items:
            take(item)
        try:
            products = json_path(self.rule.findtext(
                "preprocessing/step/parameters/parameter"), document)
        except NotFound:
            products = [{"name": "one that was found earlier", "title": "x"}]
        for product in products:
            macros = {path.findtext("lld_macro"): json_path(path.findtext("path"), product)
                      for path in self.rule.findall("lld_macro_paths/lld_macro_path")}

            def replace(text, macros=macros):
                for macro, value in macros.items():
                    text = text.replace(macro, value)
                return text
            for prototype in self.prototypes:
                take(prototype, replace)
        return values

    def test_every_item_finds_its_value(self):
        daemon = self.daemon(Product("exchange55", self.bin, title="Exchange 5.5"),
                             Product("other", self.directory("none")))
        values = self.values(self.document(daemon))
        keys = {i.findtext("key") for i in self.items}
        for product in "exchange55", "other":
            keys |= {p.findtext("key").replace("{#PRODUCT}", product)
                     for p in self.prototypes}
        self.assertEqual(set(values), keys)
        for key, value in values.items():
            self.assertIsInstance(value, bool if key == "spguard.store.stopped" else
                                  str if re.search("version|tier|verdict", key) else int, key)
        self.assertEqual(values["spguard.verdict[exchange55]"], "safe")
        self.assertEqual(values["spguard.files[exchange55]"], 2)
        self.assertEqual(values["spguard.verdict[other]"], "unknown")
        self.assertEqual(values["spguard.up"], daemon.main_pid())

    def test_the_verdict_is_proved_each_time(self):
        daemon = self.daemon(Product("exchange55", self.bin))
        first = self.document(daemon)["products"][0]
        holder = self.hold("mapped", self.dll)
        values = self.values(self.document(daemon))
        self.assertEqual(values["spguard.verdict[exchange55]"], "blocked")
        self.assertEqual(values["spguard.blocked[exchange55]"], 1)
        holder.release()
        last = self.document(daemon)["products"][0]
        self.assertEqual(last["verdict"], "safe")
        self.assertGreater(last["verdict_at"], first["verdict_at"])
        daemon.stop()
        document = self.document(daemon)
        self.assertEqual(document.keys(), {"error"})
        gone = self.values(document)
        self.assertEqual(gone.pop("spguard.up"), "0")
        self.assertEqual(gone["spguard.verdict[one that was found earlier]"], "unknown")

    def test_an_install_that_left_a_file_out(self):
        replaced = [self.file(f"Part{n}.dll") for n in range(8)]
        daemon = self.daemon(Product("exchange55", self.bin))
        self.hold("mapped", self.dll)
        daemon.check()
        for path in replaced:
            with open(self.path("new"), "wb") as new:
                new.write(b"another version\n")
            os.rename(self.path("new"), path)
        daemon.check()
        self.assertEqual(self.values(self.document(daemon))["spguard.mixed[exchange55]"], 1)


if __name__ == "__main__":
    main()
