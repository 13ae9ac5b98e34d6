"""The Python API: loading, running, errors, callbacks, records, import cost, interruption."""

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path

import pytest

import penstock as ps

COUNT = """
noob_id: count
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 4}}
  double: {type: penstock.testing.multiply, depends: [{left: count.index}]}
  out: {type: return, depends: double.value}
"""

ADD = """
input:
  left: {type: int, scope: process}
  right: {type: int, scope: tube, default: 3}
nodes:
  product: {type: penstock.testing.multiply, depends: [{left: input.left}, {right: input.right}]}
  out: {type: return, depends: [{product: product.value}]}
"""

RUNNERS = [ps.SynchronousRunner, ps.ThreadedRunner, ps.MultiProcessRunner]
each_runner = pytest.mark.parametrize("make_runner", RUNNERS, ids=lambda cls: cls.__name__)


def test_load_takes_text_path_and_dict(tmp_path):
    path = tmp_path / "count.yaml"
    path.write_text(COUNT)
    as_dict = {
        "nodes": {
            "count": {"type": "penstock.testing.count_source", "params": {"limit": 4}},
            "double": {"type": "penstock.testing.multiply", "depends": [{"left": "count.index"}]},
            "out": {"type": "return", "depends": "double.value"},
        }
    }
    tubes = [ps.Tube.load(source) for source in (COUNT, path, str(path), as_dict)]
    assert len({tube.digest for tube in tubes}) == 1
    assert tubes[1].id == "count"
    assert tubes[0].nodes["double"] == "penstock.testing.multiply"


def test_digest_ignores_names_and_comments_and_sees_parameters():
    renamed = COUNT.replace("double", "twice") + "# a comment\n"
    assert ps.Tube.load(renamed).digest == ps.Tube.load(COUNT).digest
    assert ps.Tube.load(COUNT.replace("limit: 4", "limit: 5")).digest != ps.Tube.load(COUNT).digest


def test_load_reports_every_problem_at_once():
    with pytest.raises(ps.LoadError) as caught:
        ps.Tube.load(COUNT.replace("count.index", "count.idx").replace("double.value", "doubel.value"))
    assert [d["id"] for d in caught.value.diagnostics] == ["PS0102", "PS0101"]
    assert isinstance(caught.value, ValueError)
    assert "did you mean 'double'?" in str(caught.value)


def test_a_plot_that_cannot_be_drawn_is_an_error_at_load():
    with pytest.raises(ps.LoadError, match="unknown plot kind 'pie'") as caught:
        ps.Tube.load(COUNT + "report:\n  - {kind: pie, data: result}\n")
    found = [(d["id"], d["line"], d["column"]) for d in caught.value.diagnostics]
    assert found == [("PS0026", COUNT.count("\n") + 2, 12)]


def test_a_missing_file_is_a_file_not_found_error():
    with pytest.raises(FileNotFoundError) as caught:
        ps.Tube.load("no/such/tube.yaml")
    assert isinstance(caught.value, ps.Error)


@each_runner
def test_process_run_and_iter(make_runner):
    with make_runner(ps.Tube.load(COUNT)) as runner:
        assert runner.process() == 0
        assert runner.run(2) == [2, 4]
        assert list(runner.iter()) == [6]
        assert runner.process() is None  # the source has ended
    assert not runner.running


@each_runner
def test_inputs_of_both_scopes(make_runner):
    tube = ps.Tube.load(ADD, inputs={"right": 5})
    with make_runner(tube) as runner:
        assert runner.process(left=2) == {"product": 10}
        with pytest.raises(ps.InputMissingError, match="'left'"):
            runner.process()
        with pytest.warns(ps.ExtraInputWarning, match="^Ignoring extra"):
            assert runner.process(left=3, middle=1) == {"product": 15}
    assert ps.run(ADD, inputs={"left": 2}).result == {"product": 6}


