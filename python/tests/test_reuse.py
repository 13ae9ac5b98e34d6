"""Results are kept by content: nothing runs twice for nothing, and nothing is reused that has changed."""

import collections
import enum
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from reuse_tools import LOG, VALUES, Job

import penstock as ps

RUNNERS = ["sync", "threads", "processes"]


@pytest.fixture
def job(tmp_path, monkeypatch):
    return Job(tmp_path, monkeypatch)


TWELVE = """\
nodes:
  n: {type: work.numbers, params: {size: 6}, cache: true}
  evens: {type: work.evens, depends: n.value, cache: true}
  odds: {type: work.odds, depends: n.value, cache: true}
  total: {type: work.total, depends: evens.value, cache: true}
  other: {type: work.total, depends: odds.value, cache: true}
  scaled: {type: work.scaled, depends: total.value, cache: true}
  shifted: {type: work.shifted, depends: other.value, cache: true}
  both: {type: work.pair, depends: [a: scaled.value, b: shifted.value], cache: true}
  text: {type: work.text, depends: both.value, cache: true}
  each: {type: map, depends: n.value}
  square: {type: work.square, depends: each.value, cache: true}
  squares: {type: gather, depends: square.value}
  out: {type: return, depends: [text: text.value, squares: squares.value]}
"""

WORK = (
    LOG
    + """
import numpy as np

SCALE = 3
SHIFT = {"by": 2}

def numbers(size):
    _ran("numbers")
    return list(range(size))

def evens(numbers):
    _ran("evens")
    return [n for n in numbers if n % 2 == 0]

def odds(numbers):
    _ran("odds")
    return [n for n in numbers if n % 2 == 1]

def total(numbers):
    _ran("total")
    return _sum(numbers)

def _sum(numbers):
    return int(np.sum(numbers))

def scaled(value):
    _ran("scaled")
    return value * SCALE

def shifted(value):
    _ran("shifted")
    return value + SHIFT["by"]

def pair(a, b):
    _ran("pair")
    return (a, b)

def text(value):
    _ran("text")
    return f"{value[0]}-{value[1]}"

def square(value):
    _ran("square")
    return value * value
"""
)


@pytest.fixture
def twelve(job):
    job.write(tube=TWELVE, work=WORK)
    job.run()
    assert len(job.ran()) == 9 + 6
    return job


# ---- the same with and without


@pytest.mark.parametrize("runner", RUNNERS)
def test_gives_the_same_with_and_without(job, runner):
    job.write(tube=TWELVE, work=WORK)
    plain = job.run(runner=runner, cache=False)
    assert len(job.ran()) == 15 and not job.kept()
    first = job.run(runner=runner)
    assert len(job.ran()) == 15 and len(job.kept()) == 15
    again = job.run(runner=runner)
    assert job.ran() == []
    for run in (first, again):
        assert run.results == plain.results and run.cid == plain.cid
    assert again.result == {"text": "18-11", "squares": [0, 1, 4, 9, 16, 25]}


def test_what_one_runner_kept_another_uses(job):
    job.write(tube=TWELVE, work=WORK)
    job.run(runner="processes")
    for runner in ("threads", "sync"):
        assert job.run(runner=runner).result["text"] == "18-11"
        assert job.ran() == []


def test_the_command_uses_what_the_api_kept(twelve):
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", "tube.yaml", "--json"],
        cwd=twelve.folder, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(twelve.folder)},
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert twelve.run().cid == next(line["cid"] for line in lines if "cid" in line)
    assert twelve.ran() == []


def test_runner_objects_reuse_epoch_by_epoch(job):
    job.write(
        tube="input: {x: {type: int, scope: process}}\nnodes:\n"
        "  square: {type: work.square, depends: input.x, cache: true}\n  out: {type: return, depends: square.value}\n",
        work=WORK,
    )
    tube = job.load()
    for runner in (ps.SynchronousRunner, ps.ThreadedRunner, ps.MultiProcessRunner):
        with runner(tube) as active:
            assert [active.process(x=x) for x in (2, 3, 2)] == [4, 9, 4]
    assert job.ran() == ["square", "square"]


