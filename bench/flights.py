"""The flights job, synchronous and after load, against a hand-written DuckDB script with the same tables.

Measured: one `process()` of examples/flights/flights.yaml on a warm SynchronousRunner, from paths to three tables. Peer: DuckDB
from Python, three statements on one warm connection, results as Arrow tables, DuckDB's default threads on both
sides. Answer: rows and checksums of every column of the three tables. Not measured: loading the tube, the report.
"""

import time

import harness

DATA = harness.ROOT / ".data"
LATE_MINUTES = 15

ROUTES = """
SELECT strftime(date, '%Y-%m') AS month, origin, destination, count(*)::BIGINT AS flights, avg(delay) AS mean_delay,
       quantile_cont(delay, 0.95) AS p95_delay, avg((delay >= $late)::INT) AS late_share
FROM read_parquet($flights) GROUP BY ALL ORDER BY month, origin, destination
"""
AIRPORTS = """
SELECT a.iata, a.name, a.city, a.latitude, a.longitude, f.departures, f.mean_delay, f.late_share
FROM (SELECT origin, count(*)::BIGINT AS departures, avg(delay) AS mean_delay, avg((delay >= $late)::INT) AS late_share
      FROM read_parquet($flights) GROUP BY origin) f
LEFT JOIN read_csv($airports) a ON a.iata = f.origin ORDER BY f.departures DESC, a.iata
"""
BY_HOUR = """
SELECT hour(date) AS hour, count(*)::BIGINT AS flights, avg(delay) AS mean_delay
FROM read_parquet($flights) GROUP BY ALL ORDER BY hour
"""


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
    runner = stack.enter_context(ps.SynchronousRunner(tube))
    return timed(lambda: runner.process(**scope))


def duckdb(stack):
    import duckdb as engine

    flights, airports = paths()
    connection = stack.enter_context(engine.connect())
    late = {"flights": flights, "late": LATE_MINUTES}

    def process():
        return {
            "routes": connection.execute(ROUTES, late).to_arrow_table(),
            "airports": connection.execute(AIRPORTS, late | {"airports": airports}).to_arrow_table(),
            "by_hour": connection.execute(BY_HOUR, {"flights": flights}).to_arrow_table(),
        }

    return timed(process)


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
