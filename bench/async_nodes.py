"""100 coroutine nodes that sleep 50 ms each, in one epoch of AsyncRunner on the caller's event loop.

Bar: <= 70 ms, and <= 1.1x asyncio.gather of the same coroutines on the same kind of loop. Answer: all 100 values, in order.
Loading the tube is not measured; a coroutine without a runner has no such step.
"""

import asyncio
import time

import bench_nodes
import harness

NODES = 100


def tube():
    nodes = {f"n{i}": {"type": "bench_nodes.nap", "params": {"value": i}} for i in range(NODES)}
    return {"noob_id": "naps", "nodes": nodes | {"r": {"type": "return", "depends": [f"n{i}.value" for i in range(NODES)]}}}


def timed(stack, begin):
    """Samples of ``await begin()`` on one loop that is kept."""
    runner = stack.enter_context(asyncio.Runner())

    async def once():
        start = time.perf_counter()
        values = await begin()
        return time.perf_counter() - start, list(values)

    return lambda: runner.run(once())


def ours(stack):
    import penstock as ps

    active = ps.AsyncRunner(ps.Tube.load(tube()))
    sample = timed(stack, active.process)
    sample()  # threads are started once in a runner's life
    return sample


def gather(stack):
    async def begin():
        return await asyncio.gather(*(bench_nodes.nap(i) for i in range(NODES)))

    return timed(stack, begin)


def rows(pairs):
    with harness.python_side("async_nodes", "ours") as left, harness.python_side("async_nodes", "gather") as right:
        measured = harness.paired(left, right, pairs, clock="seconds")
    what = f"{NODES} coroutine nodes that sleep 50 ms"
    return [harness.bar_row(what, measured, scale=1e3, unit="ms", peer_name="asyncio.gather", at_most=70, at_least_ratio=1 / 1.1)]
