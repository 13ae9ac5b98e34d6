"""`penstock fmt`, `new`, `schema` and `stub`: what they write is right, and they never destroy a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

import penstock as ps

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).parent / "penstock")


def penstock(words, folder):
    environment = {**os.environ, "PENSTOCK_HOME": str(folder / ".home"), "PENSTOCK_PYTHON": sys.executable, "NO_COLOR": "1"}
    return subprocess.run([COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def tube_files():
    found = [path for part in ("examples", "tests/golden") for path in (ROOT / part).rglob("*.yaml")]
    return sorted(found)


OTHERS_OF_FORM = {"PS0104", "PS0122", "PS0123", "PS0124", "PS0125", "PS0126"}


def is_well_formed(path, folder):
    """The reader accepts it: whatever is wrong with it is wiring, types or this version."""
    done = penstock(["check", "--json", str(path)], folder)
    problems = json.loads(done.stdout)["files"][0]["problems"]
    of_form = [p["id"] for p in problems if p["id"].startswith("PS00") or p["id"] in OTHERS_OF_FORM]
    return not [id for id in of_form if id != "PS0026"]


# ---- fmt

MESSY = """\
# About the tube.
#
# More about it.


nodes:   # all of them
   # the words
   words: {depends: input.x, type: sorted}   # letters

   each:
      depends: words.value  # one at a time
      type: "map"
   big:
      # the slot
      depends: [{string: each.value}]   # a list
      type: penstock.testing.exclaim
      enabled: true  # the default
   all: {depends: big.value, type: gather}


   out:
      depends:
      - a: all.value # first
      # between
      - b: input.x
      type: return
      description: >-
         Two lines  # no comment
         that are folded
input:
   x: {default: "a # b", type: str, scope: process}
