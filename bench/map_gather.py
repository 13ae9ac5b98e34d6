"""A map over 10,000 elements with two Python nodes, gathered: milliseconds per epoch.

Peer: noob 1003's SynchronousRunner on the same tube. Answer: the gathered list. Not measured: loading and start.
"""

import time

import harness

SIZE, EXPECTED = 10_000, [4 * x * x for x in range(10_000)]
NODES = {
    "l": {"type": "bench_nodes.numbers"},
    "m": {"type": "map", "depends": [{"value": "l.value"}]},
    "d": {"type": "bench_nodes.double", "depends": "m.value"},
    "s": {"type": "bench_nodes.square", "depends": "d.value"},
    "g": {"type": "gather", "depends": [{"value": "s.value"}, {"n": "m.n"}]},
    "r": {"type": "return", "depends": "g.value"},
}
HEADER = {"noob_id": "bench-map", "noob_model": "noob.tube.TubeSpecification", "noob_version": "1003.0.2"}


def timed(process):
    def sample():
        start = time.perf_counter()
        found = process()
        return time.perf_counter() - start, found == EXPECTED

    return sample


def ours(stack):
    import penstock as ps

    return timed(stack.enter_context(ps.SynchronousRunner(ps.Tube.load({"noob_id": "bench-map", "nodes": NODES}))).process)


def noob(stack):
    from noob import SynchronousRunner, Tube

    runner = SynchronousRunner(Tube.from_specification(HEADER | {"nodes": NODES}))
    runner.init()
    stack.callback(runner.deinit)
    return timed(runner.process)


def rows(pairs):
    with harness.python_side("map_gather", "ours") as side, harness.python_side("map_gather", "noob", harness.PEERS) as peer:
        measured = harness.paired(side, peer, pairs)
    return [
        harness.bar_row("map of 10,000, two nodes, gathered", measured, scale=1e3, unit="ms", peer_name="noob 1003", at_least_ratio=100)
    ]
