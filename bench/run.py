"""Run the benchmarks: `bench/run.py [NAME ...] [--pairs N] [--list]`.

Each NAME.py in this folder with a `rows(pairs)` is one bar of the table. Results go to bench/results/NAME.json and the
table of all to stdout. Exit code 3 when a bar is missed or an answer is wrong, 0 otherwise.
"""

import argparse
import dataclasses
import datetime
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import harness

NAMES = [
    "scheduler", "six_nodes", "map_gather", "whole_format", "load", "start", "five_nodes", "flights", "cached_flights", "edits",
    "cpu_pair", "async_nodes", "cancel", "empty_task", "process_pipeline", "array_trip", "codec", "serializer", "digest", "soak",
    "one_store", "event_store", "buffer_pool", "drain",
]  # fmt: skip


def canary():
    """A wrong answer and a missed bar must be noticed, or nothing below means anything."""
    ours, wrong = (harness.python_side("canary", name) for name in ("right", "wrong"))
    with ours, wrong:
        try:
            harness.paired(ours, wrong)
        except harness.WrongAnswer:
            pass
        else:
            raise SystemExit("bench: the canary's wrong answer was not noticed")
    with harness.python_side("canary", "slow") as slow, harness.python_side("canary", "right") as right:
        measured = harness.paired(slow, right)
    if harness.bar_row("canary", measured, scale=1, unit="s", peer_name="-", at_least_ratio=1).met:
        raise SystemExit("bench: the canary's slow side was not noticed")


def run_one(name, pairs):
    try:
        return importlib.import_module(name).rows(pairs)
    except Exception as error:
        traceback.print_exc()
        return [harness.Row(name, "", None, "-", False, note=f"did not run: {type(error).__name__}: {error!s:.120}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--pairs", type=int, default=harness.MIN_PAIRS)
    parser.add_argument("--clock", choices=("seconds", "cpu"), default="seconds", help="cpu: on a busy machine, single-threaded sides only")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(NAMES))
        return 0
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}; one of {', '.join(NAMES)}")
    harness.CLOCK = options.clock
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    canary()
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    all_rows = []
    for name in options.names or NAMES:
        print(f"bench: {name}", file=sys.stderr)
        rows = run_one(name, options.pairs)
        all_rows += rows
        record = {"name": name, "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
        record |= {"machine": harness.machine(), "rows": [dataclasses.asdict(row) for row in rows]}
        partial = folder / f".{name}.json.part"
        partial.write_text(json.dumps(record, indent=1, default=str) + "\n")
        partial.rename(folder / f"{name}.json")
    harness.print_table(all_rows)
    missed = [row.what for row in all_rows if row.met is False]
    if options.clock == "cpu":
        print("clock: CPU seconds, not wall")
    if os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1):
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: other work ran too, wall times and bars do not count")
    judged = sum(row.met is not None for row in all_rows)
    print(f"{judged} bars judged, {len(missed)} missed; the canary was caught; JSON in bench/results/")
    return 3 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
