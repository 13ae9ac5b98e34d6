"""A value is let go of when the last node that uses it is done, not when its epoch closes."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import release_nodes
from release_nodes import Big
from test_node_classes import Driven

import penstock as ps

RUNNERS = ("sync", "threads", "async")


def tube(nodes):
    """Nodes as id -> (type, depends); the input is `x`."""
    spec = {}
    for id_, (type_, depends) in nodes.items():
        known = type_ in ("map", "gather", "return", "tube")
        spec[id_] = {"type": type_ if known else f"release_nodes.{type_}", "depends": depends}
    return {"noob_id": "release", "input": {"x": {"type": "int", "scope": "process"}}, "nodes": spec}


@pytest.fixture(autouse=True)
def none_alive():
    Big.most = Big.live
    assert Big.live == 0
    yield
    assert Big.live == 0


def process(runner, nodes, x=1, epochs=3, **more):
    """The result, the same in each epoch."""
    loaded = tube(nodes)
    loaded["nodes"] |= more
    with Driven(runner, loaded) as driven:
        results = [driven.do("process", x=x) for _ in range(epochs)]
    assert results == results[:1] * epochs
    return results[0]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_chain_has_three_of_its_values_at_most(runner):
    nodes = {"n0": ("make", "input.x")} | {f"n{k}": ("step", f"n{k - 1}.value") for k in range(1, 100)}
    process(runner, nodes | {"out": ("live", "n99.value")})
    assert 2 <= Big.most <= 3


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_value_of_many_users_goes_with_the_last(runner):
    nodes = {
        "a": ("make", "input.x"),
        "b": ("live", "a.value"),
        "c": ("live", [{"value": "a.value"}, {"after": "b.value"}]),
        "d": ("live", "c.value"),
        "out": ("return", ["b.value", "c.value", "d.value"]),
    }
    assert process(runner, nodes) == (1, 1, 0)


@pytest.mark.parametrize("runner", RUNNERS)
def test_each_signal_of_a_node_goes_by_itself_and_one_without_users_at_once(runner):
    nodes = {
        "a": ("two", "input.x"),
        "b": ("live", "a.left"),
        "c": ("live", "b.value"),
        "d": ("live", [{"value": "a.right"}, {"after": "c.value"}]),
        "e": ("live", "d.value"),
        "f": ("two", "e.value"),
        "g": ("live", "e.value"),
        "h": ("live", [{"value": "f.left"}, {"after": "g.value"}]),
        "out": ("return", ["b.value", "c.value", "d.value", "e.value", "h.value"]),
    }
    assert process(runner, nodes) == (2, 1, 1, 0, 1)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_user_that_is_skipped_or_disabled_counts(runner):
    nodes = {
        "a": ("make", "input.x"),
        "no": ("nothing", "input.x"),
        "skipped": ("live", [{"value": "a.value"}, {"after": "no.value"}]),
        "off": ("live", "a.value"),
        "b": ("live", "a.value"),
        "c": ("live", [{"value": "b.value"}, {"after": "skipped.value"}]),
        "out": ("return", ["b.value", "c.value"]),
    }
    spec = tube(nodes)
    spec["nodes"]["off"]["enabled"] = False
    spec["nodes"]["skipped"]["depends"] = ["a.value", "no.value"]
    with Driven(runner, spec) as driven:
        assert [driven.do("process", x=1) for _ in range(2)] == [(1, 0)] * 2


@pytest.mark.parametrize("runner", ["sync", "threads"])
def test_what_the_return_needs_is_kept_and_given_to_the_caller(runner):
    nodes = {"a": ("make", "input.x"), "b": ("live", "a.value"), "c": ("live", "b.value"), "out": ("return", ["a.value", "c.value"])}
    with Driven(runner, tube(nodes)) as driven:
        kept = driven.do("process", x=1)
        assert (type(kept[0]), kept[1], Big.live) == (Big, 1, 1)
        del kept
        assert Big.live == 0


def test_elements_of_a_map_go_one_by_one():
    nodes = {
        "a": ("many", "input.x"),
        "m": ("map", "a.value"),
        "b": ("live", "m.value"),
        "g": ("gather", "b.value"),
        "c": ("live", "g.value"),
        "out": ("return", ["g.value", "c.value"]),
    }
    assert process("sync", nodes, x=5) == ([5, 4, 3, 2, 1], 0)


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_a_map_reads_or_gathers_is_kept_while_it_may_be_read(runner):
    nodes = {
        "wide": ("make", "input.x"),
        "a": ("many", "input.x"),
        "m": ("map", "a.value"),
        "b": ("step", "m.value"),
        "g": ("gather", "b.value"),
        "d": ("live", "g.value"),
        "c": ("both", [{"value": "m.value"}, {"wide": "wide.value"}, {"after": "d.value"}]),
        "all": ("gather", "c.value"),
        "out": ("return", ["d.value", "all.value"]),
    }
    # While d runs, no c has: the broadcast value, three elements and three gathered ones are there.
    assert process(runner, nodes, x=3) == (7, ["Big", "Big", "Big"])


@pytest.mark.parametrize("runner", RUNNERS)
def test_through_a_nested_tube(runner):
    inner = {
        "noob_id": "inner",
        "input": {"x": {"type": "any", "scope": "process"}, "y": {"type": "any", "scope": "process"}},
        "nodes": {
            "b": {"type": "release_nodes.live", "depends": "input.x"},
            "c": {"type": "release_nodes.live", "depends": [{"value": "b.value"}, {"after": "input.y"}]},
            "out": {"type": "return", "depends": [{"b": "b.value"}, {"c": "c.value"}]},
        },
    }
    sub = {"type": "tube", "params": {"tube": inner}, "depends": [{"x": "a.left"}, {"y": "a.right"}]}
    nodes = {"a": ("two", "input.x"), "d": ("live", "sub.c"), "out": ("return", ["sub.b", "sub.c", "d.value"])}
    assert process(runner, nodes, sub=sub) == (2, 1, 0)


def test_a_callback_sees_every_value_and_keeps_what_it_likes():
    nodes = {"a": ("make", "input.x"), "b": ("live", "a.value"), "c": ("live", "b.value"), "out": ("return", ["b.value", "c.value"])}
    kept = []
    runner = ps.SynchronousRunner(ps.Tube.load(tube(nodes)))
    runner.add_callback(lambda event: kept.append(event["value"]) if event["node_id"] == "a" else None)
    with runner:
        assert runner.process(x=1) == (1, 1)
        assert type(kept[0]) is Big
        kept.clear()
        runner.add_callback(lambda event: None)


def test_after_an_epoch_that_failed(monkeypatch):
    nodes = {"a": ("make", "input.x"), "b": ("many", "input.x"), "out": ("return", ["a.value", "b.value"])}
    with ps.SynchronousRunner(ps.Tube.load(tube(nodes))) as runner:
        for _ in range(3):
            with pytest.raises(ps.NodeError):
                runner.process(x="three")
            assert Big.live == 0
        assert len(runner.process(x=3)[1]) == 3


CHAIN = """
import json, resource, sys
sys.path.insert(0, {tests!r})
import penstock as ps
stages, runner = int(sys.argv[1]), sys.argv[2]
kinds = {{"sync": ps.SynchronousRunner, "threads": ps.ThreadedRunner, "processes": ps.MultiProcessRunner}}
nodes = {{"n0": {{"type": "release_nodes.grow", "depends": "input.x"}}}}
for k in range(1, stages):
    nodes[f"n{{k}}"] = {{"type": "release_nodes.plus_one", "depends": f"n{{k - 1}}.value"}}
