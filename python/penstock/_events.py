"""Epochs, events and the small vocabulary that node functions use."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from functools import total_ordering
from typing import Any, TypedDict


class _NoEvent:
    """Return this from a node for "no event": consumers that need the signal do not run."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "penstock.NoEvent"

    def __reduce__(self) -> str:
        return "NoEvent"

    def __bool__(self) -> bool:
        return False


NoEvent = _NoEvent()


class Name:
    """Names a signal in a return annotation: ``Annotated[int, Name("index")]``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Name({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.name == self.name

    def __hash__(self) -> int:
        return hash((Name, self.name))


def process_method(method):
    """Marks the method of a class that a node calls, when it is not called ``process``."""
    method.__penstock_process__ = True
    return method


@total_ordering
class Epoch:
    """One pass through the graph: a root number, then one ``(map id, index)`` per enclosing map.

    Ordered by root, then path; a prefix sorts first. Immutable and hashable. ``epoch / ("m", 0)`` is a
    sub-epoch, ``epoch + 1`` and ``epoch - 1`` its neighbours, ``len(epoch)`` its depth (1 for a root
    epoch), ``epoch[i]`` a ``(name, index)`` of which the first is ``("tube", root)``. A node gets it by
    a parameter annotated ``Epoch``.
    """

    __slots__ = ("root", "path")
    root: int
    path: tuple[tuple[str, int], ...]

    def __init__(self, root: int, path: Iterable[tuple[str, int]] = ()) -> None:
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "path", tuple((name, index) for name, index in path))
        if root < 0 or any(index < 0 for _, index in self.path):
            raise ValueError(f"an epoch has no negative number: root={root} path={self.path}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an Epoch is immutable")

    @property
    def root_epoch(self) -> Epoch:
        """The root epoch it lies in, perhaps itself."""
        return Epoch(self.root)

    @property
    def is_root(self) -> bool:
        """True outside any map."""
        return not self.path

    @property
    def leaf(self) -> tuple[str, int] | None:
        """The innermost ``(map id, index)``; None for a root epoch."""
        return self.path[-1] if self.path else None

    @property
    def parent(self) -> Epoch | None:
        """The epoch of the enclosing map; None for a root epoch."""
        return Epoch(self.root, self.path[:-1]) if self.path else None

    @property
    def parents(self) -> list[Epoch]:
        """All enclosing epochs, nearest first."""
        return [Epoch(self.root, self.path[:depth]) for depth in reversed(range(len(self.path)))]

    def make_subepochs(self, node: str, n: int) -> list[Epoch]:
        """The first ``n`` epochs of the map ``node`` in this one."""
        return [self / (node, index) for index in range(n)]

    def __truediv__(self, step: tuple[str, int]) -> Epoch:
        return Epoch(self.root, (*self.path, step))

    def __add__(self, count: int) -> Epoch:
        if not self.path:
            return Epoch(self.root + count)
        name, index = self.path[-1]
        return Epoch(self.root, (*self.path[:-1], (name, index + count)))

    def __sub__(self, count: int) -> Epoch:
        return self + -count

    def __len__(self) -> int:
        return 1 + len(self.path)

    def __getitem__(self, at: int) -> tuple[str, int]:
        return (("tube", self.root), *self.path)[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epoch) and (self.root, self.path) == (other.root, other.path)

    def __lt__(self, other: Epoch) -> bool:
        return (self.root, self.path) < (other.root, other.path)

    def __hash__(self) -> int:
        return hash((self.root, self.path))

    def __reduce__(self) -> tuple:
        return (Epoch, (self.root, self.path))

    def __repr__(self) -> str:
        return f"Epoch({str(self)!r})"

    def __str__(self) -> str:
        return str(self.root) + "".join(f"/{name}[{index}]" for name, index in self.path)

    def to_wire(self) -> int | list:
        """As JSON has it: the root number, or a list of it and ``[map id, index]`` per map."""
        return self.to_payload() if self.path else self.root

    @staticmethod
    def from_wire(wire: int | list) -> Epoch:
        """What :meth:`to_wire` gave."""
        return Epoch(wire) if isinstance(wire, int) else Epoch.from_payload(wire)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """For models of pydantic that hold epochs; called by pydantic only."""
        from pydantic_core import core_schema

        def read(value: Any) -> Epoch:
            return value if isinstance(value, Epoch) else Epoch.from_wire(value)

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(Epoch.to_wire, when_used="json")
        )

    def to_payload(self) -> list:
        """What the codec writes."""
        return [self.root, *([name, index] for name, index in self.path)]

    @staticmethod
    def from_payload(payload: list) -> Epoch:
        """What the codec reads."""
        return Epoch(payload[0], payload[1:])


class EventMap(dict):
    """Annotation of a parameter that gets the raw events of a call: ``{slot: event}``.

    An event is a dict ``{id, timestamp, node_id, signal, epoch, value}``. Its id and timestamp are those
    of its arrival at this node; ``node_id`` is ``'input'`` for an input of the tube.
    """

    def to_payload(self) -> dict:
        """What the codec writes."""
        return {
            slot: event | {"timestamp": event["timestamp"].isoformat()} for slot, event in self.items()
        }

    @staticmethod
    def from_payload(payload: dict) -> EventMap:
        """What the codec reads."""
        return EventMap(
            {
                slot: event | {"timestamp": datetime.fromisoformat(event["timestamp"])}
                for slot, event in payload.items()
            }
        )


class RunnerContext(TypedDict):
    """Annotation of a parameter of ``Node.init`` that gets what is known of the run."""

    runner: str
    """'sync', 'threads', 'processes' or 'async'."""
    inputs: dict[str, Any]
    """Values of the tube-scoped inputs."""


_received = itertools.count(time.time_ns() & ~0xFFFFFFFF)


def make_received(node_id: str, signal: str, root: int, path: list, value: Any) -> dict:
    """An event as a node gets it by an EventMap. Called from the extension."""
    return {
        "id": next(_received),
        "timestamp": datetime.now(tz=timezone.utc),
        "node_id": node_id,
        "signal": signal,
        "epoch": Epoch(root, path),
        "value": value,
    }


def make_event(id, timestamp_us, node_id, signal, root, path, value) -> dict:
    """The event dict that callbacks get. Called from the extension."""
    return {
        "id": id,
        "timestamp": datetime.fromtimestamp(timestamp_us / 1e6, tz=timezone.utc),
        "node_id": node_id,
        "signal": signal,
        "epoch": Epoch(root, path),
        "value": value,
    }
