"""For test_leaks.py: what calls every public callable. A scenario is a function under the names it calls."""

import asyncio
import contextlib
import io
import itertools
import pickle
import sys
import tempfile
import types
import warnings
from pathlib import Path

import leak_scenarios_accelerate as accelerate
import numpy as np
import penstock.compat.noob as noob
import penstock.testing as t

import penstock as ps

SCENARIOS = {}


def scenario(*names):
    def add(function):
        for name in names:
            assert name not in SCENARIOS, name
            SCENARIOS[name] = function
        return function

    return add


def methods(kinds, *names):
    return [f"{kind}.{name}" for kind in kinds for name in names]


SPEC = {
    "noob_id": "leaks",
    "input": {"x": {"type": "any", "scope": "process", "default": 3}},
    "assets": {"numbers": {"type": "penstock.testing.counter", "scope": "runner", "params": {"start": 5}}},
    "nodes": {
        "count": {"type": "penstock.testing.count_source", "params": {"limit": 4}},
        "list": {"type": "leak_scenarios.up_to", "depends": [{"n": "input.x"}]},
        "each": {"type": "map", "depends": "list.value"},
        "double": {"type": "penstock.testing.multiply", "depends": [{"left": "each.value"}]},
        "all": {"type": "gather", "depends": "double.value"},
        "next": {"type": "penstock.testing.fast_forward", "depends": [{"generator": "assets.numbers"}]},
        "product": {"type": "penstock.testing.Multiply", "depends": [{"left": "count.index"}]},
        "who": {"type": "penstock.testing.this_or_that", "depends": [{"this": "product.product"}, {"that": "all.value"}]},
        "out": {"type": "return", "depends": [{"all": "all.value"}, {"next": "next.next"}, {"product": "product.product"}]},
    },
}
COROUTINE = {
    "noob_id": "waits",
    "input": {"x": {"type": "any", "scope": "process", "default": 3}},
    "nodes": {
        "wait": {"type": "leak_scenarios.wait", "depends": [{"x": "input.x"}]},
        "out": {"type": "return", "depends": "wait.value"},
    },
}
ERROR = {
    "noob_id": "fails",
    "input": {"x": {"type": "any", "scope": "process", "default": 3}},
    "nodes": {"fail": {"type": "penstock.testing.error", "depends": [{"value": "input.x"}]}},
}


def up_to(n):
    return list(range(n))


async def wait(x):
    await asyncio.sleep(0)
    return [x, x]


@contextlib.contextmanager
def expect(*kinds):
    try:
        yield
    except kinds:
        return
    raise AssertionError("nothing was raised")


# ---- penstock ------------------------------------------------------------------------------------

VALUES = [None, True, 1, -(1 << 70), 2.5, float("nan"), "text", b"bytes", [1, [2]], (1, 2), {"a": {"b": 1}}]


@scenario("encode", "decode", "digest", "cid")
def encodes():
    blocks = {}
    for value in (*VALUES, np.arange(6.0).reshape(2, 3), b"x" * 70_000, ps.Epoch(1, [("m", 2)])):
        data = ps.encode(value, blocks)
        ps.decode(data, blocks)
        assert len(ps.digest(value)) == 64
        ps.cid(value)
    with expect(ps.Error):
        ps.encode(object())
    with expect(ps.DataLossError):
        ps.decode(b"\xff\x00")
    with expect(TypeError):
        ps.digest()


class Coded:
    def __init__(self, x):
        self.x = x


@scenario("register_codec")
def registers_codec():
    # The registry keeps a type for good: each type is registered once.
    with contextlib.suppress(ValueError):
        ps.register_codec(Coded, "leaks.coded", lambda value: value.x, Coded)
    assert ps.decode(ps.encode(Coded(3))).x == 3
    with expect(ValueError):
        ps.register_codec(Coded, "leaks.other", lambda value: value.x, Coded)


