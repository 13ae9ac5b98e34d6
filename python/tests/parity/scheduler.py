"""Programs of a scheduler: the same graph, the same calls, the same nodes in the same order."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from parity import Case, backend_of, outcome

_nodes = st.one_of(
    st.integers(0, 6),
    st.sampled_from(["a", "b", "\u00fc", ("t", 1), 1.0, True, None, frozenset([1]), "x" * 80]),
)
_small = st.integers(0, 4)
_wrong = st.sampled_from([7, "nowhere", "y" * 90, [1], {}, {1, 2}])
# Mostly without cycles: a node waits for some that were named before it.
_dags = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=4), min_size=3, max_size=9).map(
    lambda rows: {node: [p % node for p in row if node] for node, row in enumerate(rows)}
)
_graphs = st.one_of(
    _dags,
    _dags,
    st.dictionaries(_nodes, st.lists(_nodes, max_size=4), max_size=7),
    st.sampled_from([[], None, {"a": 5}, {"a": "bc"}, {1: [[2]]}, {n: [(n + 1) % 20] for n in range(20)}]),
)
_steps = st.one_of(
    st.sampled_from([("get_ready_nodes",), ("get_ready_nodes",), ("reset",), ("is_complete",)]),
    st.tuples(st.just("get_ready"), st.sampled_from([1, 2, 3, 2**70, 0, -1, -(2**70), 1.5])),
    st.tuples(st.just("mark_completed"), st.one_of(_small, _nodes, _wrong)),
    st.tuples(st.just("mark_done"), st.one_of(_small, st.lists(_small, max_size=4), _nodes, _wrong)),
    st.just(("finish",)),  # completes what was given last
)


def _run(backend: str, program: Any) -> Any:
    graph, steps = program
    made = outcome(backend_of(backend).Scheduler, graph)
    if made[0] == "raises":
        return made
    scheduler = made[1]
    given: list = []
    seen = []
    for name, *arguments in steps:
        if name == "finish":
            found = outcome(scheduler.mark_done, given)
        else:
            found = outcome(getattr(scheduler, name), *arguments)
        if name.startswith("get_ready") and found[0] == "gives":
            given = found[1]
        seen.append((name, arguments, found, scheduler.is_complete()))
    return seen


@contextmanager
def _broken(name: str, other: Any):
    from penstock.reference.scheduler import Scheduler

    kept = getattr(Scheduler, name)
    setattr(Scheduler, name, other(kept))
    try:
        yield
    finally:
        setattr(Scheduler, name, kept)


CASES = [
    Case(
        "scheduler",
        st.tuples(_graphs, st.lists(_steps, min_size=4, max_size=20)),
        _run,
        [
            ("gives the newest first", lambda: _broken("get_ready_nodes", lambda kept: lambda self: kept(self)[::-1])),
            ("completes nodes that wait", lambda: _broken("_complete", lambda kept: _complete_anyway(kept))),
        ],
        covers=("Scheduler",),
        share=3.0,
    )
]


def _complete_anyway(kept: Any) -> Any:
    def complete(self: Any, node: Any) -> list:
        if self._waiting.get(node):
            self._waiting[node] = 0
        return kept(self, node)

    return complete
