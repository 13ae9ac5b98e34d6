"""`penstock run` of a five-node tube of Python functions, and of a file of plain functions, from process start to the printed
result.

Peers: plain Python that calls the same functions, doit and Hamilton doing the same work. Prefect is not installed: a flow
run starts a server, and it would bring 90 packages for one number. Answer: the last line that is printed.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

HERE = Path(__file__).parent
REPEATS = 5
TUBE = """noob_id: five
nodes:
  n: {type: bench_nodes.numbers, params: {size: 3}}
  l: {type: builtins.len, depends: n.value}
  d: {type: bench_nodes.double, depends: l.value}
  s: {type: bench_nodes.square, depends: d.value}
  r: {type: return, depends: s.value}
"""
FUNCTIONS = """from bench_nodes import numbers as _numbers, double as _double, square as _square
def n(size: int = 3) -> list: return _numbers(size)
def l(n: list) -> int: return len(n)
def d(l: int) -> int: return _double(l)
def s(d: int) -> int: return _square(d)
def r(s: int) -> int: return s
"""
PLAIN = "from bench_nodes import *; print(square(double(len(numbers(3)))))"
HAMILTON = """
import sys, bench_nodes, types
from hamilton import driver
def n() -> list: return bench_nodes.numbers(3)
def l(n: list) -> int: return len(n)
def d(l: int) -> int: return bench_nodes.double(l)
def s(d: int) -> int: return bench_nodes.square(d)
module = types.ModuleType("flow")
for f in (n, l, d, s):
    f.__module__ = "flow"
    setattr(module, f.__name__, f)
sys.modules["flow"] = module
from hamilton import base
print(driver.Driver({}, module, adapter=base.DictResult()).execute(["s"])["s"])
"""
DOIT = """
import bench_nodes
DOIT_CONFIG = {"verbosity": 2, "reporter": "zero"}
def make(name, before, call):
    def action(**values):
        (value,) = values.values() or (None,)
        result = call(value)
        if name == "s":
            print(result)
        return {"value": result}
    return {"name": name, "actions": [action], "getargs": {"value": (f"x:{before}", "value")} if before else {}, "uptodate": [False]}
def task_x():
    yield make("n", None, lambda _: bench_nodes.numbers(3))
    yield make("l", "n", len)
    yield make("d", "l", bench_nodes.double)
    yield make("s", "d", bench_nodes.square)
"""


def repeated(words, folder=None):
    environment = os.environ | {"PYTHONPATH": str(HERE), "PENSTOCK_HOME": str(folder)}

    def sample():
        start = time.perf_counter()
        for _ in range(REPEATS):
            done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=folder)
        seconds = (time.perf_counter() - start) / REPEATS
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            sys.stderr.write(done.stderr[-2000:])
            return seconds, False
        return seconds, lines[-1]

    return sample


def folder_with(stack, name, text):
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / name).write_text(text)
    return folder


def ours(stack):
    folder = folder_with(stack, "five.yaml", TUBE)
    return repeated([str(Path(sys.executable).parent / "penstock"), "run", "five.yaml"], folder)


def functions(stack):
    folder = folder_with(stack, "five.py", FUNCTIONS)
    return repeated([str(Path(sys.executable).parent / "penstock"), "run", "five.py"], folder)


def plain(stack):
    return repeated([sys.executable, "-c", PLAIN], folder_with(stack, "unused", ""))


def doit(stack):
    return repeated([str(Path(sys.executable).parent / "doit"), "-f", "dodo.py"], folder_with(stack, "dodo.py", DOIT))


def hamilton(stack):
    folder = folder_with(stack, "flow_main.py", HAMILTON)
    return repeated([sys.executable, "-W", "ignore", "flow_main.py"], folder)


def rows(pairs):
    made = []
    for peer, bar in (("plain", 0.20), ("doit", None), ("hamilton", None)):
        with harness.python_side("five_nodes", "ours") as side, harness.python_side("five_nodes", peer, harness.PEERS) as other:
            measured = harness.paired(side, other, pairs)
        made.append(harness.bar_row("penstock run, five Python nodes, wall", measured, scale=1, unit="s", peer_name=peer, at_most=bar))
    with harness.python_side("five_nodes", "functions") as side, harness.python_side("five_nodes", "hamilton", harness.PEERS) as other:
        measured = harness.paired(side, other, pairs)
    what = f"penstock run, file of five plain functions ({len(FUNCTIONS.splitlines())} lines), wall"
    made.append(harness.bar_row(what, measured, scale=1, unit="s", peer_name="hamilton", at_most=0.20))
    return made
