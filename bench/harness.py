"""Paired, interleaved measurements with the answer checked before the clock starts.

A *side* is a process that answers the line "go" with one JSON line {"seconds", "cpu", "answer"}: a sample.
Python sides are functions of the bench files, run by bench/serve.py in .venv or .venv-peers; C++ sides are
programs that speak the same. Two sides take samples in the order A B B A A B B A ..., at least 9 pairs,
after one sample each whose answers must be equal. A pair gives one ratio peer / ours.

What is reported: medians, spread (min, max), and for the median ratio the sign-test interval of at least 95 %
(order statistics; it assumes no distribution). A bar is judged by the median, and the table says when the bar lies
inside the interval. Nothing is claimed beyond the two cores of our machines.
"""

import json
import math
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ROOT / ".venv" / "bin" / "python"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
MIN_PAIRS = 9
# "seconds" (wall) or "cpu": on a machine shared with other work, CPU time of single-threaded sides still
# compares. run.py --clock sets it, the JSON and the table name it.
CLOCK = "seconds"


class WrongAnswer(Exception):
    """The two sides do not compute the same: their times mean nothing."""


@dataclass
class Row:
    """One line of the table. `ours` and `peer` are in `unit`; a bar is on one of them or on the ratio."""

    what: str
    unit: str
    ours: float | None
    bar: str
    met: bool | None  # None: shown, no bar
    peer_name: str = "-"
    peer: float | None = None
    ratio: float | None = None
    ratio_interval: tuple | None = None
    detail: dict = field(default_factory=dict)
    note: str = ""


class Side:
    """One side of a comparison: a child process that takes samples on request."""

    def __init__(self, command, name):
        self.name = name
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        environment["PYTHONHASHSEED"] = "0"
        self.child = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def sample(self):
        self.child.stdin.write("go\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: ended with exit code {self.child.wait()} instead of a sample")
        taken = json.loads(line)
        if taken["answer"] is False:  # a side that checks its own answer says True or False
            raise WrongAnswer(f"{self.name}: its own check of the answer failed")
        return taken

    def close(self):
        self.child.stdin.close()
        self.child.wait(timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def python_side(module, function, venv=None):
    venv = venv or OURS
    if not venv.exists():
        raise FileNotFoundError(f"{venv}: run tools/setup or tools/setup-peers first")
    return Side([venv, ROOT / "bench" / "serve.py", module, function], f"{module}.{function}")


def cpp(name):
    """A C++ side, built by the bench preset."""
    return Path(os.environ.get("PENSTOCK_BENCH_BUILD", ROOT / "build" / "bench")) / "bench" / name


def sign_test_interval(values, level=0.95):
    """The narrowest symmetric order-statistics interval of the median that covers at least `level`."""
    ordered, n = sorted(values), len(values)
    best = (ordered[0], ordered[-1])
    for rank in range(1, n // 2 + 1):
        tail = sum(math.comb(n, k) for k in range(rank)) / 2**n
        if 1 - 2 * tail < level:
            break
        best = (ordered[rank - 1], ordered[n - rank])
    return best


def same_answer(left, right):
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_answer, left, right))
    return left == right


def paired(ours, peer, pairs=MIN_PAIRS, clock=None):
    """Samples of two sides, interleaved. Returns a dict of medians, spreads and the ratio."""
    assert pairs >= MIN_PAIRS
    clock = clock or CLOCK
    first, second = ours.sample(), peer.sample()
    if not same_answer(first["answer"], second["answer"]):
        raise WrongAnswer(f"{ours.name} says {first['answer']!r:.120}, {peer.name} says {second['answer']!r:.120}")
    samples = {ours: [], peer: []}
    for index in range(pairs):
        for side in (ours, peer) if index % 2 == 0 else (peer, ours):
            samples[side].append(side.sample())
    left, right = ([sample[clock] for sample in samples[side]] for side in (ours, peer))
    ratios = [b / a for a, b in zip(left, right, strict=True)]
    return {
        "pairs": pairs,
        "clock": clock,
        "ours": spread(left),
        "peer": spread(right),
        "ours_cpu": statistics.median(s["cpu"] for s in samples[ours]),
        "peer_cpu": statistics.median(s["cpu"] for s in samples[peer]),
        "ratio": statistics.median(ratios),
        "ratio_interval": sign_test_interval(ratios),
        "answer": first["answer"] if len(repr(first["answer"])) < 200 else "equal",
    }


