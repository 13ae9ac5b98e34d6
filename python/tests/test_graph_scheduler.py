"""Scheduler: the scheduler on its own, over a dict or a tube, on both backends; equal to graphlib."""

import gc
import graphlib
import os
import random
import sys
import weakref

import pytest

import penstock as ps
from penstock import _core, reference

NUM_GRAPHS = 10_000 if os.environ.get("PENSTOCK_LONG_TESTS") else 1_500
DIAMOND = {"d": ["b", "c"], "b": ["a"], "c": ["a"]}


@pytest.fixture(params=[_core, reference], ids=["native", "reference"])
def backend(request):
    return request.param


def test_a_diamond_node_by_node(backend):
    scheduler = backend.Scheduler(DIAMOND)
    assert scheduler.backend == {_core: "native", reference: "reference"}[backend]
    assert scheduler.get_ready_nodes() == ["a"]
    assert scheduler.get_ready_nodes() == [], "each is given once"
    assert scheduler.mark_completed("a") == ["b", "c"]
    assert scheduler.get_ready(1) == ["b"]
    assert not scheduler.is_complete()
    assert scheduler.mark_done(["b", "c"]) == ["d"]
    assert scheduler.get_ready(5) == ["d"], "c was done before anybody took it"
    assert scheduler.mark_done("d") == []
    assert scheduler.is_complete()
    assert scheduler.get_ready_nodes() == []


def test_what_became_ready_may_be_followed_without_asking(backend):
    scheduler = backend.Scheduler(DIAMOND)
    ready, order = scheduler.get_ready_nodes(), []
    while ready:
        order += ready
        ready = scheduler.mark_done(ready)
    assert order == ["a", "b", "c", "d"]
    assert scheduler.is_complete()


def test_a_list_is_done_in_order(backend):
    scheduler = backend.Scheduler({"b": ["a"], "c": ["b"]})
    assert scheduler.mark_done(["a", "b"]) == ["c"], "b is done, so it is not to be run"
    scheduler.reset()
    with pytest.raises(ps.FailedPreconditionError, match="'b' is not ready: 1 of its inputs is not completed"):
        scheduler.mark_done(["b", "a"])
    with pytest.raises(ps.FailedPreconditionError):
        scheduler.mark_done(["a", "a"])
    assert scheduler.get_ready_nodes() == ["b"], "what came before the error is done"


def test_completing_twice_too_early_or_what_is_unknown(backend):
    scheduler = backend.Scheduler({"c": ["a", "b", "b"]})
    for wrong, error, id, text in (
        ("c", ps.FailedPreconditionError, "PS0463", "node 'c' is not ready: 3 of its inputs are not completed"),
        ("x", ps.NotFoundError, "PS0464", "no such node in the graph: 'x'"),
        (("a",), ps.NotFoundError, "PS0464", "no such node in the graph: ('a',)"),
    ):
        with pytest.raises(error) as caught:
            scheduler.mark_completed(wrong)
        assert (caught.value.id, str(caught.value)) == (id, text)
    scheduler.mark_completed("a")
    with pytest.raises(ps.FailedPreconditionError, match="node 'a' is completed already") as caught:
        scheduler.mark_completed("a")
    assert caught.value.id == "PS0463"
    with pytest.raises(TypeError, match="unhashable type: 'dict'"):
        scheduler.mark_completed({})
    assert scheduler.mark_done("b") == ["c"]


def test_cycles_are_named(backend):
    for graph, text in (
        ({"a": ["a"]}, "'a' -> 'a'"),
        ({"b": ["a"], "a": ["c"], "c": ["b"], "d": ["a"]}, "'c' -> 'a' -> 'b' -> 'c'"),
        ({n: [(n + 1) % 30] for n in range(30)}, "29 -> 28 -> 27 -> 26 -> 25 -> 24 -> 23 -> 22 -> ... (30 nodes)"),
    ):
        with pytest.raises(ps.InvalidArgumentError) as caught:
            backend.Scheduler(graph)
        assert (caught.value.id, str(caught.value)) == ("PS0465", f"the graph has a cycle: {text}")
    with pytest.raises(ValueError, match="cycle"):
        backend.Scheduler({"a": ["a"]})


def test_any_hashable_is_a_node(backend):
    thing = object()
    graph = {(1, 2): [thing, 1.5, None], thing: [frozenset("ab")], "t": "xy", 2: iter([True]), 1: []}
    scheduler = backend.Scheduler(graph)
    assert scheduler.get_ready_nodes() == [1.5, None, frozenset("ab"), "x", "y", True]
    assert scheduler.mark_done([frozenset("ab"), "x", 1]) == [thing, 2], "True and 1 are one node"


def test_what_is_no_graph(backend):
    for wrong in ([], None, "ab", 5):
        with pytest.raises(ps.InvalidArgumentError, match=f"not an object of type {type(wrong).__name__}"):
            backend.Scheduler(wrong)
    with pytest.raises(TypeError, match="not iterable"):
        backend.Scheduler({"a": 1})
    with pytest.raises(TypeError, match="unhashable"):
        backend.Scheduler({"a": [[]]})


@pytest.mark.parametrize("batch", [0, -1, -(2**80)])
def test_a_batch_has_at_least_one(backend, batch):
    with pytest.raises(ps.InvalidArgumentError, match="batch must be at least 1: batch=-?[0-9]+"):
        backend.Scheduler({}).get_ready(batch)
    assert backend.Scheduler({"a": []}).get_ready(2**80) == ["a"]


def test_an_empty_graph_is_complete(backend):
    scheduler = backend.Scheduler({})
    assert scheduler.is_complete()
    assert scheduler.get_ready_nodes() == []


