"""Every kind of bad input gives one clear error: the command, its output and its exit code, word for word.

A case is errors/NAME.txt: the command in the first line, then what it prints (both streams), then the exit code.
PENSTOCK_UPDATE_GOLDEN=1 writes what is printed now; read the difference before you keep it.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "errors"
CASES = sorted(path.stem for path in FOLDER.glob("*.txt"))
COMMAND = os.environ.get("PENSTOCK_COMMAND") or str(Path(sys.executable).parent / "penstock")
RUNNERS = ["sync", "threads", "processes"]


def run(words, home):
    environment = {
        **os.environ,
        "PENSTOCK_HOME": str(home),
        "PENSTOCK_PYTHON": sys.executable,
        "PYTHONPATH": str(FOLDER),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [COMMAND, *words], cwd=FOLDER, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    return done.stdout, done.returncode


def stable(text):
    """Without what differs from run to run."""
    text = re.sub(r" in \d[\d.]* (ms|s)\b", " in TIME", text)
    return text.replace(str(FOLDER) + "/", "").replace(str(FOLDER), "FOLDER")


def problems(text):
    """The texts of the single errors in an output."""
    return [part for part in re.split(r"^(?=error)", text, flags=re.M) if part.startswith("error")]


def test_there_are_enough_kinds():
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
def test_prints_what_it_should(name, tmp_path):
    path = FOLDER / f"{name}.txt"
    command = path.read_text().splitlines()[0]
    assert command.startswith("$ penstock ")
    output, code = run(shlex.split(command)[2:], tmp_path)
    seen = f"{command}\n{stable(output)}exit {code}\n"
    if os.environ.get("PENSTOCK_UPDATE_GOLDEN"):
        path.write_text(seen)
    assert seen == path.read_text()


@pytest.mark.parametrize("name", CASES)
def test_is_short_and_has_an_id(name):
    text = (FOLDER / f"{name}.txt").read_text()
    assert not text.endswith("exit 0\n")
    found = problems(text)
    assert found
    for problem in found:
        lines = problem.splitlines()
        lines = [line for line in lines if not re.fullmatch(r"exit \d+|\d+ problems", line)]
        failed_node = lines[0].startswith("error[PS04") or lines[0].startswith("error[PS05")
        assert len(lines) <= (12 if failed_node else 6), problem
        assert re.match(r"error\[PS\d{4}\]: \S", lines[0])
        assert all(len(line) < 400 for line in lines)


@pytest.mark.parametrize("name", [case for case in CASES if "check --types" in (FOLDER / f"{case}.txt").read_text()])
def test_reading_the_source_says_what_importing_says(name, tmp_path):
    command, _, wanted = (FOLDER / f"{name}.txt").read_text().partition("\n")
    output, code = run([word for word in shlex.split(command)[2:] if word != "--types"], tmp_path)
    assert f"{stable(output)}exit {code}\n" == wanted


@pytest.mark.parametrize("name", [case for case in CASES if "exit 1" in (FOLDER / f"{case}.txt").read_text()])
def test_is_the_same_on_every_runner(name, tmp_path):
    text = (FOLDER / f"{name}.txt").read_text()
    command = text.splitlines()[0]
    words = shlex.split(command)[2:]
    if words[0] != "run" or "--runner" in words:
        return
    for runner in RUNNERS:
        output, code = run([*words, "--runner", runner], tmp_path)
        assert f"{command}\n{stable(output)}exit {code}\n" == text, runner
