"""A 64 MiB float64 array to another process and back.

Ours: MultiProcessRunner, one node that looks at both ends and gives the array back; the result is read at both ends. Once with
an array that ps.empty() made in memory that workers can map, once with an ordinary one, which has to be copied into such
memory (64 MiB at 19-20 GB/s: 3.3 ms at best, so the 2 ms bar is for the first). The array changes before each sample.
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


def timed(call, array):
    array[:] = range_of(LENGTH)
    stamp = 0.0

    def sample():
        nonlocal stamp
        stamp += 1.0
        array[5] = stamp  # what comes back must be this array, not an earlier one
        start = time.perf_counter()
        back = call(array)
        seen = float(back[0]), float(back[5]), float(back[-1])
        seconds = time.perf_counter() - start
        same = len(back) == LENGTH and bool((back[:: 1 << 16] == array[:: 1 << 16]).all())
        return seconds, same and seen == (0.0, stamp, LENGTH - 1.0)

    return sample


def range_of(length):
    import numpy

    return numpy.arange(length, dtype=numpy.float64)


def runner(stack):
    import penstock as ps

    spec = {"noob_id": "array", "input": {"x": {"type": "any", "scope": "process"}}, "nodes": NODES}
    process = stack.enter_context(ps.MultiProcessRunner(ps.Tube.load(spec), max_workers=1)).process
    return lambda array: process(x=array)


def ours(stack):
    import penstock as ps

    return timed(runner(stack), ps.empty((LENGTH,), "float64"))


def ours_plain(stack):
    return timed(runner(stack), range_of(LENGTH))


def pool(stack):
    from concurrent.futures import ProcessPoolExecutor

    executor = stack.enter_context(ProcessPoolExecutor(max_workers=1))
    return timed(lambda array: executor.submit(bench_nodes.touch, array).result(), range_of(LENGTH))


def rows(pairs):
    made = []
    for what, function, most in (
        ("64 MiB array (ps.empty) to a process and back", "ours", 2),
        ("the same from an ordinary numpy array", "ours_plain", None),
    ):
        with harness.python_side("array_trip", function) as side, harness.python_side("array_trip", "pool") as other:
            measured = harness.paired(side, other, pairs)
        made.append(harness.bar_row(what, measured, scale=1e3, unit="ms", peer_name="ProcessPoolExecutor", at_most=most, at_least_ratio=10))
    return made