def test_many_epochs_of_a_source(job):
    job.write(
        tube="nodes:\n  count: {type: penstock.testing.count_source, params: {limit: 5}}\n"
        "  half: {type: work.half, depends: count.index, cache: true}\n"
        "  square: {type: work.square, depends: half.value, cache: true}\n  out: {type: return, depends: square.value}\n",
        work=WORK + "\ndef half(value):\n    _ran('half')\n    return value // 2\n",
    )
    wanted = [0, 0, 1, 1, 4]
    assert job.run().results == wanted
    # Equal values end a rerun also within one run.
    assert job.ran() == ["half"] * 5 + ["square"] * 3
    assert job.run().results == wanted and job.ran() == []


# ---- edits


def cosmetic_edits():
    """25 edits of the tube or the module that change nothing: (name, tube, module)."""
    w, t = WORK, TWELVE
    yield "comment in the tube", "# about\n" + t, w
    yield "comments behind nodes", t.replace("cache: true}", "cache: true}  # kept"), w
    yield "empty lines", t.replace("\n  ", "\n\n  "), w
    yield "noob_id", "noob_id: renamed\n" + t, w
    yield "description", t.replace("{type: work.evens,", "{description: the even ones, type: work.evens,"), w
    turned = re.sub(r"\{type: (work\.\w+), depends: (\w+\.value), cache: true\}", r"{cache: true, depends: \2, type: \1}", t)
    yield "keys in another order", turned, w
    yield "nodes in another order", "nodes:\n" + "".join(reversed(t.splitlines(keepends=True)[1:])), w
    block = "\n    type: work.total\n    depends: evens.value\n    cache: true"
    yield "block style", t.replace("{type: work.total, depends: evens.value, cache: true}", block), w
    yield "quoted", t.replace("work.numbers", '"work.numbers"'), w
    yield "renamed node", t.replace("total", "TOTAL").replace("work.TOTAL", "work.total"), w
    yield "two renamed nodes", re.sub(r"(?<!work\.)\b(evens|odds)\b", r"\1_only", t), w
    yield "renamed map", t.replace("each", "element"), w
    yield "renamed gather", t.replace("squares: {", "all: {").replace("squares.value", "all.value"), w
    yield "parameters in block style", t.replace("params: {size: 6}", "params:  { 'size':  0x6 }"), w
    yield "edges as a map of lists", t.replace("[a: scaled.value, b: shifted.value]", "[{a: scaled.value}, {b: shifted.value}]"), w
    yield "enabled written out", t.replace("{type: work.text,", "{enabled: true, type: work.text,"), w
    yield "a policy", t.replace("{type: work.text,", "{timeout: 50s, type: work.text,"), w
    yield "comment in the module", t, w.replace("def total", "# adds\ndef total")
    yield "comments in a body", t, w.replace("    return value * SCALE", "    # times\n    return value * SCALE  # so")
    yield "docstring", t, w.replace("def scaled(value):\n", 'def scaled(value):\n    """Three times."""\n')
    yield "docstring of a helper", t, w.replace("def _sum(numbers):\n", 'def _sum(numbers):\n    """Adds."""\n')
    yield "formatting", t, w.replace("value * SCALE", "(value\n            *   SCALE)").replace("[n for n", "[ n  for n")
    without = w.replace("SCALE = 3\n", "").replace('SHIFT = {"by": 2}\n', "")
    yield "constants at the end", t, without + '\nSHIFT = {"by":2}\nSCALE = 3\n'
    yield "a function nobody calls", t, w + "\ndef unused(x):\n    return x\n"
    renamed = t.replace("work.", "job.").replace("job.total", "job.added")
    yield "renamed local file and function", renamed, w.replace("def total", "def added")


def test_cosmetic_edits_rerun_nothing(twelve):
    edits = list(cosmetic_edits())
    assert len(edits) == 25
    wanted = twelve.run().cid
    for name, tube, module in edits:
        assert (tube, module) != (TWELVE, WORK), name
        twelve.write(tube=tube, **{"job" if "job." in tube else "work": module})
        assert twelve.run().cid == wanted and twelve.ran() == [], name


