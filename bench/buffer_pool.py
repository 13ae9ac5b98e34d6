"""A buffer from BufferPool and back, against numpy.empty of the same size that is dropped again.

Three sizes: 64 KiB untouched; 8 MiB untouched, which numpy.empty gets from the system and gives back each time; 8 MiB
of which every page is written, what a buffer is for. A sample is a loop of such calls, its loop included.
System allocations: calls of malloc, calloc, realloc, aligned_alloc, posix_memalign and mmap in 10,000 rounds after the
first 100, counted by a library preloaded for that (count_memory_calls.c); the same for numpy.empty.
"""

import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path

import harness

KIB, MIB = 1 << 10, 1 << 20
PAGE = 4096
CASES = {"small": (64 * KIB, 100_000, False), "large": (8 * MIB, 20_000, False), "written": (8 * MIB, 20, True)}
ROUNDS = 10_000


def write_pages(memory):
    memory[::PAGE] = b"\1" * (len(memory) // PAGE)


def timed(loop, case):
    _, repeats, _ = CASES[case]
    loop(10)

    def sample():
        start = time.perf_counter()
        answer = loop(repeats)
        return (time.perf_counter() - start) / repeats, answer

    return sample


def ours_loop(size, is_written):
    from penstock._core import BufferPool

    pool = BufferPool(size, 4)
    acquire, release = pool.acquire, pool.release

    def plain(count):
        for _ in range(count):
            view = acquire()
            release(view)
        return size

    def written(count):
        for _ in range(count):
            view = acquire()
            write_pages(view)
            release(view)
        return size

    return written if is_written else plain


def numpy_loop(size, is_written):
    import numpy

    empty, uint8 = numpy.empty, numpy.uint8

    def plain(count):
        for _ in range(count):
            array = empty(size, uint8)
            del array
        return size

    def written(count):
        for _ in range(count):
            array = empty(size, uint8)
            write_pages(memoryview(array))
            del array
        return size

    return written if is_written else plain


def side_of(make, case):
    size, _, is_written = CASES[case]
    return lambda stack: timed(make(size, is_written), case)


ours_small, ours_large, ours_written = (side_of(ours_loop, case) for case in CASES)
numpy_small, numpy_large, numpy_written = (side_of(numpy_loop, case) for case in CASES)


def counted(loop):
    counter = ctypes.c_long.in_dll(ctypes.CDLL(os.environ["LD_PRELOAD"]), "num_memory_calls")
    loop(100)

    def sample():
        before = counter.value
        loop(ROUNDS)
        return 0.0, counter.value - before

    return sample


def ours_calls(stack):
    return counted(ours_loop(64 * KIB, False))


def numpy_calls(stack):
    return counted(numpy_loop(64 * KIB, False))


def count_calls(function):
    """What `function` of this file counts, in a process that has the counter preloaded."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "count_memory_calls.so"
        source = harness.ROOT / "bench" / "count_memory_calls.c"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        os.environ["LD_PRELOAD"] = str(library)
        try:
            side = harness.python_side("buffer_pool", function)
        finally:
            del os.environ["LD_PRELOAD"]
        with side:
            return side.sample()["answer"]


def rows(pairs):
    made = []
    for case, what, bar in (
        ("small", "BufferPool acquire + release, 64 KiB", 120),
        ("large", "BufferPool acquire + release, 8 MiB", 120),
        ("written", "the same, every page written", None),
    ):
        with (
            harness.python_side("buffer_pool", f"ours_{case}") as side,
            harness.python_side("buffer_pool", f"numpy_{case}") as other,
        ):
            measured = harness.paired(side, other, pairs)
        made.append(
            harness.bar_row(what, measured, scale=1e9, unit="ns", peer_name="numpy.empty", at_most=bar, at_least_ratio=1)
        )
    ours, peer = count_calls("ours_calls"), count_calls("numpy_calls")
    what = f"system allocations in {ROUNDS:,} rounds"
    made.append(harness.Row(what, "calls", ours, "0", ours == 0, "numpy.empty", peer))
    return made
