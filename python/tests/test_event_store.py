"""penstock.accelerate.EventStore from Python: identity, threads, forks, and a log that survives a kill."""

import gc
import os
import random
import signal
import subprocess
import sys
import threading
import weakref
from datetime import datetime, timezone

import numpy
import pytest
from penstock.accelerate import EventStore, get_event_store

import penstock as ps


class Thing:
    pass


def ids(events):
    return [event["id"] for event in events]


def test_every_object_comes_back_itself():
    store = EventStore()
    things = [Thing(), [1], "x" * 100, 1.5, 2**80, 10**6, None, True, 7, numpy.ones(3)]
    for at, thing in enumerate(things):
        assert store.add_event("a", "value", at, thing) == at
    for at, thing in enumerate(things):
        (event,) = store.get_events("a", "value", at)
        assert event["value"] is thing
        assert list(event) == ["id", "node_id", "signal", "epoch", "value", "timestamp"]


def test_names_are_told_by_their_text():
    store = get_event_store(cache_size=1)
    for at in range(50):
        # New str objects each time, and more pairs than the cache holds.
        store.add_event("".join(["no", "de"]) + str(at % 5), "".join(["val", "ue"]), 0, at)
    assert [event["value"] for event in store.get_events("node3", "value", 0)] == list(range(3, 50, 5))


def test_timestamps():
    store = EventStore()
    before = datetime.now(tz=timezone.utc)
    store.add_event("a", "value", 0, 1)
    store.add_event("a", "value", 0, 2, datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=timezone.utc))
    store.add_event("a", "value", 0, 3, timestamp=-1.5)
    now, given, seconds = (event["timestamp"] for event in store.get_events("a", "value", 0))
    assert before <= now <= datetime.now(tz=timezone.utc)
    assert given == datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=timezone.utc)
    assert seconds == datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=timezone.utc)


def test_columns_and_search():
    store = EventStore()
    epochs = numpy.arange(100_000)
    assert store.batch_add_events("a", "value", epochs, epochs * 0.5) == range(100_000)
    assert store.batch_add_events("a", "other", epochs[::2], list("xy") * 25_000) == range(100_000, 150_000)
    assert store.get_events("a", "value", 99_999)[0]["value"] == 49_999.5
    found = store.find("a", "other", [0, 1, 2, 10**9])
    assert found.dtype == numpy.int64 and found.tolist() == [100_000, -1, 100_001, -1]
    shuffled = numpy.random.default_rng(1).permutation(epochs)
    assert (store.find("a", "value", shuffled) == shuffled).all()
    assert store.find("a", "nothing", shuffled).max() == -1


def test_epochs_of_maps():
    store = EventStore()
    inner = ps.Epoch(3, [("m", 1), ("k", 0)])
    store.add_event("a", "value", inner, "in")
    store.add_event("a", "value", 3, "root")
    assert store.get_events("a", "value", inner)[0]["epoch"] == inner
    assert store.get_events("a", "value", ps.Epoch(3))[0] == store.get_events("a", "value", 3)[0]
    store.clear_epoch(ps.Epoch(3, [("m", 0)]))
    assert store.event_count() == 2
    store.clear_epoch(ps.Epoch(3, [("m", 1)]))
    assert [event["value"] for event in store.scan()] == ["root"]


def test_clear_lets_objects_go_and_ids_go_on():
    store = EventStore()
    thing = Thing()
    there = weakref.ref(thing)
    store.add_event("a", "value", 0, thing)
    del thing
    assert there() is not None
    store.clear()
    assert there() is None and len(store) == 0
    assert store.add_event("a", "value", 0, 1) == 1


def test_a_value_that_asks_the_store_when_it_goes():
    store = EventStore()
    seen = []

    class Asks:
        def __del__(self):
            seen.append(store.event_count())
            store.add_event("late", "value", 0, len(seen))
            store.clear_epoch(7)

    for epoch in range(3):
        store.add_event("a", "value", epoch, Asks())
    store.clear_epoch(1)
    store.clear()
    assert len(seen) == 3 and store.event_count() >= 1


def test_a_cycle_through_the_store_is_collected():
    class Holder:
        pass

    holder = Holder()
    holder.store = EventStore()
    holder.store.add_event("a", "value", 0, holder)
    there = weakref.ref(holder)
    del holder
    gc.collect()
    assert there() is None


def test_thirty_two_threads():
    store = EventStore()
    start = threading.Barrier(32)
    wrong = []

    def work(number):
        start.wait()
        mine = []
        for epoch in range(200):
            mine.append(store.add_event(f"n{number}", "value", epoch, (number, epoch)))
            if epoch % 20 == 0:
                values = numpy.full(5_000, float(number))
                store.batch_add_events(f"n{number}", "batch", epoch, values)
                got = store.get_events(f"n{number}", "batch", epoch)
                wrong.extend(event for event in got if event["value"] != number)
                wrong.extend([len(got)] * (len(got) != 5_000))
            (event,) = store.get_events(f"n{number}", "value", epoch)
            wrong.extend([event] * (event["value"] != (number, epoch) or event["id"] != mine[-1]))
        wrong.extend([mine] * (mine != sorted(set(mine))))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.event_count() == 32 * (200 + 10 * 5_000)


