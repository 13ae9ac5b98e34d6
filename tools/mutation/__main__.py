"""The command line of tools/mutate."""

import argparse
import concurrent.futures
import json
import sys
import time
from collections import Counter

from . import build, trials, verdicts
from .build import HOME, ROOT, Numbered
from .sample import Drawing


def say(text: str) -> None:
    print(f"mutate: {text}", file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=150, help="mutants in the sample (default: 150)")
    parser.add_argument("--seed", type=int, default=4, help="of the sample (default: 4)")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the build, and mutants side by side (default: 2)")
    parser.add_argument("--python-seconds", type=float, default=60, metavar="S",
                        help="Python tests that may try one mutant, by their normal time; 0: only C++ (default: 60)")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print what would be drawn and stop; nothing is built")
    parser.add_argument("--only", action="append", default=[], metavar="KEY", help="judge only the mutant with this key")
    parser.add_argument("--again", choices=["all", "survivors", "none"], default="all",
                        help="which mutants judged by an earlier call are judged again (default: all)")  # fmt: skip
    parser.add_argument("--fail-under", type=float, default=0, metavar="PERCENT", help="exit code 1 when fewer are killed")
    return parser.parse_args()


def main() -> int:
    options = parse()
    drawing = Drawing(ROOT, options.count, options.seed)
    if options.list:
        for room, key, site in drawing.chosen():
            print(f"{key} {room:4} {site.path}:{site.line} {site.operator}: {site.before[:60]} | {site.after}")
        return 0
    dropped = HOME / "dropped.json"
    if dropped.exists():
        # Known not to compile; a change of the compiler or of a header is rare, and costs no wrong verdict.
        drawing.dropped = json.loads(dropped.read_text())
    sample, num_sites = build.build(drawing, options.jobs, say)
    dropped.write_text(json.dumps(drawing.dropped, indent=1))
    found = trials.find(num_sites, options.python_seconds > 0, say)
    results = HOME / f"results-{options.seed}-{options.count}.json"
    known = json.loads(results.read_text())["mutants"] if results.exists() else {}
    wanted = {number: item for number, item in sample.items() if is_wanted(item[1], known, options)}
    rows = {key: row for key, row in known.items() if key in {item[1] for item in sample.values()} and key not in
            {item[1] for item in wanted.values()}}  # fmt: skip
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = {pool.submit(verdicts.judge, number, found, options.python_seconds): number for number in wanted}
        for done in concurrent.futures.as_completed(jobs):
            row = describe(sample, jobs[done], done.result())
            rows[row["key"]] = row
            write(results, drawing, options, rows)
            minutes = (time.monotonic() - started) / 60
            say(f"{len(rows)}/{len(sample)} {minutes:.1f} min: {row['path']}:{row['line']} {row['verdict']} ({row['by']})")
    summary = table(sample, rows, drawing)
    (HOME / "report.txt").write_text(summary)
    print(summary, end="")
    killed = sum(row["verdict"] != "survived" for row in rows.values())
    return 1 if 100 * killed < options.fail_under * len(rows) else 0


def is_wanted(key: str, known: dict, options: argparse.Namespace) -> bool:
    if options.only:
        return key in options.only
    if key not in known or options.again == "all":
        return True
    return options.again == "survivors" and known[key]["verdict"] == "survived"


def describe(sample: Numbered, number: int, verdict: verdicts.Verdict) -> dict:
    room, key, site = sample[number]
    return {
        "key": key, "number": number, "room": room, "path": site.path, "line": site.line, "operator": site.operator,
        "before": site.before, "after": site.after, "verdict": verdict.how if verdict.killed else "survived", "by": verdict.by,
    }  # fmt: skip


def write(path, drawing: Drawing, options: argparse.Namespace, rows: dict) -> None:
    path.write_text(json.dumps({
        "seed": options.seed, "count": options.count, "lines": drawing.lines, "quota": drawing.quota,
        "sites": {room: len(order) for room, order in drawing.order.items()},
        "not_compiled": drawing.dropped, "mutants": rows,
    }, indent=1))  # fmt: skip


def table(sample: Numbered, rows: dict, drawing: Drawing) -> str:
    lines = []
    for _room, key, site in sorted(sample.values(), key=lambda item: (item[0], item[2].path, item[2].line)):
        row = rows.get(key, {"verdict": "not judged", "by": ""})
        what = f"{site.operator}: {site.before[:70]} {site.after}"
        lines.append(f"{row['verdict']:10} {site.path}:{site.line} [{key}] {what} <- {row['by']}")
    for title, of in (("room", "room"), ("operator", "operator")):
        lines.append(f"\nby {title}: killed / drawn")
        drawn = Counter(row[of] for row in rows.values())
        dead = Counter(row[of] for row in rows.values() if row["verdict"] != "survived")
        lines += [f"  {name:10} {dead[name]:4} / {drawn[name]}" for name in sorted(drawn)]
    dead = sum(row["verdict"] != "survived" for row in rows.values())
    ways = Counter(row["verdict"] for row in rows.values())
    lines.append(f"\nsites found: {', '.join(f'{room} {len(order)}' for room, order in drawing.order.items())}")
    lines.append(f"drawn and not compiled: {len(drawing.dropped)}")
    lines.append(f"killed {dead} of {len(rows)} ({100 * dead / max(1, len(rows)):.1f} %): {dict(ways)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
