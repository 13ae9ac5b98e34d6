"""retry, timeout_ms, resources and where of nodes, under every runner."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import policy_nodes
import pytest
from process_tools import children

import penstock as ps

SYNC = [ps.SynchronousRunner, ps.ThreadedRunner, ps.MultiProcessRunner]


class InAsyncio:
    """AsyncRunner for tests that do not wait themselves."""

    def __init__(self, tube, **options):
        self.loop = asyncio.Runner()
        self.active = ps.AsyncRunner(tube, **options)

    def __enter__(self):
        try:
            self.loop.run(self.active.init())
        except BaseException:
            self.loop.close()
            raise
        return self

    def __exit__(self, *_):
        self.loop.run(self.active.deinit())
        self.loop.close()

    def process(self, **inputs):
        return self.loop.run(self.active.process(**inputs))

    def run(self, n=None):
        return self.loop.run(self.active.run(n))

    def add_callback(self, callback):
        self.active.add_callback(callback)

    @property
    def metrics(self):
        return self.active.metrics


each_runner = pytest.mark.parametrize("make", [*SYNC, InAsyncio], ids=lambda cls: cls.__name__)
here = pytest.mark.parametrize(
    "make", [ps.SynchronousRunner, ps.ThreadedRunner, InAsyncio], ids=lambda cls: cls.__name__
)


@pytest.fixture
def no_leftovers():
    before = children()
    yield
    assert children() == before


def one(policy, node="flaky", **params):
    return ps.Tube.load(
        {
            "input": {"x": {"type": "int", "scope": "process"}},
            "nodes": {
                "node": {
                    "type": f"policy_nodes.{node}",
                    "depends": [{"x": "input.x"}],
                    "params": params,
                    **policy,
                },
                "out": {"type": "return", "depends": "node.value"},
            },
        }
    )


def calls(folder, name):
    path = Path(folder, str(name))
    return path.stat().st_size if path.exists() else 0


QUICK = {"attempts": 3, "backoff_ms": 1, "max_ms": 2}


# ---- retry


@each_runner
@pytest.mark.parametrize("node", ["flaky", "flaky_coroutine"])
def test_a_failed_call_is_made_again(make, node, tmp_path, no_leftovers):
    seen = []
    with make(one({"retry": QUICK}, node, folder=str(tmp_path))) as runner:
        runner.add_callback(seen.append)
        assert [runner.process(x=x) for x in range(4)] == [0, 10, 20, 30]
        metrics = runner.metrics
    assert [calls(tmp_path, x) for x in range(4)] == [3, 3, 3, 3]
    assert metrics["retries"] == 8
    assert metrics["nodes"]["node"]["retries"] == 8
    assert metrics["nodes"]["node"]["runs"] == 4
    assert metrics["nodes"]["node"]["failed"] == 0
    assert [e["value"] for e in seen if e["node_id"] == "node"] == [0, 10, 20, 30]  # once each


@each_runner
def test_the_last_error_says_how_often_and_keeps_its_cause(make, tmp_path):
    with make(one({"retry": QUICK}, folder=str(tmp_path), failures=9)) as runner:
        with pytest.raises(ps.NodeError, match="Busy: busy with 7") as caught:
            runner.process(x=7)
        assert runner.metrics["nodes"]["node"]["failed"] == 1
    assert caught.value.origin == "node 'node', epoch 0, after 3 attempts"
    assert type(caught.value.__cause__) is policy_nodes.Busy
    assert calls(tmp_path, 7) == 3


@each_runner
@pytest.mark.parametrize(
    ("on", "attempts"),
    [
        ("Busy", 3),
        ("ConnectionError", 3),  # a base of a base
        ("policy_nodes.Busy", 3),
        (["ValueError", "builtins.OSError"], 3),
        ("internal", 3),
        ("ValueError", 1),
        (["unavailable", "deadline_exceeded"], 1),
    ],
)
def test_only_what_is_named_is_tried_again(make, on, attempts, tmp_path):
    with make(one({"retry": {**QUICK, "on": on}}, folder=str(tmp_path), failures=9)) as runner:
        with pytest.raises(ps.NodeError):
            runner.process(x=1)
    assert calls(tmp_path, 1) == attempts


@each_runner
def test_the_code_of_an_error_of_ours_is_looked_at(make, tmp_path):
    with make(one({"retry": {**QUICK, "on": "unavailable"}}, "ours", folder=str(tmp_path))) as runner:
        assert runner.process(x=1) == 1


@each_runner
def test_an_exception_that_cannot_travel_is_still_known_by_its_name(make, tmp_path):
    with make(one({"retry": {**QUICK, "on": "Odd"}}, "odd", folder=str(tmp_path))) as runner:
        assert runner.process(x=1) == 1


@each_runner
def test_the_runner_stays_usable(make, tmp_path):
    with make(one({"retry": QUICK}, folder=str(tmp_path), failures=3)) as runner:
        with pytest.raises(ps.NodeError):
            runner.process(x=1)
        assert runner.process(x=1) == 10  # the fourth call of all


STATEFUL = """
nodes:
  count: {type: policy_nodes.tick, params: {limit: 12}}
  node: {type: policy_nodes.FlakyInOrder, depends: [x: count.value], retry: {attempts: 2, backoff_ms: 1}}
  out: {type: return, depends: node.value}