@scenario("empty")
def makes_array():
    array = ps.empty((3, 4), "int32")
    array[:] = 1
    assert ps.empty(5).shape == (5,) and array.sum() == 12
    with expect(ps.InvalidArgumentError):
        ps.empty(3, object)


@scenario("Epoch", *methods(["Epoch"], "from_payload", "from_wire", "is_root", "leaf", "make_subepochs", "parent", "parents"))
def epochs():
    epoch = ps.Epoch(3) / ("m", 1) / ("n", 2)
    assert ps.Epoch.from_payload(epoch.to_payload()) == ps.Epoch.from_wire(epoch.to_wire()) == epoch
    assert ps.Epoch.from_wire(ps.Epoch(3).to_wire()) == epoch.root_epoch
    assert not epoch.is_root and epoch.leaf == ("n", 2) and epoch.parent == ps.Epoch(3, [("m", 1)])
    assert len(epoch.parents) == 2 and len(epoch.make_subepochs("k", 3)) == 3
    assert pickle.loads(pickle.dumps(epoch)) == epoch and hash(epoch) and str(epoch) and repr(epoch)
    assert epoch + 1 > epoch > epoch - 1 and len(epoch) == 3 and epoch[0] == ("tube", 3)
    with expect(ValueError):
        ps.Epoch(-1)
    with expect(AttributeError):
        epoch.root = 4


for _name in ("root_epoch", "to_payload", "to_wire"):
    SCENARIOS[f"Epoch.{_name}"] = epochs


@scenario("EventMap", "EventMap.from_payload", "EventMap.to_payload")
def event_maps():
    seen = []
    with ps.SynchronousRunner(ps.Tube.load(SPEC)) as runner:
        runner.add_callback(lambda event: seen.append(event | {"value": None}))
        runner.process()
    events = ps.EventMap({"x": seen[0]})
    assert ps.EventMap.from_payload(events.to_payload()) == events
    assert ps.decode(ps.encode(events)) == events


@scenario("Name", "RunnerContext", "process_method")
def small_vocabulary():
    assert ps.Name("a") == ps.Name("a") and hash(ps.Name("a")) and repr(ps.Name("a"))
    assert ps.RunnerContext(runner="sync", inputs={})["runner"] == "sync"

    def method(self):
        return 1

    assert ps.process_method(method) is method


@scenario("Node", "Node.init", "Node.deinit", "Node.process")
def node_class():
    product = t.Multiply()
    product.init()
    assert product.process(2) == 4 and repr(product)
    product.deinit()
    with expect(NotImplementedError):
        ps.Node().process()
    with expect(TypeError):
        t.Multiply(unknown=1)


@scenario("Tube", "Tube.load", "Tube.depends", "Tube.digest", "Tube.id", "Tube.inputs", "Tube.nodes", "Tube.to_yaml")
def loads():
    tube = ps.Tube.load(SPEC)
    assert tube.depends and tube.digest and tube.id == "leaks" and tube.inputs and tube.nodes and tube.to_yaml()
    assert ps.Tube.load(tube.to_yaml()).digest == tube.digest
    with expect(ps.LoadError):
        ps.Tube.load({"noob_id": "bad", "nodes": {"n": {"type": "leak_scenarios.gone", "depends": "other.value"}}})
    with expect(ps.LoadError):
        ps.Tube.load("nodes: [")
    with expect(FileNotFoundError):
        ps.Tube.load("no-such-file.yaml")


CELL = """
def source():
    yield 1

def add(x: "int") -> int:
    return x + 1

class Keeps:
    def process(self, x):
        return x

async def waits(x):
    return x

class Manager:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

def use(manager, x):
    return x
"""


