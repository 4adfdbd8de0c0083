# SPDX-License-Identifier: MIT
"""Wrong answers made of right ones, to prove that the oracle notices them."""
import copy

from compare import KEEPER_WORDS


def doctor(kind, wanted, answer):
    """A copy of @answer that is wrong in the way of @kind, or None where there is
    nothing that could be wrong in that way. @wanted: what is true."""
    wrong = copy.deepcopy(answer)
    exact = {(want.path, want.replaced): want for want in wanted
             if not (want.may or want.noise or want.hidden or want.mappers or
                     want.may_keep)}
    for entry in wrong["files"]:
        want = exact.get((entry["path"], entry["replaced"]))
        if want and (entry["path"], entry["replaced"]) in once(wanted) and \
                WRONGS[kind](entry, want, wrong):
            return wrong
    return None


def once(wanted):
    keys = [(want.path, want.replaced) for want in wanted]
    return {key for key in keys if keys.count(key) == 1}


def drop_holder(entry, _want, _answer):
    for use in entry["uses"]:
        if set(use["how"]) - KEEPER_WORDS or not use["how"]:
            entry["uses"].remove(use)
            return True
    return False


def drop_everything(entry, _want, _answer):
    """The worst: a file that is held is told as free."""
    if entry["state"] != "blocked":
        return False
    entry.update(uses=[], locks=[], state="free")
    return True


def say_safe(_entry, _want, answer):
    if answer["verdict"] != "blocked":
        return False
    answer["verdict"] = "safe"
    return True


def leave_out(entry, want, answer):
    if not want.uses:
        return False
    answer["files"].remove(entry)
    return True


def drop_keeper(entry, want, _answer):
    words = {word for word, _ in want.keepers}
    for use in entry["uses"]:
        use["how"] = [word for word in use["how"] if word not in words]
    return bool(words)


def add_holder(entry, _want, _answer):
    entry["uses"].append({"pid": 999999999, "how": ["open"], "class": "blocker"})
    return True


def add_nobody(entry, _want, _answer):
    entry["uses"].append({"pid": None, "how": [], "class": "blocker"})
    return True


def change_how(entry, _want, _answer):
    for use in entry["uses"]:
        if "mapped" in use["how"]:
            use["how"].remove("mapped")
            return True
    return False


def drop_lock(entry, _want, _answer):
    return bool(entry["locks"]) and entry["locks"].pop() is not None


def add_lock(entry, _want, _answer):
    entry["locks"].append({"kind": "posix", "mode": "write", "start": 1000, "end": 1001,
                           "state": "held", "pid": 999999999})
    return True


def change_range(entry, _want, _answer):
    for lock in entry["locks"]:
        if lock["kind"] in ("posix", "ofd") and lock["end"] is not None:
            lock["end"] += 1
            return True
    return False


def say_unknown(entry, want, answer):
    if want.uses:
        return False
    entry["state"] = answer["verdict"] = "unknown"
    return True


WRONGS = {
    "a holder left out": drop_holder,
    "a held file told as free": drop_everything,
    "safe although held": say_safe,
    "a held file not listed": leave_out,
    "a holder that is none": add_holder,
    "a hidden holder that is none": add_nobody,
    "a mapping left out": change_how,
    "a keeper left out": drop_keeper,
    "a lock left out": drop_lock,
    "a lock that is none": add_lock,
    "a wrong range": change_range,
    "unknown without need": say_unknown,
}
doctor.KINDS = tuple(WRONGS)
