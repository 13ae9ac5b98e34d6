"""enable_node and disable_node between epochs, under every runner; `enabled: input.x` at load."""

import asyncio
import os
import signal

import async_nodes
import pytest
from process_tools import children
from test_node_classes import RUNNERS, Driven
from test_processes import wait_until

import penstock as ps

STATEFUL = """
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 100}}
  odd: {type: penstock.testing.count_source, params: {limit: 3}}
  running: {type: process_nodes.Running, depends: [x: count.index]}
  twice: {type: process_nodes.double, depends: [x: running.value]}
  off: {type: process_nodes.double, depends: [x: count.index], enabled: false}
  out: {type: return, depends: [{n: count.index}, {running: running.value}, {twice: twice.value}, {off: off.value}]}
"""


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_disabled_node_and_what_needs_it_do_not_run_and_its_state_is_kept(runner):
    with Driven(runner, STATEFUL) as driven:
        assert driven.do("process") == {"n": 0, "running": 0, "twice": 0}
        assert driven.do("process") == {"n": 1, "running": 1, "twice": 2}
        driven.do("disable_node", "running")
        assert driven.do("process") == {"n": 2}
        driven.do("enable_node", "running")
        driven.do("enable_node", "running")  # nothing to do
        assert driven.do("process") == {"n": 3, "running": 6, "twice": 12}
        driven.do("enable_node", "off")
        assert driven.do("process") == {"n": 4, "running": 22, "twice": 44, "off": 8}
        driven.do("disable_node", "count")
        assert driven.do("process") is None
        driven.do("enable_node", "count")
        assert driven.do("process")["n"] == 5  # the generator was not advanced
        driven.do("disable_node", "out")
        assert driven.do("process") is None
        driven.do("enable_node", "out")
        assert driven.do("run", 2)[1]["n"] == 8


@pytest.mark.parametrize("runner", RUNNERS)
def test_epoch_numbers_go_on(runner):
    seen = []
    driven = Driven(runner, STATEFUL)
    driven.runner.add_callback(lambda event: seen.append(event["epoch"].root) if event["node_id"] == "meta" else None)
    with driven:
        driven.do("process")
        driven.do("disable_node", "twice")
        driven.do("process")
        driven.do("enable_node", "twice")
        driven.do("run", 2)
    assert sorted(seen) == [0, 1, 2, 3]  # two workers may have an epoch each of run(2)


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_unknown_id_names_the_nearest(runner):
    with Driven(runner, STATEFUL) as driven:
        for name in ("enable_node", "disable_node"):
            with pytest.raises(ps.NotFoundError, match="unknown node 'runing', wanted one of the tube's 6 nodes") as caught:
                driven.do(name, "runing")
            assert (caught.value.id, caught.value.help) == ("PS0431", "did you mean 'running'?")
        for id_ in ("input", "assets.x", ""):
            with pytest.raises(ps.NotFoundError):
                driven.do("disable_node", id_)
        assert driven.do("process") == {"n": 0, "running": 0, "twice": 0}


@pytest.mark.parametrize("runner", RUNNERS)
def test_it_is_refused_while_an_epoch_is_open(runner):
    driven = Driven(runner, STATEFUL)
    refused = []

    def callback(event):
        try:
            if runner == "async":
                driven.runner._runner.set_enabled("twice", False)  # callbacks come from the engine's thread
            else:
                driven.runner.disable_node("twice")
        except ps.FailedPreconditionError as error:
            refused.append(error.id)

    driven.runner.add_callback(callback)
    with driven:
        assert driven.do("process") == {"n": 0, "running": 0, "twice": 0}
        assert driven.do("process") == {"n": 1, "running": 1, "twice": 2}
    assert refused
    assert set(refused) == {"PS0430"}


