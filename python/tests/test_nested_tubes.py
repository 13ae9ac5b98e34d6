"""Nested tubes and `extends`: a tube inside another gives what it gives by itself, under every runner."""

import copy
import os
import sys
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from model.compare import by_oracle, changed, event_key, first_difference, stretches  # noqa: E402
from model.generate import generate  # noqa: E402
from penstock.reference.interpreter import ABSENT  # noqa: E402

import penstock as ps  # noqa: E402

COUNT = int(os.environ.get("PENSTOCK_MODEL_COUNT", "5000")) // 10
FIRST = int(os.environ.get("PENSTOCK_MODEL_SEED", "0"))
RUNNERS = {
    "sync": ps.SynchronousRunner,
    "sync shuffled": lambda tube: ps.SynchronousRunner(tube, shuffle=11),
    "threads": lambda tube: ps.ThreadedRunner(tube, max_workers=2),
}


def nested(tube):
    """A tube of one node, which is `tube`: same inputs, same result."""
    inputs = tube.get("input", {})
    node = {"type": "tube", "params": {"tube": tube}}
    passed = [{name: f"input.{name}"} for name, spec in inputs.items() if spec.get("scope") == "process"]
    if passed:
        node["depends"] = passed
    nodes = {"sub": node}
    for spec in tube["nodes"].values():
        if spec["type"] == "return" and spec.get("depends"):
            depends = spec["depends"]
            keyed = isinstance(depends, list) and all(isinstance(edge, dict) for edge in depends)
            keys = [key for edge in depends for key in edge] if keyed else []
            nodes["out"] = {"type": "return", "depends": [{key: f"sub.{key}"} for key in keys] or "sub.value"}
    return {"noob_id": "around", "input": inputs, "nodes": nodes}


def outcome(tube, case, make_runner, prefix):
    """[(events of the innermost tube, result)] per epoch, or "refused"."""
    try:
        loaded = ps.Tube.load(tube, inputs=case.tube_inputs)
    except ps.Error:
        return "refused"
    seen = {}
    with make_runner(loaded) as runner:

        def callback(event):
            node = event["node_id"]
            if node.startswith(prefix):
                path = tuple((str(name).removeprefix(prefix), int(index)) for name, index in event["epoch"].path)
                row = (node.removeprefix(prefix), event["signal"], path, copy.deepcopy(event["value"]))
                seen.setdefault(event["epoch"].root, []).append(row)

        runner.add_callback(callback)
        results = []
        for epochs, switches in stretches(case):
            for id_, enabled in switches:
                (runner.enable_node if enabled else runner.disable_node)(prefix + id_)
            results += [copy.deepcopy(runner.process(**case.process_inputs)) for _ in range(epochs)]
    return [(sorted(seen.get(root, []), key=event_key), result) for root, result in enumerate(results)]


def without_switched_return(case):
    """The return of a nested tube has no switch of its own."""
    nodes = case.tube["nodes"]
    switches = {epoch: [(id_, on) for id_, on in changes if nodes[id_]["type"] != "return"] for epoch, changes in case.switches.items()}
    return changed(case, switches=switches)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_nested_tube_gives_what_it_gives_by_itself(runner, depth):
    for seed in range(FIRST, FIRST + COUNT):
        case = without_switched_return(generate(seed))
        expected = by_oracle(case)
        if not isinstance(expected, str):
            expected = [(events, None if result is ABSENT else result) for events, result in expected]
        tube = case.tube
        for _ in range(depth):
            tube = nested(tube)
        found = outcome(tube, case, RUNNERS[runner], "sub." * depth)
        difference = first_difference(expected, found)
        assert difference is None, f"seed {seed}, {depth} deep: {difference}"


CHILD = """
    noob_id: child
    input:
      word: {type: str, scope: process}
    nodes:
      count: {type: penstock.testing.count_source, params: {start: 1}}
      times: {type: penstock.testing.repeat, depends: [{string: input.word}, {times: count.index}]}
      out: {type: return, depends: [{word: times.value}, {n: count.index}]}
"""


