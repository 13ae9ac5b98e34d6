"""penstock.Node and its lifecycle, and parameters injected by annotation, under every runner."""

import asyncio
import os
import signal

import async_nodes
import pytest
from process_tools import children

import penstock as ps

RUNNERS = ("sync", "threads", "processes", "async")

PARTS = """
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 3}}
  one: {type: async_nodes.Part, params: {name: one}, depends: [x: count.index]}
  two: {type: async_nodes.Part, params: {name: two%s}, depends: [x: one.value]}
  three: {type: async_nodes.Part, params: {name: three}, depends: [x: two.value]}
  off: {type: async_nodes.Part, params: {name: off}, enabled: false}
  out: {type: return, depends: three.value}
"""
GIVEN = """
input:
  x: {{type: any, scope: process}}
  tube_wide: {{type: int, default: 7}}
nodes:
  node: {{type: async_nodes.{name}, depends: [x: input.x]}}
  out: {{type: return, depends: node.value}}
"""
MAPPED = """
nodes:
  count: {{type: penstock.testing.count_source, params: {{limit: 2}}}}
  list: {{type: async_nodes.numbers, depends: [x: count.index]}}
  each: {{type: map, depends: list.value}}
  pairs: {{type: async_nodes.twice, depends: [x: text.value]}}
  text: {{type: builtins.chr, depends: [each.value]}}
  inner: {{type: map, depends: pairs.value}}
  node: {{type: async_nodes.{name}, depends: [x: inner.value{more}]}}
  out: {{type: return, depends: node.value}}
"""


class Driven:
    """One way to use four runners."""

    def __init__(self, name, tube):
        self.tube = tube if isinstance(tube, ps.Tube) else ps.Tube.load(tube)
        kinds = {"sync": ps.SynchronousRunner, "threads": ps.ThreadedRunner, "processes": ps.MultiProcessRunner, "async": ps.AsyncRunner}
        self.runner = kinds[name](self.tube)
        self.loop = asyncio.new_event_loop() if name == "async" else None

    def __enter__(self):
        self.do("init")
        return self

    def __exit__(self, *_):
        try:
            self.do("deinit")
        finally:
            self.close()

    def close(self):
        if self.loop is not None:
            self.loop.close()

    def do(self, name, *args, **inputs):
        done = getattr(self.runner, name)(*args, **inputs)
        return self.loop.run_until_complete(done) if self.loop is not None else done


@pytest.fixture
def log(capfd):
    """What nodes said, in this process or another."""
    async_nodes.log.clear()
    return lambda: [line for line in capfd.readouterr().out.splitlines() if line]