def run_cell():
    """As a notebook does: each time its functions and classes are made anew."""
    cell = sys.modules["leak_cell"] = types.ModuleType("leak_cell")
    exec(CELL, cell.__dict__)
    nodes = {
        "s": {"type": "leak_cell.source"},
        "a": {"type": "leak_cell.add", "depends": [{"x": "s.value"}]},
        "k": {"type": "leak_cell.Keeps", "depends": [{"x": "a.value"}]},
        "w": {"type": "leak_cell.waits", "depends": [{"x": "k.value"}]},
        "u": {"type": "leak_cell.use", "depends": [{"manager": "assets.m"}, {"x": "w.value"}]},
        "o": {"type": "return", "depends": "u.value"},
    }
    tube = {"noob_id": "cell", "assets": {"m": {"type": "leak_cell.Manager", "scope": "runner"}}, "nodes": nodes}
    assert ps.run(tube, history=False).results == [2]


@scenario("add_config_source", "noob.add_config_source", "noob.TubeSpecification.from_id")
def config_sources():
    # A source is kept for good: the same folder each time.
    ps.add_config_source(Path(__file__).parent / "no-such-folder")
    noob.add_config_source(Path(__file__).parents[2] / "tests" / "leaks")
    with expect(Exception):
        noob.TubeSpecification.from_id("no-such-tube")


@scenario("run", "Run")
def runs():
    for kind in ("sync", "threads"):
        run = ps.run(SPEC, n=4, runner=kind, history=False, cache=False)
        assert len(run.results) == 4 and run.cid and run.metrics["epochs"] >= 4
    with tempfile.TemporaryDirectory() as folder:
        ps.run(SPEC, report=f"{folder}/r.html", n=1, inputs={"x": 2}, history=False)
    with expect(ps.NodeError):
        ps.run(ERROR, history=False)
    with expect(ps.Error):
        ps.run(SPEC, runner="no-such")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ps.Run([], None, "", {}).result is None
        ps.run(COROUTINE, inputs={"x": 1, "other": 2}, history=False)


RUNNERS = {
    "SynchronousRunner": ps.SynchronousRunner,
    "ThreadedRunner": lambda tube: ps.ThreadedRunner(tube, 2),
    "MultiProcessRunner": lambda tube: ps.MultiProcessRunner(tube, 1),
}


def use_runner(name):
    make = RUNNERS[name]
    runner = make(ps.Tube.load(SPEC))
    events = []
    runner.add_callback(events.append)
    store = accelerate.EventStore()
    runner.record_events(store)
    runner.init()
    assert runner.running
    assert runner.process(x=2)["all"] == [0, 2]
    assert len(runner.run(1)) == 1 and len(list(runner.iter(1))) == 1
    runner.disable_node("product")
    assert "product" not in runner.process(x=0)
    runner.enable_node("product")
    with contextlib.closing(runner.iter()) as left:
        next(left)
    assert runner.metrics["epochs"] == 5 and events and len(store) > 20
    with expect(ps.Error):
        runner.enable_node("no-such")
    runner.deinit()
    if name == "MultiProcessRunner":
        return  # a start costs 0.2 s, and the codec that carries values across has a scenario of its own
    with make(ps.Tube.load(COROUTINE)) as waits:
        assert waits.process(x=object)[0] is object
    with make(ps.Tube.load(ERROR)) as fails, expect(ps.NodeError):
        fails.process(x="text")


METHODS = ("add_callback", "deinit", "disable_node", "enable_node", "init", "iter", "metrics", "process", "run", "running")
for _name in RUNNERS:
    scenario(_name, *methods([_name], *METHODS, "record_events"))(lambda name=_name: use_runner(name))


@scenario("AsyncRunner", *methods(["AsyncRunner"], *METHODS))
def async_runner():
    asyncio.run(use_async_runner())


async def use_async_runner():
    async with ps.AsyncRunner(ps.Tube.load(SPEC), 2) as runner:
        runner.add_callback(lambda event: None)
        await runner.init()
        assert runner.running and (await runner.process(x=2))["all"] == [0, 2]
        assert len(await runner.run(1)) == 1 and len([x async for x in runner.iter(1)]) == 1
        await runner.disable_node("product")
        await runner.enable_node("product")
        assert runner.metrics["epochs"] == 3
        await runner.deinit()
    async with ps.AsyncRunner(ps.Tube.load(COROUTINE)) as runner:
        assert (await runner.process(x=7))[0] == 7
    with expect(ps.NodeError):
        async with ps.AsyncRunner(ps.Tube.load(ERROR)) as runner:
            await runner.process(x=7)