"""


@each_runner
def test_a_node_with_memory_keeps_its_order(make):
    with make(ps.Tube.load(STATEFUL)) as runner:
        results = runner.run()
    wanted, total = [], 0
    for x in range(12):
        total = 3 * total + x
        wanted.append(total)
    assert results == wanted


MAP = """
input: {{folder: {{type: str, default: {folder!r}}}}}
nodes:
  count: {{type: policy_nodes.tick, params: {{limit: 4}}}}
  some: {{type: policy_nodes.numbers, depends: [n: count.value]}}
  each: {{type: map, depends: some.value}}
  node:
    type: policy_nodes.flaky
    depends: [x: each.value]
    params: {{folder: input.folder, failures: 1}}
    retry: {{attempts: 2, backoff_ms: 1}}
  all: {{type: gather, depends: [value: node.value]}}
  out: {{type: return, depends: [all: all.value]}}
"""
NESTED = """
nodes:
  count: {{type: policy_nodes.tick, params: {{limit: 3}}}}
  inner:
    type: tube
    depends: [x: count.value]
    params:
      tube:
        noob_id: inner
        input: {{x: {{type: int, scope: process}}}}
        nodes:
          node:
            type: policy_nodes.flaky
            depends: [x: input.x]
            params: {{folder: {folder!r}, failures: 1}}
            retry: {{attempts: 2, backoff_ms: 1}}
          out: {{type: return, depends: [y: node.value]}}
  out: {{type: return, depends: inner.y}}
"""


@each_runner
def test_elements_of_a_map_are_tried_again_one_by_one(make, tmp_path):
    with make(ps.Tube.load(MAP.format(folder=str(tmp_path)))) as runner:
        assert runner.run() == [{"all": [10 * i for i in range(n)]} for n in range(4)]
        assert runner.metrics["retries"] == 3


@each_runner
def test_nodes_of_a_nested_tube_are_tried_again(make, tmp_path):
    with make(ps.Tube.load(NESTED.format(folder=str(tmp_path)))) as runner:
        assert runner.run() == [0, 10, 20]
        assert runner.metrics["nodes"]["inner.node"]["retries"] == 3


def test_a_source_cannot_be_tried_again():
    with pytest.raises(ps.LoadError, match="a source that has raised is at its end") as caught:
        ps.Tube.load("nodes: {a: {type: policy_nodes.failing_source, retry: 3}}")
    assert caught.value.diagnostics[0]["id"] == "PS0127"


def test_other_nodes_go_on_while_one_waits(tmp_path):
    tube = ps.Tube.load(
        {
            "input": {"x": {"type": "int", "scope": "process"}},
            "nodes": {
                "slow": {
                    "type": "policy_nodes.flaky",
                    "depends": [{"x": "input.x"}],
                    "params": {"folder": str(tmp_path), "failures": 1},
                    "retry": {"attempts": 2, "backoff_ms": 1},
                },
                "other": {"type": "policy_nodes.quick", "depends": [{"x": "input.x"}]},
                "out": {"type": "return", "depends": ["slow.value", "other.value"]},
            },
        }
    )
    order = []
    with ps.SynchronousRunner(tube) as runner:
        runner.add_callback(lambda event: order.append(event["node_id"]))
        assert runner.process(x=1) == (10, 1)
    assert order == ["other", "slow", "meta"]


@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_ctrl_c_ends_the_wait_at_once(runner, tmp_path):
    script = tmp_path / "wait.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            import penstock as ps

            tube = {{"nodes": {{"node": {{
                "type": "policy_nodes.flaky",
                "params": {{"x": 1, "folder": {str(tmp_path)!r}, "failures": 9}},
                "retry": {{"attempts": 9, "backoff_ms": 3600000, "max_ms": 3600000}},
            }}}}}}
            if __name__ == "__main__":
                try:
                    ps.run(tube, runner={runner!r}, history=False)
                except KeyboardInterrupt:
                    print("interrupted")
            """
        )
    )
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    while calls(tmp_path, 1) == 0:
        assert process.poll() is None
        time.sleep(0.005)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[0] == "interrupted\n"
    assert time.monotonic() - begun < 2
    assert calls(tmp_path, 1) == 1