# the end
"""


def test_fmt_gives_one_form_and_keeps_comments(tmp_path):
    path = tmp_path / "tube.yaml"
    path.write_text(MESSY)
    before = ps.Tube.load(path)
    assert penstock(["fmt", "--check", "tube.yaml"], tmp_path).returncode == 3
    assert path.read_text() == MESSY
    done = penstock(["fmt", "tube.yaml"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = path.read_text()
    assert text == (Path(__file__).parent / "formatted.yaml").read_text()
    assert ps.Tube.load(path).digest == before.digest
    assert ps.run(path).result == {"a": [" !", " !", "#!", "a!", "b!"], "b": "a # b"}
    assert penstock(["fmt", "tube.yaml"], tmp_path).returncode == 0
    assert path.read_text() == text
    assert penstock(["fmt", "--check", "tube.yaml"], tmp_path).returncode == 0


def test_fmt_of_all_tubes_of_the_repository(tmp_path):
    count = 0
    for path in tube_files():
        if not is_well_formed(path, tmp_path):
            continue
        count += 1
        source = path.read_text()
        once = penstock(["fmt", str(path), "-o", "once.yaml"], tmp_path)
        assert once.returncode == 0, f"{path}\n{once.stderr}"
        twice = penstock(["fmt", "once.yaml", "-o", "-"], tmp_path)
        assert twice.stdout == (tmp_path / "once.yaml").read_text(), path
        assert yaml.safe_load(twice.stdout).keys() == {key for key, value in yaml.safe_load(source).items() if value}
        assert path.read_text() == source
    assert count > 30


def test_fmt_refuses_what_is_no_tube_and_leaves_it(tmp_path):
    path = tmp_path / "tube.yaml"
    path.write_text("nodes:\n  a: {typ: sum}\n")
    done = penstock(["fmt", "tube.yaml"], tmp_path)
    assert done.returncode == 1 and "error[PS0013]" in done.stderr
    assert path.read_text() == "nodes:\n  a: {typ: sum}\n"
    done = penstock(["fmt", "tube.yaml", "-o", "no/such/folder.yaml"], tmp_path)
    assert done.returncode == 1
    path.write_text("nodes:\n  a: {type: hello.words}\n")
    done = penstock(["fmt", "tube.yaml", "-o", "no/such/folder.yaml"], tmp_path)
    assert done.returncode == 1 and "error[PS0909]" in done.stderr


def test_fmt_to_yaml_gives_the_same_plan(tmp_path):
    (tmp_path / "five.py").write_text(
        '"""Five steps: counted."""\n'
        "def numbers(size: int = 3, *, name: str = 'a: b', more=[1, {'k': None}]):\n    '''Gives numbers.'''\n"
        "    return list(range(size))\n"
        "def source(limit: int = 2):\n    yield from range(limit)\n"
        "def both(numbers, source, flag: bool | None = None): return len(numbers) + source\n"
    )
    done = penstock(["fmt", "five.py", "--to", "yaml", "-o", "five.yaml"], tmp_path)
    assert done.returncode == 0, done.stderr
    functions, tube = ps.Tube.load(tmp_path / "five.py"), ps.Tube.load(tmp_path / "five.yaml")
    assert functions.digest == tube.digest
    assert functions.inputs == tube.inputs
    assert ps.run(tube).results == ps.run(functions).results == [3, 4]
    assert "Five steps: counted." in (tmp_path / "five.yaml").read_text()
    assert penstock(["fmt", "five.yaml", "--check"], tmp_path).returncode == 0
    assert penstock(["fmt", "five.py"], tmp_path).returncode == 2
    (tmp_path / "my-five.py").write_text("def a(): return 1\n")
    done = penstock(["fmt", "my-five.py", "--to", "yaml"], tmp_path)
    assert done.returncode == 2 and "rename it to my_five.py" in done.stderr


# ---- new


@pytest.mark.parametrize(("words", "name"), [([], "first.yaml"), (["--python"], "first.py"), ([], "second.py")])
def test_new_writes_what_runs_as_it_is_and_overwrites_nothing(tmp_path, words, name):
    done = penstock(["new", *words, name], tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / name).read_text()
    assert f"penstock run {name}" in text and "#" in text
    assert penstock(["check", name], tmp_path).returncode == 0
    assert penstock(["run", name, "-q"], tmp_path).stdout in ("14\n", '{"sizes": [3, 1, 2], "total": 6}\n')
    assert ps.run(tmp_path / name).results
    if name.endswith(".yaml"):
        assert penstock(["fmt", "--check", name], tmp_path).returncode == 0
    again = penstock(["new", *words, name], tmp_path)
    assert again.returncode == 1 and "exists" in again.stderr
    assert (tmp_path / name).read_text() == text
    assert penstock(["new", "no/such/folder.yaml"], tmp_path).returncode == 1
    assert penstock(["new", "--python", "x.yaml"], tmp_path).returncode == 2
    assert not (tmp_path / "x.yaml").exists()


# ---- schema


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    schema = json.loads(penstock(["schema"], tmp_path_factory.mktemp("schema")).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_schema_accepts_the_tubes_of_the_repository(validator, tmp_path):
    count = 0
    for path in tube_files():
        if is_well_formed(path, tmp_path):
            count += 1
            errors = [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))]
            assert not errors, f"{path}: {errors}"
    assert count > 30


WRONG = {
    "unknown key": "nodes: {a: {type: sum, depnds: b.value}}",
    "unknown top key": "node: {}",
    "no type": "nodes: {a: {depends: b.value}}",
    "no signal": "nodes: {a: {type: sum, depends: b}}",
    "map of depends": "nodes: {a: {type: sum, depends: {x: b.value}}}",
    "two slots in one item": "nodes: {a: {type: sum, depends: [{x: b.value, y: c.value}]}}",
    "list of params": "nodes: {a: {type: sum, params: [1]}}",
    "bad id": "nodes: {a-b: {type: sum}}",
    "reserved id": "nodes: {input: {type: sum}}",
    "bad type": "nodes: {a: {type: .sum}}",
    "bad scope": "input: {a: {type: int, scope: node}}",
    "input without type": "input: {a: {scope: process}}",
    "asset without scope": "assets: {a: {type: list}}",
    "bad enabled": "nodes: {a: {type: sum, enabled: maybe}}",
    "text of extends": "extends: base",
    "negative retry": "nodes: {a: {type: sum, retry: -1}}",
    "a list": "[]",
    "retry without attempts": "nodes: {a: {type: sum, retry: {'on': unavailable}}}",
    "misspelt key of retry": "nodes: {a: {type: sum, retry: {attempts: 2, backof_ms: 1}}}",
    "misspelt error code": "nodes: {a: {type: sum, retry: {attempts: 2, 'on': [unavailble]}}}",
    "jitter above 1": "nodes: {a: {type: sum, retry: {attempts: 2, jitter: 1.5}}}",
    "unknown resource": "nodes: {a: {type: sum, resources: {gpu: 1}}}",
    "part of a slot": "nodes: {a: {type: sum, resources: {io: 0.5}}}",
    "unknown unit": "nodes: {a: {type: sum, resources: {memory: 2 gigs}}}",
    "tag of two words": "nodes: {a: {type: sum, where: two words}}",
    "misspelt key of where": "nodes: {a: {type: sum, where: {tag: gpu}}}",
}
RIGHT = [
    "retry: 3",
    "retry: {attempts: 1, backoff_ms: 0, max_ms: 5, jitter: 0.25, 'on': data_loss}",  # PyYAML is of YAML 1.1
    "retry: {attempts: 2, 'on': [unavailable, ConnectionError, socket.timeout, pkg.mod.Busy]}",
    "timeout_ms: 5",
    "timeout: 30s",
    "resources: {cpu: 1.5, io: 2, memory: 4096}",
    "resources: {memory: 1.5GiB}",
    "resources: {memory: 512 MB}",
    "where: gpu",
    "where: [gpu, lab-3]",
    "where: {tags: [gpu]}",
    "where: {tags: gpu}",
]


@pytest.mark.parametrize("name", WRONG)
def test_schema_refuses_what_the_reader_refuses(validator, tmp_path, name):
    assert not validator.is_valid(yaml.safe_load(WRONG[name]))
    (tmp_path / "tube.yaml").write_text(WRONG[name])
    assert not is_well_formed("tube.yaml", tmp_path)


@pytest.mark.parametrize("policy", RIGHT)
def test_schema_accepts_every_form_of_policy(validator, tmp_path, policy):
    text = f"nodes:\n  a:\n    type: sum\n    {policy}\n"
    assert validator.is_valid(yaml.safe_load(text))
    (tmp_path / "tube.yaml").write_text(text)
    assert is_well_formed("tube.yaml", tmp_path)


def test_schema_lets_an_extended_node_leave_out_its_type(validator):
    assert validator.is_valid({"extends": ["base"], "nodes": {"a": {"params": {"n": 1}}}})


# ---- stub

USE = """
import penstock as ps
from tube_types import TubeInputs, TubeRunner