def test_a_log_is_taken_up_again(tmp_path):
    with EventStore(path=tmp_path / "log") as store:
        store.add_event("a", "value", 0, {"k": [1, (2, "x")]})
        store.add_event("a", "value", ps.Epoch(1, [("m", 2)]), numpy.arange(100_000))
        store.batch_add_events("b", "value", [0, 1], numpy.array([0.5, 1.5]))
        thing = [1]
        store.add_event("a", "value", 5, thing)
        assert store.get_events("a", "value", 5)[0]["value"] is thing
        store.clear_epoch(5)
        before = store.scan()
    again = EventStore(path=tmp_path / "log", read_only=True)
    after = again.scan()
    assert ids(after) == ids(before) == [0, 1, 2, 3]
    assert after[0]["value"] == {"k": [1, (2, "x")]}
    assert (after[1]["value"] == numpy.arange(100_000)).all() and after[1]["epoch"] == ps.Epoch(1, [("m", 2)])
    assert [event["value"] for event in after[2:]] == [0.5, 1.5]
    assert [event["timestamp"] for event in after] == [event["timestamp"] for event in before]
    with pytest.raises(ps.FailedPreconditionError, match="open for reading"):
        again.add_event("a", "value", 0, 1)


def test_what_has_no_encoding_is_not_added_to_a_log(tmp_path):
    store = EventStore(path=tmp_path)
    with pytest.raises(ps.InvalidArgumentError) as caught:
        store.add_event("a", "value", 0, Thing())
    assert caught.value.id == "PS0403"
    assert store.event_count() == 0


def test_one_writer(tmp_path):
    first = EventStore(path=tmp_path)
    with pytest.raises(ps.UnavailableError) as caught:
        EventStore(path=tmp_path)
    assert caught.value.id == "PS0483"
    first.close()
    EventStore(path=tmp_path).close()
    with pytest.raises(ps.FailedPreconditionError, match="closed"):
        first.add_event("a", "value", 0, 1)
    with pytest.raises(ps.NotFoundError):
        EventStore(path=tmp_path / "nothing", read_only=True)
    with pytest.raises(TypeError):
        EventStore(path=7)


def test_a_full_disk_ends_the_log_where_it_was(tmp_path):
    # A limit on the size of files stands for a full disk.
    program = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import penstock as ps
from penstock.accelerate import EventStore
store = EventStore(path={str(tmp_path)!r})
store.add_event("a", "value", 0, "kept")
store.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
store.add_event("a", "value", 1, "x" * 10_000)
for call in (store.flush, lambda: store.add_event("a", "value", 2, 1), store.flush):
    try:
        call()
    except ps.UnavailableError as error:
        print(error.id)
print(store.event_count())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["PS0481", "PS0481", "PS0481", "2"], done.stderr
    assert [event["value"] for event in EventStore(path=tmp_path).scan()] == ["kept"]


_WRITER = """
import sys
from penstock.accelerate import EventStore
store = EventStore(path=sys.argv[1])
at = store.event_count()
print("ready", at, flush=True)
while True:
    for _ in range(7):
        store.add_event("a", "value", at, {"at": at, "pad": "x" * (at % 300)})
        at += 1
    store.flush()
    print(at, flush=True)
"""


def test_what_a_flush_promised_survives_kill_9(tmp_path):
    rounds = 40 if os.environ.get("PENSTOCK_LONG_TESTS") else 6
    dice = random.Random(5)
    promised = 0
    for _ in range(rounds):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
        found = int(writer.stdout.readline().split()[1])
        assert found >= promised
        for _ in range(dice.randrange(1, 60)):
            promised = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        promised = max([promised, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        writer.stdout.close()
        events = EventStore(path=tmp_path, read_only=True).scan(0, 10**9)
        assert len(events) >= promised
        assert [event["value"]["at"] for event in events] == list(range(len(events)))


_FORK = """
import os, sys
import penstock as ps
from penstock.accelerate import EventStore
memory, log = EventStore(), EventStore(path=sys.argv[1])
memory.add_event("a", "value", 0, "before")
log.add_event("a", "value", 0, "before")
child = os.fork()
if child == 0:
    try:
        memory.add_event("a", "value", 0, "child")
        assert [event["value"] for event in memory.get_events("a", "value", 0)] == ["before", "child"]
        memory.clear()
        assert log.event_count() == 1
        for call in (lambda: log.add_event("a", "value", 0, 1), log.flush, log.clear):
            try:
                call()
            except ps.FailedPreconditionError as error:
                assert error.id == "PS0480", error
            else:
                os._exit(3)
        os._exit(0)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(4)
_, status = os.waitpid(child, 0)
log.add_event("a", "value", 0, "after")
log.flush()
print(os.waitstatus_to_exitcode(status), memory.event_count(), log.event_count())
"""


def test_a_fork_has_a_memory_store_of_its_own_and_no_log(tmp_path):
    done = subprocess.run([sys.executable, "-c", _FORK, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "1", "2"], done.stdout + done.stderr
