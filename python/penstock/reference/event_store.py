"""EventStore: a dict of lists, under one lock. The twin of the native one."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from operator import index
from typing import Any

from penstock._events import Epoch

_INT64 = range(-(2**63), 2**63)
_ROW_KEYS = ("node_id", "signal", "epoch", "value", "timestamp")


class EventStore:
    """Events by (node_id, signal, epoch).

    ``cache_size`` is that of the native store, which knows so many pairs of names by identity; here it
    does nothing. A log, in the folder ``path``, is written by the native store only.
    """

    backend = property(lambda self: "reference")

    def __init__(self, cache_size: int = 256, path: Any = None, *, read_only: bool = False) -> None:
        if path is not None:
            from penstock._backend import no_twin

            raise no_twin("an event store with a log")
        if not 0 <= cache_size <= 1 << 20:
            raise _invalid(f"cache_size must be 0 to 1048576: seen={cache_size}")
        self._lock = threading.RLock()
        self._events: dict[tuple, list[dict]] = {}  # (node_id, signal, root, path): oldest first
        self._next_id = 0
        self._count = 0
        self._signals: set[tuple] = set()

    def add_event(self, node_id: str, signal: str, epoch: int | Epoch, value: Any, timestamp: Any = None) -> int:
        """Add one event; its id: 0, 1, 2 ... in the order of adding. About 3 us."""
        key = _key(node_id, signal, epoch)
        return self._add([(key, value, _timestamp(timestamp))])[0]

    def get_events(self, node_id: str, signal: str, epoch: int | Epoch) -> list[dict]:
        """Events of one signal in one epoch, oldest first. O(events found)."""
        with self._lock:
            return [dict(event) for event in self._events.get(_key(node_id, signal, epoch), ())]

    def batch_add_events(self, *args: Any, **kwargs: Any) -> range:
        """Add many events at one moment; the range of their ids. Rows, or columns as the native one."""
        if len(args) + len(kwargs) <= 1:
            return self._add(_rows(*args, **kwargs))
        return self._add(_columns(*args, **kwargs))

    def batch_get_events(self, keys: list, /) -> list[list[dict]]:
        """get_events() for each key, all as they were at one moment."""
        if not _is_iterable(keys):
            raise _invalid(f"keys must be a list of (node_id, signal, epoch): type={type(keys).__name__}")
        wanted = []
        for key in keys:
            if not isinstance(key, (tuple, list)) or len(key) != 3:
                raise _invalid(f"a key must be (node_id, signal, epoch): type={type(key).__name__}")
            wanted.append(_key(*key))
        with self._lock:
            return [[dict(event) for event in self._events.get(key, ())] for key in wanted]

    def find(self, node_id: Any, signal: Any, epochs: Any) -> Any:
        """The id of the newest event for each epoch, -1 where there is none: an int64 array."""
        import numpy

        epochs, size = _epochs(epochs, None)
        nodes, size = _names("node_id", node_id, size)
        signals, size = _names("signal", signal, size)
        size = 1 if size is None else size
        keys = [_key(_at(nodes, i), _at(signals, i), _at(epochs, i)) for i in range(size)]
        with self._lock:
            newest = [self._events[key][-1]["id"] if self._events.get(key) else -1 for key in keys]
        return numpy.array(newest, "int64")

    def scan(self, first_id: int = 0, limit: int = 1000) -> list[dict]:
        """Up to ``limit`` events with ids from ``first_id`` on, in order."""
        first_id, limit = _int64("first_id", first_id), _int64("limit", limit)
        if first_id < 0 or limit < 0:
            raise _invalid(f"first_id and limit must not be negative: first_id={first_id} limit={limit}")
        with self._lock:
            found = [event for events in self._events.values() for event in events if event["id"] >= first_id]
        return [dict(event) for event in sorted(found, key=lambda event: event["id"])[:limit]]

    def clear(self) -> None:
        """Forget all events. Ids go on."""
        with self._lock:
            gone, self._events, self._count = self._events, {}, 0
        del gone  # without the lock: what goes may run code that asks the store

    def clear_epoch(self, epoch: int | Epoch, /) -> None:
        """Forget the events of an epoch and of all epochs inside it."""
        root, path = _epoch(epoch)
        with self._lock:
            keys = [key for key in self._events if key[2] == root and key[3][: len(path)] == path]
            gone = [self._events.pop(key) for key in keys]
            self._count -= sum(map(len, gone))

    def flush(self) -> None:
        """Nothing: a store in memory lasts as long as its process."""

    def close(self) -> None:
        """Nothing, for the same reason."""

    def event_count(self) -> int:
        """How many events there are."""
        return self._count

    def __len__(self) -> int:
        return self._count

    def stats(self) -> dict:
        """Counts, with the native store's names; there is no cache."""
        with self._lock:
            counts = {"events": self._count, "next_id": self._next_id, "signals": len(self._signals)}
            return counts | {"cache_hits": 0, "cache_misses": 0}

    def _add(self, events: list[tuple]) -> range:
        with self._lock:
            first = self._next_id
            for (node_id, signal, root, path), value, timestamp in events:
                event = {
                    "id": self._next_id,
                    "node_id": node_id,
                    "signal": signal,
                    "epoch": Epoch(root, path) if path else root,
                    "value": value,
                    "timestamp": timestamp,
                }
                self._events.setdefault((node_id, signal, root, path), []).append(event)
                self._signals.add((node_id, signal, path))
                self._next_id += 1
                self._count += 1
            return range(first, self._next_id)


def _invalid(message: str) -> Exception:
    from penstock._errors import InvalidArgumentError

    return InvalidArgumentError(message)


