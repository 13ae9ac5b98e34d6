"""Start of the command and of `import penstock`, from process start to exit.

Measured: wall time of `penstock --help`, `check` and `graph` of a 100-node tube; CPU seconds of `import penstock`
minus those of bare Python. Peers, shown for scale: ruff and uv (native commands in a wheel, like ours), imports of
Hamilton and Dask. DVC is not installed: it would bring 100 packages for one number.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

BIN = Path(sys.executable).parent  # of the side's own environment
REPEATS, IMPORTS = 10, 3


def command(words, check=lambda text: True):
    """Sample: wall seconds of one run, as the mean over REPEATS; CPU seconds are those of the children."""

    def side(stack):
        def sample():
            start = time.perf_counter()
            for _ in range(REPEATS):
                done = subprocess.run(words, capture_output=True, text=True, check=False)
            seconds = (time.perf_counter() - start) / REPEATS
            return seconds, done.returncode == 0 and check(done.stdout)

        return sample

    return side


def tube_file():
    """A 100-node tube in the results folder; every node a native-free function, so only the wiring is looked at."""
    path = Path(tempfile.gettempdir(), f"penstock-bench-{os.getuid()}-hundred.yaml")
    lines = ["noob_id: hundred", "nodes:", "  n0:", "    type: bench_nodes.count"]
    for k in range(1, 100):
        lines += [f"  n{k}:", "    type: bench_nodes.double", f"    depends: n{(k - 1) // 2}.value"]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def help_text(stack):
    return command([str(BIN / "penstock"), "--help"], lambda text: "check" in text and "run" in text)(stack)


def check_tube(stack):
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    return command([str(BIN / "penstock"), "check", tube_file()])(stack)


def graph_tube(stack):
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    return command([str(BIN / "penstock"), "graph", tube_file(), "--format", "dot"], lambda text: "n99" in text)(stack)


def ruff(stack):
    return command([str(BIN / "ruff"), "--help"], lambda text: "check" in text)(stack)


def uv(stack):
    return command([str(BIN / "uv"), "--help"], lambda text: "run" in text)(stack)


def child_cpu(words):
    """Sample: CPU seconds of a child process, mean over IMPORTS."""

    def sample():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(IMPORTS):
            done = subprocess.run(words, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        return spent / IMPORTS, done.returncode == 0

    return sample


def bare(stack):
    return child_cpu([sys.executable, "-c", "pass"])


def import_ours(stack):
    return child_cpu([sys.executable, "-c", "import penstock"])


def import_hamilton(stack):
    return child_cpu([sys.executable, "-c", "import hamilton.driver"])


def import_dask(stack):
    return child_cpu([sys.executable, "-c", "import dask"])


def import_noob(stack):
    return child_cpu([sys.executable, "-W", "ignore", "-c", "import noob"])


def rows(pairs):
    made = []
    for what, function, peer in (
        ("penstock --help", "help_text", "ruff"),
        ("penstock check, 100 nodes", "check_tube", "uv"),
        ("penstock graph, 100 nodes", "graph_tube", "uv"),
    ):
        with harness.python_side("start", function) as side, harness.python_side("start", peer, harness.PEERS) as other:
            measured = harness.paired(side, other, pairs)
        made.append(harness.bar_row(what, measured, scale=1e3, unit="ms", peer_name=f"{peer} --help", at_most=20))
    with harness.python_side("start", "import_ours") as side, harness.python_side("start", "bare") as other:
        measured = harness.paired(side, other, pairs)
    over = measured["ours"]["median"] - measured["peer"]["median"]
    what, bare_seconds = "import penstock over bare Python, CPU", measured["peer"]["median"]
    made.append(harness.Row(what, "s", over, "<= 0.06 s", over <= 0.06, "bare Python", bare_seconds, detail=measured))
    for peer in ("import_hamilton", "import_dask", "import_noob"):
        with harness.python_side("start", peer, harness.PEERS) as side, harness.python_side("start", "bare", harness.PEERS) as other:
            measured = harness.paired(side, other, pairs)
        over = measured["ours"]["median"] - measured["peer"]["median"]
        made.append(harness.Row(f"  {peer.replace('_', ' ')} over bare Python, CPU", "s", None, "-", None, "peer", over, detail=measured))
    return made
