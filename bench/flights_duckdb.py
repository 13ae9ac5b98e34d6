"""The flights job as one would write it by hand with DuckDB from Python: the peer of examples/flights.

usage: python bench/flights_duckdb.py FLIGHTS.parquet AIRPORTS.csv [RUNS]

Three queries straight on the Parquet file, each reading only its columns. Written to be fast: months
are grouped as timestamps and named once per group (naming every row costs 180 ms of CPU more), and a
scan per query beats one load into a table (110 ms). Same columns, types and order as flights.yaml.
"""

import sys
import time

ROUTES = """
SELECT strftime(month, '%Y-%m') AS month, origin, destination, flights, mean_delay, p95_delay, late_share
FROM (SELECT date_trunc('month', date) AS month, origin, destination, count(*) AS flights, avg(delay) AS mean_delay,
             quantile_cont(delay, 0.95) AS p95_delay, count(*) FILTER (delay >= $late) / count(*) AS late_share
      FROM read_parquet($flights) GROUP BY ALL)
ORDER BY month, origin, destination
"""
AIRPORTS = """
SELECT iata, name, city, latitude, longitude, departures, mean_delay, late_share
FROM (SELECT origin AS iata, count(*) AS departures, avg(delay) AS mean_delay,
             count(*) FILTER (delay >= $late) / count(*) AS late_share
      FROM read_parquet($flights) GROUP BY origin)
LEFT JOIN read_csv($airports) USING (iata)
ORDER BY departures DESC, iata
"""
BY_HOUR = """
SELECT hour(date) AS hour, count(*) AS flights, avg(delay) AS mean_delay
FROM read_parquet($flights) GROUP BY ALL ORDER BY hour
"""


def tables(connection, flights, airports, late_minutes=15):
    """The three tables of the flights job, as pyarrow tables by name."""
    late = {"flights": flights, "late": late_minutes}
    return {
        "routes": connection.execute(ROUTES, late).to_arrow_table(),
        "airports": connection.execute(AIRPORTS, late | {"airports": airports}).to_arrow_table(),
        "by_hour": connection.execute(BY_HOUR, {"flights": flights}).to_arrow_table(),
    }


def main():
    import duckdb

    flights, airports = sys.argv[1:3]
    connection = duckdb.connect()
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
        start, cpu = time.perf_counter(), time.process_time()
        found = tables(connection, flights, airports)
        print(f"{time.perf_counter() - start:.3f} s, {time.process_time() - cpu:.3f} CPU s: {found['routes'].num_rows} routes")


if __name__ == "__main__":
    main()
