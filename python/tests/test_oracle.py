"""The run rule (docs/design/0002-run-rule.md) by example: what the model oracle gives, written by hand."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from model import functions  # noqa: E402
from penstock.reference.interpreter import ABSENT, InputMissing, Interpreter as Oracle  # noqa: E402
from penstock.reference.wiring import LoadError  # noqa: E402


def resolve(type_):
    module, _, name = type_.rpartition(".")
    return getattr(importlib.import_module(module), name)


def make(nodes, inputs=None, **given):
    full = {}
    for id_, spec in nodes.items():
        type_ = spec["type"]
        special = type_ in ("map", "gather", "return")
        full[id_] = spec | {"type": type_ if special else f"model.functions.{type_}"}
    return Oracle({"noob_id": "t", "input": inputs or {}, "nodes": full}, resolve, functions.NoEvent, given)


def events(record, node):
    return [(signal, path, value) for id_, signal, path, value in record.events if id_ == node]


def results(oracle, n):
    return [record.result for record in oracle.run(n)]


LISTS = {"type": "lists_source"}  # [0, 1, 2], [11, 12, 13], [22 .. 24], [33 .. 35], [44 .. 46] with longest 4 ...


def test_scalar_return_gives_the_bare_value():
    oracle = make({"c": {"type": "count_up"}, "r": {"type": "return", "depends": "c.index"}})
    assert results(oracle, 3) == [0, 1, 2]


def test_forms_of_depends_give_the_shape():
    nodes = {"c": {"type": "count_up"}, "a": {"type": "add_one", "depends": "c.index"}}
    forms = {
        "tuple": (["c.index", "a.value"], (0, 1)),
        "dict": ([{"x": "c.index"}, {"y": "a.value"}], {"x": 0, "y": 1}),
        "mixed": ([{"y": "a.value"}, "c.index"], ((0,), {"y": 1})),
    }
    for depends, expected in forms.values():
        assert results(make(nodes | {"r": {"type": "return", "depends": depends}}), 1) == [expected]


def test_return_has_no_event_and_unconsumed_signals_have():
    oracle = make({"c": {"type": "two_signals"}, "r": {"type": "return", "depends": "c.first"}})
    first, second = oracle.run(2)
    assert first.events == [("c", "first", (), 0), ("c", "second", (), 100)]
    assert second.events == [("c", "first", (), 1)]


def test_required_absent_skips_and_optional_absent_is_left_out():
    oracle = make(
        {
            "s": {"type": "two_signals"},
            "must": {"type": "add_one", "depends": [{"value": "s.second"}]},
            "may": {"type": "optional_pair", "depends": [{"left": "s.first"}, {"right": "s.second"}]},
            "r": {"type": "return", "depends": [{"must": "must.value"}, {"may": "may.pair"}]},
        }
    )
    oracle.run(1)
    record = oracle.process()
    assert events(record, "must") == []
    assert events(record, "may") == [("pair", (), (1 * 13 + 7) % functions.MODULUS)]
    assert record.result == {"may": 20}


def test_positional_edge_to_an_optional_slot_is_required():
    oracle = make(
        {
            "s": {"type": "two_signals"},
            "may": {"type": "optional_pair", "depends": ["s.first", "s.second"]},
        }
    )
    oracle.run(1)
    assert events(oracle.process(), "may") == []


def test_return_with_nothing_gives_no_result():
    nodes = {"s": {"type": "sporadic"}, "r": {"type": "return", "depends": [{"x": "s.word"}]}}
    assert results(make(nodes), 3) == [{"x": 0}, ABSENT, {"x": 2}]


def test_none_is_a_value():
    nodes = {
        "c": {"type": "count_up"},
        "n": {"type": "maybe_none", "depends": "c.index"},
        "r": {"type": "return", "depends": "n.value"},
    }
    assert results(make(nodes), 2) == [None, 1]


def test_bare_no_event_makes_all_signals_absent():
    nodes = {"c": {"type": "count_up"}, "x": {"type": "route", "depends": "c.index"}}
    zero, one, two = make(nodes).run(3)
    assert events(zero, "x") == []
    assert events(one, "x") == [("odd", (), 1), ("all", (), 1)]
    assert events(two, "x") == [("even", (), 2), ("all", (), 2)]


def test_map_opens_epochs_and_gather_closes_them_without_the_dropped():
    nodes = {
        "l": LISTS,
        "m": {"type": "map", "depends": "l.batch"},
        "d": {"type": "drop_some", "depends": "m.value"},
        "g": {"type": "gather", "depends": "d.value"},
        "r": {"type": "return", "depends": "g.value"},
    }
    record = make(nodes).process()
    assert events(record, "m") == [("value", (("m", 0),), 0), ("value", (("m", 1),), 1), ("value", (("m", 2),), 2), ("n", (), 3)]
    assert events(record, "d") == [("value", (("m", 1),), 1), ("value", (("m", 2),), 2)]
    assert record.result == [1, 2]


def map_over(number, *, tail):
    """The number 3 gives 3 elements (make_list: weight % 5), 5 gives none, an absent one no list at all."""
    return {
        "c": {"type": "constant", "params": {"start": number}},
        "l": {"type": "make_list", "depends": "c.value"},
        "m": {"type": "map", "depends": "l.items"},
        **tail,
    }


def test_empty_list_gathers_to_empty_but_not_with_n_wired():
    tail = {
        "g": {"type": "gather", "depends": "m.value"},
        "h": {"type": "gather", "depends": [{"value": "m.value"}, {"n": "m.n"}]},
        "r": {"type": "return", "depends": [{"g": "g.value"}, {"h": "h.value"}, {"direct": "m.value"}, {"n": "m.n"}]},
    }
    assert make(map_over(3, tail=tail)).process().result == {"g": [3, 4, 5], "h": [3, 4, 5], "direct": [3, 4, 5], "n": 3}
    assert make(map_over(5, tail=tail)).process().result == {"g": [], "direct": []}


def test_map_without_input_gives_nothing_at_all():
    tail = {
        "g": {"type": "gather", "depends": "m.value"},
        "r": {"type": "return", "depends": [{"g": "g.value"}, {"direct": "m.value"}]},
    }
    nodes = map_over(3, tail=tail)
    nodes["l"]["enabled"] = False
    assert make(nodes).process().result is ABSENT
    nodes["l"]["enabled"] = True
    nodes["m"]["enabled"] = False
    assert make(nodes).process().result is ABSENT


def nested(tail):
    return {
        "c": {"type": "count_up", "params": {"start": 2}},
        "l": {"type": "make_nested", "depends": "c.index"},  # 2 -> [[2, 3], []]; 3 -> [[], [13], [23, 24]]
        "o": {"type": "map", "depends": "l.rows"},
        "i": {"type": "map", "depends": "o.value"},
        **tail,
    }


def test_nested_maps_gather_level_by_level():
    tail = {
        "g": {"type": "gather", "depends": "i.value"},
        "h": {"type": "gather", "depends": "g.value"},
        "f": {"type": "gather", "params": {"flatten": True}, "depends": "g.value"},
        "r": {"type": "return", "depends": ["h.value", "f.value", "i.value"]},
    }
    first, second = make(nested(tail)).run(2)
    assert first.result == ([[2, 3], []], [2, 3], [2, 3])
    assert second.result == ([[], [13], [23, 24]], [13, 23, 24], [13, 23, 24])
    assert events(second, "g") == [("value", (("o", 0),), []), ("value", (("o", 1),), [13]), ("value", (("o", 2),), [23, 24])]


def test_broadcast_reaches_every_element_and_gathered_values_return():
    tail = {
        "g": {"type": "gather", "depends": "m.value"},
        "b": {"type": "combine", "depends": [{"left": "c.value"}, {"right": "m.value"}]},
        "back": {"type": "combine", "depends": [{"left": "g.value"}, {"right": "m.value"}]},
        "r": {"type": "return", "depends": ["b.value", "back.value"]},
    }
    gathered = functions.weight([3, 4, 5])
    expected = ([(3 * 17 + v) % 1009 for v in (3, 4, 5)], [(gathered * 17 + v) % 1009 for v in (3, 4, 5)])
    assert make(map_over(3, tail=tail)).process().result == expected


def test_memory_sees_elements_in_order():
    tail = {"s": {"type": "RunningSum", "depends": "i.value"}, "r": {"type": "return", "depends": "s.value"}}
    total, expected = 0, []
    for values in ([2, 3], [13, 23, 24]):
        expected.append([])
        for value in values:
            total = (total * 3 + value) % 1009
            expected[-1].append(total)
    assert results(make(nested(tail)), 2) == expected


def test_gather_counts_across_epochs():
    root = {
        "c": {"type": "count_up"},
        "g": {"type": "gather", "params": {"n": 2}, "depends": "c.index"},
        "r": {"type": "return", "depends": "g.value"},
    }
    assert results(make(root), 5) == [ABSENT, [0, 1], ABSENT, [2, 3], ABSENT]
    mapped = nested(
        {
            "g": {"type": "gather", "params": {"n": 3}, "depends": "i.value"},
            "r": {"type": "return", "depends": "g.value"},
        }
    )
    first, second = make(mapped).run(2)  # held: [2, 3], + [], then + [] + [13] emits, + [23, 24]
    assert first.result == [] and events(first, "g") == []
    assert events(second, "g") == [("value", (("o", 1),), [2, 3, 13])]
    assert second.result == [[2, 3, 13]]


def test_gather_by_trigger_outside_the_map_emits_all_held():
    nodes = {
        "l": LISTS,  # 3, 3, 3, 3, 3 elements
        "t": {"type": "sporadic", "params": {"every": 2}},
        "m": {"type": "map", "depends": "l.batch"},
        "g": {"type": "gather", "depends": [{"value": "m.value"}, {"trigger": "t.word"}]},
        "r": {"type": "return", "depends": "g.value"},
    }
    assert results(make(nodes), 3) == [[0, 1, 2], ABSENT, [11, 12, 13, 22, 23, 24]]


def test_gather_by_trigger_inside_the_map_emits_up_to_the_last_firing():
    nodes = {
        "l": LISTS,
        "m": {"type": "map", "depends": "l.batch"},
        "t": {"type": "drop_some", "params": {"every": 2}, "depends": "m.value"},  # odd values fire
        "g": {"type": "gather", "depends": [{"value": "m.value"}, {"trigger": "t.value"}]},
        "r": {"type": "return", "depends": "g.value"},
    }
    # epoch 0: 0 [1] 2 -> keeps 2; epoch 1: [11] 12 [13] -> keeps nothing; epoch 2: 22 [23] 24
    assert results(make(nodes), 3) == [[0, 1], [2, 11, 12, 13], [22, 23]]


def test_none_does_not_fire_a_trigger():
    nodes = {
        "c": {"type": "count_up"},
        "t": {"type": "maybe_none", "depends": "c.index"},  # None at 0, 3
        "g": {"type": "gather", "depends": [{"value": "c.index"}, {"trigger": "t.value"}]},
        "r": {"type": "return", "depends": "g.value"},
    }
    assert results(make(nodes), 5) == [ABSENT, [0, 1], [2], ABSENT, [3, 4]]


def test_generator_end_drains_the_epoch_and_ends_the_run():
    nodes = {
        "a": {"type": "count_up", "params": {"limit": 2}},
        "b": {"type": "count_up"},
        "r": {"type": "return", "depends": [{"a": "a.index"}, {"b": "b.index"}]},
    }
    # `b` feeds the return too, and its edge is optional: the run goes on.
    assert results(make(nodes), 4) == [{"a": 0, "b": 0}, {"a": 1, "b": 1}, {"b": 2}, {"b": 3}]
    nodes["r"]["depends"] = ["a.index", "b.index"]
    records = make(nodes).run(10)
    assert [record.result for record in records] == [(0, 0), (1, 1), ABSENT]
    assert records[-1].events == [("b", "index", (), 2)]
    del nodes["r"]  # sinks: a and b; b goes on
    assert len(make(nodes).run(10)) == 10
    nodes["b"]["enabled"] = False
    assert len(make(nodes).run(10)) == 3


def test_disabled_nodes_alone_never_end_a_run():
    nodes = {"c": {"type": "count_up", "enabled": False}, "r": {"type": "return", "depends": "c.index"}}
    assert results(make(nodes), 3) == [ABSENT, ABSENT, ABSENT]


def test_inputs_of_both_scopes():
    nodes = {
        "s": {"type": "scale", "params": {"factor": "input.f"}, "depends": "input.x"},
        "e": {"type": "add_one", "depends": "input.x", "enabled": "input.on"},
        "r": {"type": "return", "depends": [{"s": "s.scaled"}, {"e": "e.value"}, {"q": "input.q"}]},
    }
    inputs = {
        "f": {"type": "int", "scope": "tube"},
        "on": {"type": "bool", "scope": "tube", "default": False},
        "x": {"type": "int", "scope": "process"},
        "q": {"type": "int", "scope": "process", "required": False},
    }
    assert make(nodes, inputs, f=4).process(x=5).result == {"s": 20, "q": None}
    assert make(nodes, inputs, f=4, on=True).process(x=5, q=1).result == {"s": 20, "e": 6, "q": 1}
    with pytest.raises(InputMissing):
        make(nodes, inputs)
    with pytest.raises(InputMissing):
        make(nodes, inputs, f=4).process()


BAD = {
    "cycle": {"a": {"type": "add_one", "depends": "b.value"}, "b": {"type": "add_one", "depends": "a.value"}},
    "unknown-node": {"a": {"type": "add_one", "depends": "b.value"}},
    "unknown-signal": {"c": {"type": "count_up"}, "a": {"type": "add_one", "depends": "c.value"}},
    "unknown-slot": {"c": {"type": "count_up"}, "a": {"type": "add_one", "depends": [{"valu": "c.index"}]}},
    "unknown-input": {"a": {"type": "add_one", "depends": "input.x"}},
    "duplicate-slot": {"c": {"type": "count_up"}, "a": {"type": "add_one", "depends": ["c.index", {"value": "c.index"}]}},
    "generator-slot": {"c": {"type": "count_up"}, "d": {"type": "count_up", "depends": "c.index"}},
    "return-count": {"c": {"type": "count_up"}, "r": {"type": "return", "depends": "c.index"}, "q": {"type": "return"}},
    "gather-mode": {"c": {"type": "count_up"}, "g": {"type": "gather", "depends": "c.index"}},
    "cross-map": {
        "l": LISTS,
        "m": {"type": "map", "depends": "l.batch"},
        "n": {"type": "map", "depends": "l.batch"},
        "x": {"type": "combine", "depends": ["m.value", "n.value"]},
    },
}


@pytest.mark.parametrize("kind", BAD)
def test_wrong_wiring_is_refused(kind):
    with pytest.raises(LoadError) as caught:
        make(BAD[kind])
    assert caught.value.kind == kind