def edits_of_equal_value():
    """15 edits of one node that give an equal value: (name, tube, module, what reruns)."""
    w, t = WORK, TWELVE
    yield "another way to add", t, w.replace("int(np.sum(numbers))", "sum(numbers)"), ["total", "total"]
    yield "a loop", t, w.replace("return list(range(size))", "return [n for n in range(size)]"), ["numbers"]
    yield "a new local name", t, w.replace("[n for n in numbers if n % 2 == 0]", "[k for k in numbers if k % 2 == 0]"), ["evens"]
    yield "another test", t, w.replace("if n % 2 == 1", "if n % 2"), ["odds"]
    yield "a constant in place", t, w.replace("value * SCALE", "value * 3"), ["scaled"]
    yield "another constant", t, w.replace("SCALE = 3", "SCALE = 1 + 2 + 0.0 == 3 and 3"), []
    yield "constant in another container", t, w.replace('SHIFT = {"by": 2}', 'SHIFT = {"by": 2, "why": 0}'), ["shifted"]
    yield "tuple by name", t, w.replace("return (a, b)", "return tuple([a, b])"), ["pair"]
    yield "format", t, w.replace('f"{value[0]}-{value[1]}"', '"%s-%s" % value'), ["text"]
    yield "power", t, w.replace("value * value", "value ** 2"), ["square"] * 6
    yield "parameter that counts for nothing", t.replace("size: 6", "size: 6.0"), w.replace("range(size)", "range(int(size))"), ["numbers"]
    yield "an annotation", t, w.replace("def shifted(value)", "def shifted(value: int)"), ["shifted"]
    yield "a default", t, w.replace("def shifted(value)", "def shifted(value, more=0)"), ["shifted"]
    yield "an assertion", t, w.replace('    _ran("pair")', '    assert a > 0\n    _ran("pair")'), ["pair"]
    through = t.replace("both.value, c", "same.value, c").replace("  out:", "  same: {type: work.same, depends: both.value}\n  out:")
    yield "another node between", through, w + "\ndef same(value):\n    return value\n", []


def test_edits_that_give_an_equal_value_rerun_one_node(twelve):
    edits = list(edits_of_equal_value())
    assert len(edits) == 15
    wanted = twelve.run().cid
    for name, tube, module, reruns in edits:
        assert (tube, module) != (TWELVE, WORK), name
        twelve.write(tube=tube, work=module)
        assert twelve.run().cid == wanted, name
        assert twelve.ran() == reruns, name
        twelve.run()
        assert twelve.ran() == [], name


