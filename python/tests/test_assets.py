"""Assets: objects that nodes share, for the life of a run, of an epoch or of a call."""

import textwrap

import pytest
from penstock.testing import counter

import penstock as ps

RUNNERS = {
    "sync": ps.SynchronousRunner,
    "threads": lambda tube: ps.ThreadedRunner(tube, max_workers=3),
    "processes": lambda tube: ps.MultiProcessRunner(tube, max_workers=2),
}
each_runner = pytest.mark.parametrize("make", RUNNERS.values(), ids=RUNNERS.keys())

made: list = []  # what the assets of this file did, in this process


class Recorder:
    """An object that says what happened to it."""

    def __init__(self, name="it"):
        self.name = name
        self.seen = []
        made.append(f"make {name}")


def opened(name="it", broken=False):
    import contextlib

    @contextlib.contextmanager
    def manager():
        made.append(f"enter {name}")
        yield Recorder(name)
        made.append(f"leave {name}")
        if broken:
            raise RuntimeError("cannot leave")

    return manager()


def refuse():
    raise OSError("no such device")


def note(recorder, value):
    recorder.seen.append(value)
    return list(recorder.seen)


def fail_on_two(recorder, value):
    if value == 2:
        raise ValueError("two")
    return note(recorder, value)


def four():
    return ["a", "b", "c", "d"]


def twice(value):
    return value * 2


@pytest.fixture(autouse=True)
def forget():
    made.clear()


def load(text):
    return ps.Tube.load(textwrap.dedent(text).replace("HERE", __name__))


@each_runner
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("runner", [[0, 0], [0, 0, 1, 2], [0, 0, 1, 2, 2, 4]]),
        ("process", [[0, 0], [1, 2], [2, 4]]),
        ("node", [[0], [2], [4]]),
    ],
)
def test_an_asset_lives_as_long_as_its_scope(make, scope, expected):
    tube = load(
        f"""
        assets:
          book: {{type: HERE.Recorder, scope: {scope}}}
        nodes:
          count: {{type: penstock.testing.count_source}}
          first: {{type: HERE.note, depends: [{{recorder: assets.book}}, {{value: count.index}}]}}
          double: {{type: HERE.twice, depends: [{{value: count.index}}]}}
          second: {{type: HERE.note, depends: [{{recorder: assets.book}}, {{value: double.value}}]}}
          out: {{type: return, depends: second.value}}
        """
    )
    with make(tube) as runner:
        assert runner.run(3) == expected


@each_runner
def test_users_of_an_asset_take_turns_in_the_order_of_the_plan(make):
    # `late` and its asset edge are declared first, and it waits for nothing but the source.
    tube = load(
        """
        assets:
          book: {type: HERE.Recorder, scope: runner}
        nodes:
          count: {type: penstock.testing.count_source}
          a: {type: HERE.twice, depends: [{value: count.index}]}
          b: {type: HERE.twice, depends: [{value: a.value}]}
          early: {type: HERE.note, depends: [{recorder: assets.book}, {value: b.value}]}
          late: {type: HERE.note, depends: [{recorder: assets.book}, {value: count.index}]}
          out: {type: return, depends: [{early: early.value}, {late: late.value}]}
        """
    )
    with ps.SynchronousRunner(tube) as runner:
        expected = runner.run(20)
    tube = load(tube.to_yaml())
    with make(tube) as runner:
        assert runner.run(20) == expected


@each_runner
def test_context_managers_are_entered_and_left_in_reverse(make):
    tube = load(
        """
        assets:
          a: {type: HERE.opened, scope: runner, params: {name: a}}
          b: {type: HERE.opened, scope: process, params: {name: b}}
        nodes:
          count: {type: penstock.testing.count_source}
          one: {type: HERE.note, depends: [{recorder: assets.a}, {value: count.index}]}
          two: {type: HERE.note, depends: [{recorder: assets.b}, {value: count.index}]}
          out: {type: return, depends: [one.value, two.value]}
        """
    )
    with make(tube) as runner:
        assert runner.process() == ([0], [0])
        assert runner.process() == ([0, 1], [1])
        assert made == ["enter a", "make a", "enter b", "make b", "leave b", "enter b", "make b", "leave b"]
    assert made[-1] == "leave a"
    assert made.count("leave a") == 1


@each_runner
def test_an_epoch_that_fails_lets_go_of_its_assets_and_the_run_goes_on(make):
    tube = load(
        """
        assets:
          a: {type: HERE.opened, scope: process, params: {name: a}}
        nodes:
          count: {type: penstock.testing.count_source}
          bad: {type: HERE.fail_on_two, depends: [{recorder: assets.a}, {value: count.index}]}
          out: {type: return, depends: bad.value}
        """
    )
    with make(tube) as runner:
        assert [runner.process(), runner.process()] == [[0], [1]]
        with pytest.raises(ps.NodeError, match="two"):
            runner.process()
        assert made.count("enter a") == made.count("leave a") == 3
        assert runner.process() == [3]


@each_runner
def test_an_asset_that_depends_on_a_signal_is_a_copy_of_it_in_the_next_epoch(make):
    tube = load(
        """
        assets:
          n: {type: penstock.testing.counter, scope: runner, depends: back.skrittt, params: {start: 10}}
        nodes:
          ahead: {type: penstock.testing.jump, depends: [{generator: assets.n}], params: {n: 3}}
          back: {type: penstock.testing.rewind, depends: [{generator: ahead.skirttt}], params: {n: 2}}
          out: {type: return, depends: [{next: ahead.next}]}
        """
    )
    with ps.SynchronousRunner(tube) as runner:
        # 10 11 12, then 13 is taken and the counter starts anew at 13 - 2.
        assert [r["next"] for r in runner.run(3)] == [12, 13, 14]


