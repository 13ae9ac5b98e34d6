"""Worker processes under Python nodes: same answers, no process left, whatever is killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import process_nodes
import pytest
from process_tools import children

import penstock as ps

TUBE = """
nodes:
  count: {type: process_nodes.count}
  double: {type: process_nodes.double, depends: [x: count.value]}
  sum: {type: process_nodes.add, depends: [a: count.value, b: double.value]}
  running: {type: process_nodes.Running, depends: [x: sum.value]}
  out: {type: return, depends: [sum: sum.value, running: running.value]}
"""

ONE = """
input:
  x: {{type: any, scope: process}}
nodes:
  node: {{type: process_nodes.{name}, depends: [x: input.x], params: {{{params}}}}}
  out: {{type: return, depends: node.value}}
"""


def one(name, params=""):
    return ps.Tube.load(ONE.format(name=name, params=params))


@pytest.fixture
def no_leftovers():
    before, fds = children(), len(os.listdir("/proc/self/fd"))
    yield
    assert children() == before
    # Segments of shared memory stay for the next run: one descriptor each.
    assert len(os.listdir("/proc/self/fd")) <= fds + 2


def test_same_results_and_address_as_the_synchronous_runner(no_leftovers):
    sync, processes = (ps.run(TUBE, runner=name) for name in ("sync", "processes"))
    assert processes.results == sync.results
    assert processes.cid == sync.cid
    assert len(sync.results) == 40


def test_programs_that_a_node_starts_get_no_descriptor_of_the_worker():
    with ps.MultiProcessRunner(one("inheritable"), max_workers=1) as runner:
        # What this process was given by whoever started it goes on to all.
        assert runner.process(x=1) == process_nodes.inheritable(x=1)


def test_killed_workers_change_nothing(no_leftovers):
    wanted = ps.run(TUBE).results
    before = children()
    seen = []
    with ps.MultiProcessRunner(ps.Tube.load(TUBE)) as runner:
        for i, result in enumerate(runner.iter()):
            seen.append(result)
            if i % 10 == 5:
                for pid in children() - before:
                    os.kill(pid, signal.SIGKILL)
    assert seen == wanted


MAPPED = """
input:
  x: {type: list, scope: process}
nodes:
  each: {type: map, depends: input.x}
  first: {type: process_nodes.NotThirteen, depends: [x: each.value]}
  second: {type: process_nodes.Running, depends: [x: first.value]}
  all: {type: gather, depends: second.value}
  out: {type: return, depends: all.value}