@each_runner
def test_an_error_names_node_and_epoch_and_the_runner_goes_on(make_runner):
    with make_runner(ps.Tube.load(ADD)) as runner:
        for _ in range(2):
            with pytest.raises(ps.NodeError) as caught:
                runner.process(left={"no": "number"})
            assert "TypeError" in caught.value.message
            assert "node 'product', epoch" in caught.value.origin
            assert "functions.py" in caught.value.trace
            assert caught.value.id == "PS0401"
            assert runner.process(left=4) == {"product": 12}


@each_runner
def test_callbacks_see_events_and_the_end_of_each_epoch(make_runner):
    seen = []
    with make_runner(ps.Tube.load(COUNT)) as runner:
        runner.add_callback(seen.append)
        runner.run(2)
    events = [(e["node_id"], e["signal"], e["epoch"].root, e["value"]) for e in seen]
    assert [e for e in events if e[2] == 1] == [
        ("count", "index", 1, 1),
        ("double", "value", 1, 2),
        ("meta", "EpochEnded", 1, 1),
    ]
    ids = [e["id"] for e in seen]
    assert ids == sorted(set(ids))
    assert all(e["timestamp"].tzinfo is not None for e in seen)


def test_a_callback_that_refers_to_its_runner_is_collected():
    runner = ps.SynchronousRunner(ps.Tube.load(COUNT))
    seen = weakref.ref(runner)
    runner.add_callback(lambda event, runner=runner: None)
    runner.process()
    runner.deinit()
    del runner
    gc.collect()
    assert seen() is None


@each_runner
def test_a_callback_that_raises_stops_the_run(make_runner):
    def fail(event):
        raise RuntimeError("not today")

    with make_runner(ps.Tube.load(COUNT)) as runner:
        runner.add_callback(fail)
        with pytest.raises(ps.Error, match="not today"):
            runner.process()


def test_a_runner_refuses_to_run_inside_itself():
    with ps.SynchronousRunner(ps.Tube.load(COUNT)) as runner:
        runner.add_callback(lambda event: runner.process())
        with pytest.raises(ps.Error, match="is running"):
            runner.process()


def test_run_gives_results_cid_and_metrics():
    runs = {name: ps.run(COUNT, runner=name) for name in ("sync", "threads", "processes")}
    assert {name: run.results for name, run in runs.items()} == dict.fromkeys(runs, [0, 2, 4, 6])
    assert {run.cid for run in runs.values()} == {ps.cid(6)}
    nodes = runs["sync"].metrics["nodes"]
    assert nodes["double"]["runs"] == 4
    assert runs["sync"].metrics["backend"] == "native"


def test_a_result_without_an_encoding_is_still_the_result():
    tube = {"nodes": {"it": {"type": "threading.Lock"}, "out": {"type": "return", "depends": "it.value"}}}
    with pytest.warns(UserWarning, match=r"no content address: no codec .* \[PS0403\]"):
        run = ps.run(tube)
    assert run.cid == "" and not run.result.locked()


def test_a_traceback_shows_id_and_advice():
    with ps.SynchronousRunner(ps.Tube.load("nodes: {word: {type: platform.system}}")) as runner, pytest.raises(ps.NotFoundError) as caught:
        runner.disable_node("wrod")
    assert caught.value.__notes__ == ["[PS0431] did you mean 'word'?"]


def test_an_unknown_runner_is_refused_with_the_nearest_name():
    with pytest.raises(ps.NotFoundError, match="unknown runner 'thread'"):
        ps.run(COUNT, runner="thread")


def test_disabled_nodes_and_optional_inputs():
    tube = """
input:
  with_that: {type: bool, scope: tube, default: true}
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 8, start: 7}}
  that: {type: penstock.testing.multiply, depends: [{left: count.index}], enabled: input.with_that}
  both: {type: penstock.testing.this_or_that, depends: [{this: count.index}, {that: that.value}]}
  out: {type: return, depends: both.value}
"""
    # The epoch in which the source ends still drains: nothing required is missing in it.
    assert ps.run(tube).results == [{"this": 7, "that": 14}, {}]
    assert ps.run(tube, n=1, inputs={"with_that": False}).results == [{"this": 7}]


