"""The flights job, synchronous and after load, against a hand-written DuckDB script with the same tables.

Measured: one `process()` of examples/flights/flights.yaml on a warm SynchronousRunner, from paths to three tables. Peer: DuckDB
from Python, three statements on one warm connection, results as Arrow tables, DuckDB's default threads on both
sides. Answer: rows and checksums of every column of the three tables. Not measured: loading the tube, the report.
"""

import time

import flights_duckdb
import harness

DATA = harness.ROOT / ".data"
LATE_MINUTES = 15


def paths():
    return str(next(DATA.rglob("flights-3m.parquet"))), str(next(DATA.rglob("airports.csv")))


def checksum(tables):
    """Rows, then per column (by name) the sum of numbers, or the sum over texts of length times position."""
    found = []
    for name in ("routes", "airports", "by_hour"):
        table = tables[name]
        found.append(table.num_rows)
        for column in sorted(table.column_names):
            values = table.column(column).to_pylist()
            if isinstance(values[0], str):
                found.append(float(sum((index + 1) * sum(map(ord, value)) for index, value in enumerate(values))))
            else:
                found.append(float(sum(value for value in values if value is not None)))
    return found


def timed(process):
    first = checksum(process())

    def sample():
        start = time.perf_counter()
        tables = process()
        seconds = time.perf_counter() - start
        return seconds, first if tables["routes"].num_rows == first[0] else False

    return sample


def ours(stack):
    import penstock as ps

    flights, airports = paths()
    scope = {"flights": flights, "airports": airports, "late_minutes": LATE_MINUTES}
    tube = ps.Tube.load(harness.ROOT / "examples/flights/flights.yaml")
    runner = stack.enter_context(ps.SynchronousRunner(tube, cache=False))
    return timed(lambda: runner.process(**scope))


def duckdb(stack):
    import duckdb as engine

    flights, airports = paths()
    connection = stack.enter_context(engine.connect())
    return timed(lambda: flights_duckdb.tables(connection, flights, airports, LATE_MINUTES))


def rows(pairs):
    with harness.python_side("flights", "ours") as side, harness.python_side("flights", "duckdb", harness.PEERS) as other:
        measured = harness.paired(side, other, pairs)
    return [
        # <= 1.15x the script is a ratio script / ours of at least 1 / 1.15
        harness.bar_row(
            "flights job, sync, after load (bar: 1.15x the script)", measured, scale=1, unit="s", peer_name="DuckDB script",
            at_least_ratio=1 / 1.15,
        )
    ]  # fmt: skip