runner: TubeRunner = ps.SynchronousRunner(ps.Tube.load("tube.yaml"))
print(runner.process(month=3, label="x"))
"""
ERRORS = {
    "a wrong name": 'print(runner.process(mnth=3, label="x"))',
    "a missing one": "print(runner.process(month=3))",
    "a wrong type": 'print(runner.process(month="3", label="x"))',
    "a wrong name in run": 'print(runner.run(2, month=3, lable="x"))',
    "a wrong key": 'inputs: TubeInputs = {"moth": 3}',
}


def mypy(folder):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / ".mypy"), "use.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_stub_makes_wrong_inputs_errors_of_mypy(tmp_path):
    (tmp_path / "tube.yaml").write_text(
        "input:\n  month: {type: int, scope: process, default: 1}\n  label: {type: str, scope: process}\n"
        "  rows: {type: list, scope: tube, default: []}\n  any: {type: numpy.ndarray, scope: process, required: false}\n"
        "nodes:\n  out: {type: return, depends: [a: input.month, b: input.label]}\n"
    )
    assert penstock(["stub", "tube.yaml", "-o", "tube_types.py"], tmp_path).returncode == 0
    (tmp_path / "use.py").write_text(USE)
    done = mypy(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    script = subprocess.run([sys.executable, "use.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert script.stdout == "{'a': 3, 'b': 'x'}\n", script.stderr
    (tmp_path / "use.py").write_text(USE + "\n".join(ERRORS.values()) + "\n")
    done = mypy(tmp_path)
    first = USE.count("\n") + 1
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == set(range(first, first + len(ERRORS))), done.stdout
    assert 'Unexpected keyword argument "mnth"' in done.stdout


def test_stub_of_functions_and_of_a_tube_without_inputs(tmp_path):
    (tmp_path / "one.py").write_text("def a(n: int, x: list[float] | None = None): return n\n")
    text = penstock(["stub", "one.py"], tmp_path).stdout
    assert "class OneRunner(Protocol)" in text
    assert "def process(self, *, n: int, x: list[float] | None = ...) -> Any: ..." in text
    (tmp_path / "two.yaml").write_text("nodes:\n  a: {type: hello.words}\n")
    text = penstock(["stub", "two.yaml"], tmp_path).stdout
    assert "def process(self) -> Any: ..." in text
    compile(text, "two_types.py", "exec")
