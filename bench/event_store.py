"""The event store: single adds and columns from Python, columns and keyed look-ups from C++.

Python: a million add_event() calls beside the plain-Python twin (a dict of lists); a million events by columns
(numpy) beside list.extend and deque.extend of the values alone, which is less work. C++ (event_store_ours.cc,
event_store_tbb.cc say what each measures): batches of 4,096 beside oneTBB's concurrent_vector, alone and while a
reader looks keys up; batched look-ups of 1,000,000 keys on two threads beside concurrent_hash_map. Memory is warm on
every side: each keeps what it took for the sample before. concurrent_vector is shown twice: event by event (push_back)
and in batches (grow_by). Look-ups are bound by memory: the machine's own rate of independent random reads, which
neighbours change, is the limit.
"""

import time

import harness

COUNT = 1_000_000


def _adds(make):
    def side(stack):
        store = make()
        value = object()

        def sample():
            store.clear()
            add = store.add_event
            start = time.perf_counter()
            for epoch in range(COUNT):
                add("node", "value", epoch, value)
            seconds = time.perf_counter() - start
            (event,) = store.get_events("node", "value", COUNT - 1)
            return seconds, [event["value"] is value, store.event_count()]

        return sample

    return side


def _native():
    from penstock._core import EventStore

    return EventStore()


def _twin():
    from penstock.reference import EventStore

    return EventStore()


adds_native, adds_twin = _adds(_native), _adds(_twin)


def columns_ours(stack):
    import numpy

    epochs, values, store = numpy.arange(COUNT), numpy.arange(COUNT) * 0.5, _native()

    def sample():
        store.clear()
        start = time.perf_counter()
        store.batch_add_events("node", "value", epochs, values)
        seconds = time.perf_counter() - start
        return seconds, [store.event_count(), store.get_events("node", "value", COUNT - 1)[0]["value"]]

    return sample


def _extend(kind):
    def side(stack):
        import collections

        values = [epoch * 0.5 for epoch in range(COUNT)]
        kept = collections.deque() if kind == "deque" else []

        def sample():
            kept.clear()
            start = time.perf_counter()
            kept.extend(values)
            return time.perf_counter() - start, [len(kept), kept[-1]]

        return sample

    return side


list_extend, deque_extend = _extend("list"), _extend("deque")


def rows(pairs):
    made = []
    with harness.python_side("event_store", "adds_native") as ours, harness.python_side("event_store", "adds_twin") as twin:
        measured = harness.paired(ours, twin, pairs)
    made.append(
        harness.bar_row(
            "1,000,000 add_event calls", measured, scale=1, unit="s", peer_name="reference store", at_most=0.18, at_least_ratio=9
        )
    )
    for peer in ("list", "deque"):
        with (
            harness.python_side("event_store", "columns_ours") as ours,
            harness.python_side("event_store", f"{peer}_extend") as other,
        ):
            measured = harness.paired(ours, other, pairs)
        made.append(
            harness.bar_row(
                "columns of 1,000,000 events from numpy, per event",
                measured,
                scale=1e9 / COUNT,
                unit="ns",
                peer_name=f"{peer}.extend",
                at_most=1e9 / 150e6,
            )
        )
    cases = [
        ("append", "push", "batches of 4,096 from C++, per event", 1e9 / 150e6, 3, "push_back"),
        ("append", "append", "batches of 4,096 from C++, per event", 1e9 / 150e6, 3, "grow_by"),
        ("reading", "append", "the same with a reader running, per event", 1e9 / 100e6, None, "grow_by, no reader"),
        ("uniform", "uniform", "look-up of 1 M keys, uniform, 2 threads, per key", 1e9 / 80e6, 4, "concurrent_hash_map"),
        ("zipf", "zipf", "look-up of 1 M keys, Zipf 0.99, 2 threads, per key", 1e9 / 80e6, 4, "concurrent_hash_map"),
    ]
    for ours_case, peer_case, what, most, ratio, peer in cases:
        sides = [
            harness.Side([harness.cpp("event_store_ours"), ours_case], "event_store_ours"),
            harness.Side([harness.cpp("event_store_tbb"), peer_case], "event_store_tbb"),
        ]
        with sides[0], sides[1]:
            measured = harness.paired(*sides, pairs)
        made.append(
            harness.bar_row(what, measured, scale=1e9, unit="ns", peer_name=f"oneTBB {peer}", at_most=most, at_least_ratio=ratio)
        )
    return made
