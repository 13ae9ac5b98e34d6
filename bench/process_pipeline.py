"""Two worker processes: how long they take to start, and a pipeline of two Python nodes with memory, 1 KiB per task.

Ours: MultiProcessRunner with two workers; one map of 5,000 payloads of 1 KiB over two classes that keep a running
checksum, so 10,000 calls in order, each node in its own worker. Mapping and collecting are part of it.
Peer: ProcessPoolExecutor with two workers, one `map` per stage over the same payloads and the same arithmetic, its
chunk size the best of five, found before the clock starts. It keeps no memory from call to call, so its answer is
that of calls without one; each side checks its own.
Start: from init() to both workers ready, of a tube of one builtin, so without imports of the user's.
"""

import time

import bench_nodes
import harness

PAYLOADS, SIZE = 5_000, 1024
CHUNKS = (1, 16, 64, 256, 1024)
NODES = {
    "m": {"type": "map", "depends": "input.x"},
    "a": {"type": "bench_nodes.Checked", "depends": "m.value"},
    "b": {"type": "bench_nodes.Checked", "depends": "a.value"},
    "r": {"type": "return", "depends": "b.value"},
}


def payloads():
    return [index.to_bytes(8, "little") * (SIZE // 8) for index in range(PAYLOADS)]


def ours(stack):
    import penstock as ps

    tube = ps.Tube.load({"noob_id": "pipeline", "input": {"x": {"type": "any", "scope": "process"}}, "nodes": NODES})
    runner = stack.enter_context(ps.MultiProcessRunner(tube, max_workers=2))
    given = payloads()
    stages = [bench_nodes.Checked() for _ in range(2)]

    def sample():
        start = time.perf_counter()
        found = runner.process(x=given)
        seconds = (time.perf_counter() - start) / (2 * PAYLOADS)
        wanted = given
        for stage in stages:
            wanted = [stage.process(payload) for payload in wanted]
        return seconds, found == wanted

    return sample


def pool(stack):
    from concurrent.futures import ProcessPoolExecutor

    executor = stack.enter_context(ProcessPoolExecutor(max_workers=2))
    given = payloads()
    wanted = [bench_nodes.checked(bench_nodes.checked(payload)) for payload in given]

    def run(chunk):
        start = time.perf_counter()
        between = executor.map(bench_nodes.checked, given, chunksize=chunk)
        found = list(executor.map(bench_nodes.checked, between, chunksize=chunk))
        return (time.perf_counter() - start) / (2 * PAYLOADS), found == wanted

    run(CHUNKS[-1])
    best = min(CHUNKS, key=lambda chunk: min(run(chunk)[0] for _ in range(3)))
    return lambda: run(best)


def start(stack):
    import penstock as ps

    nodes = {"a": {"type": "operator.neg", "depends": "input.x"}, "r": {"type": "return", "depends": "a.value"}}
    tube = ps.Tube.load({"noob_id": "start", "input": {"x": {"type": "any", "scope": "process"}}, "nodes": nodes})

    def sample():
        begun = time.perf_counter()
        with ps.MultiProcessRunner(tube, max_workers=2) as runner:
            return time.perf_counter() - begun, runner.process(x=2) == -2

    return sample


def rows(pairs):
    with harness.python_side("process_pipeline", "start") as side:
        begun = harness.alone(side, pairs, expect=True)
    with harness.python_side("process_pipeline", "ours") as side, harness.python_side("process_pipeline", "pool") as other:
        measured = harness.paired(side, other, pairs)
    ms = begun["ours"]["median"] * 1e3
    return [
        harness.Row("start of 2 workers", "ms", ms, "<= 400 ms", ms <= 400, detail=begun),
        harness.bar_row(
            "two nodes with memory, 2 processes, 1 KiB, per task", measured, scale=1e6, unit="us",
            peer_name="ProcessPoolExecutor.map", at_most=1e6 / 60_000, at_least_ratio=2,
        ),
    ]  # fmt: skip
