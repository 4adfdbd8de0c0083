#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An installer of its own, so that the test that runs it is somebody else: begins a
hold over the socket and does what it is told, one JSON object a line.

  installer.py SOCKET PARAMETERS    of hold.begin, as JSON

Prints {"result": ...} or {"error": ...} for hold.begin, then for each line:
  {"do": "open", "path", "who"}   "ok", or the name of the error; who: self, child,
                                  thread, or orphan: a grandchild in a session of its
                                  own whose parent has ended
  {"do": "call", "method", "params"}
  {"do": "rename", "from", "to"}
  {"do": "wait-end"}              the next hold-end event
"""
import ctypes
import errno
import json
import os
import sys
import threading

from harness import Rpc, RpcError

PR_SET_CHILD_SUBREAPER = 36


def outcome(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]


def in_child(path, depth):
    """Open @path in a descendant: a child, or with @depth 2 an orphaned grandchild."""
    result, report = os.pipe()
    parent_ended, parent_lives = os.pipe()
    child = os.fork()
    if child == 0:
        if depth == 2:
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
            os.close(parent_lives)
            # Everybody else who has it is gone or about to close it.
            os.read(parent_ended, 1)
        os.write(report, outcome(path).encode())
        os._exit(0)
    os.close(report)
    os.waitpid(child, 0)
    os.close(parent_lives)
    with open(result, "rb") as f:
        text = f.read().decode()
    os.close(parent_ended)
    return text


def in_thread(path):
    results = []
    thread = threading.Thread(target=lambda: results.append(outcome(path)))
    thread.start()
    thread.join()
    return results[0]


OPEN = {"self": outcome, "child": lambda path: in_child(path, 1),
        "orphan": lambda path: in_child(path, 2), "thread": in_thread}


def call(rpc, method, params):
    try:
        return {"result": rpc.call(method, **params)}
    except RpcError as error:
        return {"error": str(error)}


def obey(rpc, order):
    if order["do"] == "open":
        return OPEN[order["who"]](order["path"])
    if order["do"] == "call":
        return call(rpc, order["method"], order["params"])
    if order["do"] == "rename":
        return os.rename(order["from"], order["to"])
    return rpc.wait_notification(
        lambda _, event: event.get("kind") == "hold-end")


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    rpc = Rpc(sys.argv[1])
    rpc.call("subscribe", kinds=["hold-end"])
    print(json.dumps(call(rpc, "hold.begin", json.loads(sys.argv[2]))), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(rpc, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
