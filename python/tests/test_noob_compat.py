"""penstock.compat.noob: what programs written for noob import and rely on, by hand. What noob itself does with
the same tubes is compared in test_noob_differential.py."""

import asyncio
import subprocess
import sys
import textwrap
import warnings

import noob_nodes
import pytest
from penstock.compat.noob import (
    AsyncRunner,
    Epoch,
    ExtraInputWarning,
    InputMissingError,
    MetaSignal,
    SynchronousRunner,
    Tube,
    TubeSpecification,
    ZMQRunner,
    add_config_source,
)
from penstock.compat.noob.exceptions import NoobError, SchedulerExhaustedError, UnknownTubeError
from penstock.compat.noob.node import Gather, Map, Return, WrapClassNode, WrapFuncNode
from penstock.compat.noob.runner import TubeRunner, get_runner

import penstock as ps

COUNT = {"type": "noob_nodes.numbers"}


@pytest.fixture(autouse=True)
def forget():
    noob_nodes.told.clear()


def tube(nodes, **top):
    return Tube.from_specification({"noob_id": "t", **top, "nodes": nodes})


def returning(depends, **nodes):
    return nodes | {"out": {"type": "return", "depends": depends}}


def mapped(depends, limit=4):
    """numbers -> letters -> map -> upper."""
    return returning(
        depends,
        n=COUNT | {"params": {"limit": limit}},
        l={"type": "noob_nodes.letters", "depends": "n.index"},
        m={"type": "map", "depends": "l.letters"},
        u={"type": "noob_nodes.upper", "depends": [{"letter": "m.value"}]},
    )


# ---- shapes of results ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depends", "expected"),
    [
        ("u.value", [None, "A", "A", "A"]),
        (["u.value"], [None, ("A",), ("A", "B"), ("A", "B", "C")]),
        ([{"u": "u.value"}], [None, {"u": "A"}, {"u": ["A", "B"]}, {"u": ["A", "B", "C"]}]),
        (["n.index", {"u": "u.value"}], [(0,), ((1,), {"u": "A"}), ((2, 2), {"u": ["A", "B"]}), ((3, 3, 3), {"u": ["A", "B", "C"]})]),
        ([{"n": "n.index"}, {"u": "u.value"}], [{"n": 0}, {"n": 1, "u": "A"}, {"n": 2, "u": ["A", "B"]}, {"n": 3, "u": ["A", "B", "C"]}]),
    ],
)
def test_the_result_of_a_map_follows_the_data(depends, expected):
    runner = SynchronousRunner(tube(mapped(depends)))
    assert [runner.process() for _ in expected] == expected


def test_a_key_without_an_event_is_left_out_and_no_result_is_none():
    nodes = returning([{"e": "e.even"}], n=COUNT, e={"type": "noob_nodes.even", "depends": "n.index"})
    runner = SynchronousRunner(tube(nodes))
    assert [runner.process() for _ in range(3)] == [{"e": 0}, None, {"e": 2}]
    mixed = returning(["n.index", {"e": "e.even"}], n=COUNT, e={"type": "noob_nodes.even", "depends": "n.index"})
    runner = SynchronousRunner(tube(mixed))
    assert [runner.process() for _ in range(2)] == [((0,), {"e": 0}), (1,)]


def test_run_counts_epochs_and_iter_counts_results():
    nodes = returning("e.even", n=COUNT, e={"type": "noob_nodes.even", "depends": "n.index"})
    assert SynchronousRunner(tube(nodes)).run(4) == [0, 2]
    assert list(SynchronousRunner(tube(nodes)).iter(4)) == [0, 2, 4, 6]
    nothing = returning("e.even", n=COUNT | {"params": {"limit": 0}}, e={"type": "noob_nodes.even", "depends": "n.index"})
    assert SynchronousRunner(tube(nothing)).run(4) is None
    assert list(SynchronousRunner(tube({"n": COUNT})).iter(2)) == [None, None]


def test_iter_gives_up_when_no_result_comes():
    nodes = returning("g.value", n=COUNT, g={"type": "gather", "depends": "n.index", "params": {"n": 50}})
    with pytest.raises(RuntimeError, match="maximum process calls"):
        list(SynchronousRunner(tube(nodes), max_iter_loops=10).iter(1))
    assert list(SynchronousRunner(tube(nodes)).iter(1)) == [list(range(50))]