@pytest.mark.parametrize("runner", RUNNERS)
def test_init_and_deinit_around_the_epochs_in_reverse_order(runner, log):
    with Driven(runner, PARTS % "") as driven:
        assert log() == ["init one", "init two", "init three"]
        assert driven.do("run") == [3, 4, 5]
        assert log() == []
    assert log() == ["deinit three", "deinit two", "deinit one"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_error_in_init_stops_the_run_and_ends_what_was_begun(runner, log):
    driven = Driven(runner, PARTS % ", fail_init: true")
    for _ in range(2):  # the runner can be tried again
        with pytest.raises(ps.Error, match="ValueError: no two") as caught:
            driven.do("init")
        assert caught.value.id == "PS0411"
        assert "init of node 'two'" in caught.value.origin
        assert "raise ValueError" in caught.value.trace
        assert log() == ["init one", "deinit one"]
    driven.close()


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_error_in_deinit_is_told_when_all_have_ended(runner, log):
    driven = Driven(runner, PARTS % ", fail_deinit: true")
    assert driven.do("run", 1) == [3]
    with pytest.raises(ps.Error, match="two would not end") as caught:
        driven.do("deinit")
    assert caught.value.id == "PS0412"
    assert log()[-3:] == ["deinit three", "deinit two", "deinit one"]
    driven.do("deinit")  # nothing is left to end
    driven.close()


@pytest.mark.parametrize("runner", RUNNERS)
def test_deinit_after_a_failed_epoch(runner, log):
    tube = GIVEN.format(name="Part")
    with Driven(runner, tube) as driven:
        with pytest.raises(ps.NodeError, match="thirteen"):
            driven.do("process", x=13)
        assert driven.do("process", x=1) == 2
        assert log() == ["init part"]
    assert log() == ["deinit part"]


def test_processes_begin_and_end_nodes_with_every_run(log):
    driven = Driven("processes", GIVEN.format(name="Part"))
    life = ["init part", "deinit part"]
    for run in range(3):
        with driven:
            assert driven.do("process", x=1) == 2
        assert log() == life * (1 + (run > 0))  # a new worker repeats what the node's life was before


@pytest.mark.parametrize("runner", ("sync", "threads", "processes"))
def test_what_a_node_class_remembers_is_there_in_the_next_run(runner):
    driven = Driven(runner, GIVEN.format(name="Meter"))
    found = []
    for _ in range(2):
        with driven:
            found += [driven.do("process", x=1), driven.do("process", x=2)]
    assert found == [1, 3, 4, 6]


@pytest.mark.parametrize("runner", RUNNERS)
def test_init_and_deinit_may_be_coroutines_on_the_loop_of_the_calls(runner, log):
    async_nodes.log.clear()
    with Driven(runner, GIVEN.format(name="Connection")) as driven:
        assert driven.do("process", x=1) is True
        assert driven.do("process", x=2) is True
    assert log() == ["same loop True"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_init_is_told_of_the_run(runner):
    tube = GIVEN.format(name="Told").replace("depends: [x: input.x]", "")
    tube = tube.replace("  x: {type: any, scope: process}\n", "")
    with Driven(runner, ps.Tube.load(tube, inputs={"tube_wide": 8})) as driven:
        assert driven.do("process") == {"runner": runner, "inputs": {"tube_wide": 8}}


@pytest.mark.parametrize("runner", RUNNERS)
def test_generators_begin_after_init(runner):
    tube = "nodes:\n  n: {type: async_nodes.Numbers, params: {limit: 2}}\n  out: {type: return, depends: n.value}\n"
    with Driven(runner, tube) as driven:
        assert driven.do("run") == [(0, True), (1, True)]


@pytest.mark.parametrize("runner", RUNNERS)
def test_plain_classes_have_no_lifecycle(runner):
    with Driven(runner, GIVEN.format(name="Plain")) as driven:
        assert driven.do("process", x=4) == 4


def test_a_node_without_memory_still_lives_where_it_was_initialised():
    with Driven("processes", GIVEN.format(name="Where")) as driven:
        assert [driven.do("process", x=i) for i in range(20)] == [True] * 20


def test_a_killed_worker_is_initialised_again_before_its_calls_are_repeated():
    tube = GIVEN.format(name="Counting")
    before = children()
    with Driven("processes", tube) as driven:
        total = 1000
        for x in range(12):
            total += x
            assert driven.do("process", x=x) == total
            if x % 4 == 2:
                for pid in children() - before:
                    os.kill(pid, signal.SIGKILL)
    assert children() == before


# ---- parameters ----------------------------------------------------------------------------------


def test_params_are_fields_with_defaults():
    class Base(ps.Node):
        limit: float = 1
        names: list = []  # noqa: RUF012
        _hidden: int = 3

        def process(self):
            return None

    class Derived(Base):
        needed: str

    first, second = Derived(needed="a"), Derived(needed="b", limit=2, names=["x"])
    first.names.append("y")
    assert (first.limit, first.names, first.needed) == (1, ["y"], "a")
    assert (second.limit, second.names) == (2, ["x"])
    assert Derived(needed="c").names == []
    assert repr(second) == "Derived(limit=2, names=['x'], needed='b')"
    with pytest.raises(TypeError, match="missing parameter 'needed'"):
        Derived()
    with pytest.raises(TypeError, match="unknown parameter '_hidden'; it takes: limit, names, needed"):
        Derived(needed="a", _hidden=4)


def test_a_wrong_parameter_is_an_error_of_the_load():
    with pytest.raises(ps.LoadError, match="unknown parameter 'nam'") as caught:
        ps.Tube.load("nodes:\n  a: {type: async_nodes.Part, params: {nam: x}}\n")
    assert caught.value.id == "PS0202"


def test_a_node_class_without_process_is_refused():
    async_nodes.Empty = type("Empty", (ps.Node,), {})
    with pytest.raises(ps.LoadError, match="has no method 'process'"):
        ps.Tube.load("nodes:\n  a: {type: async_nodes.Empty}\n")


# ---- penstock.testing ----------------------------------------------------------------------------


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_nodes_of_the_testing_module(runner):
    tube = """
    nodes:
      count: {type: penstock.testing.CountSource, params: {start: 2, limit: 5}}
      decor: {type: penstock.testing.CountSourceDecor, params: {start: 7}}
      plain: {type: penstock.testing.UnannotatedGenerator}
      letter: {type: penstock.testing.number_to_letter, depends: [number: count.index], params: {offset: 1}}
      letter_cls: {type: penstock.testing.NumberToLetterCls, depends: [number: count.index], params: {offset: 2}}
      epoch: {type: penstock.testing.inject_epoch}
      events: {type: penstock.testing.inject_eventmap, depends: [special_value: count.index]}
      inits: {type: penstock.testing.InitCounter}
      product: {type: penstock.testing.Multiply, depends: [left: count.index]}
      added: {type: penstock.testing.long_add, depends: [value: product.product], params: {sleep_for: 0.001}}
      dynamic:
        type: penstock.testing.DynamicSignals
        params: {signals_: [p, q], slots_: [a, b]}
        depends: [a: count.index, b: added.value]
      out:
        type: return
        depends:
          [index: count.index, count: decor.count, plain: plain.value, letter: letter.value, cls: letter_cls.value,
           epoch: epoch.value, events: events.value, inits: inits.inits, deinits: inits.deinits, p: dynamic.p, q: dynamic.q]
    """
    with Driven(runner, tube) as driven:
        results = driven.do("run", 3)  # not all of its sources end
    assert len(results) == 3
    events = results[2].pop("events")
    assert [(slot, e["node_id"], e["signal"], e["value"]) for slot, e in events.items()] == [("special_value", "count", "index", 4)]
    assert results[2] == {
        "index": 4, "count": 9, "plain": 2, "letter": "f", "cls": "g", "epoch": ps.Epoch(2),
        "inits": 1, "deinits": 0, "p": 4, "q": 9,
    }  # fmt: skip


def test_slots_that_a_class_computes_are_checked():
    tube = """
    nodes:
      d: {type: penstock.testing.DynamicSignals, params: {slots_: [a]}, depends: [%s]}
      c: {type: penstock.testing.count_source}
    """
    for depends, message in (("b: c.index", "b"), ("", "needs its input 'a'")):
        with pytest.raises(ps.LoadError, match=message):
            ps.Tube.load(tube % depends)


def test_async_error():
    with pytest.raises(ps.NodeError, match="This is the error that should be raised"):
        ps.run("nodes:\n  a: {type: penstock.testing.async_error, params: {value: 1}}\n", history=False)


# ---- injection -----------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_epoch_of_a_call(runner):
    with Driven(runner, MAPPED.format(name="epoch_of", more="")) as driven:
        epochs = [epoch for result in driven.do("run") for epoch in result]
    assert [str(epoch) for epoch in epochs[:4]] == ["0/each[0]/inner[0]", "0/each[0]/inner[1]", "0/each[1]/inner[0]", "0/each[1]/inner[1]"]
    assert epochs[-1] == ps.Epoch(1, [("each", 4), ("inner", 1)])
    assert epochs == sorted(epochs)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_raw_events_of_a_call(runner):
    with Driven(runner, MAPPED.format(name="events_of", more=", y: count.index")) as driven:
        events = driven.do("run")[1][3]
    assert isinstance(events, ps.EventMap)
    assert {slot: (e["node_id"], e["signal"], str(e["epoch"]), e["value"]) for slot, e in events.items()} == {
        "x": ("inner", "value", "1/each[1]/inner[1]", "\x02"),
        "y": ("count", "index", "1", 1),
    }
    assert all(isinstance(e["id"], int) and e["timestamp"].tzinfo is not None for e in events.values())


def test_an_absent_input_is_no_event():
    with ps.SynchronousRunner(ps.Tube.load(GIVEN.format(name="events_of"))) as runner:
        events = runner.process(x=3)
    assert list(events) == ["x"]
    assert (events["x"]["node_id"], events["x"]["signal"], events["x"]["value"]) == ("input", "x", 3)


@pytest.mark.parametrize("runner", RUNNERS)
def test_annotations_that_are_text(runner):
    with Driven(runner, GIVEN.format(name="epoch_as_text")) as driven:
        assert driven.do("process", x=1) == "0"
        assert driven.do("process", x=1) == "1"


def test_injected_slots_need_no_edge_and_are_no_slots():
    tube = "nodes:\n  e: {type: async_nodes.only_epoch}\n  out: {type: return, depends: e.value}\n"
    with ps.SynchronousRunner(ps.Tube.load(tube)) as runner:
        assert runner.process() == ps.Epoch(0)
    with pytest.raises(ps.LoadError, match="epoch"):
        ps.Tube.load(GIVEN.format(name="epoch_of").replace("[x: input.x]", "[x: input.x, epoch: input.x]"))


@pytest.mark.parametrize("runner", RUNNERS)
def test_injection_into_a_coroutine(runner):
    with Driven(runner, GIVEN.format(name="injected_later")) as driven:
        assert driven.do("process", x=1) == ("0", ["x"])


def test_another_librarys_epoch_is_made_as_it_is_annotated():
    with ps.SynchronousRunner(ps.Tube.load(MAPPED.format(name="their_epoch", more=""))) as runner:
        assert runner.process()[1] == ("Epoch", 0, [("each", 0), ("inner", 1)])


def test_arithmetic_of_epochs():
    epoch = ps.Epoch(3) / ("m", 1) / ("k", 2)
    assert (str(epoch), len(epoch), epoch[0], epoch[-1], epoch.leaf) == ("3/m[1]/k[2]", 3, ("tube", 3), ("k", 2), ("k", 2))
    assert (str(epoch + 1), str(epoch - 1), str(ps.Epoch(3) + 2)) == ("3/m[1]/k[3]", "3/m[1]/k[1]", "5")
    assert epoch.parents == [epoch.parent, epoch.root_epoch] == [ps.Epoch(3) / ("m", 1), ps.Epoch(3)]
    assert (epoch.is_root, ps.Epoch(3).is_root, ps.Epoch(3).parent, ps.Epoch(3).leaf) == (False, True, None, None)
    assert ps.Epoch(3).make_subepochs("m", 2) == [ps.Epoch(3) / ("m", 0), ps.Epoch(3) / ("m", 1)]
    assert ps.decode(ps.encode(epoch)) == epoch
    with pytest.raises(ValueError, match="no negative"):
        epoch - 3