TUBE = """
noob_id: months
input: {x: {type: any, scope: process}}
nodes:
  numbers: {type: map, depends: input.x}
  doubled: {type: operator.add, depends: [{a: numbers.value}, {b: numbers.value}]}
  all: {type: gather, depends: doubled.value}
  answer: {type: return, depends: [all.value, numbers.n]}
"""


def test_a_tube_gives_its_nodes_and_a_map_counts_once(backend):
    tube = ps.Tube.load(TUBE)
    assert tube.depends == {"numbers": [], "doubled": ["numbers"], "all": ["doubled"], "answer": ["all", "numbers"]}
    scheduler = backend.Scheduler(tube)
    order = []
    while not scheduler.is_complete():
        ready = scheduler.get_ready_nodes()
        order += ready
        scheduler.mark_done(ready)
    assert order == ["numbers", "doubled", "all", "answer"]


def random_graph(draw):
    """Nodes with predecessors, some twice; one graph in five may have cycles."""
    count = draw.randrange(1, 14)
    names = draw.sample(range(100), count)
    has_cycles = draw.random() < 0.2
    rows = [
        (names[n], [draw.choice(names[:n] if not has_cycles else names) for _ in range(draw.randrange(4)) if n or has_cycles])
        for n in range(count)
    ]
    draw.shuffle(rows)
    return dict(row for row in rows if row[1] or draw.random() < 0.5)


def check_cycle(graph, text):
    names = [int(name) for name in text.removeprefix("the graph has a cycle: ").split(" -> ") if name.isdigit()]
    assert len(names) >= 2
    for predecessor, node in zip(names, names[1:], strict=False):
        assert predecessor in graph[node]


def refuses(scheduler, sorter, node):
    with pytest.raises(ValueError):
        sorter.done(node)
    with pytest.raises((ps.FailedPreconditionError, ps.NotFoundError)):
        scheduler.mark_completed(node)


def test_equal_to_graphlib_at_every_step(backend):
    cycles = 0
    for seed in range(NUM_GRAPHS):
        draw = random.Random(seed)
        graph = random_graph(draw)
        sorter = graphlib.TopologicalSorter(graph)
        try:
            sorter.prepare()
        except graphlib.CycleError:
            cycles += 1
            with pytest.raises(ps.InvalidArgumentError, match="cycle") as caught:
                backend.Scheduler(graph)
            check_cycle(graph, str(caught.value))
            continue
        scheduler = backend.Scheduler(graph)
        nodes = {*graph, *(p for row in graph.values() for p in row)}
        out, done = [], set()
        while sorter.is_active():
            assert not scheduler.is_complete(), seed
            found = list(sorter.get_ready())
            batch = draw.choice([None, 1, 3])
            given = []
            while batch is not None and (part := scheduler.get_ready(batch)):
                assert len(part) <= batch
                given += part
            given += scheduler.get_ready_nodes()
            assert given == found, seed
            out += given
            draw.shuffle(out)
            finished = [out.pop() for _ in range(draw.randrange(1, len(out) + 1))]
            before = set(out)
            if draw.random() < 0.1:
                refuses(scheduler, sorter, -1)
                if done:
                    refuses(scheduler, sorter, draw.choice(sorted(done)))
                if waiting := sorted(nodes - done - before - set(finished)):
                    refuses(scheduler, sorter, draw.choice(waiting))
            sorter.done(*finished)
            newly = scheduler.mark_done(finished) if draw.random() < 0.5 else sum(map(scheduler.mark_completed, finished), [])
            done |= set(finished)
            assert set(newly) == {n for n in nodes - done - before if set(graph.get(n, ())) <= done}, seed
        assert scheduler.is_complete(), seed
        assert done == nodes
        if seed % 10 == 0:
            scheduler.reset()
            fresh = graphlib.TopologicalSorter(graph)
            fresh.prepare()
            assert scheduler.get_ready_nodes() == list(fresh.get_ready())
    assert cycles > NUM_GRAPHS // 50


def test_a_scheduler_in_a_cycle_of_references_is_collected():
    class Node:
        pass

    node = Node()
    node.scheduler = _core.Scheduler({node: []})
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None


def test_nodes_keep_their_reference_counts():
    nodes = [object() for _ in range(50)]
    graph = {node: nodes[:n] for n, node in enumerate(nodes)}
    before = [sys.getrefcount(node) for node in nodes]
    for _ in range(3):
        scheduler = _core.Scheduler(graph)
        while not scheduler.is_complete():
            scheduler.mark_done(scheduler.get_ready(7))
        scheduler.reset()
    del scheduler
    assert [sys.getrefcount(node) for node in nodes] == before


class Meddler:
    """A node whose comparison calls the scheduler it is in."""

    scheduler = None

    def __hash__(self):
        return 7

    def __eq__(self, other):
        if Meddler.scheduler is not None:
            Meddler.scheduler.reset()
        return self is other


def test_a_node_that_meddles_does_no_harm():
    nodes = [Meddler() for _ in range(6)]
    scheduler = _core.Scheduler({node: nodes[:n] for n, node in enumerate(nodes)})
    Meddler.scheduler = scheduler
    try:
        for _ in range(20):
            scheduler.get_ready(3)
            try:
                scheduler.mark_done(list(reversed(nodes)))
            except ps.FailedPreconditionError:
                scheduler.mark_done([nodes[0]])
    except ps.FailedPreconditionError:
        pass
    finally:
        Meddler.scheduler = None
    scheduler.reset()
    assert scheduler.get_ready_nodes() == nodes[:1]