"""


def test_calls_of_a_stateful_node_are_sent_ahead_and_none_is_made_after_one_that_failed(no_leftovers):
    given = [list(range(20, 520)), [1, 2, 13, *range(100, 300)], [3, 4], [13], [5], list(range(600, 900))]
    outcomes = []
    for runner in (ps.SynchronousRunner, lambda tube: ps.MultiProcessRunner(tube, max_workers=2)):
        with runner(ps.Tube.load(MAPPED.replace("process_nodes.Running", "process_nodes.same"))) as active:
            outcomes.append([])
            for items in given:
                try:
                    outcomes[-1].append(active.process(x=items))
                except ps.NodeError as error:
                    outcomes[-1].append(error.message)
            counts = active.metrics["nodes"]["first"]
            assert (counts["failed"], counts["runs"]) == (2, 500 + 3 + 2 + 1 + 1 + 300)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1] == "ValueError: thirteen"


def test_killed_workers_change_nothing_in_a_map(no_leftovers):
    given = [list(range(20 + k, 320 + k)) for k in range(6)]
    with ps.SynchronousRunner(ps.Tube.load(MAPPED)) as runner:
        wanted = [runner.process(x=items) for items in given]
    before = children()
    tube = ps.Tube.load(MAPPED)
    runner = ps.MultiProcessRunner(tube, max_workers=2)
    events = []

    def callback(event):
        events.append(event)
        if len(events) % 700 == 350:
            for pid in children() - before:
                os.kill(pid, signal.SIGKILL)

    runner.add_callback(callback)
    with runner:
        assert [runner.process(x=items) for items in given] == wanted


def test_a_node_that_ends_its_worker_is_one_error(no_leftovers):
    with ps.MultiProcessRunner(one("die"), max_workers=1) as runner:
        with pytest.raises(ps.Error, match="signal 9.*node 'node', epoch 0") as caught:
            runner.process(x=1)
        assert caught.value.id == "PS0501"


def test_a_task_beyond_its_time_is_one_error(no_leftovers):
    with ps.MultiProcessRunner(one("sleep", "seconds: 60"), task_timeout=0.3) as runner:
        begun = time.monotonic()
        with pytest.raises(ps.Error, match="task timeout") as caught:
            runner.process(x=1)
        assert time.monotonic() - begun < 5
        assert caught.value.id == "PS0503"


def test_errors_read_the_same_on_both_runners():
    texts = []
    for runner in (ps.SynchronousRunner, ps.MultiProcessRunner):
        with runner(one("fail")) as active, pytest.raises(ps.NodeError) as caught:
            active.process(x=3)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert "cannot use 3" in texts[0]


def test_a_worker_that_finds_another_node_than_the_run_is_one_error(tmp_path, monkeypatch, no_leftovers):
    marker = tmp_path / "edited"
    (tmp_path / "edited_module.py").write_text(
        "import os\n"
        f"if os.path.exists({str(marker)!r}):\n"
        "    class node:\n"
        "        def process(self, x):\n"
        "            return x\n"
        "else:\n"
        "    def node(x):\n"
        "        return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    tube = ps.Tube.load(ONE.replace("process_nodes.", "edited_module.").format(name="node", params=""))
    marker.touch()
    with pytest.raises(ps.Error, match="compiled another plan") as caught, ps.MultiProcessRunner(tube) as runner:
        runner.process(x=1)
    assert caught.value.id == "PS0505"


def test_the_peak_memory_is_that_of_the_workers_too():
    with ps.MultiProcessRunner(one("touch", "mib: 600")) as runner:
        before = runner.metrics["peak_rss_bytes"]
        assert runner.process(x=1) == 600 << 20
        live = runner.metrics["peak_rss_bytes"]
    assert 500 << 20 < live - before < 700 << 20
    # The kernel counts pages in batches per thread, so the figure wavers a little.
    assert runner.metrics["peak_rss_bytes"] > live - (16 << 20)


def test_an_object_that_cannot_leave_is_one_error():
    with ps.MultiProcessRunner(one("opaque")) as runner:
        with pytest.raises(ps.Error, match="signal 'value' of node 'node' cannot leave"):
            runner.process(x=1)


def test_shared_arrays_come_back_where_they_were():
    with ps.MultiProcessRunner(one("same")) as runner:
        shared = ps.empty((512, 512), "float64")
        shared[:] = 2.5
        back = runner.process(x=shared)
        assert back.ctypes.data == shared.ctypes.data
        ordinary = np.arange(1 << 18, dtype="float32").reshape(512, 512)
        back = runner.process(x=ordinary)
        assert np.array_equal(back, ordinary)
        assert back.dtype == ordinary.dtype


def test_arrays_made_in_a_worker_outlive_it():
    with ps.MultiProcessRunner(one("array"), max_workers=1) as runner:
        arrays = [runner.process(x=i) for i in range(5)]
    assert [a[7, 7] for a in arrays] == [0, 1, 2, 3, 4]
    assert not arrays[0].flags.writeable


def test_arrays_go_from_worker_to_worker():
    tube = """
    nodes:
      count: {type: process_nodes.count, params: {n: 6}}
      array: {type: process_nodes.array, depends: [x: count.value]}
      again: {type: process_nodes.same, depends: [x: array.value]}
      total: {type: process_nodes.total, depends: [x: again.value]}
      out: {type: return, depends: total.value}
    """
    assert ps.run(tube, runner="processes").results == [i * 1024.0 * 1024 for i in range(6)]


def test_the_runner_can_be_used_again():
    runner = ps.MultiProcessRunner(ps.Tube.load(TUBE))
    with runner:
        first = [runner.process() for _ in range(3)]
    with runner:
        second = [runner.process() for _ in range(3)]
    assert first + second == ps.run(TUBE).results[:6]


SCRIPT = """
import sys
import penstock as ps
sys.path.insert(0, {tests!r})

def halve(x):
    return x / 2

if __name__ == "__main__":
    {body}
"""


def script(tmp_path, body, **options):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(tests=str(Path(process_nodes.__file__).parent), body=body))
    environment = {**os.environ, "PYTHONPATH": str(Path(ps.__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        **options,
    )


def one_text(name, params=""):
    return textwrap.dedent(ONE.format(name=name, params=params))


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        os.sched_yield()
    return condition()


def test_functions_of_the_script_itself_and_printed_lines(tmp_path):
    tube = (
        one_text("say")
        .replace("  out:", "  half: {type: __main__.halve, depends: [x: node.value]}\n  out:")
        .replace("depends: node.value", "depends: half.value")
    )
    process = script(tmp_path, f"print(ps.run({tube!r}, runner='processes', inputs={{'x': 9}}).result)")
    out, err = process.communicate(timeout=60)
    assert (out.splitlines(), err) == (["said 9", "4.5"], "")


START_LONG = """with ps.MultiProcessRunner(ps.Tube.load({tube!r})) as runner:
        print("ready", flush=True)
        runner.process(x=1)"""


def start_long(tmp_path):
    body = START_LONG.format(tube=one_text("sleep", "seconds: 60"))
    process = script(tmp_path, body)
    assert process.stdout.readline() == "ready\n"
    return process


def test_ctrl_c_in_the_terminal_ends_everything_within_a_second(tmp_path):
    process = start_long(tmp_path)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 2  # the promise is one second; the machine may be busy
    assert group_is_gone(process.pid)
    assert err.count("KeyboardInterrupt") == 1


def test_workers_do_not_outlive_a_killed_run(tmp_path):
    process = start_long(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    assert wait_until(lambda: group_is_gone(process.pid))
