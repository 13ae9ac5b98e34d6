"""A pass over a graph of 10,000 nodes and 30,000 edges without work in the nodes: who is ready, who is done.

Ours from C++: GraphScheduler, batches of 64. Ours from Python: Scheduler, get_ready(64) and mark_done(), until
is_complete(); one built scheduler that is reset before each pass, the reset included. Peer:
graphlib.TopologicalSorter, get_ready() and done(), until is_active() is false; it can make one pass only, so those
of a sample are built before the clock starts. Building is a row of its own.
The answer is the order: the sum of place * node modulo 2^32. graphlib is asked for batches of 64 of what it gave, too, so
that all three complete the nodes in the same order.
"""

import graphlib
import random
import tempfile
import time
from pathlib import Path

import harness

NODES, EDGES, BATCH = 10_000, 30_000, 64
PASSES = 5


def graph():
    """Each node after three of the 500 before it; the first four bear the edges the others leave over."""
    draw = random.Random(5)
    rows = {node: sorted(draw.sample(range(max(0, node - 500), node), 3)) for node in range(4, NODES)}
    rows = {0: [], 1: [0], 2: [0, 1], 3: [0, 1, 2], **rows}
    rows[NODES - 1] += draw.sample(range(1000), EDGES - sum(map(len, rows.values())))
    return rows


def ours_drain(stack):
    from penstock._core import Scheduler

    scheduler = Scheduler(graph())

    def drain():
        scheduler.reset()
        order = []
        while not scheduler.is_complete():
            batch = scheduler.get_ready(BATCH)
            order += batch
            scheduler.mark_done(batch)
        return order

    return passes(lambda: drain)


def graphlib_drain(stack):
    rows = graph()

    def make():
        sorter = graphlib.TopologicalSorter(rows)
        sorter.prepare()

        def drain():
            order, ready = [], []
            while sorter.is_active():
                ready += sorter.get_ready()
                batch, ready = ready[:BATCH], ready[BATCH:]
                order += batch
                sorter.done(*batch)
            return order

        return drain

    return passes(make)


def passes(make):
    def sample():
        prepared = [make() for _ in range(PASSES)]
        start = time.perf_counter()
        orders = [drain() for drain in prepared]
        seconds = (time.perf_counter() - start) / PASSES
        return seconds, str(sum(place * node for place, node in enumerate(orders[-1])) % 2**32)

    return sample


def built(make):
    rows = graph()

    def sample():
        start = time.perf_counter()
        for _ in range(PASSES):
            made = make(rows)
        return (time.perf_counter() - start) / PASSES, len(made.get_ready())

    return sample


def ours_build(stack):
    from penstock._core import Scheduler

    class Built:
        def __init__(self, rows):
            self.get_ready = Scheduler(rows).get_ready_nodes

    return built(Built)


def graphlib_build(stack):
    class Built(graphlib.TopologicalSorter):
        def __init__(self, rows):
            super().__init__(rows)
            self.prepare()

    return built(Built)


def rows(pairs):
    made = []
    peer = "graphlib"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.txt"
        file.write_text("".join(" ".join(map(str, row)) + "\n" for _, row in sorted(graph().items())))
        with (
            harness.Side([harness.cpp("drain_native"), file], "drain_native") as side,
            harness.python_side("drain", "graphlib_drain") as other,
        ):
            measured = harness.paired(side, other, pairs)
    what = "drain 10,000 nodes, 30,000 edges"
    made.append(
        harness.bar_row(f"{what}: C++", measured, scale=1e3, unit="ms", peer_name=peer, at_most=1, at_least_ratio=20)
    )
    for name, text, most, least in (
        ("drain", f"{what}: Python, batches of {BATCH}", 3, 20),
        ("build", "build it from a dict", None, 1),
    ):
        with (
            harness.python_side("drain", f"ours_{name}") as side,
            harness.python_side("drain", f"graphlib_{name}") as other,
        ):
            measured = harness.paired(side, other, pairs)
        made.append(
            harness.bar_row(text, measured, scale=1e3, unit="ms", peer_name=peer, at_most=most, at_least_ratio=least)
        )
    return made