def errors(cls):
    """What every exception can do: it is raised, shown, chained."""
    if issubclass(cls, ps.LoadError):
        made = cls("message", [{"id": "PS0001", "message": "m"}])
    elif issubclass(cls, ps.Error):
        made = cls("message", id="PS0001", origin="here", help="do", trace="trace")
    else:
        made = cls("message")
    try:
        raise made
    except cls as error:
        assert "message" in str(error)


# ---- penstock.testing ----------------------------------------------------------------------------


def first(generator, count=3):
    return list(itertools.islice(generator, count))


FUNCTIONS = {
    "AnyAsset": lambda: t.AnyAsset(3),
    "Initializer": lambda: t.Initializer(),
    "concat": lambda: t.concat(["a", "b"]),
    "count_source": lambda: first(t.count_source(3)) + first(t.count_source(0, 5)),
    "cycle": lambda: first(t.cycle(0, 2)),
    "dictify": lambda: t.dictify("a", [1]),
    "divide": lambda: t.divide(10),
    "exclaim": lambda: t.exclaim("a", 2),
    "fast_forward": lambda: t.fast_forward(t.counter(1), 2),
    "increment": lambda: t.increment(t.counter(1), 2),
    "inject_epoch": lambda: t.inject_epoch(ps.Epoch(1)),
    "inject_eventmap": lambda: t.inject_eventmap(1, ps.EventMap()),
    "input_party": lambda: t.input_party(1, 2, 3, 4, 5, 6, 7),
    "jump": lambda: t.jump(t.counter(1), 2),
    "just_wait": lambda: t.just_wait(1, 0),
    "letter_source": lambda: first(t.letter_source()),
    "long_add": lambda: t.long_add(1, 0),
    "multi_concat": lambda: t.multi_concat(a="x", b="y"),
    "multi_words_source": lambda: first(t.multi_words_source(2)),
    "multiply": lambda: t.multiply(2, 3),
    "number_to_letter": lambda: asyncio.run(t.number_to_letter(3)),
    "passthrough": lambda: t.passthrough(1, 2, a=3),
    "repeat": lambda: t.repeat("a", 3),
    "rewind": lambda: t.rewind(t.counter(5), 2),
    "sporadic_word": lambda: first(t.sporadic_word()),
    "sporadic_word_noevent": lambda: first(t.sporadic_word_noevent()),
    "switch": lambda: first(t.switch()),
    "this_or_that": lambda: t.this_or_that(1, None, 3),
    "word_counts": lambda: first(t.word_counts()),
    "word_source": lambda: first(t.word_source()),
    "zip_iter": lambda: t.zip_iter(t.counter(1), t.counter(2)),
}
for _name, _function in FUNCTIONS.items():
    scenario(f"testing.{_name}")(_function)


@scenario("testing.error", "testing.async_error")
def raises():
    with expect(ValueError):
        t.error()
    with expect(ValueError):
        asyncio.run(t.async_error(1))


@scenario("testing.counter", "testing.counter.send", "testing.counter.throw", "testing.LifecycleCounter", "testing.counter_cm")
def counters():
    counter = t.counter(3)
    assert next(counter) == 3 and counter.send(None) == 4
    with expect(StopIteration):
        counter.throw(ValueError)
    counter.close()
    assert t.LifecycleCounter(1).entered == 0
    with t.counter_cm(2) as made:
        assert next(made) == 3


@scenario("testing.LifecycleCounter.send", "testing.LifecycleCounter.throw")
def lifecycle_counter():
    counter = t.LifecycleCounter(1)
    assert counter.send(None) == 1
    with expect(StopIteration):
        counter.throw(ValueError)


