"""table.* in tubes: one answer on every runner, pyarrow in and out without copies, the flights job."""

import datetime
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import penstock as ps

ROOT = Path(__file__).resolve().parent.parent.parent
FLIGHTS = ROOT / ".data" / "flights-3m.parquet"
AIRPORTS = ROOT / ".data" / "airports.csv"
RUNNERS = ["sync", "threads", "processes"]

TOTALS = """
input:
  table: {type: any, scope: process}
  least: {type: int, scope: process, default: 0}
nodes:
  parts:
    type: table.split
    depends: [table: input.table]
    params: {by: k}
  part: {type: map, depends: parts.value}
  total:
    type: table.sql
    depends: [part: part.value, least: input.least]
    params: {query: "SELECT any_value(k) AS k, sum(x) AS x FROM part WHERE x >= $least"}
  totals: {type: gather, depends: [value: total.value, n: part.n]}
  joined:
    type: table.sql
    depends: [totals: totals.value]
    params: {query: SELECT * FROM totals ORDER BY k}
  out: {type: return, depends: joined.value}
"""


def sql(query, tables=None, **params):
    """The result of one table.sql node over ``tables``."""
    tables = tables or {}
    tube = {
        "input": {name: {"type": "any", "scope": "process"} for name in tables},
        "nodes": {
            "query": {
                "type": "table.sql",
                "depends": [{name: f"input.{name}"} for name in tables],
                "params": {"query": query, **params},
            },
            "out": {"type": "return", "depends": "query.value"},
        },
    }
    if not tables:
        del tube["nodes"]["query"]["depends"]
    return ps.run(tube, inputs=tables).result


@pytest.mark.parametrize("runner", RUNNERS)
def test_split_map_gather_on_every_runner(runner):
    generator = random.Random(7)
    rows = [(generator.randrange(5), generator.randrange(1000)) for _ in range(10_000)]
    table = pa.table({"k": [k for k, _ in rows], "x": [x for _, x in rows]})
    got = ps.run(TOTALS, runner=runner, inputs={"table": table, "least": 100}).result
    wanted = {k: sum(x for key, x in rows if key == k and x >= 100) for k in range(5)}
    assert dict(zip(got["k"].to_pylist(), [int(x) for x in got["x"].to_pylist()], strict=True)) == wanted


def test_address_does_not_depend_on_runner_or_chunks():
    table = pa.table({"k": [i // 1000 for i in range(4000)], "x": [i % 17 for i in range(4000)]})
    chunks = pa.concat_tables([table.slice(0, 1), table.slice(1, 2500), table.slice(2501)])
    assert ps.cid(table) == ps.cid(chunks)
    found = {ps.run(TOTALS, runner=runner, inputs={"table": t}).cid for runner in RUNNERS for t in (table, chunks)}
    assert len(found) == 1


def test_parts_are_views_of_the_table_given():
    table = pa.table({"k": np.repeat(np.arange(3), 1000), "x": np.arange(3000)})
    begin = table["x"].chunk(0).buffers()[1].address
    tube = TOTALS[: TOTALS.index("  part: {")] + "  out: {type: return, depends: parts.value}\n"
    parts = ps.run(tube, inputs={"table": table, "least": 0}).result
    for index, part in enumerate(parts):
        column = part["x"].chunk(0)
        assert column.buffers()[1].address + column.offset * 8 == begin + index * 8000
        assert part["x"].to_pylist() == list(range(index * 1000, index * 1000 + 1000))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3], pa.uint64()),
        pa.array([0.5, None, 2.0], pa.float16()),
        pa.array(["a", None, "ccc"], pa.large_string()),
        pa.array(["a", None, "a text of more than twelve bytes"], pa.string_view()),
        pa.array([b"a", None, b""], pa.binary(-1)),
        pa.array([b"abc", None, b"xyz"], pa.binary(3)),
        pa.array([datetime.date(2001, 2, 3), None, datetime.date(1960, 1, 1)], pa.date64()),
        pa.array([1, None, 3], pa.time32("s")),
        pa.array([1, None, -3], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([1, None, -3], pa.duration("s")),
        pa.array([1, None, 3], pa.decimal128(30, 2)),
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array([7, None, 7]).dictionary_encode(),
        pa.array([[1], None, [None, 2]], pa.large_list(pa.int8())),
        pa.array([[1, 2], None, [3, None]], pa.list_(pa.int16(), 2)),
        pa.array([{"a": 1, "b": None}, None, {"a": None, "b": "x"}], pa.struct({"a": pa.int32(), "b": pa.string()})),
        pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        pa.nulls(3),
    ],
    ids=lambda array: str(array.type),
)
def test_sql_reads_every_arrow_type(column):
    table = pa.table({"i": [0, 1, 2], "x": column})
    got = sql("SELECT i, x IS NULL AS missing, x FROM t ORDER BY i DESC", {"t": table})
    assert got["missing"].to_pylist() == list(reversed(column.is_null().to_pylist()))
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        return  # SQL keeps microseconds: the values have their own tests in C++
    if pa.types.is_date64(column.type):
        column = column.cast(pa.date32())
    assert got["x"].to_pylist() == list(reversed(column.to_pylist()))


