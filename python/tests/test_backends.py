"""Which backend does the work, and what happens where one of them is not there.

Where the extension is missing or damaged is tested with an installation that really is: a copy of the
package without it, in programs of its own.
"""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import penstock as ps
from penstock import _backend, accelerate, reference

PACKAGE = Path(ps.__file__).parent
EXTENSION = next(PACKAGE.glob("_core*.so")).name


@pytest.fixture(scope="module", params=["missing", "damaged"])
def broken(request, tmp_path_factory):
    """A folder with an installation whose extension cannot be loaded."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(PACKAGE, folder / "penstock", ignore=shutil.ignore_patterns("_core*.so", "lib", "__pycache__"))
    if request.param == "damaged":
        (folder / "penstock" / EXTENSION).write_bytes(b"\x7fELF and then nothing")
    return folder


def program(code, *, path=None, backend=None, arguments=()):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PENSTOCK_BACKEND"))}
    environment |= {"PYTHONPATH": str(path)} if path else {}
    environment |= {"PENSTOCK_BACKEND": backend} if backend else {}
    command = [sys.executable, *(["-c", code] if code else []), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_import_prints_nothing_with_and_without_the_extension(broken):
    for path in (None, broken):
        for backend in (None, "reference", "auto"):
            done = good(program("import penstock", path=path, backend=backend))
            assert done.stdout == "" and done.stderr == ""


USE = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import penstock as ps
    import numpy
    data = ps.encode({"a": [1, (2.5, numpy.arange(3))]})
    assert str(ps.decode(data)) == "{'a': [1, (2.5, array([0, 1, 2]))]}"
    print(data.hex(), ps.digest(1), ps.cid(1), len(caught))
    print(*(f"{w.category.__name__}: {w.message}" for w in caught), sep="\\n")
"""


def test_without_the_extension_the_twin_answers_and_one_warning_says_so(broken):
    whole, short = good(program(USE)).stdout.split(), good(program(USE, path=broken)).stdout.split("\n", 1)
    assert short[0].split() == [*whole[:3], "1"] and whole[3] == "0"
    said = short[1].strip()
    assert said.startswith("BackendWarning: penstock.encode runs in plain Python, 10 to 100 times slower: penstock._core cannot be loaded")
    assert "pip install --force-reinstall penstock" in said and said.endswith("[PS0473]")


def test_asking_for_the_reference_is_no_fallback(broken):
    for path in (None, broken):
        said = good(program(USE, path=path, backend="reference")).stdout.split()
        assert said[:3] == good(program(USE)).stdout.split()[:3] and said[3] == "0"


def test_asking_for_the_native_code_where_there_is_none_is_an_error(broken):
    done = program("import penstock", path=broken, backend="native")
    assert done.returncode == 1
    assert "FailedPreconditionError: no native code for PENSTOCK_BACKEND=native: penstock._core cannot be loaded" in done.stderr
    assert "[PS0471] pip install --force-reinstall penstock" in done.stderr


NEEDS = """
import penstock as ps
for name in ("Tube", "ThreadedRunner", "empty"):
    try:
        getattr(ps, name)
        print("nothing raised")
    except ps.UnimplementedError as error:
        print(error.id, error, error.help, sep="; ")
"""


def test_what_has_no_twin_says_how_to_mend_it(broken):
    for line, name in zip(good(program(NEEDS, path=broken)).stdout.splitlines(), ("Tube", "ThreadedRunner", "empty"), strict=True):
        assert line.startswith(f"PS0472; penstock.{name} has no pure-Python twin, and penstock._core cannot be loaded")
        assert line.endswith("; pip install --force-reinstall penstock")


def test_the_command_without_the_extension_says_what_is_wrong(broken):
    done = program("", path=broken, arguments=["-m", "penstock", "run", "x.yaml"])
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error[PS0472]: the command penstock has no pure-Python twin, and penstock._core cannot")
    assert done.stderr.endswith("help: pip install --force-reinstall penstock\n")


def test_an_unknown_backend_names_the_three(broken):
    for path in (None, broken):
        done = program("import penstock", path=path, backend="fast")
        assert done.returncode == 1
        assert "unknown backend: seen 'fast', wanted native, reference or auto (at PENSTOCK_BACKEND)" in done.stderr


