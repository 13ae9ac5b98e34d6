"""An empty Python task in another process: one round trip, and pipelined over 10,000.

Ours: MultiProcessRunner with one worker. Round trip: one `process()` of a tube with one empty node behind an input. Pipelined: one
map of 10,000 ints over an empty node, per element, minus nothing: mapping and collecting are part of it.
Peer: ProcessPoolExecutor with one worker, `submit().result()`, and 10,000 submits before the first result.
"""

import time

import bench_nodes
import harness

TRIPS, TASKS = 1_000, 10_000
ONE = {
    "e": {"type": "bench_nodes.empty", "depends": "input.x"},
    "r": {"type": "return", "depends": "e.value"},
}
MANY = {
    "m": {"type": "map", "depends": "input.x"},
    "e": {"type": "bench_nodes.empty", "depends": "m.value"},
    "r": {"type": "return", "depends": "e.value"},
}
INPUT = {"x": {"type": "any", "scope": "process"}}


def runner(stack, nodes):
    import penstock as ps

    tube = ps.Tube.load({"noob_id": "empty", "input": INPUT, "nodes": nodes})
    return stack.enter_context(ps.MultiProcessRunner(tube, max_workers=1))


def round_trips(call):
    def sample():
        start = time.perf_counter()
        for k in range(TRIPS):
            last = call(k)
        return (time.perf_counter() - start) / TRIPS, last == TRIPS - 1

    return sample


def pipelined(call):
    items = list(range(TASKS))

    def sample():
        start = time.perf_counter()
        found = call(items)
        return (time.perf_counter() - start) / TASKS, found == items

    return sample


def ours_trip(stack):
    process = runner(stack, ONE).process
    return round_trips(lambda k: process(x=k))


def ours_many(stack):
    process = runner(stack, MANY).process
    return pipelined(lambda items: process(x=items))


def pool(stack):
    from concurrent.futures import ProcessPoolExecutor

    return stack.enter_context(ProcessPoolExecutor(max_workers=1))


def pool_trip(stack):
    executor = pool(stack)
    return round_trips(lambda k: executor.submit(bench_nodes.empty, k).result())


def pool_many(stack):
    executor = pool(stack)
    return pipelined(lambda items: [future.result() for future in [executor.submit(bench_nodes.empty, k) for k in items]])


def rows(pairs):
    made = []
    for what, ours, peer, most, ratio in (
        ("empty task, one round trip", "ours_trip", "pool_trip", 60, 2),
        ("empty task, 10,000 pipelined", "ours_many", "pool_many", 10, 10),
    ):
        with harness.python_side("empty_task", ours) as side, harness.python_side("empty_task", peer) as other:
            measured = harness.paired(side, other, pairs)
        made.append(
            harness.bar_row(what, measured, scale=1e6, unit="us", peer_name="ProcessPoolExecutor", at_most=most, at_least_ratio=ratio)
        )
    return made