def test_sql_says_which_type_it_lacks():
    table = pa.table({"x": pa.array([1], pa.decimal256(60, 2))})
    with pytest.raises(ps.Error, match=r"column 'x' of Arrow format 'd:60,2,256' has no SQL type"):
        sql("SELECT * FROM t", {"t": table})


def test_sum_of_floats_is_the_same_on_every_runner():
    generator = np.random.default_rng(3)
    table = pa.table({"k": np.sort(generator.integers(0, 4, 200_000)), "x": generator.normal(size=200_000)})
    assert (
        len({ps.run(TOTALS.replace("WHERE x >= $least", "WHERE $least = 0"), runner=r, inputs={"table": table}).cid for r in RUNNERS}) == 1
    )


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("SELECT * FORM t", "invalid_argument", r"syntax error at or near .*line 1, column \d+"),
        ("SELECT y FROM t", "invalid_argument", r'"y" not found'),
        ("SELECT * FROM '/etc/passwd', t", "invalid_argument", "does not exist"),
        ("SELECT * FROM read_text('/etc/passwd'), t", "invalid_argument", "Permission Error"),
        ("SELECT error('stop here') FROM t", "invalid_argument", "stop here"),
    ],
)
def test_sql_errors_read_the_same_on_every_runner(runner, query, code, message):
    tube = {
        "input": {"t": {"type": "any", "scope": "process"}},
        "nodes": {
            "query": {"type": "table.sql", "depends": [{"t": "input.t"}], "params": {"query": query}},
            "out": {"type": "return", "depends": "query.value"},
        },
    }
    with pytest.raises(ps.Error, match=message) as caught:
        ps.run(tube, runner=runner, inputs={"t": pa.table({"x": [1]})})
    assert caught.value.code == code
    assert "query" in str(caught.value)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_parquet_cut_short_is_one_error_and_the_runner_goes_on(tmp_path, keep):
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    pq.write_table(pa.table({"x": np.arange(100_000)}), whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * keep)])
    tube = ps.Tube.load(
        "input: {path: {type: str, scope: process}}\n"
        "nodes:\n"
        "  read: {type: table.read, depends: [path: input.path]}\n"
        "  out: {type: return, depends: read.value}\n"
    )
    with ps.SynchronousRunner(tube) as runner:
        with pytest.raises(ps.Error, match=r"cut\.parquet") as caught:
            runner.process(path=str(cut))
        assert caught.value.code == "data_loss"
        assert runner.process(path=str(whole)).num_rows == 100_000


def test_text_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "bad.parquet"
    broken = pa.array([b"\xff\xfe", b"ok"], pa.binary()).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"s": broken}), path)
    tube = f"nodes:\n  read: {{type: table.read, params: {{path: {path}}}}}\n  out: {{type: return, depends: read.value}}\n"
    with pytest.raises(ps.Error, match="UTF-?8"):
        ps.run(tube)