def test_asking_for_the_reference_what_it_has_not_warns_once():
    code = "import penstock as ps\nps.Tube, ps.ThreadedRunner, ps.empty\nprint(ps.encode(1))"
    done = good(program(code, backend="reference"))
    assert done.stdout == "b'\\x01'\n" and done.stderr.count("Warning") == 1
    assert "BackendWarning: penstock.Tube has no pure-Python twin, so the native code does it" in done.stderr


# ---- the choice itself


def choice(**keywords):
    try:
        return _backend.choose("the thing", **keywords)
    except ps.Error as error:
        return type(error).__name__


ROWS = [
    # (asked, native, twin, strict) -> the answer
    (("auto", True, True, False), "native"),
    (("auto", True, False, True), "native"),
    (("auto", False, True, True), "FailedPreconditionError"),
    (("auto", False, False, False), "UnimplementedError"),
    (("native", True, True, True), "native"),
    (("native", False, True, False), "FailedPreconditionError"),
    (("reference", True, True, True), "reference"),
    (("reference", True, False, True), "UnimplementedError"),
    (("reference", False, False, False), "UnimplementedError"),
    (("other", True, True, False), "InvalidArgumentError"),
]


@pytest.mark.parametrize("row, wanted", ROWS)
def test_choice(row, wanted, monkeypatch):
    asked, native, twin, strict = row
    assert choice(backend=asked, native=native, twin=twin, strict=strict) == wanted
    monkeypatch.setenv("PENSTOCK_BACKEND", asked)
    assert choice(native=native, twin=twin, strict=strict) == wanted


def test_each_fall_back_warns_and_the_process_hears_it_once(monkeypatch):
    for asked, native, twin, found in (("auto", False, True, "reference"), ("reference", True, False, "native")):
        monkeypatch.setattr(_backend, "_warned", False)
        with pytest.warns(ps.BackendWarning, match="the thing"):
            assert choice(backend=asked, native=native, twin=twin) == found
        assert choice(backend=asked, native=native, twin=twin) == found  # warnings are errors here


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("PENSTOCK_BACKEND", "")
    assert _backend.wanted() == "auto"


# ---- penstock.accelerate

THERE = [name for name in accelerate._CLASSES if name in reference.__all__ and hasattr(ps._core, name)]
MAKERS = {
    "EventStore": lambda **k: accelerate.get_event_store(8, **k),
    "Scheduler": lambda **k: accelerate.get_scheduler({"b": ["a"]}, **k),
    "Serializer": accelerate.get_serializer,
    "BufferPool": lambda force_python=False, strict=False: (reference if force_python else ps._core).BufferPool(1024, 4),
}


@pytest.mark.parametrize("name", accelerate._CLASSES)
def test_each_object_names_its_backend(name):
    if name not in THERE:
        with pytest.raises(ps.UnimplementedError, match=name):
            getattr(accelerate, name)
        return
    assert getattr(accelerate, name) is getattr(ps._core, name)
    for made, wanted in ((MAKERS[name](), "native"), (MAKERS[name](force_python=True), "reference")):
        assert made.backend == wanted
    with pytest.raises(AttributeError):
        MAKERS[name]().backend = "other"
    assert MAKERS[name](strict=True).backend == "native"


def test_names_of_accelerate():
    assert set(accelerate.__all__) <= set(dir(accelerate))
    assert str(inspect.signature(accelerate.get_event_store)).startswith("(cache_size: 'int' = 256, force_python: 'bool' = False")
    with pytest.raises(AttributeError, match="no attribute 'get_everything'"):
        accelerate.get_everything  # noqa: B018


def test_metrics_name_the_backend():
    tube = {"nodes": {"n": {"type": "penstock.testing.count_source", "params": {"limit": 2}}}}
    assert ps.run(tube, history=False).metrics["backend"] == "native"


# ---- runs

COUNT = {
    "nodes": {
        "n": {"type": "penstock.testing.count_source", "params": {"limit": 3}},
        "double": {"type": "penstock.testing.multiply", "depends": [{"left": "n.index"}]},
        "out": {"type": "return", "depends": "double.value"},
    }
}