@each_runner
def test_assets_inside_a_map_see_the_elements_in_order(make):
    tube = load(
        """
        assets:
          book: {type: HERE.Recorder, scope: runner}
        nodes:
          words: {type: HERE.four}
          each: {type: map, depends: words.value}
          noted: {type: HERE.note, depends: [{recorder: assets.book}, {value: each.value}]}
          all: {type: gather, depends: [{value: noted.value}, {n: each.n}]}
          out: {type: return, depends: all.value}
        """
    )
    with make(tube) as runner:
        assert [len(seen) for seen in runner.process()] == [1, 2, 3, 4]
        assert [len(seen) for seen in runner.process()] == [5, 6, 7, 8]


@each_runner
def test_a_nested_tube_has_assets_of_its_own(make):
    tube = load(
        """
        assets:
          book: {type: HERE.Recorder, scope: runner, params: {name: outer}}
        nodes:
          count: {type: penstock.testing.count_source, params: {start: 1}}
          sub:
            type: tube
            depends: [{x: count.index}]
            params:
              tube:
                assets:
                  book: {type: HERE.Recorder, scope: process, params: {name: inner}}
                input: {x: {type: int, scope: process}}
                nodes:
                  noted: {type: HERE.note, depends: [{recorder: assets.book}, {value: input.x}]}
                  out: {type: return, depends: noted.value}
          noted: {type: HERE.note, depends: [{recorder: assets.book}, {value: count.index}]}
          out: {type: return, depends: [sub.value, noted.value]}
        """
    )
    with make(tube) as runner:
        assert runner.run(2) == [([1], [1]), ([2], [1, 2])]


def test_a_factory_that_raises_stops_the_run_before_any_node():
    tube = load(
        """
        assets:
          a: {type: HERE.opened, scope: runner, params: {name: a}}
          b: {type: HERE.refuse, scope: runner}
        nodes:
          one: {type: HERE.note, depends: [{recorder: assets.b}], params: {value: 1}}
          two: {type: HERE.note, depends: [{recorder: assets.a}], params: {value: 1}}
        """
    )
    runner = ps.SynchronousRunner(tube)
    with pytest.raises(ps.Error, match="no such device") as caught:
        runner.init()
    assert "asset 'assets.b'" in str(caught.value)
    assert made == ["enter a", "make a", "leave a"]


def test_an_asset_that_cannot_be_left_fails_its_epoch():
    tube = load(
        """
        assets:
          a: {type: HERE.opened, scope: process, params: {broken: true}}
        nodes:
          one: {type: HERE.note, depends: [{recorder: assets.a}], params: {value: 1}}
          out: {type: return, depends: one.value}
        """
    )
    with ps.SynchronousRunner(tube) as runner, pytest.raises(ps.Error, match="cannot leave"):
        runner.process()


def test_a_replaced_asset_is_copied_only_when_others_see_the_value():
    text = """
        assets:
          n: {type: penstock.testing.counter, scope: runner, depends: ahead.skirttt}
        nodes:
          ahead: {type: penstock.testing.jump, depends: [{generator: assets.n}]}
          out: {type: return, depends: [{next: ahead.next}%s]}
    """
    for also, copied in (("", False), (", {it: ahead.skirttt}", True)):
        with ps.SynchronousRunner(load(text % also)) as runner:
            first, second = runner.run(2)
            assert (first["next"], second["next"]) == (0, 1)
            if copied:
                assert isinstance(first["it"], counter)
                assert first["it"] is not second["it"]
                assert first["it"].current == 1


@each_runner
def test_a_run_ends_whose_last_node_uses_an_asset(make):
    tube = """
    assets:
      it: {type: test_assets.Recorder, scope: runner}
    nodes:
      count: {type: penstock.testing.count_source, params: {limit: 3}}
      note: {type: test_assets.note, depends: [{recorder: assets.it}, {value: count.index}]}
    """
    runner = make(ps.Tube.load(textwrap.dedent(tube)))
    seen = []
    runner.add_callback(lambda event: seen.append(event["value"]) if event["node_id"] == "note" else None)
    with runner:
        assert runner.run() == []
    assert seen == [[0], [0, 1], [0, 1, 2]]


@each_runner
def test_an_asset_given_to_a_nested_tube_is_the_same_object_there(make):
    tube = ps.Tube.load(
        """
assets:
  book: {type: test_assets.Recorder, scope: runner}
nodes:
  n: {type: penstock.testing.count_source, params: {limit: 3}}
  sub:
    type: tube
    depends: [book: assets.book, n: n.index]
    params:
      tube:
        input: {book: {type: any, scope: process}, n: {type: int, scope: process}}
        nodes:
          inner:
            type: tube
            depends: [book: input.book, n: input.n]
            params:
              tube:
                input: {book: {type: any, scope: process}, n: {type: int, scope: process}}
                nodes:
                  note: {type: test_assets.note, depends: [recorder: input.book, value: input.n]}
                  out: {type: return, depends: [seen: note.value]}
          out: {type: return, depends: [seen: inner.seen]}
  last: {type: test_assets.note, depends: [recorder: assets.book, value: sub.seen]}
  out: {type: return, depends: [seen: sub.seen]}
"""
    )
    with make(tube) as runner:
        results = runner.run()
    assert [len(result["seen"]) for result in results] == [1, 3, 5]
    assert results[1]["seen"] == [0, [0], 1]
