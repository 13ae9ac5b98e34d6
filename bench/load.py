"""YAML of 8 nodes to a compiled tube; and a generated tube of 1,000,000 nodes.

Measured: text (a file, for noob: it reads files only) to a tube ready for a runner, with the functions imported before.
Peer for the small one: noob 1003's `Tube.from_specification`. The large one has no peer in the table.
"""

import tempfile
import time
from pathlib import Path

import harness

SMALL = """noob_id: bench-load
noob_model: noob.tube.TubeSpecification
noob_version: 1003.0.2
nodes:
  c:
    type: bench_nodes.count
  d:
    type: bench_nodes.double
    depends: c.value
  i:
    type: bench_nodes.increment
    depends:
    - x: c.value
  s:
    type: bench_nodes.square
    depends: i.value
  h:
    type: bench_nodes.halve
    depends: s.value
  a:
    type: bench_nodes.add
    depends:
    - a: d.value
    - b: s.value
  b:
    type: bench_nodes.add
    depends: [a.value, h.value]
  r:
    type: return
    depends:
    - sum: b.value
    - half: h.value
"""
LOADS, NOOB_LOADS, LARGE = 500, 20, 1_000_000


def repeated(load, times):
    def sample():
        start = time.perf_counter()
        for _ in range(times):
            tube = load()
        return (time.perf_counter() - start) / times, sorted(map(str, tube.nodes))

    return sample


def ours(stack):
    import penstock as ps

    return repeated(lambda: ps.Tube.load(SMALL), LOADS)


def ours_file(stack):
    import penstock as ps

    path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "load.yaml")
    path.write_text(SMALL)
    return repeated(lambda: ps.Tube.load(str(path)), LOADS)


def noob(stack):
    from noob import Tube

    path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "load.yaml")
    path.write_text(SMALL)
    return repeated(lambda: Tube.from_specification(path), NOOB_LOADS)


def large(stack):
    """Each node depends on the one before and one far behind it; every tenth takes a keyword."""
    import penstock as ps

    lines = ["noob_id: bench-large", "nodes:", "  n0: {type: bench_nodes.count}", "  n1: {type: bench_nodes.double, depends: n0.value}"]
    for k in range(2, LARGE):
        second = f"n{k // 2}.value"
        depends = f"[n{k - 1}.value, {second}]" if k % 10 else f"[{{a: n{k - 1}.value}}, {{b: {second}}}]"
        lines.append(f"  n{k}: {{type: bench_nodes.add, depends: {depends}}}")
    text = "\n".join(lines) + "\n"

    def sample():
        start = time.perf_counter()
        tube = ps.Tube.load(text)
        return time.perf_counter() - start, len(tube.nodes)

    return sample


def rows(pairs):
    made = []
    for what, function in (("YAML of 8 nodes to a tube, text", "ours"), ("the same from a file", "ours_file")):
        with harness.python_side("load", function) as side, harness.python_side("load", "noob", harness.PEERS) as peer:
            measured = harness.paired(side, peer, pairs)
        made.append(harness.bar_row(what, measured, scale=1e6, unit="us", peer_name="noob 1003", at_most=200, at_least_ratio=30))
    with harness.Side([harness.cpp("plan_large")], "plan_large") as side:
        measured = harness.alone(side, 3, expect=str((LARGE - 1_000) * 3))
    seconds = measured["ours"]["median"]
    what = "1,000,000-node plan compiled (C++)"
    made.append(harness.Row(what, "s", seconds, "<= 5 s", seconds <= 5, detail=measured))
    with harness.python_side("load", "large") as side:
        measured = harness.alone(side, 3, expect=LARGE)
    seconds = measured["ours"]["median"]
    made.append(harness.Row("1,000,000-node tube from YAML text", "s", seconds, "<= 5 s", seconds <= 5, detail=measured))
    return made
