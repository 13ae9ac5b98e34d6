"""1,000,000 epochs: growth of the resident set after the first 10,000, of the 6-node tube and of one with a map and a
gather, an asset and a nested tube."""

import time
from pathlib import Path

import harness
import six_nodes

WARM, EPOCHS = 10_000, 1_000_000
ELEMENTS = [1, 2, 3]
INNER = {
    "noob_id": "bench-soak-inner",
    "input": {"x": {"type": "int", "scope": "process"}},
    "nodes": {
        "product": {"type": "penstock.testing.multiply", "depends": [{"left": "input.x"}], "params": {"right": 5}},
        "out": {"type": "return", "depends": [{"x": "product.value"}]},
    },
}
MAPPED = {
    "noob_id": "bench-soak-mapped",
    "input": {"xs": {"type": "list", "scope": "process"}},
    "assets": {"numbers": {"type": "penstock.testing.counter", "scope": "runner"}},
    "nodes": {
        "each": {"type": "map", "depends": "input.xs"},
        "double": {"type": "penstock.testing.multiply", "depends": [{"left": "each.value"}]},
        "all": {"type": "gather", "depends": "double.value"},
        "next": {"type": "penstock.testing.fast_forward", "depends": [{"generator": "assets.numbers"}]},
        "inner": {"type": "tube", "params": {"tube": INNER}, "depends": [{"x": "next.next"}]},
        "out": {"type": "return", "depends": [{"all": "all.value"}, {"x": "inner.x"}]},
    },
}


def resident_kib():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def soak(runner, wanted, **inputs):
    """A sample: seconds, and growth in KiB once the last result is what it should be."""

    def sample():
        for _ in range(WARM):
            runner.process(**inputs)
        before = resident_kib()
        start = time.perf_counter()
        for _ in range(EPOCHS - WARM):
            last = runner.process(**inputs)
        if last != wanted:
            return 0, False
        return time.perf_counter() - start, resident_kib() - before

    return sample


def ours(stack):
    import penstock as ps

    tube = ps.Tube.load({"noob_id": "bench-six", "nodes": six_nodes.NODES_SPEC})
    n = EPOCHS - 1
    return soak(stack.enter_context(ps.SynchronousRunner(tube)), 2 * n + (n + 1) ** 2)


def mapped(stack):
    import penstock as ps

    runner = stack.enter_context(ps.SynchronousRunner(ps.Tube.load(MAPPED)))
    return soak(runner, {"all": [2 * x for x in ELEMENTS], "x": 5 * (EPOCHS - 1)}, xs=ELEMENTS)


def row(function, what):
    with harness.python_side("soak", function) as side:
        taken = side.sample()
    grown = taken["answer"] / 1024
    return harness.Row(f"RSS growth over 1,000,000 epochs{what}", "MiB", grown, "<= 1 MiB", grown <= 1, detail=taken)


def rows(pairs):
    return [row("ours", ""), row("mapped", " with map, asset, nested tube")]