@pytest.mark.parametrize("runner", ["SynchronousRunner", "ThreadedRunner", "MultiProcessRunner"])
@pytest.mark.parametrize("parallel", [True, False])
def test_ctrl_c_stops_a_query(runner, parallel):
    program = f"""
import penstock as ps
tube = ps.Tube.load({{
    "nodes": {{
        "query": {{
            "type": "table.sql",
            "params": {{
                "parallel": {parallel},
                "query": "SELECT count(*) FROM range(10000000) a(i), range(10000000) b(j) WHERE (i + j) % 7 = 3",
            }},
        }},
        "out": {{"type": "return", "depends": "query.value"}},
    }}
}})
with ps.{runner}(tube) as runner:
    runner.init()
    try:
        print("running", flush=True)
        runner.process()
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "running\n"
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "stopped\n"
    elapsed = time.monotonic() - begin
    assert child.wait(timeout=30) == 0
    child.stdout.close()
    assert elapsed < 5  # 0.2 s on a quiet machine; the query itself would take weeks


# ---- the flights job -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flights():
    inputs = {"flights": str(FLIGHTS), "airports": str(AIRPORTS)}
    return {runner: ps.run(ROOT / "examples/flights/flights.yaml", runner=runner, inputs=inputs) for runner in RUNNERS}


def test_flights_have_one_address_on_every_runner(flights):
    assert len({run.cid for run in flights.values()}) == 1


def test_flights_tables_have_the_promised_columns_and_order(flights):
    result = flights["sync"].result
    assert list(result) == ["routes", "airports", "by_hour"]
    schemas = {name: {f.name: str(f.type) for f in table.schema} for name, table in result.items()}
    floats = {"mean_delay": "double", "late_share": "double"}
    assert list(schemas["routes"].items()) == list(
        {"month": "string", "origin": "string", "destination": "string", "flights": "int64"}.items()
    ) + [("mean_delay", "double"), ("p95_delay", "double"), ("late_share", "double")]
    assert list(schemas["airports"]) == ["iata", "name", "city", "latitude", "longitude", "departures", *floats]
    assert schemas["by_hour"] == {"hour": "int64", "flights": "int64", "mean_delay": "double"}
    routes = result["routes"].select(["month", "origin", "destination"]).to_pylist()
    keys = [tuple(row.values()) for row in routes]
    assert keys == sorted(set(keys))
    airports = [(-a["departures"], a["iata"]) for a in result["airports"].to_pylist()]
    assert airports == sorted(airports)
    assert result["by_hour"]["hour"].to_pylist() == list(range(24))


def test_flights_agree_with_numpy(flights):
    result = flights["sync"].result
    data = pq.read_table(FLIGHTS)
    when = data["date"].to_numpy()
    months = when.astype("datetime64[M]")
    hours = (when.astype("datetime64[h]") - when.astype("datetime64[D]")).astype(int)
    delay = data["delay"].to_numpy()
    assert np.bincount(hours).tolist() == result["by_hour"]["flights"].to_pylist()
    means = np.bincount(hours, weights=delay) / np.bincount(hours)
    assert np.allclose(means, result["by_hour"]["mean_delay"].to_numpy(), rtol=1e-12)
    assert sum(result["routes"]["flights"].to_pylist()) == len(delay) == sum(result["airports"]["departures"].to_pylist())
    assert set(result["routes"]["month"].to_pylist()) == set(np.unique(months).astype(str))

    origin, destination = data["origin"].to_numpy(zero_copy_only=False), data["destination"].to_numpy(zero_copy_only=False)
    rows = result["routes"].to_pylist()
    for row in random.Random(1).sample(rows, 8):
        here = delay[(months == np.datetime64(row["month"])) & (origin == row["origin"]) & (destination == row["destination"])]
        assert len(here) == row["flights"]
        assert np.isclose(here.mean(), row["mean_delay"], rtol=1e-12)
        assert np.isclose(np.quantile(here, 0.95), row["p95_delay"], rtol=1e-12)
        assert np.isclose((here >= 15).mean(), row["late_share"], rtol=1e-12)
    for row in result["airports"].to_pylist()[:3]:
        here = delay[origin == row["iata"]]
        assert (len(here), (here >= 15).mean()) == (row["departures"], row["late_share"])


def test_flights_program_prints_three_equal_addresses_and_writes_the_report(tmp_path):
    report = tmp_path / "flights.html"
    command = [sys.executable, str(ROOT / "examples/flights/run.py"), "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    addresses = [line.split()[-1] for line in done.stdout.splitlines() if line.split()[:1] and line.split()[0] in RUNNERS]
    assert len(addresses) == 3 and len(set(addresses)) == 1
    page = report.read_text(encoding="utf-8")
    assert "The network" in page and "Worst routes" in page and len(page) < 2_000_000
