"""run(): random tubes of the model test, tubes whose nodes raise, and tubes that are wrong."""

from __future__ import annotations

import warnings
from typing import Annotated
from unittest import mock

from hypothesis import strategies as st
from model.generate import generate, generate_failing
from penstock.reference import operators, running
from penstock.reference.interpreter import Interpreter

import penstock as ps
from parity import Case


def outcome_of(name, tube, **options):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # results without an address
            found = ps.run(tube, backend=name, strict=True, history=False, **options)
    except ps.LoadError:
        return "refused"  # the native text shows the place in a file, which a dict does not have
    except ps.Error as error:
        return type(error).__name__, str(error), error.id, error.help
    assert found.metrics["backend"] == name
    same = {key: found.metrics[key] for key in ("status", "epochs", "results")}
    return repr(found.results), repr(found.result), found.cid, same


def run_random(name, program):
    seed, failing, epochs = program
    case = (generate_failing if failing else generate)(seed)
    if running.lacks(case.tube):
        return "no twin"  # coroutines and nodes with a life cycle of their own
    given = case.tube_inputs | case.process_inputs
    return outcome_of(name, case.tube, n=epochs, inputs=given | ({"epoch": 1} if failing else {}))


KINDS = """numbers pair three_for_two text boom boom_in_map penstock_error nothing missing words unconnected
bad_start bad_end bad_object bad_second""".split()


def tube_of(kind):
    here = "parity.running."
    nodes = {"out": {"type": "return", "depends": "a.value"}}
    nodes["a"] = {"type": here + "numbers"}
    if kind == "words":
        nodes["a"] = {"type": here + "words", "params": {"name": "you"}}
    elif kind == "pair":
        nodes |= {"a": {"type": here + "pair"}, "out": {"type": "return", "depends": [{"x": "a.left"}, "a.right"]}}
    elif kind == "three_for_two":
        nodes |= {"a": {"type": here + "three_for_two"}, "out": {"type": "return", "depends": "a.left"}}
    elif kind == "text":
        nodes |= {"m": {"type": "map", "depends": "t.value"}, "t": {"type": here + "text"}}
    elif kind in ("boom", "penstock_error", "nothing"):
        nodes |= {"b": {"type": here + kind, "depends": "a.value"}, "out": {"type": "return", "depends": "b.value"}}
    elif kind == "boom_in_map":
        nodes |= {"m": {"type": "map", "depends": "a.value"}, "b": {"type": here + "boom", "depends": "m.value"}}
    elif kind == "bad_second":
        nodes = {"a": {"type": here + "Lives"}, "b": {"type": here + "BadStart", "depends": "a.value"}}
    elif kind.startswith("bad"):
        nodes = {"a": {"type": here + kind.title().replace("_", "")}}
    elif kind == "unconnected":
        nodes["b"] = {"type": here + "boom"}
    elif kind == "missing":
        nodes["b"] = {"type": here + "boom", "depends": "a.nothing"}
    return {"nodes": nodes}


def numbers() -> list:
    return [1, 2, 3]


Two = tuple[Annotated[int, ps.Name("left")], Annotated[int, ps.Name("right")]]


def pair() -> Two:
    return 1, 2


def three_for_two() -> Two:
    return 1, 2, 3


def text() -> str:
    return "text"


def boom(value):
    raise ValueError(f"no {value}")


def penstock_error(value):
    raise ps.NotFoundError("not here")


def nothing(value):
    return ps.NoEvent


class BadObject(ps.Node):
    def __init__(self):
        raise ValueError("cannot be made")

    def process(self):
        return 1


class BadStart(ps.Node):
    def init(self):
        raise ValueError("does not start")

    def process(self, value=None):
        return 1


class Lives(ps.Node):
    seen = []

    def init(self):
        self.seen.append("init")

    def deinit(self):
        self.seen.append("deinit")

    def process(self):
        return 1


class BadEnd(ps.Node):
    def deinit(self):
        raise ValueError("does not end")

    def process(self):
        return 1


words = operators.words


def run_kind(name, program):
    kind, n = program
    Lives.seen.clear()
    return outcome_of(name, tube_of(kind), n=n), Lives.seen[:]


CASES = [
    Case(
        "random tubes",
        st.tuples(st.integers(0, 100_000), st.booleans(), st.integers(1, 4)),
        run_random,
        [
            (
                "epochs backwards",
                lambda: mock.patch.object(Interpreter, "epochs", backwards),
            ),
        ],
        share=2.0,
    ),
    Case(
        "ends of a run",
        st.tuples(st.sampled_from(KINDS), st.sampled_from([None, 1, 3])),
        run_kind,
        [("errors of another node", lambda: mock.patch.object(running._Active, "full_id", lambda self, id: "other"))],
    ),
]

epochs = Interpreter.epochs


def backwards(self, below, region):
    return epochs(self, below, region)[::-1]
