"""Two CPU-bound Python nodes of >= 5 ms side by side: the process runner on 2 cores against one thread.

Bar: >= 1.8x of our own synchronous runner, and not slower than ProcessPoolExecutor with two workers doing the same two calls.
Warm workers; starting them is not measured.
"""

import time

import bench_nodes
import harness

EPOCHS = 20
NODES = {
    "c": {"type": "bench_nodes.count"},
    "a": {"type": "bench_nodes.left_work", "depends": "c.value"},
    "b": {"type": "bench_nodes.right_work", "depends": "c.value"},
    "r": {"type": "return", "depends": ["a.value", "b.value"]},
}


def timed(process):
    expected = (bench_nodes.left_work(0), bench_nodes.right_work(0))
    first = tuple(process())

    def sample():
        start = time.perf_counter()
        for _ in range(EPOCHS):
            process()
        return (time.perf_counter() - start) / EPOCHS, first == expected

    return sample


def processes(stack):
    import penstock as ps

    tube = ps.Tube.load({"noob_id": "pair", "nodes": NODES})
    return timed(stack.enter_context(ps.MultiProcessRunner(tube, max_workers=2)).process)


def sync(stack):
    import penstock as ps

    return timed(stack.enter_context(ps.SynchronousRunner(ps.Tube.load({"noob_id": "pair", "nodes": NODES}))).process)


def pool(stack):
    from concurrent.futures import ProcessPoolExecutor

    executor = stack.enter_context(ProcessPoolExecutor(max_workers=2))
    count = bench_nodes.count()

    def process():
        x = next(count)
        futures = executor.submit(bench_nodes.left_work, x), executor.submit(bench_nodes.right_work, x)
        return [future.result() for future in futures]

    return timed(process)


def rows(pairs):
    made = []
    for peer, name, bar in (("sync", "our sync runner", 1.8), ("pool", "ProcessPoolExecutor", 1.0)):
        with harness.python_side("cpu_pair", "processes") as side, harness.python_side("cpu_pair", peer) as other:
            measured = harness.paired(side, other, pairs)
        made.append(harness.bar_row("two 5 ms Python nodes, processes", measured, scale=1e3, unit="ms", peer_name=name, at_least_ratio=bar))
    return made
