"""penstock doctor: what it says, with which exit code, in a good and in a damaged installation."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import penstock as ps
from penstock import _backend, _doctor, reference

EXECUTABLE = str(Path(sys.executable).parent / "penstock")


def run(*command, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PENSTOCK_BACKEND"))}
    return subprocess.run(command, capture_output=True, text=True, env=clean | environment, timeout=60)


def rows_of(done):
    return dict(line[8:].split(None, 1) for line in done.stdout.splitlines() if line.startswith(("ok     ", "absent ", "missing")))


@pytest.mark.parametrize("command", [[EXECUTABLE], [sys.executable, "-m", "penstock"]], ids=["executable", "module"])
def test_a_good_installation(command):
    done = run(*command, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"version", "backend", "simd", "cores", "memory", "python", "numpy", "pyarrow"} <= set(rows_of(done))
    for part in ("digest", "codec", "event store"):
        assert any(
            line.startswith(f"ok      self-test {part} ") and line.endswith("native good, reference good")
            for line in done.stdout.splitlines()
        ), done.stdout
    found = json.loads(run(*command, "doctor", "--json").stdout)
    assert found["ok"] is True and found["version"] == ps.__version__ and "GiB" in found["memory"]
    assert all(found[name].startswith("not installed") for name in found["mend"])


def test_the_wanted_backend_is_shown():
    assert json.loads(run(EXECUTABLE, "doctor", "--json", PENSTOCK_BACKEND="reference").stdout)["backend wanted"].startswith("reference ")


def test_an_executable_without_python_speaks_for_itself(tmp_path):
    done = run(EXECUTABLE, "doctor", PENSTOCK_PYTHON="", VIRTUAL_ENV="", PATH=str(tmp_path), PENSTOCK_HOME=str(tmp_path))
    assert "self-test" in done.stdout  # the Python beside the executable needs no PATH


def test_a_missing_extension_is_told_with_the_command_that_mends_it(tmp_path):
    source = Path(ps.__file__).parent
    shutil.copytree(source, tmp_path / "penstock", ignore=shutil.ignore_patterns("_core*.so", "lib", "__pycache__"))
    done = run(sys.executable, "-m", "penstock", "doctor", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3 and done.stderr == ""
    assert "missing backend" in done.stdout and "reference only: penstock._core cannot be loaded (ImportError" in done.stdout
    assert _backend.MEND in done.stdout and "self-test codec" in done.stdout and "reference good" in done.stdout
    found = json.loads(run(sys.executable, "-m", "penstock", "doctor", "--json", PYTHONPATH=str(tmp_path)).stdout)
    assert found["ok"] is False and found["mend"]["backend"] == _backend.MEND
    assert run(sys.executable, "-m", "penstock", "doctor", "--fast", PYTHONPATH=str(tmp_path)).returncode == 2


def test_a_backend_that_answers_wrongly_is_found(monkeypatch):
    assert all(good for _, _, good, _ in _doctor._self_tests())
    monkeypatch.setattr(reference, "encode", lambda value: b"\xf6", raising=False)
    monkeypatch.setattr(reference, "digest", lambda value: 1 // 0, raising=False)
    rows = {name: (text, good, mend) for name, text, good, mend in _doctor._self_tests()}
    assert rows["self-test codec"] == ("native good, reference wrong: order of keys, round trip", False, _backend.MEND)
    assert rows["self-test digest"][0] == "native good, reference wrong: ZeroDivisionError: integer division or modulo by zero"


def test_a_package_that_is_not_there(monkeypatch):
    monkeypatch.setattr(_doctor, "_PACKAGES", (("no_such_package", "no-such", "this test"), ("numpy", "numpy", "arrays")))
    missing, there = _doctor._packages()
    assert missing == ("no_such_package", "not installed; for this test", True, "pip install no-such")
    assert there[0] == "numpy" and there[2]


def test_a_wrong_choice_is_a_finding(monkeypatch):
    monkeypatch.setenv("PENSTOCK_BACKEND", "fast")
    name, text, good, mend = _doctor._chosen()
    assert name == "backend wanted" and not good and "seen 'fast'" in text and mend == "export PENSTOCK_BACKEND=auto"
