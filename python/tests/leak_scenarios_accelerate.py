"""For test_leaks.py: what calls penstock.accelerate. Imported by leak_scenarios.py."""

import contextlib
import tempfile
from dataclasses import dataclass

import numpy as np
from penstock.accelerate import BufferPool, EventStore, Scheduler, Serializer, get_event_store, get_scheduler, get_serializer

import penstock as ps


class Thing:
    pass


@dataclass
class Measured:
    at: int


def uses_event_store():
    for store in (get_event_store(), EventStore(), get_event_store(force_python=True)):
        thing = Thing()
        thing.store = store  # a cycle
        store.add_event("a", "value", 0, thing)
        store.add_event("a", "value", ps.Epoch(1, [("m", 2)]), [1])
        store.batch_add_events("b", "value", np.arange(5000), np.ones(5000))
        store.batch_add_events([("a", "value", 1, thing), {"node_id": "a", "signal": "value", "epoch": 2, "value": "x"}])
        assert store.get_events("a", "value", 0)[0]["value"] is thing
        assert len(store.batch_get_events([("a", "value", 0), ("b", "value", 7)])) == 2
        assert store.find("b", "value", [1, 10_000]).tolist()[1] == -1 and len(store.scan(0, 3)) == 3
        store.clear_epoch(1)
        assert store.stats()["events"] == len(store)
        with contextlib.suppress(ps.InvalidArgumentError):
            store.add_event(1, "value", 0, thing)
    with tempfile.TemporaryDirectory() as folder:
        with EventStore(path=folder) as store:
            store.add_event("a", "value", 0, {"k": "text"})
            store.flush()
        assert EventStore(path=folder, read_only=True).scan()[0]["value"] == {"k": "text"}


def uses_scheduler():
    graph = {"b": ["a"], ("c", 1): ["a", "b"]}
    for scheduler in (get_scheduler(graph), Scheduler(graph), get_scheduler(graph, force_python=True)):
        while not scheduler.is_complete():
            scheduler.mark_done(scheduler.get_ready(2))
        scheduler.reset()
        with contextlib.suppress(ps.Error):
            scheduler.mark_completed("b")


def uses_serializer():
    value = {"a": [1, {2, 3}], "array": np.zeros(20_000), "measured": Measured(3)}
    serializer = Serializer(types=[Measured])
    assert serializer.deserialize(serializer.serialize(value))["measured"] == Measured(3)
    header, buffers = serializer.serialize_buffers(value)
    assert serializer.deserialize_buffers(header, buffers)["a"] == [1, {2, 3}]
    assert serializer.deserialize_batch(serializer.serialize_batch([1, "x"])) == [1, "x"]
    with contextlib.suppress(ps.InvalidArgumentError):
        get_serializer().serialize(value)  # does not know the class


def uses_buffer_pool():
    pool = BufferPool(4096, 2)
    with pool.lend() as view:
        view[0] = 1
    views = [pool.acquire() for _ in range(3)]
    for view in views:
        pool.release(view)
    with contextlib.suppress(ps.Error):
        pool.release(views[0])
    assert pool.statistics()["acquired"] == 4


@dataclass
class Registered:
    at: int


def registers_type():
    with contextlib.suppress(ValueError):
        ps.register_type(Registered)  # kept for good, as codecs are
    assert ps.decode(ps.encode(Registered(3))) == Registered(3)
