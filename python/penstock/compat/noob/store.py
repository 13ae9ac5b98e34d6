"""EventStore: the events of the last epoch, by epoch, node and signal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator
from typing import Any

from penstock import accelerate
from penstock._events import Epoch
from penstock.compat.noob.edge import Edge
from penstock.compat.noob.event import Event, EventMaker, MetaSignal, is_event


class EventStore:
    """Events that can be looked up, in noob's shape: a face of :class:`penstock.accelerate.EventStore`.

    A runner's store has the events of its last epoch. They are put in when somebody looks; an epoch that
    nobody looks at costs nothing.
    """

    def __init__(self) -> None:
        self.event_maker = EventMaker()
        self._store = accelerate.EventStore()
        self._fill: Callable[[], list[Event]] | None = None

    def fill_later(self, fill: Callable[[], list[Event]]) -> None:
        """Forget all; ``fill`` gives the events when they are asked for."""
        if len(self._store):
            self._store.clear()
        self._fill = fill

    def _filled(self) -> accelerate.EventStore:
        if self._fill is not None:
            fill, self._fill = self._fill, None
            self._store.batch_add_events([_row(event) for event in fill()])
        return self._store

    @property
    def events(self) -> dict:
        """``events[epoch][node][signal]`` is a list of events; a picture of what there is now."""
        found: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for event in self.iter():
            found[event["epoch"]][event["node_id"]][event["signal"]].append(event)
        return found

    @property
    def flat_events(self) -> list[Event]:
        """All of them in one list."""
        return list(self.iter())

    def iter(self) -> Generator[Event, None, None]:
        """All of them, in the order of adding."""
        store = self._filled()
        for kept in store.scan(0, len(store)):
            yield kept["value"]

    def add(self, event: Event) -> Event:
        """Add one."""
        self._filled().add_event(*_row(event))
        return event

    def add_value(self, signals: Any, value: Any, node_id: str, epoch: Epoch) -> list[Event]:
        """Add what a node returned: one event per signal; what is an event already stays as it is."""
        added: list[Event] = []
        for signal, item in zip(signals, [value] if len(signals) == 1 else value, strict=False):
            if is_event(item):
                added.append(self.add(item))
            elif isinstance(item, (list, tuple)) and item and is_event(item[0]):
                added += [self.add(event) for event in item]
            else:
                added.append(self.add(self.event_maker.new_event(item, epoch, node_id, signal)))
        return added

    def get(self, node_id: str, signal: str, epoch: Epoch | int) -> Event:
        """The latest event of a signal in ``epoch`` or the nearest around it; -1: in any. Else KeyError."""
        if isinstance(epoch, int):
            epochs = list(reversed(dict.fromkeys(event["epoch"] for event in self.iter())))
        else:
            epochs = [epoch, *epoch.parents]
        for found in self._filled().batch_get_events([(node_id, signal, at) for at in epochs]):
            if found:
                return found[-1]["value"]
        raise KeyError(f"No event found for node_id: {node_id}, signal: {signal}, epoch: {epoch}")

    def collect_events(self, edges: list[Edge], epoch: Epoch | int) -> list[Event] | None:
        """The events of ``edges`` that there are; None for none."""
        found = []
        for edge in edges:
            try:
                found.append(self.get(edge.source_node, edge.source_signal, epoch))
            except KeyError:
                continue
        return found or None

    def collect(self, edges: list[Edge], epoch: Epoch | int, eventmap: str | None = None) -> dict | None:
        """``{slot: value}`` for a node with these edges; under ``eventmap`` the events themselves."""
        events = self.collect_events(edges, epoch)
        if events is None:
            return None if eventmap is None else {eventmap: {}}
        values = self.transform_events(edges, events)
        if eventmap is not None:
            values[eventmap] = self.transform_events(edges, events, as_events=True)
        return values

    @staticmethod
    def transform_events(edges: list[Edge], events: list[Event], as_events: bool = False) -> dict:
        """``{slot: value}``, or ``{slot: event}``; signals without an event are left out."""
        found = {}
        for edge in edges:
            for event in events:
                if (event["node_id"], event["signal"]) != (edge.source_node, edge.source_signal):
                    continue
                if event["value"] is not MetaSignal.NoEvent:
                    found[edge.target_slot] = event if as_events else event["value"]
        return found

    @staticmethod
    def split_args_kwargs(inputs: dict) -> tuple[tuple, dict]:
        """Positions in order, None being the first, and names."""
        positions = {0 if slot is None else slot: value for slot, value in inputs.items() if not isinstance(slot, str)}
        names = {slot: value for slot, value in inputs.items() if isinstance(slot, str)}
        return tuple(positions[at] for at in sorted(positions)), names

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget all, or one epoch and those inside it."""
        if epoch is not None:
            self._filled().clear_epoch(epoch)
            return
        self._fill = None
        self._store.clear()


def _row(event: Event) -> tuple:
    return event["node_id"], event["signal"], event["epoch"], event
