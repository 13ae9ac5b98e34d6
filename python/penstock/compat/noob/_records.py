"""From what the engine tells of a run to noob's events: one per signal of each call, markers included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from penstock._events import Epoch
from penstock.compat.noob._result import ResultShape
from penstock.compat.noob._wiring import Path, Values, Wiring
from penstock.compat.noob.event import Event, EventMaker, MetaEventType, MetaSignal


class Translator:
    """Turns the records of one epoch after another into events, and hands each on as it comes.

    Calls of maps, gathers, nested tubes and the return are not among the records: what they did not give
    follows from what they got, and is told at the end of the epoch.
    """

    def __init__(
        self,
        wiring: Wiring,
        signals: dict[str, list[str]],
        enabled: Callable[[str], bool],
        result: ResultShape | None,
        sink: Callable[[Event], Any],
    ) -> None:
        self._wiring = wiring
        self._signals = signals
        self._enabled = enabled
        self._result = result
        self._sink = sink
        self._maker = EventMaker()
        self._lacking: tuple | None = None  # a call of which not all signals have been seen
        self._seen: set[str] = set()
        self._offset = 0
        self.values = Values()

    def begin(self, offset: int) -> None:
        """Another epoch; ``offset`` is added to its number."""
        self._offset = offset
        self.values = Values()
        self._lacking = None

    def take(self, record: tuple) -> None:
        """One record of penstock._core.Runner.add_sink()."""
        node, signal, root, path, *rest = record
        root += self._offset
        if node == "meta":
            self._end(root, record)
            return
        if node not in self._signals:
            return  # of a nested tube, or an asset: not this tube's own
        if rest:
            if self._lacking is not None and (node, root, path) != self._lacking[:3]:
                self._fill()
            self.values.add(node, signal, path, rest[0])
            self._seen.add(signal)
            self._sink(make_event(record, root))
            return
        self._fill()
        marker = MetaSignal.Exhausted if signal == "exhausted" else MetaSignal.NoEvent
        self._lacking = (node, root, path, marker)
        self._seen.clear()

    def _fill(self) -> None:
        if self._lacking is None:
            return
        node, root, path, marker = self._lacking
        self._lacking = None
        for signal in self._signals[node]:
            if signal not in self._seen:
                self._mark(node, signal, root, path, marker)

    def _mark(self, node: str, signal: str, root: int, path: Path, marker: MetaSignal = MetaSignal.NoEvent) -> None:
        self._sink(self._maker.new_event(marker, Epoch(root, path), node, signal))

    def _end(self, root: int, record: tuple) -> None:
        self._fill()
        for node, type_ in self._wiring.types.items():
            if type_ in ("map", "gather", "return", "tube") and self._enabled(node):
                for signal, path in self._not_given(node, type_):
                    self._mark(node, signal, root, path)
        epoch = Epoch(root)
        event = make_event(record, root)
        event["signal"], event["value"] = MetaEventType.EpochEnded, epoch
        self._sink(event)

    def _not_given(self, node: str, type_: str) -> Iterator[tuple[str, Path]]:
        """(signal, path) for each signal that a call of a structural node left without an event."""
        values = self.values
        if type_ == "gather":
            yield from self._held(node)
            return
        if type_ == "return":
            if self._result is not None:
                yield from (("value", path) for path in self._result.calls(values))
            return
        edges = [edge for edge in self._wiring.edges[node] if edge.source_node not in ("input", "assets")]
        for path in values.epochs(self._wiring.region(node)):
            if not all(values.at(e.source_node, e.source_signal, path) for e in edges if e.required):
                continue
            if type_ == "map":
                if path not in values.present.get((node, "n"), {}):
                    yield from ((signal, path) for signal in ("value", "n"))
                continue
            for signal in self._signals[node]:
                if path not in values.present.get((node, signal), {}):
                    yield signal, path

    def _held(self, node: str) -> Iterator[tuple[str, Path]]:
        """noob calls a gather for each value: each but the one that lets it go gives no event."""
        source, signal = self._wiring.gathered(node)
        region = self._wiring.signal_region(source, signal)
        given = self.values.present.get((node, "value"), {})
        by_outer: dict[Path, list[Path]] = {}
        paths = [()] if source in ("input", "assets") else sorted(self.values.present.get((source, signal), {}))
        for path in paths:
            by_outer.setdefault(path[: max(len(region) - 1, 0)], []).append(path)
        for outer, paths in by_outer.items():
            yield from (("value", path) for path in (paths[:-1] if outer in given else paths))


def make_event(record: tuple, root: int) -> Event:
    """The event dict of a record, in the epoch of this number."""
    node, signal, _, path, value, id, timestamp_us = record
    return {
        "id": id,
        "timestamp": datetime.fromtimestamp(timestamp_us / 1e6, tz=timezone.utc),
        "node_id": node,
        "signal": signal,
        "epoch": Epoch(root, path),
        "value": value,
    }