@pytest.mark.parametrize("runner", ["sync", "threads"])
def test_ctrl_c_while_a_failure_is_described_is_no_failure_to_try_again(runner, tmp_path):
    node = {
        "type": "policy_nodes.interrupted",
        "params": {"x": 1, "folder": str(tmp_path)},
        "retry": {"attempts": 9, "backoff_ms": 3600000, "max_ms": 3600000},
    }
    with pytest.raises(KeyboardInterrupt):
        ps.run({"nodes": {"node": node}}, runner=runner, history=False)
    assert calls(tmp_path, 1) == 1


# ---- timeout_ms


@each_runner
def test_a_coroutine_is_cancelled_at_its_timeout(make, tmp_path, no_leftovers):
    policy = {"timeout_ms": 30, "retry": {"attempts": 2, "backoff_ms": 1, "on": "deadline_exceeded"}}
    with make(one(policy, "hang_coroutine", folder=str(tmp_path))) as runner:
        assert runner.process(x=1) == 1  # the second time
        with pytest.raises(ps.DeadlineExceededError, match="timeout_ms=30") as caught:
            runner.process(x=2)
        assert runner.process(x=3) == 3
    assert caught.value.id == "PS0413"
    assert caught.value.origin == "node 'node', epoch 1, after 2 attempts"
    assert isinstance(caught.value, TimeoutError)
    assert [calls(tmp_path, f"ended-{x}") for x in (1, 2, 3)] == [1, 2, 1]


@each_runner
def test_a_value_after_the_timeout_is_none(make):
    with make(one({"timeout_ms": 10}, "deaf_coroutine")) as runner:
        with pytest.raises(ps.DeadlineExceededError):
            runner.process(x=2)


@each_runner
def test_a_function_is_ended_with_its_process(make, tmp_path, no_leftovers):
    policy = {"timeout_ms": 200, "retry": {"attempts": 2, "backoff_ms": 1}}
    with make(one(policy, "hang", folder=str(tmp_path))) as runner:
        assert runner.process(x=1) == 1  # the second time
        with pytest.raises(ps.DeadlineExceededError, match="timeout_ms=200") as caught:
            runner.process(x=2)
        assert runner.process(x=3) == 3
    assert caught.value.id == "PS0413"
    assert [calls(tmp_path, x) for x in (1, 2, 3)] == [2, 2, 2]


@each_runner
def test_a_function_that_holds_the_interpreter_lock_is_ended_too(make, no_leftovers):
    with make(one({"timeout_ms": 100}, "spin")) as runner:
        with pytest.raises(ps.DeadlineExceededError):
            runner.process(x=1)


@here
def test_only_functions_with_a_timeout_run_elsewhere(make, no_leftovers):
    with make(one({"timeout_ms": 60_000}, "process_id")) as runner:
        first = runner.process(x=1)
        assert first != os.getpid()
        assert runner.process(x=2) == first  # one worker, kept
    with make(one({"retry": 2}, "process_id")) as runner:
        assert runner.process(x=1) == os.getpid()


@here
def test_errors_and_values_of_an_isolated_call_are_the_nodes_own(make):
    with make(one({"timeout_ms": 60_000}, "fail")) as runner:
        with pytest.raises(ps.NodeError, match="cannot use 3") as caught:
            runner.process(x=3)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.origin == "node 'node', epoch 0"


def test_the_isolated_calls_of_threads_go_on_side_by_side(no_leftovers):
    tube = ps.Tube.load(
        {
            "nodes": {
                **{
                    f"n{i}": {"type": "policy_nodes.process_id", "params": {"x": i}, "timeout_ms": 60_000}
                    for i in range(8)
                },
                "out": {"type": "return", "depends": [f"n{i}.value" for i in range(8)]},
            }
        }
    )
    with ps.ThreadedRunner(tube, max_workers=2) as runner:
        for _ in range(3):
            seen = set(runner.process())
            assert os.getpid() not in seen
            assert 1 <= len(seen) <= 3


@here
def test_what_remembers_something_cannot_be_ended_here(make):
    with pytest.raises(ps.UnimplementedError, match="cannot keep the timeout_ms") as caught:
        make(one({"timeout_ms": 50}, "Remembers")).__enter__()
    assert caught.value.id == "PS0414"
    assert "processes runner" in caught.value.help