@scenario(
    *[f"testing.{name}" for name in ("CountSource", "CountSource.process", "UnannotatedGenerator", "UnannotatedGenerator.process")],
    *[f"testing.{name}" for name in ("CountSourceDecor", "CountSourceDecor.process", "Multiply", "Multiply.process")],
    *[f"testing.{name}" for name in ("Volume", "Volume.volume", "VolumeProcess", "VolumeProcess.process", "Now", "Now.print")],
    *[f"testing.{name}" for name in ("StatefulMultiply", "StatefulMultiply.process", "NumberToLetterCls", "NumberToLetterCls.process")],
    *[f"testing.{name}" for name in ("InitCounter", "InitCounter.init", "InitCounter.deinit", "InitCounter.process")],
    *[f"testing.DynamicSignals{name}" for name in ("", ".process", ".get_signals", ".get_slots")],
)
def classes():
    assert first(t.CountSource(limit=2).process()) == [0, 1]
    assert first(t.UnannotatedGenerator(limit=2).process()) == [0, 1]
    assert first(t.CountSourceDecor(4).process()) == [4, 5, 6]
    assert t.Multiply().process(3) == 6
    assert t.Volume().volume(2, 3) == t.VolumeProcess().process(2, 3) == 12
    assert t.Now().print("at ").startswith("at ")
    assert t.StatefulMultiply(2).process(3) == 6
    assert asyncio.run(t.NumberToLetterCls(1).process(0)) == "b"
    counter = t.InitCounter()
    counter.init()
    counter.deinit()
    assert counter.process() == (1, 1)
    dynamic = t.DynamicSignals(signals_=["a"], slots_=["b"])
    assert dynamic.process(b=1) == (1,)
    spec = noob.NodeSpecification(type="t", id="n", params={"signals_": ["a"], "slots_": ["b"]})
    assert dynamic.get_signals(spec) == ["a"] and dynamic.get_slots(spec) == ["b"]


def use_inherited(cls):
    made = cls()
    made.init()
    made.deinit()


for _class in (t.CountSource, t.UnannotatedGenerator, t.Multiply, t.DynamicSignals):
    _names = methods([f"testing.{_class.__name__}"], "init", "deinit")
    scenario(*_names)(lambda cls=_class: use_inherited(cls))


# ---- penstock.compat.noob ------------------------------------------------------------------------

NOOB_RUNNERS = {"noob.SynchronousRunner": noob.SynchronousRunner, "noob.ZMQRunner": noob.ZMQRunner}
NOOB_METHODS = (
    "add_callback", "collect_return", "deinit", "disable_node", "enable_node", "get_context", "has_return", "init", "iter",
    "process", "run", "running",
)  # fmt: skip


def use_noob_runner(name):
    tube = noob.Tube.from_specification(SPEC)
    runner = NOOB_RUNNERS[name](tube)
    events = []
    runner.add_callback(events.append)
    runner.init()
    assert runner.running and runner.has_return and runner.get_context()["runner"] is runner
    assert runner.process()["all"] == [0, 2, 4]
    assert runner.collect_return() is None
    runner.disable_node("product")
    runner.enable_node("product")
    assert runner.store.flat_events and events
    if name == "noob.ZMQRunner":
        assert runner.initialized
    with contextlib.suppress(Exception):
        runner.run(1)
    with contextlib.suppress(Exception):
        list(runner.iter(1))
    if name == "noob.ZMQRunner":
        runner.stop()
    runner.deinit()
    if name == "noob.ZMQRunner":
        return
    tube = noob.Tube.from_specification(ERROR)
    with NOOB_RUNNERS[name](tube) as fails, expect(ValueError, ps.Error):
        fails.process()


scenario("noob.SynchronousRunner", *methods(["noob.SynchronousRunner"], *NOOB_METHODS))(lambda: use_noob_runner("noob.SynchronousRunner"))
scenario("noob.ZMQRunner", *methods(["noob.ZMQRunner"], *NOOB_METHODS, "initialized", "stop"))(lambda: use_noob_runner("noob.ZMQRunner"))


