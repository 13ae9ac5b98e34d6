"""Programs of an event store: the same calls, the same answers."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import numpy
from hypothesis import strategies as st

import penstock as ps
from parity import Case, backend_of, outcome

_TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
_names = st.sampled_from([*"aaaaaab", "\u00fc", ""])
_roots = st.integers(0, 2)
_epochs = st.one_of(
    st.just(0),
    _roots,
    _roots.map(lambda root: ps.Epoch(root)),
    st.tuples(_roots, st.sampled_from(["m", "n"]), st.integers(0, 2)).map(lambda e: ps.Epoch(e[0], [e[1:]])),
    st.tuples(_roots, st.integers(0, 1)).map(lambda e: ps.Epoch(e[0], [("m", e[1]), ("k", 0)])),
)
_objects = [object(), [1], {}, "text", 2**70, 257, -6, 1.5, 0, True, None]
_values = st.sampled_from(range(len(_objects))).map(lambda i: _objects[i])
_times = st.sampled_from([_TIME, 0, 1.25, -3.5, 1_700_000_000.123456])
_bad = st.sampled_from([1, None, b"a", "\ud800", [], 2**63, 1.5, float("nan"), 1e30])
_keys = st.tuples(_names, _names, _epochs)
_rows = st.tuples(_names, _names, _epochs, _values, _times)
_arrays = st.sampled_from(
    [
        numpy.array([1.5, float("inf")]),
        numpy.array([3, -4], "int16"),
        numpy.array([True, False]),
        numpy.array([1, 2], "float32"),
        numpy.array([1, 2, 3], "uint64"),
        numpy.array(["a", "b"]),
        numpy.ones((2, 2)),
        numpy.arange(8.0)[::4],
        [None, "x"],
        ("x", 2),
        7,
    ]
)
_epoch_columns = st.sampled_from(
    [3, [1, 2], (4, 4), numpy.array([2, 1]), numpy.array([5, 5], "uint8"), numpy.array([1.0, 2.0]), [1], "x", [None, 2]]
)
_name_columns = st.one_of(_names, st.lists(_names, min_size=1, max_size=3))
_good = st.one_of(
    st.tuples(st.just("add_event"), _names, _names, _epochs, _values, _times),
    st.tuples(st.just("get_events"), _names, _names, _epochs),
    st.tuples(st.just("get_events"), _names, _names, _epochs),
    st.tuples(st.just("add_event"), _names, _names, _epochs, _values, _times),
    st.tuples(st.just("get_events"), _names, _names, _epochs),
    st.tuples(st.just("batch_add_events"), st.lists(_rows, max_size=12)),
    st.tuples(st.just("batch_add_events"), _name_columns, _name_columns, _epoch_columns, _arrays, _times),
    st.tuples(st.just("batch_get_events"), st.lists(_keys, max_size=6)),
    st.tuples(st.just("find"), _name_columns, _name_columns, _epoch_columns),
    st.tuples(st.just("scan"), st.integers(-1, 20), st.integers(-1, 9)),
    st.tuples(st.just("clear_epoch"), _epochs),
    st.tuples(st.just("clear")),
    st.tuples(st.just("event_count")),
    st.tuples(st.just("flush")),
    st.tuples(st.just("close")),
    st.tuples(st.just("__len__")),
)
_wrong = st.one_of(
    st.tuples(st.just("add_event"), _bad, _names, _epochs, _values, _times),
    st.tuples(st.just("add_event"), _names, _names, _bad, _values, _times),
    st.tuples(st.just("add_event"), _names, _names, _epochs, _values, st.sampled_from(["x", 1e30, [], float("nan")])),
    st.tuples(st.just("get_events"), _names, _bad, _epochs),
    st.tuples(st.just("batch_add_events"), st.lists(st.one_of(_rows, _bad), max_size=4)),
    st.tuples(st.just("batch_get_events"), st.lists(st.one_of(_keys, _bad), max_size=4)),
    st.tuples(st.just("clear_epoch"), _bad),
    st.tuples(st.just("batch_add_events"), _bad),
)
# Three of four calls are good.
_calls = st.sampled_from([_good, _good, _good, _wrong]).flatmap(lambda calls: calls)


def run(backend: str, program: tuple[int, list[tuple]]) -> list:
    """What each call gave; values by identity."""
    cache_size, calls = program
    store = backend_of(backend).EventStore(cache_size)
    made = [_told(outcome(getattr(store, name), *arguments)) for name, *arguments in calls]
    stats = store.stats()
    return [*made, {name: stats[name] for name in ("events", "next_id")}, _told(store.scan(0, 10_000))]


def _told(result: Any) -> Any:
    if isinstance(result, dict):
        by_identity = any(result["value"] is one for one in _objects)
        value = id(result["value"]) if by_identity else (type(result["value"]), result["value"])
        return [(name, value if name == "value" else item) for name, item in result.items()]
    if isinstance(result, (list, tuple)):
        return [_told(item) for item in result]
    return result.tolist() if isinstance(result, numpy.ndarray) else result


@contextmanager
def _forgets_the_newest():
    from penstock.reference.event_store import EventStore

    kept = EventStore.get_events
    EventStore.get_events = lambda self, *key: kept(self, *key)[:-1]
    try:
        yield
    finally:
        EventStore.get_events = kept


@contextmanager
def _keeps_inner_epochs():
    from penstock.reference.event_store import EventStore

    kept = EventStore.clear_epoch

    def clear_root_only(self, epoch):
        inner = {key: events for key, events in self._events.items() if key[3]}
        kept(self, epoch)
        self._events |= inner

    EventStore.clear_epoch = clear_root_only
    try:
        yield
    finally:
        EventStore.clear_epoch = kept


_encodable = st.sampled_from([*[1, "x", {"k": (1, None)}, b"y"] * 8, b"y" * 66_000])
_pair = numpy.array([0.5, -1.0])
_logged = st.one_of(
    st.tuples(st.just("add_event"), _names, _names, _epochs, _encodable, _times),
    st.tuples(st.just("add_event"), _names, _names, _epochs, st.just(_objects[0]), _times),
    st.tuples(st.just("batch_add_events"), _names, _names, st.just([0, 1]), st.just(_pair), _times),
    st.tuples(st.just("batch_add_events"), _names, _names, st.just(1), st.just([True, "z"]), _times),
    st.tuples(st.just("clear_epoch"), _epochs),
    st.tuples(st.just("clear")),
    st.tuples(st.just("flush")),
    st.tuples(st.just("flush")),
)


def run_with_log(backend: str, program: list[list[tuple]]) -> list:
    """The same with a log that the two backends take up in turn; in the end the native one says what is in it."""
    other = {"native": "reference", "reference": "native"}[backend]
    told = []
    with tempfile.TemporaryDirectory() as folder:
        for turn, calls in enumerate(program):
            with backend_of([backend, other][turn % 2]).EventStore(path=folder) as store:
                made = [outcome(getattr(store, name), *arguments) for name, *arguments in calls]
                told.append([[str(result).replace(folder, "FOLDER") for result in made], str(store.scan(0, 10_000))])
        with backend_of("native").EventStore(path=folder, read_only=True) as store:
            told.append(str(store.scan(0, 10_000)))
            told.append(outcome(store.add_event, "a", "a", 0, 1)[:2])
    return told


@contextmanager
def _loses_clears():
    from penstock.reference.event_log import EventLog

    kept = EventLog.note
    EventLog.note = lambda self, step: step[0] == "clear" or kept(self, step)
    try:
        yield
    finally:
        EventLog.note = kept


CASES = [
    Case(
        "event_log",
        st.lists(st.lists(_logged, min_size=1, max_size=6), min_size=1, max_size=3),
        run_with_log,
        [("loses clears", _loses_clears)],
        covers=("EventStore",),
        share=0.1,
    ),
    Case(
        "event_store",
        st.tuples(st.sampled_from([0, 1, 256]), st.lists(_calls, min_size=4, max_size=40)),
        run,
        [("forgets the newest event", _forgets_the_newest), ("keeps inner epochs", _keeps_inner_epochs)],
        covers=("EventStore",),
    )
]