def test_what_remembers_something_can_be_ended_in_its_worker(no_leftovers):
    with ps.MultiProcessRunner(one({"timeout_ms": 60_000}, "Remembers")) as runner:
        assert runner.process(x=4) == 4


ASSET = """
assets: {{shared: {{type: policy_nodes.Shared, scope: runner}}}}
nodes:
  node: {{type: policy_nodes.{node}, depends: [shared: assets.shared], params: {{x: 1}}, timeout_ms: 30}}
"""


def test_beside_a_shared_asset_only_coroutines_have_a_timeout():
    with pytest.raises(ps.LoadError) as caught:
        ps.Tube.load(ASSET.format(node="with_asset"))
    assert caught.value.diagnostics[0]["id"] == "PS0128"
    tube = ps.Tube.load(ASSET.format(node="coroutine_with_asset"))
    for make in [*SYNC, InAsyncio]:
        with make(tube) as runner, pytest.raises(ps.DeadlineExceededError):
            runner.process()


# ---- resources and where


SLOTS = """
nodes:
  some: {{type: policy_nodes.numbers, params: {{n: 24}}}}
  each: {{type: map, depends: some.value}}
  node: {{type: policy_nodes.overlap, depends: [x: each.value], params: {{folder: {folder!r}}}, resources: {{{needs}}}}}
  all: {{type: gather, depends: [value: node.value]}}
  out: {{type: return, depends: all.value}}
"""


@pytest.mark.parametrize("make", [ps.ThreadedRunner, ps.MultiProcessRunner, InAsyncio], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    ("needs", "resources", "most"),
    [("cpu: 1", {"cpu": 1}, 1), ("io: 1", {"io": 2}, 2), ("memory: 1GiB", {"memory": "2.5GiB"}, 2)],
)
def test_calls_never_use_more_than_there_is(make, needs, resources, most, tmp_path):
    tube = ps.Tube.load(SLOTS.format(folder=str(tmp_path), needs=needs))
    with make(tube, max_workers=3, resources=resources) as runner:
        seen = runner.process()
    assert len(seen) == 24
    assert max(seen) <= most


@each_runner
def test_a_node_that_needs_more_than_there_is_is_refused_at_the_start(make):
    with pytest.raises(ps.ResourceExhaustedError, match="memory 3 GiB of cpu 2, io 64, memory 1 GiB") as caught:
        make(one({"resources": {"memory": "3GiB"}}, "quick"), resources={"cpu": 2, "memory": 1 << 30}).__enter__()
    assert caught.value.id == "PS0415"


@each_runner
def test_a_node_runs_where_its_tags_are(make):
    tube = one({"where": ["local", "gpu"]}, "quick")
    with pytest.raises(ps.FailedPreconditionError, match="'gpu' of node 'node'; this run has: local") as caught:
        make(tube).__enter__()
    assert caught.value.id == "PS0416"
    with make(tube, tags=["local", "gpu"]) as runner:
        assert runner.process(x=5) == 5


def test_run_takes_resources_and_tags():
    tube = {"nodes": {"a": {"type": "policy_nodes.numbers", "params": {"n": 2}, "where": "lab", "resources": {"io": 3}}}}
    assert ps.run(tube, tags="lab", resources={"io": 3}, history=False).metrics["epochs"] == 1
    with pytest.raises(ps.InvalidArgumentError, match="unknown key 'oi'") as caught:
        ps.run(tube, tags="lab", resources={"oi": 3}, history=False)
    assert caught.value.id == "PS0122"


def test_disabled_nodes_need_nothing():
    tube = one({"where": "moon", "resources": {"cpu": 100_000}, "enabled": False}, "quick")
    with ps.SynchronousRunner(tube) as runner:
        assert runner.process(x=1) is None


# ---- cancel


@pytest.mark.parametrize(
    ("make", "node"),
    [
        (ps.SynchronousRunner, "hang_coroutine"),
        (ps.ThreadedRunner, "hang_coroutine"),
        (ps.MultiProcessRunner, "hang"),
        (ps.SynchronousRunner, "hang"),
    ],
)
def test_cancel_ends_what_runs(make, node, tmp_path, no_leftovers):
    with make(one({"timeout_ms": 60_000}, node, folder=str(tmp_path))) as runner:

        def cancel(begun):
            while calls(tmp_path, 2) < begun:
                time.sleep(0.001)
            runner._runner.cancel()

        for begun in (1, 2, 3):  # one right after the other
            other = threading.Thread(target=cancel, args=(begun,))
            other.start()
            with pytest.raises(KeyboardInterrupt):
                runner.process(x=2)
            other.join()
