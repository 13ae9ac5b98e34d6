"""One tube with a map, a gather, an asset, a nested tube and a coroutine: milliseconds per epoch, and per load.

Peer: noob 1003's SynchronousRunner on the same tube. Answer: the results of 20 epochs. Ours twice: as penstock's own
SynchronousRunner, and through penstock.compat.noob, which keeps noob's events and shapes.
"""

import json
import tempfile
import time
from pathlib import Path

import harness

EPOCHS, LOADS = 20, 20
INNER = {
    "noob_id": "bench-inner",
    "input": {"x": {"type": "int", "scope": "process"}},
    "nodes": {
        "i": {"type": "bench_nodes.increment", "depends": [{"x": "input.x"}]},
        "s": {"type": "bench_nodes.square", "depends": [{"x": "i.value"}]},
        "r": {"type": "return", "depends": [{"out": "s.value"}]},
    },
}
TUBE = {
    "noob_id": "bench-whole",
    "noob_model": "noob.tube.TubeSpecification",
    "noob_version": "1003.0.2",
    "assets": {"book": {"type": "bench_nodes.Book", "scope": "runner"}},
    "nodes": {
        "c": {"type": "bench_nodes.count"},
        "l": {"type": "bench_nodes.ten_from", "depends": [{"x": "c.value"}]},
        "m": {"type": "map", "depends": [{"value": "l.value"}]},
        "d": {"type": "bench_nodes.double", "depends": [{"x": "m.value"}]},
        "s": {"type": "bench_nodes.square", "depends": [{"x": "d.value"}]},
        "g": {"type": "gather", "depends": [{"value": "s.value"}, {"n": "m.n"}]},
        "w": {"type": "bench_nodes.soon", "depends": [{"x": "c.value"}]},
        "t": {"type": "tube", "params": {"tube": INNER}, "depends": [{"x": "w.value"}]},
        "b": {"type": "bench_nodes.note", "depends": [{"book": "assets.book"}, {"x": "t.out"}]},
        "r": {"type": "return", "depends": [{"squares": "g.value"}, {"nested": "t.out"}, {"noted": "b.value"}]},
    },
}


def epochs(runner):
    state = {"next": 0}

    def sample():
        start = time.perf_counter()
        found = [runner.process() for _ in range(EPOCHS)]
        seconds = (time.perf_counter() - start) / EPOCHS
        first, state["next"] = state["next"], state["next"] + EPOCHS
        expected = [
            {"squares": [4 * (n + k) ** 2 for k in range(10)], "nested": (n + 2) ** 2, "noted": n + 1} for n in range(first, first + EPOCHS)
        ]
        return seconds, found == expected

    return sample


def file(stack):
    """The tube as a file, of which noob's reader makes the most work. JSON is YAML."""
    path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "whole.yaml")
    path.write_text(json.dumps(TUBE, indent=1) + "\n")
    return path


def loads(load):
    def sample():
        start = time.perf_counter()
        for _ in range(LOADS):
            tube = load()
        return (time.perf_counter() - start) / LOADS, sorted(id for id in tube.nodes if "." not in id)

    return sample


def ours(stack):
    import penstock as ps

    return epochs(stack.enter_context(ps.SynchronousRunner(ps.Tube.load(TUBE))))


def compat(stack):
    from penstock.compat.noob import SynchronousRunner, Tube

    return epochs(stack.enter_context(SynchronousRunner(Tube.from_specification(TUBE))))


def noob(stack):
    from noob import SynchronousRunner, Tube

    return epochs(stack.enter_context(SynchronousRunner(Tube.from_specification(TUBE))))


def ours_load(stack):
    import penstock as ps

    path = file(stack)
    return loads(lambda: ps.Tube.load(path))


def compat_load(stack):
    from penstock.compat.noob import Tube

    path = file(stack)
    return loads(lambda: Tube.from_specification(path))


def noob_load(stack):
    from noob import Tube

    path = file(stack)
    return loads(lambda: Tube.from_specification(path))


def rows(pairs):
    made = []
    for what, mine, theirs, bar in (
        ("map, gather, asset, nesting, coroutine: an epoch", "ours", "noob", 50),
        ("the same through penstock.compat.noob", "compat", "noob", None),
        ("loading it from a file", "ours_load", "noob_load", 30),
        ("the same through penstock.compat.noob, from a file", "compat_load", "noob_load", None),
    ):
        with harness.python_side("whole_format", mine) as side, harness.python_side("whole_format", theirs, harness.PEERS) as peer:
            measured = harness.paired(side, peer, pairs)
        made.append(harness.bar_row(what, measured, scale=1e3, unit="ms", peer_name="noob 1003", at_least_ratio=bar))
    return made
