"""The wheel imports and runs in a fresh environment that has only its declared dependencies."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree. Compiler, flags and launcher are those of the release preset: cache hits."""
    out = tmp_path_factory.mktemp("wheel")
    environment = os.environ | {
        "CC": "/usr/bin/cc",
        "CXX": "/usr/bin/c++",
        "CCACHE_BASEDIR": str(ROOT),
        "CCACHE_NOHASHDIR": "1",
        "CMAKE_C_COMPILER_LAUNCHER": "ccache",
        "CMAKE_CXX_COMPILER_LAUNCHER": "ccache",
    }
    run(
        *(sys.executable, "-m", "pip", "wheel", ".", "--no-build-isolation", "--no-deps", "-w", str(out)),
        *("-C", "cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR=ON"),
        cwd=ROOT,
        env=environment,
    )
    (path,) = out.glob("penstock-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """bin/ of a new environment with the wheel's base install."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "--quiet", wheel)
    return folder / "bin"


def test_wheel_carries_the_native_parts(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("penstock/__init__.py", "penstock/py.typed", "penstock/lib/libpenstock.so",
                   "penstock/lib/libpenstock_table.so", "penstock/lib/libduckdb.so"):  # fmt: skip
        assert wanted in names
    assert any(name.endswith(".data/scripts/penstock") for name in names)
    assert any(name.startswith("penstock/_core.") for name in names)


def test_base_install_imports_without_pyarrow(environment):
    code = "import sys, penstock; assert 'numpy' not in sys.modules; print(penstock.digest({'a': 1}))"
    assert len(run(environment / "python", "-c", code, cwd="/").strip()) == 64
    assert "pyarrow" not in run(environment / "pip", "list").lower()


def test_base_install_runs_the_command(environment):
    assert run(environment / "penstock", "--version", cwd="/").strip()
    run(environment / "penstock", "run", "hello", cwd="/")


def test_table_extra_runs_a_table_operator(environment, wheel):
    run(environment / "pip", "install", "--quiet", f"{wheel}[table]")
    assert "table.sql" in run(environment / "penstock", "ops", "list", cwd="/")
