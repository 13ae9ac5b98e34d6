"""Run the flights pipeline under three runners and compare their results.

usage: python examples/flights/run.py [--report FILE.html]

Prints the top of the three tables, then time and content address of the result under each runner,
and the path of the report. Exit codes: 0 all addresses are equal, 1 a run failed, 3 they differ.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TUBE = Path(__file__).with_name("flights.yaml")
DATA = ROOT / ".data"
RUNNERS = ("sync", "threads", "processes")
ROWS_SHOWN = 4


def main() -> int:
    parser = argparse.ArgumentParser(description="run the flights pipeline under three runners")
    parser.add_argument("--report", type=Path, default=ROOT / "build" / "flights.html", help="where the report page goes")
    report = parser.parse_args().report
    missing = [name for name in ("flights-3m.parquet", "airports.csv") if not (DATA / name).is_file()]
    if missing:
        print(f"run.py: error: no {' and no '.join(missing)} in {DATA}; run tools/fetch vega-datasets", file=sys.stderr)
        return 1
    report.parent.mkdir(parents=True, exist_ok=True)
    runs = {}
    for runner in RUNNERS:
        more = ["--report", str(report)] if runner == RUNNERS[-1] else []
        lines = run(runner, more)
        if lines is None:
            return 1
        runs[runner] = lines
    show_tables(runs["sync"][0]["value"])
    return show_runs(runs, report)


def run(runner: str, more: list[str]) -> list[dict] | None:
    """The lines of ``penstock run --json``: the result, then the summary. None when it failed."""
    command = [sys.executable, "-m", "penstock", "run", str(TUBE), "--json", "--runner", runner]
    command += ["--no-cache"]  # each runner computes its own result
    command += ["--input", f"flights={DATA / 'flights-3m.parquet'}", "--input", f"airports={DATA / 'airports.csv'}"]
    done = subprocess.run(command + more, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr, end="", file=sys.stderr)
        print(f"run.py: error: runner {runner} ended with exit code {done.returncode}, wanted 0", file=sys.stderr)
        return None
    return [json.loads(line) for line in done.stdout.splitlines()]


def show_tables(result: dict) -> None:
    for name, table in result.items():
        rows = table.get("rows", table.get("sample"))[:ROWS_SHOWN]
        cells = [table["columns"]] + [[show(value) for value in row] for row in rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
        print(f"{name}: {table['num_rows']:,} rows")
        for row in cells:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        print()


def show(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def show_runs(runs: dict[str, list[dict]], report: Path) -> int:
    cids = {lines[0]["cid"] for lines in runs.values()}
    for runner, lines in runs.items():
        print(f"{runner:<10} {lines[-1]['summary']['elapsed_s']:6.2f} s  {lines[0]['cid']}")
    print(f"report     {report}")
    if len(cids) != 1:
        print(f"run.py: error: {len(cids)} different results, wanted one", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