def test_the_end_of_all_sources():
    nodes = returning("n.index", n=COUNT | {"params": {"limit": 2}})
    runner = SynchronousRunner(tube(nodes))
    assert [runner.process() for _ in range(3)] == [0, 1, None]
    with pytest.raises(SchedulerExhaustedError):
        runner.process()
    assert SynchronousRunner(tube(nodes)).run() == [0, 1]
    assert list(SynchronousRunner(tube(nodes)).iter()) == [0, 1]


def test_nodes_are_enabled_and_disabled_between_epochs():
    nodes = returning([{"c": "c.count"}, {"n": "n.index"}], c={"type": "noob_nodes.Counter"}, n=COUNT)
    loaded = tube(nodes)
    with SynchronousRunner(loaded) as runner:
        seen = []
        runner.add_callback(seen.append)
        assert runner.process() == {"c": 1, "n": 0}
        runner.disable_node("c")
        assert runner.process() == {"n": 1}
        assert "c" not in loaded.enabled_nodes and not loaded.nodes["c"].enabled
        assert seen[-1]["epoch"] == Epoch(0), "epochs are counted anew"
        runner.enable_node("c")
        assert runner.process() == {"c": 1, "n": 2}
        assert noob_nodes.told == ["open", "close", "open"]
        with pytest.raises(KeyError):
            runner.disable_node("nowhere")


def test_async_nodes_are_switched_too():
    async def main():
        async with AsyncRunner(tube(returning([{"n": "n.index"}, {"c": "c.count"}], c={"type": "noob_nodes.Counter"}, n=COUNT))) as runner:
            await runner.disable_node("c")
            without = await runner.process()
            await runner.enable_node("c")
            return without, await runner.process()

    assert asyncio.run(main()) == ({"n": 0}, {"n": 1, "c": 1})


# ---- events -----------------------------------------------------------------------------------------


def test_callbacks_see_one_event_per_signal_and_the_end_of_the_epoch():
    nodes = returning("e.even", n=COUNT, e={"type": "noob_nodes.even", "depends": "n.index"})
    runner = SynchronousRunner(tube(nodes))
    seen = []
    runner.add_callback(seen.append)
    runner.run(2)
    assert [(e["node_id"], e["signal"], e["value"]) for e in seen] == [
        ("n", "index", 0),
        ("e", "even", 0),
        ("out", "value", MetaSignal.NoEvent),
        ("meta", "EpochEnded", Epoch(0)),
        ("n", "index", 1),
        ("e", "even", MetaSignal.NoEvent),
        ("meta", "EpochEnded", Epoch(1)),
    ]
    assert len({event["id"] for event in seen}) == len(seen)
    assert all(event["timestamp"].tzinfo is not None for event in seen)


def test_the_store_has_the_last_epoch():
    runner = SynchronousRunner(tube(mapped([{"u": "u.value"}])))
    runner.run(3)
    (event,) = runner.store.events[Epoch(2) / ("m", 1)]["u"]["value"]
    assert event["value"] == "B"
    assert runner.store.get("n", "index", Epoch(2) / ("m", 1))["value"] == 2, "falls back to the epoch around"
    assert runner.store.get("n", "index", -1)["value"] == 2
    with pytest.raises(KeyError):
        runner.store.get("n", "index", Epoch(0))
    edges = runner.tube.in_edges("u")
    assert runner.store.collect(edges, Epoch(2) / ("m", 0)) == {"letter": "a"}
    assert len(runner.store.flat_events) == 1 + 1 + 3 + 2 + 2
    runner.store.clear()
    assert runner.store.flat_events == []


def test_an_exception_of_a_callback_reaches_the_caller():
    runner = SynchronousRunner(tube({"n": COUNT}))
    runner.add_callback(lambda event: [][1])
    with pytest.raises(IndexError):
        runner.process()


def test_an_exception_of_a_node_comes_out_as_it_is_and_the_runner_goes_on():
    nodes = returning("f.value", n=COUNT, f={"type": "noob_nodes.fails_on_two", "depends": "n.index"})
    runner = SynchronousRunner(tube(nodes))
    assert [runner.process(), runner.process()] == [0, 1]
    with pytest.raises(KeyError, match="two") as caught:
        runner.process()
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.__context__ is None
    assert "node 'f'" in caught.value.__notes__[0]
    assert runner.process() == 3


