"""The events of a run in an event store: of a runner, and of `penstock run --events`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from penstock.accelerate import EventStore

import penstock as ps

TUBE = """
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 3}}
  letters: {type: test_recorded_events.letters, depends: [{n: count.index}]}
  each: {type: map, depends: letters.value}
  upper: {type: test_recorded_events.upper, depends: [{letter: each.value}]}
  out: {type: return, depends: upper.value}
"""


def letters(n: int) -> list[str]:
    return list("abc")[: n + 1]


def upper(letter: str) -> str:
    return letter.upper()


def told(events):
    return sorted((e["node_id"], e["signal"], str(e["epoch"]), str(e["value"])) for e in events)


@pytest.mark.parametrize("runner", [ps.SynchronousRunner, ps.ThreadedRunner, ps.MultiProcessRunner])
def test_a_store_has_what_callbacks_see(runner):
    store, seen = EventStore(), []
    with runner(ps.Tube.load(TUBE)) as running:
        running.record_events(store)
        running.add_callback(seen.append)
        running.run()
    assert told(store.scan(0, 10_000)) == told(event for event in seen if event["node_id"] != "meta")
    assert [e["value"] for e in store.get_events("upper", "value", ps.Epoch(2, [("each", 1)]))] == ["B"]
    store.clear_epoch(2)
    assert {str(event["epoch"])[0] for event in store.scan()} == {"0", "1"}


def test_objects_are_kept_by_identity_and_let_go():
    store = EventStore()
    with ps.SynchronousRunner(ps.Tube.load(TUBE)) as running:
        running.record_events(store)
        running.process()
        (made,) = store.get_events("letters", "value", 0)
        assert made["value"] == ["a"] and store.get_events("letters", "value", 0)[0]["value"] is made["value"]
        store.clear()
        running.process()
        assert {event["epoch"] if isinstance(event["epoch"], int) else event["epoch"].root for event in store.scan()} == {1}


def test_a_log_takes_the_events_of_a_run(tmp_path):
    with EventStore(path=tmp_path) as store, ps.SynchronousRunner(ps.Tube.load(TUBE)) as running:
        running.record_events(store)
        running.run()
        kept = told(store.scan(0, 10_000))
    assert told(EventStore(path=tmp_path, read_only=True).scan(0, 10_000)) == kept


def penstock(*arguments, home):
    command = [str(Path(sys.executable).parent / "penstock"), *map(str, arguments)]
    environment = {"PENSTOCK_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_the_command_records_and_shows_events(tmp_path):
    tube = tmp_path / "tube.yaml"
    tube.write_text(TUBE)
    done = penstock("run", tube, "--events", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert penstock("run", tube, home=tmp_path / "home").returncode == 0
    runs = [json.loads(line)["run_id"] for line in penstock("history", "--json", home=tmp_path / "home").stdout.splitlines()]
    without, recorded = runs
    shown = penstock("history", "--events", recorded, "--node", "upper", "--epoch", 1, home=tmp_path / "home")
    assert [line.split()[1:] for line in shown.stdout.splitlines()[1:]] == [
        ["1/each[0]", "upper.value", '"A"'],
        ["1/each[1]", "upper.value", '"B"'],
    ], shown.stdout + shown.stderr
    rows = penstock("history", "--events", recorded, "--json", "-n", 1000, home=tmp_path / "home").stdout.splitlines()
    events = [json.loads(line) for line in rows]
    assert [event["value"] for event in events if event["node_id"] == "count"] == [0, 1, 2]
    assert sorted(event["id"] for event in events) == list(range(len(events)))
    missing = penstock("history", "--events", without, home=tmp_path / "home")
    assert missing.returncode == 1 and "recorded no events" in missing.stderr
    assert penstock("run", tube, "--events", "--no-history", home=tmp_path / "home").returncode == 2
