"""16 processes that use one result cache and one history for five minutes: errors, and runs that are missing afterwards.

Each process runs a tube of three kept nodes again and again with other inputs; the cache is bounded so tightly that it is pruned all
the time. Counted: processes that ended with anything but success or wrote to stderr ("locked" among it), and of each process's newest
runs those the history does not know. Peer: Prefect 3 with its own server per process on one SQLite file, two processes, a minute; counted
are the processes that ended with an error. PENSTOCK_BENCH_SECONDS: another length of our part.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import harness

PROCESSES, SECONDS, PEER_PROCESSES, PEER_SECONDS = 16, float(os.environ.get("PENSTOCK_BENCH_SECONDS", "300")), 2, 60
NEWEST = 3  # of each process; the history keeps 1,000 in all
STEPS = """
def small(x):
    return x % 50


def twice(value):
    return value * 2


def thrice(value):
    return [value] * 3
"""
TUBE = """input: {x: {type: int, scope: process}}
nodes:
  small: {type: steps.small, depends: input.x, cache: true}
  a: {type: steps.twice, depends: small.value, cache: true}
  b: {type: steps.thrice, depends: a.value, cache: true}
  out: {type: return, depends: b.value}
"""
OURS = """
import sys, time
import penstock as ps
process, until = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
tube = ps.Tube.load("tube.yaml")
count = 0
while time.monotonic() < until:
    x = process * 1_000_000 + count
    assert ps.run(tube, inputs={"x": x}).result == [x % 50 * 2] * 3
    count += 1
print(count)
"""
PREFECT = """
import sys, time
from prefect import flow, task
import steps
small, twice, thrice = task(steps.small), task(steps.twice), task(steps.thrice)

@flow
def job(x):
    return thrice(twice(small(x)))

process, until = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
count = 0
while time.monotonic() < until:
    x = process * 1_000_000 + count
    assert job(x) == [x % 50 * 2] * 3
    count += 1
print(count)
"""


def together(python, script, processes, seconds, folder, environment):
    """(runs, what it wrote to stderr or its exit code when that is not 0) of each process."""
    (folder / "loop.py").write_text(script)
    (folder / "steps.py").write_text(STEPS)
    (folder / "tube.yaml").write_text(TUBE)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | environment
    children = [
        subprocess.Popen(
            [str(python), "loop.py", str(process), str(seconds)], cwd=folder, env=environment,
            stdout=subprocess.PIPE, stderr=(folder / f"errors{process}").open("w"), text=True,
        )
        for process in range(processes)
    ]  # fmt: skip
    ended = []
    for process, child in enumerate(children):
        out, _ = child.communicate(timeout=seconds + 300)
        errors = (folder / f"errors{process}").read_text()
        ended.append((int(out) if child.returncode == 0 else 0, errors if child.returncode == 0 else errors or f"exit {child.returncode}"))
    return ended


def ours(folder):
    environment = {"PENSTOCK_HOME": str(folder / "home"), "PENSTOCK_CACHE": "on", "PENSTOCK_CACHE_BYTES": "60000"}
    start = time.perf_counter()
    ended = together(harness.OURS, OURS, PROCESSES, SECONDS, folder, environment)
    seconds = time.perf_counter() - start
    listed = subprocess.run(
        [str(harness.OURS), "-m", "penstock", "history", "--json", "--limit", "1000000"],
        capture_output=True, text=True, check=True, env=os.environ | environment,
    )  # fmt: skip
    runs = [json.loads(line) for line in listed.stdout.splitlines()]
    known = {int(run["inputs"]["x"]) for run in runs if run["status"] == "ok"}
    newest = {process * 1_000_000 + run for process, (count, _) in enumerate(ended) for run in range(max(count - NEWEST, 0), count)}
    detail = {"runs": sum(count for count, _ in ended), "seconds": seconds, "in_history": len(runs), "not_ok": len(runs) - len(known)}
    detail["errors"] = [errors[-500:] for _, errors in ended if errors]
    return detail | {"lost": len(newest - known), "idle": sum(count == 0 for count, _ in ended)}


def prefect(folder):
    python = harness.ROOT / ".venv-peers-workflow" / "bin" / "python"
    environment = {"HOME": str(folder), "PREFECT_HOME": str(folder / "home"), "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true"}
    environment |= {"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    ended = together(python, PREFECT, PEER_PROCESSES, PEER_SECONDS, folder, environment)
    failed = [errors for count, errors in ended if count == 0]
    return {"runs": sum(count for count, _ in ended), "failed": len(failed), "locked": sum("locked" in errors for _, errors in ended)}


def rows(pairs):
    del pairs
    with tempfile.TemporaryDirectory() as folder:
        seen = ours(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        peer = prefect(Path(folder))
    wrong = len(seen["errors"]) + seen["lost"] + seen["not_ok"] + seen["idle"]
    note = "" if SECONDS >= 300 else f"{SECONDS:g} s instead of 300"
    what = f"16 processes, one store and history, {seen['runs']:,} runs: errors and lost runs"
    return [
        harness.Row(what, "", wrong, "0", wrong == 0 and SECONDS >= 300, note=note, detail=seen),
        harness.Row(
            f"  Prefect, 2 processes, {peer['runs']:,} runs: processes that failed", "", None, "-", None, "Prefect 3", peer["failed"],
            detail=peer, note=f"'locked' in the errors of {peer['locked']}",
        ),
    ]  # fmt: skip