# ---- loading ------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_tube_is_told_at_once():
    with pytest.raises(ps.LoadError, match="(?s)PS0101.*PS0108") as caught:
        tube({"a": {"type": "noob_nodes.upper", "depends": "b.value"}, "c": {"type": "noob_nodes.upper", "depends": "input.d"}})
    assert isinstance(caught.value, ValueError)
    with pytest.raises(ps.LoadError, match="PS0035"):
        Tube.from_specification({"nodes": {"n": COUNT}})


def test_types_of_both_sides_are_not_compared():
    nodes = returning("b.value", a={"type": "noob_nodes.is_text"}, b={"type": "noob_nodes.wants_number", "depends": [{"value": "a.value"}]})
    with pytest.raises(ps.LoadError, match="PS0116"):
        ps.Tube.load({"nodes": nodes})
    assert SynchronousRunner(tube(nodes)).process() == "'12'"
    with ZMQRunner(tube(nodes)) as runner:
        assert runner.process() == "'12'"


def test_inputs():
    nodes = returning("s.value", s={"type": "noob_nodes.show", "depends": "input.day"})
    inputs = {"floor": {"type": "any", "required": False}, "day": {"type": "int", "scope": "process"}}
    runner = SynchronousRunner(tube_with(nodes, inputs, {"floor": object()}))
    assert runner.process(day=3) == "3"
    with pytest.raises(InputMissingError, match="day") as caught:
        runner.process()
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, NoobError)
    assert isinstance(caught.value, ps.InputMissingError)
    for method in (runner.run, lambda n: list(runner.iter(n))):
        with pytest.raises(InputMissingError):
            method(1)
    with pytest.warns(ExtraInputWarning, match="^Ignoring extra"):
        runner.process(day=3, night=4)
    with pytest.warns(ps.ExtraInputWarning, match="^Ignoring extra"):
        tube_with(nodes, inputs, {"day": 3})
    required = {"floor": {"type": "any"}}
    with pytest.raises(InputMissingError, match="floor"):
        tube_with({"n": COUNT}, required, {})


def tube_with(nodes, inputs, given):
    return Tube.from_specification({"noob_id": "t", "input": inputs, "nodes": nodes}, input=given)


def test_objects_of_any_kind_may_be_tube_inputs():
    from pathlib import Path

    nodes = returning("s.value", s={"type": "noob_nodes.show", "params": {"value": "input.path"}})
    loaded = tube_with(nodes, {"path": {"type": "Path"}}, {"path": Path("/data")})
    assert SynchronousRunner(loaded).process() == "PosixPath('/data')"


def test_a_specification_may_be_changed_before_it_is_loaded(tmp_path):
    file = tmp_path / "t.yaml"
    text = "# mine\nnoob_id: numbers\nnodes:\n  n: {type: noob_nodes.numbers}\n  out: {type: return, depends: n.index}\n"
    file.write_text(text)
    spec = TubeSpecification.from_yaml(file)
    assert spec.nodes["n"].type_ == "noob_nodes.numbers" and spec.nodes["out"].depends == "n.index"
    spec.nodes["n"].params = {"limit": 1}
    assert SynchronousRunner(Tube.from_specification(spec)).run(5) == [0]
    assert file.read_text() == text, "files are never rewritten"
    assert not list(tmp_path.glob("*.bak"))
    again = TubeSpecification(**spec.to_dict())
    assert again.to_yaml(tmp_path / "u.yaml") == spec.to_yaml()
    assert Tube.from_specification(tmp_path / "u.yaml").tube_id == "numbers"


def test_tubes_are_found_by_id(tmp_path):
    (tmp_path / "t.yaml").write_text("noob_id: some/where#else\nnodes:\n  n: {type: noob_nodes.numbers}\n")
    add_config_source(tmp_path)
    assert list(Tube.from_specification("some/where#else").nodes) == ["n"]
    with pytest.raises(UnknownTubeError, match="nowhere") as caught:
        Tube.from_specification("nowhere")
    assert isinstance(caught.value, KeyError)


