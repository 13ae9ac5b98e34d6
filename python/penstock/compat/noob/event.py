"""Events as noob's programs see them: dicts, with markers where a node gave none."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timezone
from enum import StrEnum
from typing import Any, Generic, Literal, TypedDict, TypeVar

from penstock._events import Epoch
from penstock.compat.noob.const import META_SIGNAL

_Value = TypeVar("_Value")
_SEQUENCE_BITS = 32


class Event(TypedDict):
    """One value on one signal."""

    id: int
    timestamp: datetime
    node_id: str
    signal: str
    epoch: Epoch
    value: Any


class MetaEvent(Event):
    """About the run and not of a node: its ``node_id`` is 'meta'."""


class MetaEventType(StrEnum):
    NodeReady = "NodeReady"
    EpochEnded = "EpochEnded"


class MetaSignal(StrEnum):
    NoEvent = f"{META_SIGNAL}NoEvent"
    """The node ran and gave nothing on this signal."""
    Exhausted = f"{META_SIGNAL}Exhausted"
    """The node has ended."""


class NoEventable(Generic[_Value]):
    """Annotation: a value or ``MetaSignal.NoEvent``."""

    def __class_getitem__(cls, item: Any) -> Any:
        return item | Literal[MetaSignal.NoEvent]


_KEYS = frozenset(Event.__annotations__)


def is_event(value: Any) -> bool:
    """True for a dict that has what an event has."""
    return isinstance(value, dict) and value.keys() >= _KEYS


def event_id(prefix: int, sequence: int, shifted: bool = False) -> int:
    """The id of the event ``sequence`` of a maker."""
    return (prefix if shifted else prefix << _SEQUENCE_BITS) ^ sequence


def event_id_parts(event_id: int) -> tuple[int, int]:
    """The maker's prefix and the number of the event."""
    return event_id >> _SEQUENCE_BITS, event_id & ((1 << _SEQUENCE_BITS) - 1)


class EventMaker:
    """Makes events with ids of one series."""

    def __init__(self, prefix: int | None = None, node_id: str | None = None) -> None:
        self.prefix = random.getrandbits(32) if prefix is None else prefix
        self.node_id = node_id
        self._sequence = itertools.count()

    def new_event(
        self,
        value: Any,
        epoch: Epoch,
        node_id: str | None = None,
        signal: str = "value",
        timestamp: datetime | None = None,
    ) -> Event:
        """An event of ``node_id``, or of the maker's own node."""
        node_id = node_id or self.node_id
        if not node_id:
            raise ValueError("node_id is neither given nor set on the EventMaker")
        return {
            "id": event_id(self.prefix, next(self._sequence)),
            "timestamp": timestamp or datetime.now(timezone.utc),
            "node_id": node_id,
            "signal": signal,
            "epoch": epoch,
            "value": value,
        }

    def new_meta_event(
        self, epoch: Epoch, signal: MetaEventType, value: Any = None, timestamp: datetime | None = None
    ) -> MetaEvent:
        """An event about the run."""
        return self.new_event(value, epoch, "meta", signal, timestamp)  # type: ignore[return-value]
