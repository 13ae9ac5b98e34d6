"""The C++ example builds against the installed package and gives the content address Python gives."""

import shutil
import subprocess
from pathlib import Path

import penstock as ps

ROOT = Path(__file__).parents[1]
WORDS = ["alder", "yew", "a", ""]


def run(*command, cwd=ROOT):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_example_builds_against_the_installed_package(tmp_path):
    prefix = tmp_path / "sdk"
    run("cmake", "--install", "build/release", "--component", "sdk", "--prefix", str(prefix))
    source = tmp_path / "example"
    shutil.copytree(ROOT / "examples/cpp", source)
    build = tmp_path / "build"
    run("cmake", "-S", str(source), "-B", str(build), "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", str(build))
    program = str(build / "word_lengths")
    lines = run(program, str(source / "word_lengths.yaml"), *WORDS).split()
    lengths = [len(word) for word in WORDS]
    assert lines[:-1] == [str(length) for length in lengths]
    assert lines[-1] == ps.cid(lengths)

    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nodes:\n  out: {type: return, depends: lenght.value}\n")
    failed = subprocess.run([program, str(wrong)], capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1
    assert "PS0101" in failed.stderr and "unknown node 'lenght'" in failed.stderr