@scenario("noob.AsyncRunner", *methods(["noob.AsyncRunner"], *(name for name in NOOB_METHODS if name != "collect_return")))
def noob_async_runner():
    asyncio.run(use_noob_async_runner())


async def use_noob_async_runner():
    runner = noob.AsyncRunner(noob.Tube.from_specification(COROUTINE))
    runner.add_callback(lambda event: None)
    await runner.init()
    assert runner.running and runner.has_return and runner.get_context()
    assert (await runner.process(x=7))[0] == 7
    await runner.disable_node("wait")
    await runner.enable_node("wait")
    await runner.deinit()
    tube = {"noob_id": "source", "nodes": {"n": {"type": "penstock.testing.count_source", "params": {"limit": 3}}}}
    async with noob.AsyncRunner(noob.Tube.from_specification(tube)) as runner:
        await runner.run(1)
        assert [result async for result in runner.iter(1)] == [None]


@scenario("noob.TubeRunner", "noob.get_runner", *methods(["noob.TubeRunner"], "add_callback", "get_context", "has_return", "running"))
def noob_base_runner():
    tube = noob.Tube.from_specification(COROUTINE)
    runner = noob.get_runner()(tube)
    noob.TubeRunner.add_callback(runner, print)
    assert noob.TubeRunner.get_context(runner) and runner.has_return and not runner.running
    with expect(AttributeError):
        noob.TubeRunner(tube)


@scenario(
    "noob.Tube", "noob.TubeSpecification",
    *methods(["noob.Tube"], "enabled_nodes", "from_specification", "has_return", "in_edges", "out_edges"),
    *methods(["noob.TubeSpecification"], "from_any", "from_yaml", "model_dump", "to_dict", "to_yaml"),
)  # fmt: skip
def noob_tubes():
    spec = noob.TubeSpecification(**SPEC)
    assert spec.to_dict() == spec.model_dump() and noob.TubeSpecification.from_any(spec) is spec
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tube.yaml"
        spec.to_yaml(path)
        assert noob.TubeSpecification.from_yaml(path).to_dict() == noob.TubeSpecification.from_any(path).to_dict()
    tube = noob.Tube.from_specification(spec)
    assert tube.has_return and tube.enabled_nodes and tube.in_edges("double") and tube.out_edges("each") and repr(tube)
    with expect(Exception):
        noob.Tube.from_specification({"noob_id": "bad", "nodes": {"n": {"type": "no.such"}}})


@scenario(
    *[f"noob.{name}" for name in ("Asset", "AssetScope", "State", "Edge", "InputScope", "InputCollection", "NoEventable")],
    *methods(["noob.InputCollection"], "chain", "get", "given", "validate_input"),
    *[f"noob.{name}" for name in ("AssetSpecification", "InputSpecification", "NodeSpecification")],
    *methods(["noob.AssetSpecification", "noob.InputSpecification", "noob.NodeSpecification"], "model_copy", "model_dump", "to_dict"),
)
def noob_specifications():
    for made in (
        noob.AssetSpecification(id="a", type="t", scope="runner"),
        noob.InputSpecification(id="i", type="int", default=3),
        noob.NodeSpecification(type="t", id="n", params={"a": [1]}),
    ):
        assert made.model_copy(deep=True, update={"description": "d"}) != made and made.model_dump() and made.to_dict() and repr(made)
    state = noob.State({"a": noob.AssetSpecification(id="a", type="t", scope="runner")})
    assert isinstance(state.assets["a"], noob.Asset) and noob.AssetScope("node") and noob.InputScope("tube")
    assert noob.Asset(noob.AssetSpecification(id="a", type="t", scope="node")).id == "a"
    assert noob.Edge("a", "value", "b").required
    inputs = noob.InputCollection({"i": noob.InputSpecification(id="i", type="int", default=3)}, {})
    assert inputs.get("i") == inputs.chain["i"] == 3 and inputs.given() == {}
    assert inputs.validate_input(noob.InputScope.process, {}) == {}
    with expect(TypeError):
        noob.NodeSpecification(id="n")
    assert noob.NoEventable[int] and noob.NoEventable()