@pytest.fixture
def folder(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return tmp_path / name

    return write


def each_runner(source):
    """A generator's state lives in the tube, so each runner gets its own."""
    for make in (ps.SynchronousRunner, ps.ThreadedRunner, lambda t: ps.MultiProcessRunner(t, max_workers=2)):
        with make(ps.Tube.load(str(source))) as runner:
            yield runner


def test_a_nested_tube_inside_a_map_keeps_its_state_in_element_order(folder):
    folder("child.yaml", CHILD)
    parent = folder(
        "parent.yaml",
        """
        nodes:
          words: {type: penstock.testing.multi_words_source, params: {n: 3}}
          each: {type: map, depends: words.multi_words}
          sub: {type: tube, params: {tube: child.yaml}, depends: [{word: each.value}]}
          all: {type: gather, depends: [{value: sub.n}, {n: each.n}]}
          out: {type: return, depends: all.value}
        """,
    )
    for runner in each_runner(parent):
        assert [runner.process() for _ in range(3)] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_without_its_inputs_a_nested_tube_does_not_run_at_all(folder):
    folder(
        "child.yaml",
        """
        input:
          x: {type: any, scope: process}
        nodes:
          count: {type: penstock.testing.count_source}
          out: {type: return, depends: [{n: count.index}, {x: input.x}]}
        """,
    )
    parent = folder(
        "parent.yaml",
        """
        nodes:
          word: {type: penstock.testing.sporadic_word_noevent, params: {every: 3}}
          tick: {type: penstock.testing.count_source}
          sub: {type: tube, params: {tube: child.yaml}, depends: [{x: word.word}]}
          out: {type: return, depends: [{tick: tick.index}, {n: sub.n}]}
        """,
    )
    for runner in each_runner(parent):
        ran = [result["n"] for result in (runner.process() for _ in range(9)) if "n" in result]
        assert ran == [0, 1, 2]


def test_tube_inputs_come_from_params_then_from_around_then_from_the_default(folder):
    folder(
        "child.yaml",
        """
        input:
          left: {type: int, scope: process}
          right: {type: int, default: 10}
        nodes:
          product: {type: penstock.testing.multiply, depends: [{left: input.left}], params: {right: input.right}}
          out: {type: return, depends: product.value}
        """,
    )
    body = """
        nodes:
          one: {type: penstock.testing.count_source, params: {start: 1}}
          sub: {type: tube, params: {tube: child.yaml%s}, depends: [{left: one.index}]}
          out: {type: return, depends: sub.value}
    """
    around = "        input:\n          right: {type: int}"
    for params, head, given, expected in [
        ("", "", {}, 10),
        ("", around, {"right": 7}, 7),
        (", right: 3", around, {"right": 7}, 3),
        (", right: input.right", around, {"right": 5}, 5),
    ]:
        parent = folder("parent.yaml", head + body % params)
        with ps.SynchronousRunner(ps.Tube.load(str(parent), inputs=given)) as runner:
            assert runner.process() == expected


def test_nested_tubes_side_by_side_take_from_around_and_not_from_each_other(folder):
    folder(
        "child.yaml",
        """
        input:
          right: {type: int, default: 10}
        nodes:
          one: {type: penstock.testing.count_source, params: {start: 1}}
          product: {type: penstock.testing.multiply, depends: [{left: one.index}], params: {right: input.right}}
          out: {type: return, depends: product.value}
        """,
    )
    parent = folder(
        "parent.yaml",
        """
        input:
          right: {type: int}
        nodes:
          a: {type: tube, params: {tube: child.yaml, right: 3}}
          b: {type: tube, params: {tube: child.yaml}}
          c: {type: tube, params: {tube: child.yaml, right: input.right}}
          out: {type: return, depends: [{a: a.value}, {b: b.value}, {c: c.value}]}
        """,
    )
    with ps.SynchronousRunner(ps.Tube.load(str(parent), inputs={"right": 7})) as runner:
        assert runner.process() == {"a": 3, "b": 7, "c": 7}


def test_a_tube_has_the_nodes_of_all_that_it_extends(folder):
    folder("one.yaml", "nodes:\n  one: {type: penstock.testing.count_source, params: {start: 1}}\n")
    folder("two.yaml", "nodes:\n  two: {type: penstock.testing.count_source, params: {start: 2}}\n")
    folder("three.yaml", "nodes:\n  one: {type: penstock.testing.count_source, params: {start: 3}}\n")
    top = folder(
        "top.yaml",
        """
        extends: [one.yaml, two.yaml, three.yaml]
        nodes:
          out: {type: return, depends: [{one: one.index}, {two: two.index}]}
        """,
    )
    with ps.SynchronousRunner(ps.Tube.load(str(top))) as runner:
        assert runner.process() == {"one": 3, "two": 2}


def test_extends_merges_key_by_key_and_the_last_return_wins(folder):
    folder(
        "base.yaml",
        """
        noob_id: base
        input:
          factor: {type: int, default: 2}
        nodes:
          count: {type: penstock.testing.count_source, params: {limit: 9, start: 1}}
          product: {type: penstock.testing.multiply, depends: [{left: count.index}], params: {right: input.factor}}
          first: {type: return, depends: count.index}
        """,
    )
    folder("middle.yaml", "extends: [base.yaml]\nnodes:\n  count: {params: {limit: 3}}\n")
    top = folder(
        "top.yaml",
        """
        noob_id: top
        extends: [middle.yaml]
        input:
          factor: {default: 5}
        nodes:
          last: {type: return, depends: [{product: product.value}, {count: count.index}]}
        """,
    )
    tube = ps.Tube.load(str(top))
    assert tube.id == "top"
    assert list(tube.nodes) == ["count", "product", "last"]
    for runner in each_runner(top):
        assert runner.run() == [{"product": 5, "count": 1}, {"product": 10, "count": 2}]
    with ps.SynchronousRunner(ps.Tube.load(tube.to_yaml())) as runner:
        assert runner.run() == [{"product": 5, "count": 1}, {"product": 10, "count": 2}]


def test_a_tube_is_found_by_its_noob_id(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "penstock" / "deep").mkdir(parents=True)
    folder("config/penstock/deep/any-name.yaml", "noob_id: lab/base\nnodes:\n  c: {type: penstock.testing.count_source}\n")
    tube = ps.Tube.load({"extends": ["lab/base"], "nodes": {"out": {"type": "return", "depends": "c.index"}}})
    with ps.SynchronousRunner(tube) as runner:
        assert runner.run(2) == [0, 1]
    (tmp_path / "own").mkdir()
    ps.add_config_source(tmp_path / "own")
    folder("own/x.yml", "noob_id: 'lab/base' # ours first\nnodes:\n  c: {type: penstock.testing.count_source, params: {start: 5}}\n")
    with ps.SynchronousRunner(ps.Tube.load(tube_extending("lab/base"))) as runner:
        assert runner.run(1) == [5]
    folder("own/y.yaml", "noob_id: lab/base\nnodes: {}\n")
    with pytest.raises(ps.Error, match="two files have the noob_id 'lab/base'"):
        ps.Tube.load(tube_extending("lab/base"))
    with pytest.raises(ps.Error, match="no tube has the noob_id 'lab/bise'"):
        ps.Tube.load(tube_extending("lab/bise"))


def tube_extending(name):
    return {"extends": [name], "nodes": {"out": {"type": "return", "depends": "c.index"}}}


def test_a_problem_in_a_nested_tube_is_shown_in_its_own_file(folder):
    folder("child.yaml", "nodes:\n  a: {type: penstock.testing.multiply, depends: [{left: b.value}]}\n")
    parent = folder("parent.yaml", "nodes:\n  sub: {type: tube, params: {tube: child.yaml}}\n")
    with pytest.raises(ps.Error) as caught:
        ps.Tube.load(str(parent))
    assert "unknown node 'b'" in str(caught.value)
    assert "child.yaml:2:" in str(caught.value)


def test_a_problem_that_comes_from_a_base_is_shown_in_the_base(folder):
    folder("base.yaml", "nodes:\n  a: {type: penstock.testing.multiply, depends: [{left: b.value}]}\n")
    top = folder("top.yaml", "extends: [base.yaml]\nnodes: {}\n")
    with pytest.raises(ps.Error) as caught:
        ps.Tube.load(str(top))
    assert "base.yaml:2:" in str(caught.value)