def alone(side, count=MIN_PAIRS, clock=None, expect=None):
    """Samples of one side without a peer; the first answer must be `expect` when that is given."""
    first = side.sample()
    if expect is not None and not same_answer(first["answer"], expect):
        raise WrongAnswer(f"{side.name} says {first['answer']!r:.120}, expected {expect!r:.120}")
    samples = [side.sample() for _ in range(count)]
    values = [sample[clock or CLOCK] for sample in samples]
    return {"ours": spread(values), "ours_cpu": statistics.median(s["cpu"] for s in samples), "last": samples[-1]}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "interval": sign_test_interval(values)}


def bar_row(what, measured, *, scale, unit, peer_name, at_most=None, at_least_ratio=None, note=""):
    """A Row from paired(): seconds * scale = unit. Met when all bars given are met by the medians."""
    ours, peer = measured["ours"]["median"] * scale, measured["peer"]["median"] * scale
    parts, verdicts = [], []
    if at_most is not None:
        parts.append(f"<= {at_most:g} {unit}")
        verdicts.append(ours <= at_most)
        low, high = (v * scale for v in measured["ours"]["interval"])
        note = note or ("bar inside the interval" if low <= at_most <= high else "")
    if at_least_ratio is not None:
        parts.append(f">= {at_least_ratio:g}x")
        verdicts.append(measured["ratio"] >= at_least_ratio)
        low, high = measured["ratio_interval"]
        note = note or ("bar inside the interval" if low <= at_least_ratio <= high else "")
    return Row(
        what, unit, ours, ", ".join(parts) or "-", all(verdicts) if verdicts else None, peer_name, peer,
        measured["ratio"], measured["ratio_interval"], measured, note,
    )  # fmt: skip


def peer_row(what, side, *, scale, unit, peer_name, note):
    """A Row when our side cannot run: the peer alone. Never counts as met."""
    measured = alone(side)
    return Row(what, unit, None, "-", False, peer_name, measured["ours"]["median"] * scale, detail=measured, note=note)


def machine():
    """Where and with what this was measured; goes into every JSON result."""
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "compiler": first_line(["g++", "--version"]),
        "flags": build_flags(),
        "commit": first_line(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"]),
        "changed_files": len(output(["git", "-C", ROOT, "status", "--short", "--untracked-files=no"]).splitlines()),
        "load_average": os.getloadavg(),
        "peers": [line for line in (ROOT / "bench" / "peers.txt").read_text().splitlines() if line and line[0] != "#"],
    }


def build_flags():
    cache = ROOT / "build" / "release" / "CMakeCache.txt"
    if not cache.exists():
        return "?"
    wanted = ("CMAKE_BUILD_TYPE:", "CMAKE_CXX_FLAGS_RELWITHDEBINFO:", "PENSTOCK_MARCH:")
    return "; ".join(line for line in cache.read_text().splitlines() if line.startswith(wanted))


def output(command):
    return subprocess.run([str(p) for p in command], capture_output=True, text=True, check=False).stdout


def first_line(command):
    return (output(command).splitlines() or ["?"])[0]


def quantity(value, unit):
    return "-" if value is None else f"{value:.4g} {unit}"


def print_table(rows, stream=sys.stdout):
    header = ("what", "ours", "peer", "ratio (95 %)", "bar", "")
    lines = [header]
    for row in rows:
        peer = "-" if row.peer is None else f"{quantity(row.peer, row.unit)} ({row.peer_name})"
        ratio = "-" if row.ratio is None else f"{row.ratio:.3g}x ({row.ratio_interval[0]:.3g}-{row.ratio_interval[1]:.3g})"
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        lines.append(
            (row.what, quantity(row.ours, row.unit), peer, ratio, row.bar, f"{verdict}{'; ' if row.note and verdict else ''}{row.note}")
        )
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    for line in lines:
        print(" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), file=stream)