def test_a_tube_shows_its_nodes_and_edges():
    classes = {"c": {"type": "noob_nodes.Counter"}, "a": {"type": "noob_nodes.Above", "depends": "n.index"}}
    loaded = tube(mapped([{"u": "u.value"}]) | classes)
    kinds = {"n": WrapFuncNode, "m": Map, "out": Return, "c": WrapClassNode, "a": noob_nodes.Above}
    assert {id: type(loaded.nodes[id]) for id in kinds} == kinds
    assert not any(isinstance(node, Gather) for node in loaded.nodes.values())
    assert loaded.has_return and loaded.tube_id == "t" and set(loaded.enabled_nodes) == set(loaded.nodes)
    assert set(loaded.nodes["m"].signals) == {"n", "value"}
    (edge,) = loaded.in_edges("u")
    assert (edge.source_node, edge.source_signal, edge.target_slot, edge.required) == ("m", "value", "letter", True)
    assert [edge.required for edge in loaded.in_edges("out")] == [False]
    assert {edge.target_node for edge in loaded.out_edges("n")} == {"l", "a"}
    assert loaded.nodes["c"].stateful and not loaded.nodes["u"].stateful
    assert loaded.nodes["a"].limit == 3 and loaded.nodes["a"].edges == loaded.in_edges("a")


# ---- nodes ------------------------------------------------------------------------------------------


def test_a_node_class_gets_the_runner_and_its_inputs():
    nodes = returning("a.above", n=COUNT, a={"type": "noob_nodes.Above", "depends": "n.index", "params": {"limit": 1}})
    loaded = tube_with(nodes, {"floor": {"type": "int", "default": 7}}, {})
    with SynchronousRunner(loaded) as runner:
        assert runner.run(4) == [2, 3]
    assert noob_nodes.told == [("a", "SynchronousRunner", 7)]


def test_plain_classes_and_generators_begin_anew_with_every_run():
    nodes = returning([{"c": "c.count"}, {"n": "n.index"}], c={"type": "noob_nodes.Counter", "params": {"start": 4}}, n=COUNT)
    loaded = tube(nodes)
    runner = SynchronousRunner(loaded)
    expected = [{"c": 5, "n": 0}, {"c": 6, "n": 1}]
    assert list(runner.iter(2)) == expected
    assert list(runner.iter(2)) == expected
    assert noob_nodes.told == ["open", "close", "open", "close"]
    seen = []
    other = SynchronousRunner(loaded)
    other.add_callback(seen.append)
    with other:
        other.process()
    assert seen[-1]["epoch"] == Epoch(4), "epochs are counted by the tube"


def test_signals_by_parameters_injection_and_coroutines():
    nodes = returning(
        [{"second": "t.second"}, {"at": "at.value"}, {"from": "from_.value"}, {"passed": "p.value"}],
        n=COUNT,
        t={"type": "noob_nodes.Twins", "depends": "n.index", "params": {"names": ["first", "second"]}},
        l={"type": "noob_nodes.later", "depends": [{"value": "t.second"}]},
        at={"type": "noob_nodes.at", "depends": [{"value": "l.value"}]},
        from_={"type": "noob_nodes.senders", "depends": [{"value": "l.value"}]},
        p={"type": "noob_nodes.passes_event_on", "depends": [{"value": "l.value"}]},
    )
    runner = SynchronousRunner(tube(nodes))
    assert runner.process() == {"second": 1, "at": 0, "from": [("value", "l", 2)], "passed": 2}


def test_assets_are_made_and_let_go_of():
    nodes = returning("w.value", n=COUNT, w={"type": "noob_nodes.write", "depends": [{"ledger": "assets.book"}, {"value": "n.index"}]})
    loaded = tube(nodes, assets={"book": {"type": "noob_nodes.ledger", "scope": "runner", "params": {"name": "book"}}})
    with SynchronousRunner(loaded) as runner:
        assert runner.run(3) == [1, 2, 3]
        assert noob_nodes.told == ["open book"]
    assert noob_nodes.told == ["open book", "close book"]
    assert loaded.state.assets["book"].scope == "runner"


def test_testing_nodes_go_by_noobs_name():
    nodes = returning("d.ratio", n={"type": "noob.testing.count_source"}, d={"type": "noob.testing.divide", "depends": "n.index"})
    assert SynchronousRunner(tube(nodes)).run(2) == [0.0, 0.2]


# ---- other runners ------------------------------------------------------------------------------


def test_async_runner():
    async def main():
        async with AsyncRunner(tube(mapped("u.value"))) as runner:
            first = [await runner.process() for _ in range(2)]
            more = [result async for result in runner.iter(1)]
            return first, more, await runner.run(5)

    assert asyncio.run(main()) == ([None, "A"], ["A"], ["A"])


