"""A 64 MiB float64 array to another process and back.

Ours: MultiProcessRunner, one node that looks at both ends and gives the array back; the result is read at both ends.
Peer: ProcessPoolExecutor, which pickles it both ways. No digest is asked for.
"""

import time

import bench_nodes
import harness

LENGTH = 8 << 20  # float64: 64 MiB
NODES = {
    "t": {"type": "bench_nodes.touch", "depends": "input.x"},
    "r": {"type": "return", "depends": "t.value"},
}


def timed(call):
    import numpy

    array = numpy.arange(LENGTH, dtype=numpy.float64)

    def sample():
        start = time.perf_counter()
        back = call(array)
        ends = float(back[0]), float(back[-1])
        seconds = time.perf_counter() - start
        return seconds, ends == (0.0, LENGTH - 1.0) and len(back) == LENGTH and bool((back[:: 1 << 16] == array[:: 1 << 16]).all())

    return sample


def ours(stack):
    import penstock as ps

    spec = {"noob_id": "array", "input": {"x": {"type": "any", "scope": "process"}}, "nodes": NODES}
    process = stack.enter_context(ps.MultiProcessRunner(ps.Tube.load(spec), max_workers=1)).process
    return timed(lambda array: process(x=array))


def pool(stack):
    from concurrent.futures import ProcessPoolExecutor

    executor = stack.enter_context(ProcessPoolExecutor(max_workers=1))
    return timed(lambda array: executor.submit(bench_nodes.touch, array).result())


def rows(pairs):
    with harness.python_side("array_trip", "ours") as side, harness.python_side("array_trip", "pool") as other:
        measured = harness.paired(side, other, pairs)
    return [
        harness.bar_row(
            "64 MiB array to a process and back", measured, scale=1e3, unit="ms", peer_name="ProcessPoolExecutor",
            at_most=2, at_least_ratio=10,
        )
    ]  # fmt: skip