def test_a_run_in_plain_python_has_the_same_results_and_address():
    native, twin = (ps.run(COUNT, backend=name, strict=True, history=False) for name in ("native", "reference"))
    assert native[:3] == twin[:3] and native.results == [0, 2, 4]
    assert (native.metrics["backend"], twin.metrics["backend"]) == ("native", "reference")
    assert ps.run(ps.Tube.load(COUNT), backend="reference", strict=True).results == [0, 2, 4]


LACKING = [
    (dict(runner="threads"), "runner='threads'"),
    (dict(report="page.html"), "a report"),
    (dict(tags=["gpu"]), "tags"),
    (dict(tube="nodes:\n  out: {type: penstock.testing.hello}"), "a tube that is not given as a dict"),
    (dict(tube={"nodes": {"a": {"type": "penstock.testing.hello", "retry": {"attempts": 2}}}}), "the key 'retry' of a node"),
    (dict(tube={"nodes": {"a": {"type": "builtins.len"}}}), "a node of a kind such as 'builtins.len'"),
    (dict(tube={"extends": "x", "nodes": {}}), "the key 'extends' of a tube"),
]


@pytest.mark.parametrize("options, named", LACKING, ids=[named for _, named in LACKING])
def test_what_a_run_in_plain_python_lacks_is_named(options, named):
    given = {"tube": COUNT, "history": False} | options
    for call in (lambda: ps.run(**given, backend="reference", strict=True), lambda: reference.run(**given)):
        with pytest.raises(ps.UnimplementedError) as error:
            call()
        assert str(error.value) == f"a run with {named} has no pure-Python twin" and error.value.id == "PS0472"


def test_a_run_that_has_no_twin_goes_to_the_native_code_with_a_warning(monkeypatch):
    monkeypatch.setenv("PENSTOCK_BACKEND", "reference")
    monkeypatch.setattr(_backend, "_warned", False)
    with pytest.warns(ps.BackendWarning, match="a run with runner='threads' has no pure-Python twin, so the native code does it"):
        run = ps.run(COUNT, runner="threads", history=False)
    assert run.results == [0, 2, 4] and run.metrics["backend"] == "native"
    assert ps.run(COUNT, history=False).metrics["backend"] == "reference"


RUN = f"""
import warnings
warnings.simplefilter("ignore")
import penstock as ps
run = ps.run({COUNT!r})
print(run.results, run.cid, run.metrics["backend"])
try:
    ps.run("nodes: {{}}")
except ps.UnimplementedError as error:
    print(error)
"""


def test_a_tube_given_as_a_dict_runs_without_the_extension(broken):
    lines = good(program(RUN, path=broken)).stdout.splitlines()
    assert lines[0] == f"[0, 2, 4] {ps.cid(4)} reference"
    assert lines[1].startswith("a run with a tube that is not given as a dict has no pure-Python twin, and penstock._core")


def test_deinit_is_called_in_reverse_also_after_a_failure():
    tube = {
        "nodes": {
            "a": {"type": f"{__name__}.Living", "params": {"name": "a"}},
            "b": {"type": f"{__name__}.Living", "params": {"name": "b"}, "depends": [{"value": "a.value"}]},
        }
    }
    for name in ("native", "reference"):
        Living.seen.clear()
        with pytest.raises(ps.NodeError, match="enough"):
            ps.run(tube, n=3, backend=name, strict=True, history=False)
        assert Living.seen == ["init a", "init b", "deinit b", "deinit a"]


class Living(ps.Node):
    name: str = ""
    seen = []

    def init(self):
        self.seen.append(f"init {self.name}")

    def deinit(self):
        self.seen.append(f"deinit {self.name}")

    def process(self, value=None):
        if self.name == "b":
            raise ValueError("enough")
        return 1


@pytest.mark.parametrize(
    ("wanted", "code", "says"),
    [("reference", 0, "[PS0473]"), ("fast", 2, "error[PS0470]: unknown backend: seen 'fast'"), ("auto", 0, "ok: 1 epoch")],
)
def test_the_command_says_that_it_is_native(wanted, code, says):
    environment = {**os.environ, "PENSTOCK_BACKEND": wanted, "PENSTOCK_NO_HISTORY": "1"}
    command = [str(Path(sys.executable).parent / "penstock"), "run", "hello"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