@scenario(
    "noob.EventStore", "noob.Event", "noob.MetaEvent", "noob.MetaEventType", "noob.MetaSignal",
    *methods(["noob.EventStore"], "add", "add_value", "clear", "collect", "collect_events", "events", "fill_later", "flat_events"),
    *methods(["noob.EventStore"], "get", "iter", "split_args_kwargs", "transform_events"),
)  # fmt: skip
def noob_events():
    store = noob.EventStore()
    epoch = ps.Epoch(0)
    [event] = store.add_value(["value"], 3, "a", epoch)
    assert store.add(noob.Event(**event)) == event and noob.MetaEvent(**event)
    edges = [noob.Edge("a", "value", "b", "x")]
    assert store.get("a", "value", epoch) is not None and store.collect_events(edges, epoch)
    assert store.collect(edges, epoch, "events")["x"] == 3 and store.transform_events(edges, [event]) == {"x": 3}
    assert store.split_args_kwargs({0: 1, "a": 2}) == ((1,), {"a": 2})
    assert list(store.iter()) == store.flat_events and store.events
    store.fill_later(lambda: [event])
    assert store.flat_events == [event]
    store.clear()
    with expect(KeyError):
        store.get("a", "value", epoch)
    assert noob.MetaSignal(noob.MetaSignal.NoEvent.value)
    assert noob.MetaEventType("NodeReady")


class NoobNode(noob.Node):
    def process(self, x):
        return x


NOOB_NODE = ("deinit", "edges", "init", "logger", "model_post_init", "process", "signals", "slots", "view")


@scenario("noob.Node", *methods(["noob.Node"], *NOOB_NODE))
def noob_node():
    spec = {
        "noob_id": "node",
        "input": {"x": {"type": "any", "scope": "process"}},
        "nodes": {"n": {"type": "leak_scenarios.NoobNode", "depends": [{"x": "input.x"}]}},
    }
    node = noob.Tube.from_specification(spec).nodes["n"]
    assert node.view and node.signals and node.slots and node.edges and node.logger
    node.init()
    node.deinit()
    with expect(NotImplementedError):
        noob.Node(id="n").process()


@scenario("noob.Gather", "noob.Gather.flatten", "noob.Gather.n", "noob.Map", "noob.Return")
def noob_views():
    tube = noob.Tube.from_specification(SPEC)
    gather = tube.nodes["all"]
    assert isinstance(gather, noob.Gather) and gather.n is None and not gather.flatten
    assert isinstance(tube.nodes["each"], noob.Map) and isinstance(tube.nodes["out"], noob.Return)
    options = {"enabled": True, "stateful": False, "signals": ["value"], "slots": {}, "edges": []}
    for cls in (noob.Gather, noob.Map, noob.Return):
        assert repr(cls(noob.NodeSpecification(type="gather", id="g"), **options))


@scenario("noob.init_method", "noob.deinit_method", "noob.init_logger")
def noob_marks():
    def method(self):
        return 1

    assert noob.init_method(method) is method and noob.deinit_method(method) is method and noob.process_method(method) is method
    assert noob.init_logger("leaks").name == "noob.leaks"


SCENARIOS["noob.process_method"] = noob_marks
scenario("register_type")(accelerate.registers_type)
scenario("accelerate.EventStore", "accelerate.get_event_store")(accelerate.uses_event_store)
scenario("accelerate.Scheduler", "accelerate.get_scheduler")(accelerate.uses_scheduler)
scenario("accelerate.Serializer", "accelerate.get_serializer")(accelerate.uses_serializer)
scenario("accelerate.BufferPool")(accelerate.uses_buffer_pool)


def quiet(function):
    """Calls it; what it prints is not kept."""
    with contextlib.redirect_stdout(io.StringIO()):
        function()
