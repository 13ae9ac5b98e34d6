"""Ctrl-C, SIGTERM and a closed terminal at random points: soon over, nothing left behind.

24 points in CI, 200 with PENSTOCK_LONG_TESTS=1. A point is a delay after the start of the command, from
before Python is up to after the last node.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from process_tools import shared_memory, wait_until_gone

POINTS = 200 if os.environ.get("PENSTOCK_LONG_TESTS") else 24
RUNNERS = ("sync", "threads", "processes")
SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What Python says when it is interrupted before it has begun.
PYTHON_ITSELF = ("Could not import runpy module", "Fatal Python error: init_")

TUBE = """
noob_id: interrupted
nodes:
  count: {type: interrupted_nodes.count_up}
  many:  {type: interrupted_nodes.many, depends: [{n: count.value}]}
  each:  {type: map, depends: many.value}
  work:  {type: interrupted_nodes.work, depends: [{x: each.value}]}
  all:   {type: gather, depends: work.value}
  memory: {type: interrupted_nodes.Memory, depends: [{xs: all.value}]}
  out:   {type: return, depends: memory.value}
"""

NODES = """
import time
import numpy

def count_up():
    for n in range(30):
        yield n

def many(n: int):
    return [numpy.full(20_000, n + i, dtype=float) for i in range(4)]

def work(x):
    time.sleep(0.002)
    return float(x.sum())

class Memory:
    def __init__(self):
        self.total = 0.0
    def process(self, xs):
        self.total += sum(xs)
        return self.total
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "interrupted.yaml").write_text(TUBE)
    (tmp_path / "interrupted_nodes.py").write_text(NODES)
    return tmp_path


def start(folder, runner):
    return subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", "interrupted.yaml", "--runner", runner, "--workers", "2", "-q"],
        cwd=folder, env=os.environ | {"PENSTOCK_HOME": str(folder / "home")}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_run_is_stopped_at_any_point(folder, runner):
    whole = start(folder, runner)
    began = time.monotonic()
    out, errors = whole.communicate(timeout=60)
    length = time.monotonic() - began
    assert whole.returncode == 0, errors
    before = set(os.listdir("/dev/shm"))
    rng = random.Random(f"20261121 {runner}")
    stopped = 0
    for _ in range(POINTS // len(RUNNERS)):
        delay, number = rng.uniform(0, length), rng.choice(SIGNALS)
        process = start(folder, runner)
        time.sleep(delay)  # the random point
        os.kill(process.pid, number)
        sent = time.monotonic()
        seen, errors = process.communicate(timeout=30)
        took = time.monotonic() - sent
        where = f"{runner}, {number.name} after {delay:.3f} s of {length:.3f}: {process.returncode}\n{errors}"
        # Before Python's handlers are there, a signal ends the process as it ends any other; a little later
        # Python itself gives up with exit code 1.
        is_python = process.returncode == 1 and errors.startswith(PYTHON_ITSELF)
        assert is_python or process.returncode in (0, 130, -number, 128 + number), where
        assert took < 1.5, f"took {took:.2f} s; {where}"
        assert process.returncode != 0 or seen == out, where
        assert "Traceback" not in errors or "KeyboardInterrupt" in errors, where
        assert wait_until_gone(process.pid) == [], where
        assert shared_memory(before) == set(), where
        stopped += process.returncode != 0
    assert stopped > POINTS // len(RUNNERS) // 3
    again = start(folder, runner)
    assert (again.communicate(timeout=60)[0], again.returncode) == (out, 0)
