"""Code as people write it: odd annotations, odd objects in a module, odd classes of a program, odd ways to print."""

import io
import itertools
import subprocess
import sys
import warnings
from importlib.metadata import EntryPoint

import pytest
from penstock.compat.noob import config

import penstock as ps
from penstock import _code, _core, _output

# ---- what a function depends on (nodes with cache: true) --------------------------------------------


numbers = itertools.count()


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """The parts of function f of a module with this text; files beside it by name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def parts(text, **files):
        number = next(numbers)
        folder = tmp_path / f"odd{number}"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for name, content in files.items():
            (folder / f"{name}.py").write_text(content)
        (folder / "work.py").write_text(text.replace("ODD", f"odd{number}"))
        return {name.replace(f"odd{number}", "odd"): value for name, value in _code.parts(f"odd{number}.work.f")}

    return parts


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    from . import helper\n    return helper.g(x)\n",
        "def f(x):\n    from .helper import g\n    return g(x)\n",
        "from . import helper\ndef f(x):\n    from . import helper\n    return helper.g(x)\n",
        "def f(x):\n    from ODD import helper\n    return helper.g(x)\n",
        "def f(x):\n    import ODD.helper\n    return ODD.helper.g(x)\n",
    ],
)
def test_a_relative_import_in_the_body_counts(parts, text):
    before = parts(text, helper="def g(x): return x + 1\n")
    same = parts(text, helper="# a comment\ndef g(x):\n    return x + 1\n")
    other = parts(text, helper="def g(x): return x + 2\n")

    def codes(found):
        return sorted(value for name, value in found.items() if name.startswith("code of"))

    assert len(set(codes(before))) == 1
    assert codes(before) == codes(same) != codes(other)


def test_an_import_that_fails_counts_as_one(parts):
    found = parts("def f(x):\n    import broken_by_intent\n    return x\n")
    assert found["import broken_by_intent"] == "fails: ModuleNotFoundError"
    inner = parts("def f(x):\n    from . import broken\n    return broken\n", broken="1 / 0\n")
    assert inner["import odd.broken"] == "fails: ZeroDivisionError"
    outside = parts("def f(x):\n    from ........ import far\n    return x\n")
    assert not any(name.startswith("import") for name in outside)


def test_a_library_that_is_not_imported_yet_is_known_by_its_version(parts):
    sys.modules.pop("tabnanny", None)
    found = parts("def f(x):\n    import tabnanny\n    return tabnanny.check(x)\n")
    assert "tabnanny" not in sys.modules
    assert found["library python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


OBJECTS = {
    "an empty cell": ("def make():\n    def f(x):\n        return later\n    if 0: later = 1\n    return f\nf = make()", None),
    "a frozen set": ("K = frozenset({%s})\ndef f(x): return x in K", ("1, 2", "1, 3")),
    "the world outside": ("import os\nENVIRONMENT = [os.environ]\ndef f(x): return ENVIRONMENT", None),
    "a class in a list": ("class A:\n    k = %s\nK = [A]\ndef f(x): return K[0].k", ("1", "2")),
    "a class of a library in a list": ("import collections\nK = [collections.%s]\ndef f(x): return K", ("OrderedDict", "Counter")),
    "a bound method": ("class A:\n    k = 1\n    def m(self, x): return x + %s\nK = [A().m]\ndef f(x): return K[0](x)", ("1", "2")),
    "a method of a builtin object": ("K = {'m': 'a{}'.format}\ndef f(x): return K['m'](x)", None),
    "a static method in a map": ("K = {1: staticmethod(lambda x: x + %s)}\ndef f(x): return K[1](x)", ("1", "2")),
    "a list that holds itself": ("K = [%s]\nK.append(K)\ndef f(x): return K[0]", ("1", "2")),
    "a lock": ("import threading\nK = threading.Lock()\ndef f(x): return K.locked()", None),
    "a module in a list": ("import math, statistics\nK = [%s]\ndef f(x): return K[0].__name__", ("math", "statistics")),
    "an enum's member": ("import enum\nclass E(enum.Enum):\n    a = 1\n    b = 2\nK = [E.%s]\ndef f(x): return K[0].name", ("a", "b")),
    "an object known by its name": ("from penstock import NoEvent\nK = [NoEvent]\ndef f(x): return K", None),
    "a default": ("def f(x, *, k=%s): return x + k", ("1", "2")),
    "a lambda in a line": ("f, g = (lambda x: x + %s), 3", ("1", "2")),
    "a function made by a text": ("exec('def f(x): return x + %s')", ("1", "2")),
    "a cached function": ("import functools\n@functools.lru_cache\ndef g(x): return x + %s\ndef f(x): return g(x)", ("1", "2")),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_of_a_module_count_by_value(parts, name):
    text, values = OBJECTS[name]
    if values is None:
        assert parts(text) == parts(text)
        return
    first, second = values
    assert parts(text % first) == parts(text % first)
    assert parts(text % first) != parts(text % second)


# ---- functions and classes of the program itself in a worker process ---------------------------------

ODD = '''
from __future__ import annotations
import abc, dataclasses, functools, textwrap
import penstock as ps

class Slots:
    __slots__ = ("total", "__weakref__")
    def __init__(self):
        self.total = 0
    def process(self, x: LATER):
        self.total += x
        return self.total

LATER = int

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
    @staticmethod
    def twice(x):
        return 2 * x
    @classmethod
    def of(cls, x):
        return cls(x)

class Square(Shape):
    scale: LATER = 3
    def __init__(self, x):
        self.x = x
    @property
    def area(self):
        return self.x * self.x * self.scale

CODE = compile("y = x + 1", "<odd>", "exec")

def by_code(x):
    space = {"x": x}
    exec(CODE, space)
    return space["y"]

def outer():
    def use(x):
        return Square.of(Shape.twice(x)).area if x else never
    if False:
        never = 1
    return use

area = outer()

TUBE = {"noob_id": "odd", "input": {"x": {"type": "int", "scope": "process"}}, "nodes": {
    "slots": {"type": "__main__.Slots", "depends": [{"x": "input.x"}]},
    "code": {"type": "__main__.by_code", "depends": [{"x": "slots.value"}]},
    "area": {"type": "__main__.area", "depends": [{"x": "code.value"}]},
    "out": {"type": "return", "depends": "area.value"},
}}
'''
META = '''
import penstock as ps

class Meta(type):
    pass

class Odd(metaclass=Meta):
    def process(self, x):
        return x

TUBE = {"noob_id": "meta", "input": {"x": {"type": "int", "scope": "process"}}, "nodes": {
    "odd": {"type": "__main__.Odd", "depends": [{"x": "input.x"}]}, "out": {"type": "return", "depends": "odd.value"}}}
'''
RUN = """
try:
    with ps.MultiProcessRunner(ps.Tube.load(TUBE), 1) as runner:
        print([runner.process(x=x) for x in (1, 2)])