def test_async_runner_raises_what_the_node_raised():
    nodes = returning("f.value", n=COUNT, f={"type": "noob_nodes.fails_on_two", "depends": "n.index"})

    async def main():
        runner = AsyncRunner(tube(nodes))
        with pytest.raises(KeyError, match="two"):
            await runner.run(5)
        await runner.deinit()

    asyncio.run(main())


def test_process_runner_keeps_to_noobs_own_ways():
    runner = ZMQRunner(tube(mapped("u.value")))
    with pytest.raises(RuntimeError, match="initialised"):
        runner.run(1)
    with runner:
        assert runner.process() is MetaSignal.NoEvent
        assert runner.run(2) == ["A", "A"]
    with ZMQRunner(tube({"n": COUNT})) as runner:
        seen = []
        import threading

        enough = threading.Event()

        def count(event):
            seen.append(event)
            if len(seen) > 6:
                enough.set()

        runner.add_callback(count)
        assert runner.run() is None
        assert enough.wait(60)
        runner.stop()
        assert runner.run(2) is None


def test_runners_by_name():
    assert [get_runner(name) for name in ("sync", "async", "zmq")] == [SynchronousRunner, AsyncRunner, ZMQRunner]
    assert issubclass(ZMQRunner, TubeRunner)


# ---- the package ----------------------------------------------------------------------------------


def test_epochs_by_noobs_rules():
    epoch = Epoch(2) / ("m", 1)
    assert (epoch + 2)[1] == ("m", 3) and (epoch - 1).leaf == ("m", 0) and len(epoch) == 2
    assert epoch.parent == Epoch(2) and epoch.root == 2 and epoch[0] == ("tube", 2)
    assert Epoch(2) < epoch < epoch + 1 < Epoch(3)
    assert Epoch.from_wire(epoch.to_wire()) == epoch and Epoch(3).to_wire() == 3
    with pytest.raises(ValueError, match="negative"):
        Epoch(0) - 1


def test_modules_have_noobs_places():
    code = """
        from penstock.compat.noob import Event, EventStore, Gather, Map, MetaEvent, Name, NoEventable, Node, Return, State
        from penstock.compat.noob.asset import Asset, AssetScope, AssetSpecification
        from penstock.compat.noob.config import get_extra_sources
        from penstock.compat.noob.edge import Edge, Signal, Slot
        from penstock.compat.noob.event import EventMaker, MetaEventType, is_event
        from penstock.compat.noob.exceptions import AlreadyRunningError, EpochCompletedError, NoobError
        from penstock.compat.noob.input import InputCollection, InputScope, InputSpecification
        from penstock.compat.noob.node import NodeSpecification, deinit_method, init_method, process_method
        from penstock.compat.noob.node.base import Node as SameNode
        from penstock.compat.noob.node.gather import Gather as SameGather
        from penstock.compat.noob.node.map import Map as SameMap
        from penstock.compat.noob.node.return_ import Return as SameReturn
        from penstock.compat.noob.node.spec import NodeSpecification as SameSpecification
        from penstock.compat.noob.node.tube import TubeNode
        from penstock.compat.noob.runner.base import TubeRunner
        from penstock.compat.noob.runner.sync import SynchronousRunner
        from penstock.compat.noob.runner.zmq import ZMQRunner
        from penstock.compat.noob.store import EventStore
        from penstock.compat.noob.testing import count_source
        from penstock.compat.noob.tube import Tube, TubeSpecification, downstream_nodes
        from penstock.compat.noob.types import ConfigID, EventMap, NodeID, NodeSignal, RunnerContext, valid_config_id
        assert SameNode is Node and SameMap is Map
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True)


def test_every_name_of_the_package_is_there():
    import penstock.compat.noob as noob

    for name in noob.__all__:
        assert getattr(noob, name) is not None
    with pytest.raises(AttributeError):
        noob.no_such_name  # noqa: B018


def test_neither_penstock_nor_its_noob_layer_imports_pydantic():
    code = "import sys, penstock.compat.noob.runner; assert 'pydantic' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_warnings_point_at_the_caller():
    loaded = tube({"n": COUNT})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SynchronousRunner(loaded).process(extra=1)
    assert [w.category for w in caught] == [ExtraInputWarning]
