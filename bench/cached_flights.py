"""The flights job once more: from process start to the printed address of its result, when nothing has changed.

Measured: `penstock run examples/flights/flights.yaml --json` with all results kept; the address is that of a run without any.
Peer: three joblib.Memory functions around the DuckDB queries of bench/flights_duckdb.py, results as Arrow tables, in a process of its
own that loads them. joblib's key is the path and the source text of a function; ours is also the content of both files, digested each time.
Answer: rows and checksums of every column of the three tables. Second row: what keeping costs the first run, against --no-cache. redun 0.44
installs with 40 packages and is not among the peers: by hand, its second run took 2 s of CPU, this one 0.1 s.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import flights
import flights_duckdb
import harness

TUBE = harness.ROOT / "examples/flights/flights.yaml"
JOBLIB = """
import sys
import joblib
import flights_duckdb
memory = joblib.Memory(sys.argv[1], verbose=0)

@memory.cache
def tables(flights, airports, late):
    import duckdb
    return flights_duckdb.tables(duckdb.connect(), flights, airports, late)

found = tables(*sys.argv[2:4], int(sys.argv[4]))
print(found["routes"].num_rows)
"""


def run(words, home):
    """(seconds, last line) of a command."""
    environment = os.environ | {"PENSTOCK_HOME": str(home), "PENSTOCK_CACHE": "on", "PYTHONPATH": str(Path(__file__).parent)}
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=TUBE.parent)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return seconds, done.stdout


def command(*more):
    data, airports = flights.paths()
    words = [str(Path(sys.executable).parent / "penstock"), "run", str(TUBE), "--json", "--quiet", *more]
    return [*words, "--input", f"flights={data}", "--input", f"airports={airports}", "--input", f"late_minutes={flights.LATE_MINUTES}"]


def cid_of(output):
    return next(record["cid"] for record in map(json.loads, output.splitlines()) if "cid" in record)


def wanted():
    """(address, checksum) of the job without any cache."""
    import penstock as ps

    data, airports = flights.paths()
    inputs = {"flights": data, "airports": airports, "late_minutes": flights.LATE_MINUTES}
    sys.path.insert(0, str(TUBE.parent))
    plain = ps.run(TUBE, inputs=inputs, cache=False, history=False)
    return plain.cid, flights.checksum(plain.result)


def ours(stack):
    home = stack.enter_context(tempfile.TemporaryDirectory())
    cid, checksum = wanted()
    run(command(), home)

    def sample():
        seconds, output = run(command(), home)
        return seconds, checksum if cid_of(output) == cid else False

    return sample


def first(stack, *more):
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    cid, _ = wanted()

    def sample():
        shutil.rmtree(folder / "home", ignore_errors=True)
        seconds, output = run(command(*more), folder / "home")
        return seconds, cid_of(output) == cid

    return sample


def keeping(stack):
    return first(stack)


def without(stack):
    return first(stack, "--no-cache")


def joblib(stack):
    import duckdb

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    script = folder / "job.py"
    script.write_text(JOBLIB)
    data, airports = flights.paths()
    with duckdb.connect() as connection:
        checksum = flights.checksum(flights_duckdb.tables(connection, data, airports, flights.LATE_MINUTES))
    words = [sys.executable, str(script), str(folder / "memory"), data, airports, str(flights.LATE_MINUTES)]
    run(words, folder)

    def sample():
        seconds, output = run(words, folder)
        return seconds, checksum if int(output) == checksum[0] else False

    return sample


def rows(pairs):
    with harness.python_side("cached_flights", "ours") as side, harness.python_side("cached_flights", "joblib", harness.PEERS) as other:
        again = harness.paired(side, other, pairs)
    with harness.python_side("cached_flights", "keeping") as side, harness.python_side("cached_flights", "without") as other:
        once = harness.paired(side, other, pairs)
    what = "flights job once more, process start to result, same CID"
    return [
        harness.bar_row(what, again, scale=1000, unit="ms", peer_name="joblib.Memory", at_most=150),
        harness.bar_row("flights job the first time, results kept", once, scale=1, unit="s", peer_name="--no-cache"),
    ]