except ps.Error as error:
    print(error.id, error)
"""


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout


def test_odd_classes_of_a_program_enter_a_worker():
    assert python(ODD + RUN) == "[48, 192]\n"


def test_a_metaclass_of_a_program_is_one_clear_error():
    out = python(META + RUN)
    assert out.startswith("PS0432 Odd of the program cannot be sent to a worker process: class 'Odd' has the metaclass 'Meta'")


# ---- what nodes print --------------------------------------------------------------------------------

SAYS = """
import sys

def says(x: int = 1) -> int:
    sys.stdout.writelines(["one\\n", "two\\n"])
    print("three", end="")
    print("", flush=True)
    print("y" * 25_000)
    assert sys.stdout.encoding and not sys.stdout.closed
    return x

async def waits(says):
    print("four")
    return says
"""


@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_lines_that_nodes_print_are_the_log_of_the_run(tmp_path, runner):
    (tmp_path / "talk.py").write_text(SAYS)
    command = [sys.executable, "-m", "penstock", "run", "talk.py", "--runner", runner, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines() + done.stdout.splitlines()
    for word in ("one", "two", "three", "four"):
        assert any(word in line for line in lines), (word, done)


def test_a_stream_that_keeps_lines_gives_everything_on(monkeypatch):
    kept = []
    monkeypatch.setattr(_core, "log_line", lambda line: kept.append(line) or True)
    under = io.StringIO()
    stream = _output.NodeOutput(under)
    stream.writelines(["a", "b\nc\n"])
    assert stream.write("x" * 20_000) == 20_000
    stream.write("y\n")
    assert under.getvalue() == "ab\nc\n" + "x" * 20_000 + "y\n"
    assert kept == ["ab", "c", "y"]  # a line longer than 10,000 is not kept whole
    assert stream.getvalue() == under.getvalue()
    assert not _output.is_command()


# ---- errors ------------------------------------------------------------------------------------------


class Unpicklable(Exception):
    def __reduce__(self):
        raise TypeError("it cannot be packed")


class Unmakeable(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def test_causes_that_cannot_travel_are_left_out():
    from penstock import _errors

    assert _errors.pack_cause(Unpicklable()) == b""
    assert _errors.pack_cause(ValueError("x" * 100_000)) == b""
    assert _errors.unpack_cause(_errors.pack_cause(Unmakeable(1, 2))) is None
    assert _errors.unpack_cause(b"no pickle") is None
    import pickle

    assert _errors.unpack_cause(pickle.dumps("no exception")) is None
    again = _errors.unpack_cause(_errors.pack_cause(KeyError("k")))
    assert type(again) is KeyError and again.args == ("k",)


def test_more_than_twenty_problems_are_counted():
    nodes = {f"n{i}": {"type": f"no.such{i}"} for i in range(25)}
    with pytest.raises(ps.LoadError, match="and 5 more") as caught:
        ps.Tube.load({"nodes": nodes})
    assert len(caught.value.diagnostics) == 25


def test_wrong_numbers_of_workers_and_names_are_refused():
    tube = ps.Tube.load({"nodes": {"n": {"type": "penstock.testing.count_source"}}})
    for kind in (ps.ThreadedRunner, ps.MultiProcessRunner, ps.AsyncRunner):
        with pytest.raises(ps.InvalidArgumentError, match="max_workers must be >= 1 or None, seen 0"):
            kind(tube, 0)
    with pytest.raises(AttributeError, match="no attribute 'gone'"):
        ps.gone  # noqa: B018
    assert {"Tube", "run", "encode"} <= set(dir(ps))
    with pytest.raises(ps.InvalidArgumentError, match="holds what YAML cannot"):
        ps.Tube.load({"nodes": {"n": {"type": "x", "params": {"a": object()}}}})


# ---- folders of tubes --------------------------------------------------------------------------------


def test_entry_points_name_folders_of_tubes(tmp_path, monkeypatch):
    (tmp_path / "tube.yaml").write_text(
        "noob_id: by-entry-point\nnoob_model: noob.tube.TubeSpecification\nnodes: {n: {type: penstock.testing.count_source}}\n"
    )
    monkeypatch.setattr(config, "_from_entry_points", None)
    monkeypatch.setattr(config, "_extra", [])

    class Found(EntryPoint):
        def load(self):
            if self.name == "bad":
                raise ImportError("no such module")
            return lambda: [str(tmp_path)]

    monkeypatch.setattr(config, "entry_points", lambda group: [Found("bad", "gone:f", group), Found("good", "here:f", group)])
    config.add_config_source(tmp_path / "by-hand")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert config.get_entrypoint_sources() == [tmp_path]
    assert ["gone:f cannot be used" in str(warning.message) for warning in seen] == [True]
    assert config.get_extra_sources() == [tmp_path / "by-hand"]
    from penstock.compat.noob import TubeSpecification

    assert list(TubeSpecification.from_id("by-entry-point").nodes) == ["n"]
