"""Tubes whose nodes write down that they ran: what is reused is seen from outside of the engine."""

import importlib
import os
import sys
from pathlib import Path

import numpy
import pyarrow

import penstock as ps

LOG = """import os
def _ran(name):
    with open(os.environ["RAN"], "a") as file:
        file.write(name + "\\n")
"""


class Job:
    """A folder with a tube and a module; ``run`` imports the module anew, as a new process would."""

    def __init__(self, folder, monkeypatch):
        self.folder = Path(folder)
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("PENSTOCK_CACHE", "on")
        monkeypatch.setenv("PENSTOCK_HOME", str(self.folder / "home"))
        monkeypatch.setenv("RAN", str(self.folder / "ran"))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit of the same second counts too
        monkeypatch.syspath_prepend(str(self.folder))

    def write(self, **files):
        """``tube=...`` is tube.yaml, other names are modules."""
        for name, text in files.items():
            (self.folder / ("tube.yaml" if name == "tube" else f"{name}.py")).write_text(text)

    def load(self):
        for path in self.folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
        importlib.invalidate_caches()
        return ps.Tube.load(self.folder / "tube.yaml")

    def run(self, **options):
        (self.folder / "ran").write_text("")
        return ps.run(self.load(), **options)

    def ran(self):
        """Names of what ran since the last run() began, sorted."""
        return sorted((self.folder / "ran").read_text().split())

    def kept(self):
        """Files of kept results; one that has two names is there once."""
        return sorted({path.stat().st_ino: path for path in self.kept_paths()}.values())

    def kept_paths(self):
        return list((self.folder / "home" / "cache").glob("??/*"))


VALUES = {
    "null": None, "bool": True, "int": 3, "negative": -(2**63), "long": 2**200,
    "float": 1.5, "nan": float("nan"), "minus zero": -0.0,
    "text": "gr\u00fc\u00dfe \U0001f30d", "empty": "", "bytes": b"\0\xff", "long bytes": bytes(200_000),
    "list": [1, [2, []]], "tuple": (1, (2,), ()), "map": {"z": 1, "a": {"y": None, "b": 2}}, "$penstock": {"$penstock": [1]},
    "array": numpy.arange(12.0).reshape(3, 4), "long array": numpy.arange(100_000), "no rows": numpy.zeros((0, 3), dtype="i2"),
    "scalar": numpy.float32(1.5), "bools": numpy.array([True, False]), "complex": numpy.array([1 + 2j]),
    "table": pyarrow.table({"a": [1, None], "b": ["x", "yy"], "c": [[1.5], []]}),
    "long table": pyarrow.table({"n": list(range(50_000))}),
    "mixed": {"t": pyarrow.table({"a": [1]}), "x": [numpy.arange(3), b"b"]},
}  # fmt: skip


def give(which):
    with open(os.environ["RAN"], "a") as file:
        file.write("give\n")
    return VALUES[which]
