"""From cancel() in another thread to the end of process(): a native query, a coroutine, a function in a process of its own.

Bar: 99 of 100 within 10, 10 and 100 ms. Answer: process() ended as interrupted, and the runner runs the next epoch. The work
has begun before the clock starts: the node says so, or the node before it and 5 ms have gone by (query). No peer has the three.
"""

import asyncio
import math
import os
import tempfile
import threading
import time
from pathlib import Path

import harness

SAMPLES = 200
QUERY = "SELECT sum(a.range * b.range) AS n FROM range($n) a, range($n) b"


def begin(mark):
    Path(mark).touch()
    return 10_000_000


async def wait_for_ever(value, mark):
    Path(mark).touch()
    await asyncio.Event().wait()


def hang(value, mark):
    Path(mark).touch()
    threading.Event().wait()


def side(stack, node, timeout_ms=None, runner="SynchronousRunner"):
    """Samples of the time that one cancelled epoch takes to end."""
    import penstock as ps

    mark = Path(stack.enter_context(tempfile.TemporaryDirectory()), "begun")
    nodes = {}
    if node == "query":
        nodes["begin"] = {"type": "cancel.begin", "params": {"mark": os.fspath(mark)}}
        body = {"type": "table.sql", "params": {"query": QUERY}, "depends": [{"n": "begin.value"}]}
    else:
        body = {"type": f"cancel.{node}", "params": {"value": 1, "mark": os.fspath(mark)}}
    if timeout_ms is not None:
        body["timeout_ms"] = timeout_ms
    active = getattr(ps, runner)(ps.Tube.load({"nodes": {**nodes, "node": body}}))
    active.init()
    stack.callback(active.deinit)

    def sample():
        mark.unlink(missing_ok=True)
        ended = []

        def process():
            try:
                active.process()
            except KeyboardInterrupt:
                ended.append(time.perf_counter())

        working = threading.Thread(target=process)
        working.start()
        while not mark.exists():
            time.sleep(0.0005)
        time.sleep(0.005 if node == "query" else 0)
        start = time.perf_counter()
        active._runner.cancel()
        working.join()
        return (ended[0] if ended else math.inf) - start, len(ended) == 1

    return sample


def native(stack):
    return side(stack, "query", runner="ThreadedRunner")


def coroutine(stack):
    return side(stack, "wait_for_ever", runner="ThreadedRunner")


def isolated(stack):
    return side(stack, "hang", timeout_ms=3_600_000)


def workers(stack):
    return side(stack, "hang", runner="MultiProcessRunner")


def row(what, name, at_most):
    with harness.python_side("cancel", name) as one:
        one.sample()  # workers start
        seconds = sorted(one.sample()["seconds"] for _ in range(SAMPLES))
    p99 = seconds[math.ceil(0.99 * SAMPLES) - 1] * 1e3
    detail = {"p50_ms": seconds[SAMPLES // 2] * 1e3, "p99_ms": p99, "max_ms": seconds[-1] * 1e3, "samples": SAMPLES}
    return harness.Row(f"cancel to stopped, {what}", "ms", p99, f"p99 <= {at_most} ms", p99 <= at_most, detail=detail)


def rows(pairs):
    del pairs  # nobody to compare with
    return [
        row("native query", "native", 10),
        row("coroutine", "coroutine", 10),
        row("function in a process of its own", "isolated", 100),
        row("function in a worker", "workers", 100),
    ]