def test_a_coroutine_node_that_switches_its_own_runner_gets_an_error_and_does_not_hang():
    inputs = {"x": {"type": "int", "scope": "process"}}
    tube = ps.Tube.load({"input": inputs, "nodes": {"same": {"type": "async_nodes.same", "depends": "input.x"}}})
    runner = ps.AsyncRunner(tube)

    async def main():
        async with runner:
            waiting = asyncio.create_task(runner.process(x=1))
            await asyncio.sleep(0)
            with pytest.raises(ps.FailedPreconditionError, match="the runner is running") as caught:
                await runner.disable_node("same")
            assert caught.value.id == "PS0430"
            await waiting
            await runner.disable_node("same")

    asyncio.run(main())


PARTS = """
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 100}}
  one: {type: async_nodes.Part, params: {name: one%s}, depends: [x: count.index]}
  two: {type: async_nodes.Part, params: {name: two}, depends: [x: count.index], enabled: false}
  out: {type: return, depends: [{one: one.value}, {two: two.value}]}
"""


@pytest.fixture
def log(capfd):
    async_nodes.log.clear()
    return lambda: [line for line in capfd.readouterr().out.splitlines() if line]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_node_class_is_initialised_and_deinitialised(runner, log):
    driven = Driven(runner, PARTS % "")
    driven.do("enable_node", "two")  # before the run: with the others
    driven.do("disable_node", "one")
    with driven:
        assert log() == ["init two"]
        assert driven.do("process") == {"two": 1}
        driven.do("enable_node", "one")
        assert log() == ["init one"]
        assert driven.do("process") == {"one": 2, "two": 2}
        driven.do("disable_node", "two")
        assert log() == ["deinit two"]
        assert driven.do("process") == {"one": 3}
    assert log() == ["deinit one"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_node_that_cannot_be_initialised_stays_disabled(runner, log):
    driven = Driven(runner, PARTS % ", fail_init: true")
    driven.do("disable_node", "one")
    with driven:
        for _ in range(2):
            with pytest.raises(ps.Error, match="ValueError: no one") as caught:
                driven.do("enable_node", "one")
            assert caught.value.id == "PS0411"
            assert driven.do("process") is None
        driven.do("enable_node", "two")
        assert driven.do("process") == {"two": 3}
    assert log() == ["init two", "deinit two"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_node_that_cannot_be_deinitialised_is_disabled_all_the_same(runner, log):
    with Driven(runner, PARTS % ", fail_deinit: true") as driven:
        with pytest.raises(ps.Error, match="one would not end") as caught:
            driven.do("disable_node", "one")
        assert caught.value.id == "PS0412"
        assert driven.do("process") is None
    assert log() == ["init one", "deinit one"]


def kill_all(workers):
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not workers & children())


def test_a_worker_that_was_killed_is_replaced_before_a_node_is_enabled(log):
    before = children()
    with Driven("processes", PARTS % "") as driven:
        assert driven.do("process") == {"one": 1}
        kill_all(children() - before)
        driven.do("enable_node", "two")
        assert driven.do("process") == {"one": 2, "two": 2}
        kill_all(children() - before)
        driven.do("disable_node", "one")
        assert driven.do("process") == {"two": 3}
    assert children() == before


def test_what_a_disabled_node_remembers_survives_its_worker():
    before = children()
    with Driven("processes", STATEFUL) as driven:
        assert [driven.do("process")["running"] for _ in range(3)] == [0, 1, 5]
        driven.do("disable_node", "running")
        kill_all(children() - before)
        assert driven.do("process") == {"n": 3}
        driven.do("enable_node", "running")
        assert driven.do("process")["running"] == 19


NESTED = {
    "nodes": {
        "count": {"type": "penstock.testing.count_source", "params": {"limit": 100}},
        "sub": {
            "type": "tube",
            "params": {
                "tube": {
                    "noob_id": "inner",
                    "input": {"x": {"type": "int", "scope": "process"}},
                    "nodes": {
                        "part": {"type": "async_nodes.Part", "params": {"name": "inner"}, "depends": [{"x": "input.x"}]},
                        "running": {"type": "process_nodes.Running", "depends": [{"x": "input.x"}]},
                        "out": {"type": "return", "depends": [{"part": "part.value"}, {"running": "running.value"}]},
                    },
                }
            },
            "depends": [{"x": "count.index"}],
        },
        "out": {"type": "return", "depends": [{"n": "count.index"}, {"part": "sub.part"}, {"running": "sub.running"}]},
    }
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_nested_tube_and_nodes_in_it(runner, log):
    with Driven(runner, NESTED) as driven:
        assert driven.do("process") == {"n": 0, "part": 1, "running": 0}
        driven.do("disable_node", "sub.running")
        assert driven.do("process") == {"n": 1, "part": 2}
        driven.do("disable_node", "sub")
        assert log() == ["init inner", "deinit inner"]
        assert driven.do("process") == {"n": 2}
        driven.do("enable_node", "sub.running")  # inside a tube that is off: nothing yet
        assert driven.do("process") == {"n": 3}
        driven.do("enable_node", "sub")
        assert log() == ["init inner"]
        assert driven.do("process") == {"n": 4, "part": 5, "running": 4}
    assert log() == ["deinit inner"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_lies_in_a_nested_tube_that_is_off_in_the_file_is_not_initialised(runner, log):
    nodes = NESTED["nodes"]
    with Driven(runner, {"nodes": nodes | {"sub": nodes["sub"] | {"enabled": False}}}) as driven:
        assert driven.do("process") == {"n": 0}
        assert log() == []
        driven.do("enable_node", "sub")
        assert driven.do("process") == {"n": 1, "part": 2, "running": 1}
    assert log() == ["init inner", "deinit inner"]


def switched(where):
    """A tube in which `where` is enabled by the tube input `on`."""
    inner = {
        "noob_id": "inner",
        "input": {"x": {"type": "any", "scope": "process"}, "on": {"type": "bool", "default": True}},
        "nodes": {
            "twice": {"type": "process_nodes.double", "depends": [{"x": "input.x"}]},
            "out": {"type": "return", "depends": [{"value": "twice.value"}]},
        },
    }
    nodes = {
        "list": {"type": "process_nodes.up_to", "depends": [{"x": "input.x"}]},
        "each": {"type": "map", "depends": "list.value"},
        "mapped": {"type": "process_nodes.double", "depends": [{"x": "each.value"}]},
        "all": {"type": "gather", "depends": "mapped.value"},
        "sub": {"type": "tube", "params": {"tube": inner}, "depends": [{"x": "each.value"}]},
        "out": {"type": "return", "depends": [{"all": "all.value"}, {"sub": "sub.value"}, {"n": "each.n"}]},
    }
    (inner["nodes"] if where == "twice" else nodes)[where]["enabled"] = "input.on"
    inputs = {"x": {"type": "any", "scope": "process"}, "on": {"type": "bool", "default": True}}
    return {"noob_id": "switched", "input": inputs, "nodes": nodes}


OFF = {
    "list": None,
    "each": None,
    "mapped": {"all": [], "sub": [0, 2, 4], "n": 3},
    "all": {"sub": [0, 2, 4], "n": 3},
    "sub": {"all": [0, 2, 4], "sub": [], "n": 3},
    "twice": {"all": [0, 2, 4], "sub": [], "n": 3},
    "out": None,
}


@pytest.mark.parametrize("where", OFF)
@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_enabled_by_an_input_in_maps_and_nested_tubes(runner, where):
    kinds = {"sync": ps.SynchronousRunner, "threads": ps.ThreadedRunner, "processes": ps.MultiProcessRunner}
    on = {"all": [0, 2, 4], "sub": [0, 2, 4], "n": 3}
    for given, wanted in ((True, on), (False, OFF[where])):
        with kinds[runner](ps.Tube.load(switched(where), inputs={"on": given})) as active:
            assert active.process(x=3) == wanted
            id_ = "sub.twice" if where == "twice" else where
            (active.disable_node if given else active.enable_node)(id_)
            assert active.process(x=3) == (OFF[where] if given else on)
