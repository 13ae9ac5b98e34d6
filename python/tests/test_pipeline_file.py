"""Files of plain functions: `penstock run pipeline.py` and Tube.load("pipeline.py")."""

import os
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import penstock as ps

COMMAND = str(Path(sys.executable).parent / "penstock")
RUNNERS = ["sync", "threads", "processes"]


@pytest.fixture
def write(tmp_path):
    def write(text, name="pipeline.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


def penstock(words, folder):
    environment = {**os.environ, "PENSTOCK_HOME": str(folder / ".home"), "PENSTOCK_PYTHON": sys.executable, "NO_COLOR": "1"}
    return subprocess.run([COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


FIVE = """
    def numbers(size: int = 3):
        return list(range(size))

    def length(numbers):
        return len(numbers)

    def double(length):
        return 2 * length

    def square(double):
        return double**2
"""


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_chain_gives_its_last_value_on_every_runner(write, tmp_path, runner):
    path = write(FIVE)
    assert ps.run(path, runner=runner).results == [36]
    assert ps.run(path, runner=runner, inputs={"size": 5}).results == [100]
    done = penstock(["run", "pipeline.py", "--runner", runner, "--input", "size=4", "-q"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "64\n"), done.stderr


def test_several_ends_give_a_dict_by_name(write):
    path = write(
        """
        def base(n: int): return n
        def low(base): return base - 1
        def high(base): return base + 1
        """
    )
    assert ps.run(path, inputs={"n": 10}).result == {"low": 9, "high": 11}


def test_a_function_named_result_is_the_result_and_the_others_still_run(write, tmp_path):
    path = write(
        """
        def base(): return 5
        def saved(base, folder):
            with open(folder + "/saved", "w") as file:
                file.write(str(base))
        def result(base): return [base]
        """
    )
    assert ps.run(path, inputs={"folder": str(tmp_path)}).result == [5]
    assert (tmp_path / "saved").read_text() == "5"


def test_a_function_that_says_it_gives_nothing_is_no_result(write, tmp_path):
    path = write("def base(): return 5\ndef show(base) -> None: pass\ndef end(base): return base\n")
    assert ps.run(path).result == 5
    assert ps.run(write("def only() -> None: pass\n", "only.py")).results == []


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_generator_is_a_source(write, runner):
    path = write(
        """
        def count(limit: int = 4):
            for i in range(limit):
                yield i
        def square(count, power=2): return count**power
        """
    )
    assert ps.run(path, runner=runner).results == [0, 1, 4, 9]
    assert ps.run(path, runner=runner, inputs={"limit": 3, "power": 3}).results == [0, 1, 8]
    assert ps.Tube.load(path).inputs == {"limit": "tube", "power": "process"}


def test_names_that_are_no_nodes(write):
    path = write(
        """
        from math import sqrt
        import json
        class Thing: pass
        def _helper(x): return x + 1
        twice = lambda x: 2 * x
        def answer(): return twice(_helper(20)) + int(sqrt(0))
        """
    )
    tube = ps.Tube.load(path)
    assert list(tube.nodes) == ["answer", "return"]
    assert tube.nodes["answer"] == "pipeline.answer"
    assert ps.run(tube).result == 42


def test_a_parameter_may_name_one_signal_of_several(write):
    path = write(
        """
        from typing import Annotated
        from penstock import Name
        def split(n: int) -> tuple[Annotated[int, Name("low")], Annotated[int, Name("high")]]:
            return n // 10, n % 10
        def text(low, high): return f"{low}-{high}"
        """
    )
    assert ps.run(path, inputs={"n": 42}).result == "4-2"


def test_inputs_have_types_and_plain_defaults(write, tmp_path):
    path = write(
        """
        LIMIT = 10
        def end(a: int, b: str = "x", c=LIMIT, d=60 * 60, e=(1, 2), f: float | None = None, g=[1, {"k": None}]):
            return [a, b, c, d, e, f, g]
        """
    )
    tube = ps.Tube.load(path)
    assert list(tube.inputs) == ["a", "b", "c", "d", "f", "g"]  # a tuple is nothing YAML has: it stays in Python
    assert ps.run(tube, inputs={"a": 1}).result == [1, "x", 10, 3600, (1, 2), None, [1, {"k": None}]]
    done = penstock(["run", "pipeline.py", "-i", "a=7", "-i", "b=12", "-i", "f=2.5", "-q", "--json"], tmp_path)
    assert '[7,"12",10,3600,' in done.stdout.replace(" ", ""), done.stdout


def test_a_required_input_is_asked_for(write, tmp_path):
    write("def end(month: int): return month\n")
    done = penstock(["run", "pipeline.py"], tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error[PS0301]") and "'month'" in done.stderr
    write("def end(month: int):\n    yield month\n")
    done = penstock(["run", "pipeline.py"], tmp_path)
    assert "error[PS0301]" in done.stderr and "--> pipeline.py:1:9" in done.stderr


def test_the_same_input_of_two_functions_is_one(write):
    path = write("def a(n: int = 2): return n\ndef b(n, a): return n * 10 + a\n")
    assert ps.run(path).result == 22
    assert ps.run(path, inputs={"n": 3}).result == 33


def test_an_async_function_is_a_node(write):
    path = write("import asyncio\nasync def slow():\n    await asyncio.sleep(0)\n    return 4\n")
    assert ps.run(path).result == 4


ERRORS = {
    "syntax": ("def a(:\n    pass\n", "PS0030", 1, 7),
    "indentation": ("def a():\nreturn 1\n", "PS0030", 2, 1),
    "no functions": ("x = 1\n", "PS0031", 0, 0),
    "empty": ("", "PS0031", 0, 0),
    "twice": ("def a(): return 1\ndef b(): return 2\ndef a(): return 3\n", "PS0008", 3, 5),
    "reserved function": ("def meta(): return 1\n", "PS0015", 1, 5),
    "reserved parameter": ("def a(input): return 1\n", "PS0015", 1, 7),
    "positional only": ("def a(x, /, y): return 1\n", "PS0032", 1, 7),
    "args": ("def a(x, *rest): return 1\n", "PS0032", 1, 11),
    "kwargs": ("def a(x, **rest): return 1\n", "PS0032", 1, 12),
    "fed generator": ("def a(): return 1\ndef b(a):\n    yield a\n", "PS0032", 2, 7),
    "two defaults": ("def a(n=1): return n\ndef b(n=2, \u00e9=3): return n\n", "PS0033", 2, 7),
    "cycle": ("def a(b): return b\ndef b(a): return a\ndef c(): return 1\n", "PS0105", 2, 7),
    "own name": ("def a(a): return a\ndef c(): return 1\n", "PS0105", 1, 7),
    "raises": ("import json\n\ndef a(): return 1\nvalue = json.loads('')\n", "PS0034", 4, 1),
    "exits": ("import sys\ndef a(): return 1\nsys.exit(3)\n", "PS0034", 3, 1),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_place_in_the_file(write, name):
    text, id, line, column = ERRORS[name]
    path = write(text)
    with pytest.raises(ps.LoadError) as caught:
        ps.Tube.load(path)
    (found,) = caught.value.diagnostics
    assert (found["id"], found["line"], found["column"]) == (id, line, column), found["text"]
    assert found["file"] == str(path)


def test_all_problems_are_told_at_once(write, tmp_path):
    write("def a(*x): return 1\ndef meta(y, /): return 2\n")
    done = penstock(["check", "pipeline.py"], tmp_path)
    assert done.returncode == 3
    assert done.stdout.count("error[") == 2, done.stdout


def test_columns_count_characters(write):
    path = write("def ab(\u00f6, \u00e9=1, *rest): return 1\n")
    with pytest.raises(ps.LoadError) as caught:
        ps.Tube.load(path)
    assert caught.value.diagnostics[0]["column"] == 17


def test_a_missing_binary_or_latin1_file(write, tmp_path):
    write("def a(): return 1\n")
    done = penstock(["run", "pipelin.py"], tmp_path)
    assert done.returncode == 1 and "error[PS0004]" in done.stderr and "did you mean 'pipeline.py'?" in done.stderr
    (tmp_path / "binary.py").write_bytes(b"\0\1")
    assert "error[PS0003]" in penstock(["run", "binary.py"], tmp_path).stderr
    (tmp_path / "latin.py").write_bytes("def a(): return '\u00e9'\n".encode("latin-1"))
    assert "error[PS0002]" in penstock(["run", "latin.py"], tmp_path).stderr
    (tmp_path / "folder.py").mkdir()
    assert "error[PS0004]" in penstock(["check", "folder.py"], tmp_path).stdout


def test_check_and_graph_do_not_run_the_file(write, tmp_path):
    write("open('ran', 'w')\ndef a(n: int): return n\ndef b(a): return a\n")
    assert penstock(["check", "pipeline.py"], tmp_path).returncode == 0
    done = penstock(["graph", "pipeline.py"], tmp_path)
    assert "pipeline.b" in done.stdout and not (tmp_path / "ran").exists()
    assert penstock(["check", "--types", "pipeline.py"], tmp_path).returncode == 0
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_file_next_to_it_can_be_imported(write, tmp_path, runner):
    write("def area(r): return 3 * r * r\n", "shapes.py")
    write("import shapes\n\ndef circle(r: int = 2): return shapes.area(r)\n")
    done = penstock(["run", str(tmp_path / "pipeline.py"), "-q", "-r", runner], tmp_path.parent)
    assert done.stdout == "12\n", done.stderr


@pytest.mark.parametrize("runner", RUNNERS)
def test_files_of_one_name_are_kept_apart(write, runner):
    first = write("def a(): return 'first'\n", "one/pipeline.py")
    second = write("def a(): return 'second'\n", "two/pipeline.py")
    tubes = [ps.Tube.load(first), ps.Tube.load(second), ps.Tube.load(first)]
    assert [ps.run(tube, runner=runner).result for tube in tubes] == ["first", "second", "first"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_name_that_is_no_identifier_or_a_module_of_python(write, tmp_path, runner):
    for name in ("01-load data.py", "statistics.py"):
        path = write("def a(n: int = 1): return n + 1\n", name)
        assert ps.run(path, runner=runner).result == 2
    assert statistics.mean([1, 3]) == 2


def test_a_changed_file_is_run_again_and_an_unchanged_one_is_not(write):
    path = write("import os\nos.environ['RAN'] = os.environ.get('RAN', '') + 'x'\ndef a(): return 1\n")
    try:
        assert [ps.run(path).result, ps.run(path).result] == [1, 1]
        assert os.environ["RAN"] == "x"
        write("import os\nos.environ['RAN'] = os.environ.get('RAN', '') + 'x'\ndef a(): return 2\n")
        assert ps.run(path).result == 2
        assert os.environ["RAN"] == "xx"
    finally:
        del os.environ["RAN"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_file_can_run_itself_as_a_script(write, tmp_path, runner):
    write(
        f"""
        def n(): return 20
        def end(n): return n + 1

        if __name__ == "__main__":
            import penstock as ps
            print(ps.run(__file__, runner="{runner}").result)
        """
    )
    done = subprocess.run([sys.executable, "pipeline.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "21\n", done.stderr


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_failing_function_shows_the_line_of_the_file(write, tmp_path, runner):
    write("def a(): return 0\ndef b(a):\n    return 1 / a\n")
    done = penstock(["run", "pipeline.py", "-r", runner], tmp_path)
    assert done.returncode == 1
    assert "error[PS0401]" in done.stderr and "pipeline.py:3 in b" in done.stderr and "return 1 / a" in done.stderr


def test_a_relative_path_survives_a_change_of_folder(write, tmp_path, monkeypatch):
    write(FIVE)
    monkeypatch.chdir(tmp_path)
    tube = ps.Tube.load(Path("pipeline.py"))
    monkeypatch.chdir("/")
    assert ps.run(tube, runner="processes").result == 36


def test_the_report_and_the_history_know_the_file(write, tmp_path):
    write(FIVE)
    assert penstock(["run", "pipeline.py", "--report", "out.html"], tmp_path).returncode == 0
    assert "pipeline.square" in (tmp_path / "out.html").read_text()
    assert "pipeline.py" in penstock(["history"], tmp_path).stdout


def test_the_tube_as_yaml_has_the_same_digest(write, tmp_path):
    tube = ps.Tube.load(write(FIVE))
    (tmp_path / "same.yaml").write_text(tube.to_yaml())
    again = ps.Tube.load(tmp_path / "same.yaml")
    assert again.digest == tube.digest
    assert ps.run(again, inputs={"size": 4}).result == 64


def ids(source):
    with pytest.raises(ps.LoadError) as caught:
        ps.Tube.load(source)
    return [(d["id"], d["line"], d["column"]) for d in caught.value.diagnostics]


def test_types_of_both_sides_are_compared(write):
    path = write("def a() -> str: return 'x'\ndef b(a: int): return a\n")
    assert ids(path) == [("PS0116", 2, 7)]
    path = write("def b(n: int): return n\ndef c(n: str): return n\n")
    assert ids(path) == [("PS0116", 2, 7)]


@pytest.mark.parametrize(
    ("gives", "takes"), [("int", "float"), ("int | None", "int"), ("list[int]", "tuple"), ("Any", "int"), ("'T'", "int"), ("int", "T")]
)
def test_types_that_may_fit_pass(write, gives, takes):
    path = write(f"from typing import Any, TypeVar\nT = TypeVar('T')\ndef a() -> {gives}: return [1]\ndef b(a: {takes}): return a\n")
    assert ps.run(path).result == [1]


def test_units_are_shown_and_compared(write, tmp_path):
    volts = 'from typing import Annotated\ndef a(start: Annotated[float, "V"]) -> Annotated[float, "V"]: return start\n'
    assert ids(write(volts + 'def b(a: Annotated[float, "mV"]): return a\n')) == [("PS0116", 3, 7)]
    path = write(volts + 'def b(a: Annotated[float, "V"], twice: float = 2): return twice * a\n')
    assert ps.run(path, inputs={"start": 1.5}).result == 3.0
    assert "float [V]" in penstock(["graph", "pipeline.py"], tmp_path).stdout


def test_generators_and_several_signals_have_types(write):
    head = "from typing import Annotated, Iterator\nfrom penstock import Name\n"
    assert ids(write(head + "def a() -> Iterator[str]:\n    yield 'x'\ndef b(a: int): return a\n")) == [("PS0116", 5, 7)]
    two = head + "def a() -> tuple[Annotated[int, Name('low')], Annotated[str, Name('high')]]: return 1, 'x'\n"
    assert ids(write(two + "def b(high: int, low: int): return low\n")) == [("PS0116", 4, 7)]
    assert ps.run(write(two + "def b(high: str, low: float): return low\n")).result == 1


def test_a_function_says_the_keys_of_its_node(write, tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_CACHE", "on")
    path = write(
        """
        from typing import Annotated
        LIMIT_MS = 60_000

        def first(n: int) -> Annotated[int, "m", {"cache": True, "timeout_ms": LIMIT_MS}]:
            return n + 1

        async def second(first) -> "Annotated[int, {'retry': {'attempts': 2, 'on': ['ValueError']}, 'where': 'local'}]":
            return first * 2

        def third(second) -> Annotated[int, {"of": "somebody else"}]:
            return second
        """
    )
    shown = penstock(["fmt", "pipeline.py", "--to", "yaml", "-o", "-"], tmp_path).stdout
    assert "cache: true" in shown and "timeout_ms: 60000" in shown and "where: local" in shown
    assert "attempts: 2" in shown and "somebody" not in shown
    assert [ps.run(path, inputs={"n": 1}).metrics["nodes"]["first"]["reused"] for _ in range(2)] == [0, 1]
    assert ps.run(path, inputs={"n": 1}).result == 4
    back = tmp_path / "pipeline.yaml"
    back.write_text(shown)
    assert ps.Tube.load(back).digest == ps.Tube.load(path).digest


@pytest.mark.parametrize(
    ("text", "id", "message"),
    [
        ('{"cashe": True}', "PS0122", "did you mean 'cache'?"),
        ('{"cache": 1}', "PS0022", "cache wants true or false"),
        ('{"timeout_ms": 0}', "PS0022", "timeout_ms wants an int above 0"),
        ('{"retry": {"attemps": 3}}', "PS0122", "did you mean 'attempts'?"),
        ('{"retry": max(1, 2)}', "PS0022", "is no plain value"),
        ('{"resources": {"memory": "2 gigs"}}', "PS0125", "2 gigs"),
    ],
)
def test_wrong_keys_of_a_node_are_told_with_their_place(write, tmp_path, text, id, message):
    write(f"from typing import Annotated\ndef f(x) -> Annotated[int, {text}]:\n    return x\n")
    done = penstock(["check", "pipeline.py"], tmp_path)
    assert done.returncode == 3
    assert f"error[{id}]" in done.stdout and message in done.stdout and "pipeline.py:2:" in done.stdout, done.stdout
