"""Scheduler: counts of what each node of a graph still waits for. The twin of the native one."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from operator import index
from typing import Any

from penstock._errors import FailedPreconditionError, InvalidArgumentError, NotFoundError

_MAX_SHOWN, _MAX_LENGTH = 8, 60


class Scheduler:
    """Says which nodes of a graph are ready: of a Tube, or of a dict of each node and what it waits for.

    The dict is that of graphlib.TopologicalSorter: nodes are any hashable objects, and one that stands only
    among the predecessors of another is a node too.
    """

    backend = "reference"

    def __init__(self, graph: Any) -> None:
        self._names: dict[Hashable, Hashable] = {}  # the first of those that are equal stands for all
        self._num_inputs: dict[Hashable, int] = {}
        self._consumers: dict[Hashable, list] = {}
        edges = []
        for row, predecessors in _rows(graph):
            node = self._enter(row)
            for predecessor in predecessors:
                edges.append((self._enter(predecessor), node))
        for predecessor, node in edges:
            self._num_inputs[node] += 1
            self._consumers[predecessor].append(node)
        self.reset()
        while ready := self.get_ready_nodes():
            self.mark_done(ready)
        if not self.is_complete():
            raise self._cycle(edges)
        self.reset()

    def get_ready_nodes(self) -> list:
        """All nodes that are ready and were not given before. O(nodes given)."""
        given = [node for node in self._ready if node not in self._done]
        self._ready.clear()
        return given

    def get_ready(self, batch: int, /) -> list:
        """The same, at most `batch` of them, oldest first."""
        if index(batch) < 1:
            raise InvalidArgumentError(f"batch must be at least 1: batch={_show(batch)}")
        given: list = []
        while self._ready and len(given) < batch:
            node = self._ready.popleft()
            if node not in self._done:
                given.append(node)
        return given

    def mark_completed(self, node: Hashable, /) -> list:
        """A ready node is done. The nodes that became ready. O(edges from it)."""
        return self.mark_done([node])

    def mark_done(self, done: Any, /) -> list:
        """The same for a node, or for each of a list, in order."""
        newly = [found for node in (done if isinstance(done, list) else [done]) for found in self._complete(node)]
        return [node for node in newly if node not in self._done]

    def reset(self) -> None:
        """Back to the start: nothing given, nothing completed. O(nodes)."""
        self._waiting = dict(self._num_inputs)
        self._ready = deque(node for node, count in self._waiting.items() if count == 0)
        self._done: set = set()

    def is_complete(self) -> bool:
        """Whether every node is completed."""
        return len(self._done) == len(self._waiting)

    def _enter(self, node: Hashable) -> Hashable:
        name = self._names.setdefault(node, node)
        self._num_inputs.setdefault(name, 0)
        self._consumers.setdefault(name, [])
        return name

    def _complete(self, node: Hashable) -> list:
        if node not in self._waiting:
            raise NotFoundError(f"no such node in the graph: {_show(node)}", id="PS0464")
        count = self._waiting[node]
        if count or node in self._done:
            verb = "is" if count == 1 else "are"
            raise FailedPreconditionError(
                f"node {_show(node)} is not ready: {count} of its inputs {verb} not completed"
                if count
                else f"node {_show(node)} is completed already",
                id="PS0463",
                help="complete each node once, after the ones it waits for",
            )
        self._done.add(node)
        newly = []
        for consumer in self._consumers[node]:
            self._waiting[consumer] -= 1
            if self._waiting[consumer] == 0:
                newly.append(consumer)
        self._ready.extend(newly)
        return newly

    def _cycle(self, edges: list[tuple]) -> InvalidArgumentError:
        """Who waits, waits for somebody who waits: a walk comes back to where it was."""
        waits_for: dict = {}
        for predecessor, node in edges:
            if self._waiting[predecessor]:
                waits_for.setdefault(node, predecessor)
        node = next(node for node, count in self._waiting.items() if count)
        place: dict = {}
        while node not in place:
            place[node] = len(place)
            node = waits_for[node]
        cycle = list(place)[place[node] :][::-1]
        shown = [_show(node) for node in cycle[:_MAX_SHOWN]]
        shown.append(_show(cycle[0]) if len(cycle) <= _MAX_SHOWN else f"... ({len(cycle)} nodes)")
        return InvalidArgumentError(
            f"the graph has a cycle: {' -> '.join(shown)}", id="PS0465", help="leave out one of these edges"
        )


def _rows(graph: Any) -> list[tuple]:
    if hasattr(graph, "items"):
        return list(graph.items())
    if hasattr(graph, "depends"):  # a Tube
        return list(graph.depends.items())
    raise InvalidArgumentError(
        "a graph is a Tube, or a dict of each node and what it waits for, not an object of type "
        f"{type(graph).__name__}"
    )


def _show(node: object) -> str:
    text = repr(node)
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 3] + "..."
