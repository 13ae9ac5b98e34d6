"""Python functions in a 6-node tube: microseconds per node per epoch.

Measured: a warm runner, `process()` in a loop, all six nodes trivial Python functions (one a generator), one result per
epoch. Peers: noob 1003's SynchronousRunner on the same tube and functions; a hand-written Python loop of the
same calls. Not measured: loading, start, observers, anything parallel.
"""

import time

import bench_nodes
import harness

EPOCHS, NOOB_EPOCHS, NODES = 20_000, 400, 6

NODES_SPEC = {
    "c": {"type": "bench_nodes.count"},
    "d": {"type": "bench_nodes.double", "depends": "c.value"},
    "i": {"type": "bench_nodes.increment", "depends": [{"x": "c.value"}]},
    "s": {"type": "bench_nodes.square", "depends": "i.value"},
    "a": {"type": "bench_nodes.add", "depends": [{"a": "d.value"}, {"b": "s.value"}]},
    "r": {"type": "return", "depends": "a.value"},
}
TUBE = {"noob_id": "bench-six", "noob_model": "noob.tube.TubeSpecification", "noob_version": "1003.0.2", "nodes": NODES_SPEC}


def timed(process, epochs):
    """Seconds per node per epoch; the answer is where the first 100 results of a fresh start lie on a line we know."""
    offset = 0

    def sample():
        nonlocal offset
        start = time.perf_counter()
        for _ in range(epochs):
            last = process()
        seconds = time.perf_counter() - start
        offset += epochs
        n = offset - 1
        return seconds / epochs / NODES, last == 2 * n + (n + 1) ** 2

    return sample


def ours(stack):
    import penstock as ps

    runner = stack.enter_context(ps.SynchronousRunner(ps.Tube.load({"noob_id": "bench-six", "nodes": NODES_SPEC})))
    return timed(runner.process, EPOCHS)


def ours_run(stack):
    """The same through run(n), which asks for all epochs in one call."""
    import penstock as ps

    runner = stack.enter_context(ps.SynchronousRunner(ps.Tube.load({"noob_id": "bench-six", "nodes": NODES_SPEC})))
    offset = 0

    def sample():
        nonlocal offset
        start = time.perf_counter()
        results = runner.run(EPOCHS)
        seconds = time.perf_counter() - start
        offset += EPOCHS
        n = offset - 1
        return seconds / EPOCHS / NODES, list(results)[-1] == 2 * n + (n + 1) ** 2

    return sample


def noob(stack):
    from noob import SynchronousRunner, Tube

    runner = SynchronousRunner(Tube.from_specification(TUBE))
    runner.init()
    stack.callback(runner.deinit)
    return timed(runner.process, NOOB_EPOCHS)


def loop(stack):
    count = bench_nodes.count()
    double, increment, square, add = bench_nodes.double, bench_nodes.increment, bench_nodes.square, bench_nodes.add

    def process():
        c = next(count)
        return add(a=double(c), b=square(increment(x=c)))

    return timed(process, EPOCHS)


def rows(pairs):
    made = []
    for what, function in (("6-node tube, per node and epoch", "ours"), ("the same by run(n)", "ours_run")):
        with harness.python_side("six_nodes", function) as side, harness.python_side("six_nodes", "noob", harness.PEERS) as peer:
            measured = harness.paired(side, peer, pairs)
        made.append(harness.bar_row(what, measured, scale=1e6, unit="us", peer_name="noob 1003", at_most=0.5, at_least_ratio=100))
        with harness.python_side("six_nodes", function) as side, harness.python_side("six_nodes", "loop") as peer:
            measured = harness.paired(side, peer, pairs)
        # <= 4x the loop is a ratio loop / ours of at least 1/4
        made.append(harness.bar_row(what, measured, scale=1e6, unit="us", peer_name="bare loop", at_least_ratio=0.25))
    return made