def _is_iterable(value: Any) -> bool:
    try:
        iter(value)
    except TypeError:
        return False
    return True


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _invalid(f"{what} must be a str: type={type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _invalid(f"{what} holds a lone surrogate, which UTF-8 cannot") from None
    return str(value)


def _int64(what: str, value: Any) -> int:
    try:
        number = index(value)
    except TypeError:
        raise _invalid(f"{what} must be an int: type={type(value).__name__}") from None
    if number not in _INT64:
        raise _invalid(f"{what} does not fit 64 bits")
    return number


def _epoch(epoch: Any) -> tuple[int, tuple]:
    if isinstance(epoch, Epoch):
        return _int64("the root of an epoch", epoch.root), epoch.path
    if not hasattr(type(epoch), "__index__"):
        raise _invalid(f"epoch must be an int or an Epoch: type={type(epoch).__name__}")
    return _int64("epoch", epoch), ()


def _key(node_id: Any, signal: Any, epoch: Any) -> tuple:
    root, path = _epoch(epoch)
    return _text("node_id", node_id), _text("signal", signal), root, path


def _timestamp(timestamp: Any) -> datetime:
    if timestamp is None:
        return datetime.now(tz=timezone.utc)
    seconds = timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp
    try:
        seconds = float(seconds) if not isinstance(seconds, str) else None
    except TypeError:
        seconds = None
    if seconds is None:
        raise _invalid(f"timestamp must be None, a datetime or seconds of unix time: type={type(timestamp).__name__}")
    if not -6.3e10 <= seconds <= 2.5e11:
        raise _invalid(f"timestamp is out of range: seconds={seconds:f}")
    microseconds = int(seconds * 1e6 + (0.5 if seconds >= 0 else -0.5))
    return datetime.fromtimestamp(microseconds // 10**6, tz=timezone.utc).replace(microsecond=microseconds % 10**6)


def _rows(events: Any) -> list[tuple]:
    if not _is_iterable(events):
        raise _invalid(f"events must be a list: type={type(events).__name__}")
    now = _timestamp(None)
    return [_row(event, now) for event in events]


def _row(event: Any, now: datetime) -> tuple:
    if isinstance(event, dict):
        parts = {name: event[name] for name in _ROW_KEYS if name in event}
    elif isinstance(event, (tuple, list)) and len(event) <= 5:
        parts = dict(zip(_ROW_KEYS, event, strict=False))
    else:
        parts = {}
    if not parts.keys() >= set(_ROW_KEYS[:4]):
        raise _invalid(
            f"an event must be (node_id, signal, epoch, value[, timestamp]) or a dict with these keys: type={type(event).__name__}"
        )
    key = _key(parts["node_id"], parts["signal"], parts["epoch"])
    timestamp = parts.get("timestamp")
    return key, parts["value"], now if timestamp is None else _timestamp(timestamp)


def _columns(node_id: Any, signal: Any, epochs: Any, values: Any, timestamps: Any = None) -> list[tuple]:
    values, size = _values(values)
    epochs, size = _epochs(epochs, size)
    if isinstance(timestamps, (list, tuple)):
        size = _agree("timestamps", len(timestamps), size)
        timestamps = [_timestamp(one) for one in timestamps]
    else:
        timestamps = _timestamp(timestamps)
    nodes, size = _names("node_id", node_id, size)
    signals, size = _names("signal", signal, size)
    return [(_key(_at(nodes, i), _at(signals, i), _at(epochs, i)), values[i], _at(timestamps, i)) for i in range(size)]


def _at(column: Any, i: int) -> Any:
    return column[i] if isinstance(column, list) else column


def _agree(what: str, seen: int, wanted: int | None) -> int:
    if wanted is not None and seen != wanted:
        raise _invalid(f"{what} has another length than the other columns: seen={seen} wanted={wanted}")
    return seen


def _names(what: str, names: Any, size: int | None) -> tuple[Any, int | None]:
    if isinstance(names, (list, tuple)):
        size = _agree(what, len(names), size)
        return [_text(what, name) for name in names], size
    return _text(what, names), size


def _array(what: str, value: Any) -> list | None:
    """The items of a one-dimensional array of numbers; None when it is no array."""
    if isinstance(value, (bytes, bytearray)):
        return None
    try:
        view = memoryview(value)
    except TypeError:
        return None
    import numpy

    array = numpy.asarray(view)
    wide = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}.get(array.dtype.kind)
    if array.ndim == 1 and wide is not None and numpy.can_cast(array.dtype, wide, "safe"):
        return array.astype(wide).tolist()
    raise _invalid(
        f"{what} must be a one-dimensional array of floats, integers or bools that fit 64 bits, or a list: type={type(value).__name__}"
    )


def _epochs(epochs: Any, size: int | None) -> tuple[Any, int | None]:
    items = _array("epochs", epochs)
    if items is not None:
        if any(type(item) is not int for item in items) or (not items and memoryview(epochs).format in "dfe?"):
            raise _invalid("epochs must be integers")
        return items, _agree("epochs", len(items), size)
    if isinstance(epochs, (list, tuple)):
        size = _agree("epochs", len(epochs), size)
        return [_int64("epoch", epoch) for epoch in epochs], size
    return _int64("epoch", epochs), size


def _values(values: Any) -> tuple[list, int]:
    items = _array("values", values)
    if items is None:
        if not isinstance(values, (list, tuple)):
            raise _invalid(f"values must be a list or an array: type={type(values).__name__}")
        items = list(values)
    return items, len(items)
