# SPDX-License-Identifier: MIT
"""The written contract of the daemon (daemon/serve/contract/openrpc.json): every answer
and notification that a test gets is held against it."""
import functools
import json
import os
import sys

try:
    import jsonschema
except ImportError:  # another Python than Debian's
    sys.path.append("/usr/lib/python3/dist-packages")
    import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATH = os.path.join(ROOT, "daemon", "serve", "contract", "openrpc.json")
ITEMS_MAX = 50  # of one list: the others are made by the same code


class Breach(AssertionError):
    pass


@functools.cache
def document():
    with open(PATH, encoding="utf-8") as f:
        return json.load(f)


def schemas():
    """By name: the result of a method, a notification as "!NAME", a component as
    "#NAME"."""
    found = {m["name"]: m["result"]["schema"] for m in document()["methods"]}
    found.update({"!" + n["name"]: n["schema"] for n in document()["x-notifications"]})
    found.update({"#" + name: schema
                  for name, schema in document()["components"]["schemas"].items()})
    return found


def names(component):
    """Of a closed vocabulary."""
    return document()["components"]["schemas"][component]["enum"]


def _without_required(schema):
    if isinstance(schema, dict):
        return {key: _without_required(value) for key, value in schema.items()
                if key != "required" or not isinstance(value, list)}
    if isinstance(schema, list):
        return [_without_required(value) for value in schema]
    return schema


@functools.cache
def _validator(name, withheld):
    whole = dict(schemas()[name], components=document()["components"])
    return jsonschema.Draft7Validator(_without_required(whole) if withheld else whole)


def _shortened(value):
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value[:ITEMS_MAX]]
    return value


def hold(name, value, withheld=False):
    """@value against the schema @name, see schemas(). @withheld: over HTTP, where what
    names a process may be left out. Returns @value."""
    for error in _validator(name, withheld).iter_errors(_shortened(value)):
        while error.context:
            error = max(error.context, key=lambda e: len(e.absolute_path))
        where = "/".join(map(str, error.absolute_path))
        raise Breach(f"{name}: {where or 'the answer'}: {error.message[:1000]}")
    return value
