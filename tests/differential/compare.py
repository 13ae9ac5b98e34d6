"""Runs cases through both sides and compares them."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIDE = Path(__file__).with_name("side.py")


class Side:
    """A process that answers cases. `python`: its interpreter; `library`: 'noob' or 'compat'."""

    def __init__(self, library, python=sys.executable, path=(), marker=""):
        self.home = tempfile.TemporaryDirectory(prefix="penstock-side-")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "XDG_", "NOOB"))}
        environment |= {
            "HOME": self.home.name,
            "NOOB_LOGS__LEVEL": "ERROR",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *path, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONHASHSEED": "0",
            "PENSTOCK_MODEL_NOOB": marker,
        }
        self.process = subprocess.Popen(
            [os.fspath(python), "-W", "ignore", os.fspath(SIDE), library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def answer(self, case):
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the side died with {self.process.wait()} on {json.dumps(case)}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.home.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def difference(noob, ours):
    """One line on where the two outcomes differ, or None."""
    if noob["verdict"] != ours["verdict"]:
        return f"noob: {verdict(noob)}; ours: {verdict(ours)}"
    if noob["verdict"] != "ran":
        return None
    if noob["ignored"] != ours["ignored"]:
        return f"noob warns {noob['ignored']} times of extra inputs, ours {ours['ignored']}"
    if raised(noob) != raised(ours):
        return f"noob raises {noob.get('raised')}, ours {ours.get('raised')}"
    for key in ("results", "results_again"):
        if noob.get(key) != ours.get(key):
            return f"{key}: noob {noob.get(key)!r:.300}, ours {ours.get(key)!r:.300}"
    for key in ("events", "stored"):
        left, right = counted(noob, key), counted(ours, key)
        if left != right:
            only_left = [e for e in left if e not in right]
            only_right = [e for e in right if e not in left]
            return f"{key}: only noob {only_left[:4]}, only ours {only_right[:4]}"
    return None


def raised(outcome):
    """What a node raised, and of the libraries' own errors the class."""
    name, text = outcome.get("raised", ["", ""])
    return (name, text) if name == "ArithmeticError" else (name,)


def verdict(outcome):
    return outcome["verdict"] + (f" ({outcome['says']})" if "says" in outcome else "")


def counted(outcome, key):
    """Events as they are to be compared: which nodes of an epoch come first is not promised."""
    events = outcome[key]
    if "raised" in outcome:  # of an epoch that fails, some nodes have run
        last = max((at for at, event in enumerate(events) if event[0] == "meta" and not event[3]), default=-1)
        events = events[: last + 1]
    return sorted(
        (root, node, signal, tuple(map(tuple, path)), value)
        for node, signal, root, path, value in events
        if not (node == "meta" and path)  # the ends of sub-epochs: noob tells of some
    )