def test_wrong_number_of_outputs(tmp_path, monkeypatch):
    (tmp_path / "arity_nodes.py").write_text(
        textwrap.dedent(
            """
            from typing import Annotated
            from penstock import Name

            def pair(x) -> tuple[Annotated[int, Name("a")], Annotated[int, Name("b")]]:
                return 1, 2, 3
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    tube = "input: {x: {type: int, scope: process}}\nnodes:\n  pair: {type: arity_nodes.pair, depends: input.x}\n"
    with pytest.raises(ps.Error, match=r"wrong number of outputs: seen 3 values, wanted 2 \(a, b\)") as caught:
        ps.run(tube, inputs={"x": 1})
    assert caught.value.id == "PS0402"


def test_run_writes_report_and_history(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    page = tmp_path / "report.html"
    run = ps.run(COUNT, report=page)
    assert run.cid in page.read_text()
    command = [str(Path(sys.executable).parent / "penstock")]
    listed = subprocess.run([*command, "history", "--json"], capture_output=True, text=True, check=True)
    records = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(records) == 1 and records[0]["status"] == "ok"
    shown = subprocess.run([*command, "show", run.cid], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "6"


def test_import_is_light():
    code = "import sys; import penstock; print(' '.join(sorted(sys.modules)))"
    # What measures coverage has its own imports.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout.split()
    heavy = {"numpy", "pyarrow", "pandas", "asyncio", "pydantic", "rich", "inspect", "json", "dataclasses"}
    assert not heavy & set(loaded)


INTERRUPTED = """
import sys, penstock as ps
tube = '''
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 0}}
  double: {type: penstock.testing.multiply, depends: [{left: count.index}]}
'''
print("ready", flush=True)
try:
    ps.run(tube, runner=sys.argv[1], history=False)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def children_of(pid):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_ctrl_c_stops_within_a_second_and_leaves_nothing(runner):
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, runner], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    wanted = 2 if runner == "processes" else 0
    deadline = time.monotonic() + 30
    while len(workers := children_of(process.pid)) < wanted and time.monotonic() < deadline:
        pass
    started = time.process_time()
    while time.process_time() - started < 0.2:  # the run is in its loop by then
        pass
    before = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 130
    took = time.monotonic() - before
    assert process.stdout.read() == "interrupted\n"
    process.stdout.close()
    assert took < 1.5, f"took {took:.2f} s"
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


RUNNERS = {
    "sync": ps.SynchronousRunner,
    "threads": lambda tube: ps.ThreadedRunner(tube, max_workers=2),
    "processes": lambda tube: ps.MultiProcessRunner(tube, max_workers=2),
}


@pytest.mark.parametrize("at", ["count", "each", "double", "all", "inner", "meta"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_callback_that_raises_closes_its_epoch(runner, at, capfd):
    tube = ps.Tube.load(
        """
        nodes:
          count: {type: penstock.testing.count_source, params: {start: 1}}
          list: {type: penstock.testing.multiply, depends: [{right: count.index}], params: {left: [5]}}
          each: {type: map, depends: list.value}
          double: {type: penstock.testing.multiply, depends: [{left: each.value}]}
          all: {type: gather, depends: double.value}
          inner:
            type: tube
            depends: [{x: all.value}]
            params:
              tube:
                input: {x: {type: any, scope: process}}
                nodes:
                  same: {type: penstock.testing.multiply, depends: [{left: input.x}], params: {right: 1}}
                  out: {type: return, depends: same.value}
          out: {type: return, depends: inner.value}
        """
    )
    seen = []

    def callback(event):
        if event["node_id"] == at and event["epoch"].root == 1:
            seen.append(event)
            raise IndexError("from the callback")

    with RUNNERS[runner](tube) as active:
        active.add_callback(callback)
        assert active.process() == [10]
        with pytest.raises(ps.Error, match="from the callback") as caught:
            active.process()
        assert isinstance(caught.value.__cause__, IndexError)
        assert len(seen) == 1
        assert active.process() == [10, 10, 10]
    assert capfd.readouterr().err == ""
