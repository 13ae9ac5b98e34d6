"""1,000,000 epochs of the 6-node tube: growth of the resident set after the first 10,000."""

import time
from pathlib import Path

import harness
import six_nodes

WARM, EPOCHS = 10_000, 1_000_000


def resident_kib():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def ours(stack):
    import penstock as ps

    tube = ps.Tube.load({"noob_id": "bench-six", "nodes": six_nodes.NODES_SPEC})
    runner = stack.enter_context(ps.SynchronousRunner(tube))

    def sample():
        for _ in range(WARM):
            runner.process()
        before = resident_kib()
        start = time.perf_counter()
        for _ in range(EPOCHS - WARM):
            last = runner.process()
        n = EPOCHS - 1
        if last != 2 * n + (n + 1) ** 2:
            return 0, False
        return time.perf_counter() - start, resident_kib() - before

    return sample


def rows(pairs):
    with harness.python_side("soak", "ours") as side:
        taken = side.sample()
    grown = taken["answer"] / 1024
    return [harness.Row("RSS growth over 1,000,000 epochs", "MiB", grown, "<= 1 MiB", grown <= 1, detail=taken)]
