"""What a node does to its worker process is one clear error, or works; the run goes on and nothing is left."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import process_nodes
import pytest
from test_processes import no_leftovers, one  # noqa: F401 - a fixture

import penstock as ps

TWO = """
input:
  x: {type: any, scope: process}
nodes:
  bad: {type: process_nodes.%s, depends: [x: input.x]}
  good: {type: process_nodes.same, depends: [x: input.x]}
  after: {type: process_nodes.same, depends: [x: bad.value]}
  out: {type: return, depends: [{good: good.value}, {after: after.value}]}
"""
RUNNERS = {"sync": ps.SynchronousRunner, "threads": ps.ThreadedRunner, "processes": lambda tube: ps.MultiProcessRunner(tube, max_workers=2)}


@pytest.mark.parametrize("runner", RUNNERS)
def test_sys_exit_is_an_error_of_the_node(runner, no_leftovers):  # noqa: F811
    with RUNNERS[runner](ps.Tube.load(TWO % "leave")) as active:
        for _ in range(2):
            with pytest.raises(ps.NodeError, match="SystemExit: 3.*node 'bad'"):
                active.process(x=13)
            assert active.process(x=1) == {"good": 1, "after": 1}


def test_os_exit_ends_the_worker_and_is_one_error(no_leftovers):  # noqa: F811
    with ps.MultiProcessRunner(ps.Tube.load(TWO % "leave_at_once"), max_workers=2) as active:
        with pytest.raises(ps.Error, match="exit code 5, each of the 3 times it ran") as caught:
            active.process(x=13)
        assert caught.value.id == "PS0501"
        assert active.process(x=1) == {"good": 1, "after": 1}


@pytest.mark.parametrize("runner", ["threads", "processes"])
@pytest.mark.parametrize("name", ["fork_and_wait", "fork_and_return", "fork_and_leave"])
def test_a_node_that_forks_works_and_its_copy_does_not_go_on(runner, name, no_leftovers):  # noqa: F811
    with RUNNERS[runner](ps.Tube.load(TWO % name)) as active:
        for x in range(5):
            assert active.process(x=x) == {"good": x, "after": x}
        assert [active.process(x=x)["after"] for x in range(5)] == list(range(5))


PRINTS = """
import sys
sys.path.insert(0, {tests!r})
import penstock as ps
tube = ps.Tube.load({tube!r})
with ps.MultiProcessRunner(tube, max_workers=2) as runner:
    assert runner.process(x={mib}) == {{"good": {mib}, "after": {mib}}}
    assert runner.process(x=0) == {{"good": 0, "after": 0}}
    memory = runner.metrics["peak_rss_bytes"]
print("end", memory >> 20, file=sys.stderr)
"""


def test_a_node_that_prints_a_hundred_megabytes(tmp_path):
    mib = int(os.environ.get("PENSTOCK_PRINT_MIB", "100"))
    code = PRINTS.format(tests=str(Path(process_nodes.__file__).parent), tube=TWO % "print_much", mib=mib)
    with open(tmp_path / "out", "w") as out:
        done = subprocess.run([sys.executable, "-c", code], stdout=out, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    word, memory = done.stderr.split()
    assert (done.returncode, word) == (0, "end")
    assert int(memory) < 400
    assert (tmp_path / "out").stat().st_size > 0


def test_what_cannot_be_encoded_is_one_error_and_the_run_goes_on(no_leftovers):  # noqa: F811
    with ps.MultiProcessRunner(ps.Tube.load(TWO % "opaque_on_13")) as active:
        with pytest.raises(ps.Error, match="signal 'value' of node 'bad' cannot leave") as caught:
            active.process(x=13)
        assert caught.value.id in ("PS0403", "PS0504")
        assert active.process(x=1) == {"good": 1, "after": 1}


def test_a_node_that_mutates_its_input_harms_nobody_else(no_leftovers):  # noqa: F811
    with ps.MultiProcessRunner(ps.Tube.load(TWO % "append")) as active:
        for _ in range(3):
            given = [1, 2]
            assert active.process(x=given) == {"good": [1, 2], "after": [1, 2, "more"]}
            assert given == [1, 2]


def test_a_node_that_writes_into_an_array_gets_an_error(no_leftovers):  # noqa: F811
    with ps.MultiProcessRunner(ps.Tube.load(TWO % "write")) as active:
        given = np.zeros(100_000)
        with pytest.raises(ps.NodeError, match="read-only.*node 'bad'"):
            active.process(x=given)
        assert given.sum() == 0


def test_a_node_that_hangs_is_one_error_and_the_run_goes_on(no_leftovers):  # noqa: F811
    with ps.MultiProcessRunner(ps.Tube.load(TWO % "hang_on_13"), task_timeout=0.5, max_workers=2) as active:
        with pytest.raises(ps.Error, match="task timeout.*node 'bad'") as caught:
            active.process(x=13)
        assert caught.value.id == "PS0503"
        assert active.process(x=1) == {"good": 1, "after": 1}


FREE = """
assets:
  list: {type: builtins.list, scope: process}
nodes:
  count: {type: process_nodes.count, params: {n: 300}}
  list: {type: process_nodes.up_to, depends: [x: small.value]}
  small: {type: process_nodes.modulo, depends: [x: count.value]}
  each: {type: map, depends: list.value}
  running: {type: process_nodes.Running, depends: [x: each.value]}
  all: {type: gather, depends: running.value}
  noted: {type: process_nodes.note, depends: [{items: assets.list}, {x: small.value}]}
  sub: {type: tube, params: {tube: {noob_id: inner, input: {x: {type: any, scope: process}}, nodes: {
        memory: {type: process_nodes.Running, depends: [x: input.x]}, out: {type: return, depends: [{memory: memory.value}]}}}},
        depends: [{x: count.value}]}
  out: {type: return, depends: [{n: count.value}, {all: all.value}, {noted: noted.value}, {memory: sub.memory}]}
"""


def everything(kind):
    """Results of run(n), iter(n), process() and run() one after the other, and all events."""
    events = {}
    runner = RUNNERS[kind](ps.Tube.load(FREE))

    def callback(event):
        path = tuple((str(name), int(index)) for name, index in event["epoch"].path)
        events.setdefault(event["epoch"].root, []).append((event["node_id"], event["signal"], path, repr(event["value"])))

    runner.add_callback(callback)
    with runner:
        results = [runner.run(40), list(runner.iter(20)), runner.process(), runner.run(0), runner.run()]
    return results, {root: sorted(found) for root, found in events.items()}


def test_free_running_gives_what_the_synchronous_runner_gives(no_leftovers):  # noqa: F811
    results, events = everything("sync")
    assert [len(results[0]), len(results[1]), len(results[4])] == [40, 20, 239]
    assert everything("processes") == (results, events)


def test_a_free_running_source_waits_for_what_comes_after_it(no_leftovers):  # noqa: F811
    tube = ps.Tube.load("""
nodes:
  count: {type: process_nodes.count, params: {n: 400}}
  slow: {type: process_nodes.burn, depends: [x: count.value]}
  out: {type: return, depends: slow.value}
""")
    ahead = []
    latest = 0

    def callback(event):
        nonlocal latest
        if event["node_id"] == "count":
            latest = event["epoch"].root
        elif event["node_id"] == "slow":
            ahead.append(latest - event["epoch"].root)

    runner = ps.MultiProcessRunner(tube, max_workers=2)
    runner.add_callback(callback)
    with runner:
        assert len(runner.run()) == 400
    assert max(ahead) <= 64