REAL_EDITS = {
    "own code": (TWELVE, WORK.replace("value * SCALE", "value * SCALE + 1"), ["pair", "scaled", "text"]),
    "global constant": (TWELVE, WORK.replace("SCALE = 3", "SCALE = 4"), ["pair", "scaled", "text"]),
    "global container": (TWELVE, WORK.replace('"by": 2', '"by": 3'), ["pair", "shifted", "text"]),
    "helper function": (
        TWELVE,
        WORK.replace("int(np.sum(numbers))", "int(np.sum(numbers)) + 1"),
        ["pair", "scaled", "shifted", "text", "total", "total"],
    ),
    "parameter": (TWELVE.replace("size: 6", "size: 7"), WORK, ["evens", "numbers", "odds", "pair", "scaled", "square", "text", "total"]),
    "wiring": (TWELVE.replace("depends: odds.value", "depends: evens.value"), WORK, ["pair", "shifted", "text"]),
    "crossed edges": (TWELVE.replace("[a: scaled.value, b: shifted.value]", "[b: scaled.value, a: shifted.value]"), WORK, ["pair", "text"]),
    "another type": (TWELVE.replace("work.scaled", "work.square"), WORK, ["pair", "square", "text"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL_EDITS)
def test_edits_rerun_exactly_what_they_reach(twelve, name):
    tube, module, reruns = REAL_EDITS[name]
    assert (tube, module) != (TWELVE, WORK)
    twelve.write(tube=tube, work=module)
    edited = twelve.run()
    assert twelve.ran() == reruns
    assert edited.cid == twelve.run(cache=False).cid
    twelve.write(tube=TWELVE, work=WORK)  # and back: nothing was lost
    twelve.run()
    assert twelve.ran() == []


def test_a_library_of_another_version_reruns_what_uses_it(twelve, monkeypatch):
    monkeypatch.setattr(numpy, "__version__", "99.0")
    twelve.run()
    assert twelve.ran() == ["total", "total"]


INPUT = """input: {x: {type: int, scope: SCOPE}}
nodes:
  a: {type: work.square, depends: input.x, cache: true}
  b: {type: work.shifted, depends: a.value, cache: true}
  out: {type: return, depends: b.value}
"""


@pytest.mark.parametrize("scope", ["tube", "process"])
def test_an_input_of_another_value_reruns_what_it_reaches(job, scope):
    job.write(tube=INPUT.replace("SCOPE", scope), work=WORK)

    def run(x):
        (job.folder / "ran").write_text("")
        return ps.run(str(job.folder / "tube.yaml"), inputs={"x": x}).result, job.ran()

    assert run(3) == (11, ["shifted", "square"])
    assert run(3) == (11, [])
    assert run(-3) == (11, ["square"])  # nine again
    assert run(4) == (18, ["shifted", "square"])
    assert run(3) == (11, [])


def test_the_content_of_a_file_counts_not_its_time(job):
    data = job.folder / "data.csv"
    job.write(
        tube="input: {path: {type: str, scope: process}}\nnodes:\n  read: {type: table.read, depends: [path: input.path]}\n"
        "  big: {type: table.sql, depends: [t: read.value], params: {query: 'select max(a) as s from t'}}\n"
        "  rows: {type: work.rows, depends: big.value, cache: true}\n  out: {type: return, depends: rows.value}\n",
        work=LOG + "\ndef rows(table):\n    _ran('rows')\n    return table.to_pylist()\n",
    )

    def run(text):
        data.write_text(text)
        done = job.run(inputs={"path": str(data)})
        nodes = done.metrics["nodes"]
        return done.result[0]["s"], nodes["big"]["runs"] + nodes["read"]["runs"], job.ran()

    assert run("a\n1\n2\n") == (2, 2, ["rows"])
    assert run("a\n1\n2\n") == (2, 0, [])
    assert run("a\n2\n1\n") == (2, 2, [])  # an equal maximum
    assert run("a\n5\n2\n") == (5, 2, ["rows"])
    assert run("a\n1\n2\n") == (2, 0, [])


def test_effects_happen_each_time(job):
    target = job.folder / "out.parquet"
    job.write(
        tube="nodes:\n  rows: {type: work.rows, cache: true}\n"
        f"  file: {{type: table.write, depends: [table: rows.value], params: {{path: {target}}}}}\n"
        "  said: {type: work.said, depends: rows.value}\n  out: {type: return, depends: rows.value}\n",
        work=LOG + "\nimport pyarrow\ndef rows():\n    _ran('rows')\n    return pyarrow.table({'a': [1, 2]})\n"
        "def said(table):\n    _ran('said')\n",
    )
    job.run()
    target.unlink()
    job.run()
    assert target.exists()
    assert job.ran() == ["said"]  # nobody said that it does nothing but give a value


# ---- what a function refers to


def chain(module):
    """Node f, whose function is in this module, behind another."""
    tube = (
        "nodes:\n  one: {type: work.one, cache: true}\n  f: {type: work.f, depends: one.value, cache: true}\n"
        "  out: {type: return, depends: f.value}\n"
    )
    return {"tube": tube, "work": f"{LOG}\ndef one():\n    return 1\n{module}"}


def changes():
    for section in (Path(__file__).parent / "reuse_changes.txt").read_text().split("=== ")[1:]:
        title, _, module = section.partition("\n")
        name, _, change = title.partition(": ")
        yield pytest.param(module, *change.split(" -> "), id=name)


@pytest.mark.parametrize("module, before, after", list(changes()))
def test_notices_a_change_of(job, module, before, after):
    assert before in module
    job.write(**chain(module))
    job.run()
    job.run()
    assert job.ran() == [], "not even the same is reused"
    job.write(**chain(module.replace(before, after)))
    changed = job.run()
    assert "f" in job.ran()
    assert changed.cid == job.run(cache=False).cid


@pytest.mark.parametrize("call", ["import more\n    return more.g(value)", "from more import g\n    return g(value)"])
def test_notices_a_change_of_a_module_imported_in_the_body(job, call):
    module = f"def f(value):\n    _ran('f')\n    {call}\n"
    job.write(**chain(module), more="def g(x): return x + h()\ndef h(): return 1\n")
    assert job.run().result == 2 and job.run().result == 2
    assert job.ran() == []
    job.write(more="def g(x): return x + h()\ndef h(): return 2\n")
    assert job.run().result == 3


def test_equal_names_in_two_modules_do_not_hide_each_other(job):
    """Three modules have a K; two of them change places in what they hold."""
    def write(a, b, c):
        job.write(
            **chain(f"import one_more, other\nK = {a}\ndef f(value):\n    _ran('f')\n    return [K, one_more.g(), other.g()]\n"),
            one_more=f"K = {b}\ndef g(): return K\n",
            other=f"K = {c}\ndef g(): return K\n",
        )  # fmt: skip

    for values in itertools.product((1, 2), repeat=3):
        write(*values)
        assert job.run().result == list(values)
        assert job.ran() == ["f"]
    job.run()
    assert job.ran() == []


def test_too_much_to_compare_is_an_error(job):
    job.write(**chain("TABLE = [[n] for n in range(200_000)]\ndef f(value):\n    return len(TABLE)\n"))
    with pytest.raises(ps.LoadError, match="holds too much to tell when it changes"):
        job.run()


# ---- values


@pytest.mark.parametrize("name", VALUES)
def test_gives_back_every_kind_of_value(job, name):
    job.write(
        tube=f"nodes:\n  a: {{type: reuse_tools.give, params: {{which: '{name}'}}, cache: true}}\n"
        "  out: {type: return, depends: a.value}\n"
    )
    plain = job.run(cache=False)
    first = job.run()
    assert job.ran() == ["give"] and len(job.kept()) == 1
    again = job.run()
    assert job.ran() == []
    for run in (first, again):
        assert run.cid == plain.cid
        assert type(run.result) is type(VALUES[name])
        assert repr(run.result) == repr(plain.result)  # the order of a map too


class Colour(enum.IntEnum):
    RED = 3


Point = collections.namedtuple("Point", "x y")
SUBCLASSES = {"Point(1, 2)": tuple, "Colour.RED": int, "collections.OrderedDict(b=1, a=2)": dict}


@pytest.mark.parametrize("text", SUBCLASSES)
def test_subclasses_become_their_base_the_first_time_too(job, text):
    """Or the node behind it would work once and fail from then on."""
    job.write(
        tube="nodes:\n  a: {type: work.make, cache: true}\n  b: {type: work.kind, depends: a.value}\n"
        "  out: {type: return, depends: b.value}\n",
        work=f"import collections\nfrom test_reuse import Colour, Point\ndef make():\n    return {text}\n"
        "def kind(value):\n    return type(value).__name__\n",
    )
    assert [job.run().result, job.run().result] == [SUBCLASSES[text].__name__] * 2


UNENCODABLE = {"a slice": "slice(1)", "an object": "object()", "a key": "{print: 2}", "a surrogate": "'\\ud800'", "a function": "print"}


@pytest.mark.parametrize("name", UNENCODABLE)
@pytest.mark.parametrize("runner", ["sync", "threads"])
def test_what_has_no_encoding_is_not_kept_and_said(job, name, runner):
    job.write(
        tube="nodes:\n  a: {type: work.make, cache: true}\n  b: {type: work.kind, depends: a.value, cache: true}\n"
        "  out: {type: return, depends: b.value}\n",
        work=LOG + f"def make():\n    _ran('make')\n    return {UNENCODABLE[name]}\n"
        "def kind(value):\n    _ran('kind')\n    return type(value).__name__\n",
    )  # fmt: skip
    for _ in range(2):
        page = job.folder / "page.html"
        assert job.run(runner=runner, report=page).result == type(eval(UNENCODABLE[name])).__name__
        assert job.ran() == ["kind", "make"] and not job.kept()
        assert page.read_text().count("not kept: ") >= 2