nodes["total"] = {{"type": "release_nodes.total", "depends": f"n{{stages - 1}}.value"}}
nodes["out"] = {{"type": "return", "depends": "total.value"}}
tube = ps.Tube.load({{"noob_id": "chain", "input": {{"x": {{"type": "int", "scope": "process"}}}}, "nodes": nodes}})
seen = []
with kinds[runner](tube) as active:
    active.process(x=1)
    before = active.metrics["peak_rss_bytes"]
    assert active.process(x={size}) == stages * {size}, "wrong answer"
    seen = active.metrics["peak_rss_bytes"] - before
print(json.dumps(seen))
"""
MIB = 1 << 20
SIZE_MIB = int(os.environ.get("PENSTOCK_CHAIN_MIB", "8"))


def grown(stages, runner):
    """By how much the peak memory of all processes grows when a chain's values are SIZE_MIB instead of nothing."""
    code = textwrap.dedent(CHAIN).format(tests=str(Path(release_nodes.__file__).parent), size=SIZE_MIB * MIB // 8)
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(MIB)}  # or malloc keeps what was let go
    command = [sys.executable, "-c", code, str(stages), runner]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=300)
    return json.loads(done.stdout) / MIB


@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_a_chain_of_a_hundred_large_arrays_needs_three_of_them(runner):
    long = grown(100, runner)
    assert long <= 3 * SIZE_MIB + 4, f"{long:.0f} MiB, {long / SIZE_MIB:.1f} values"
