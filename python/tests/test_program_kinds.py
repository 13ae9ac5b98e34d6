"""Worker processes under programs without a file: notebook, prompt, -c, stdin; and scripts without a guard."""

import os
import subprocess
import sys
from pathlib import Path

import penstock as ps

PROGRAM = '''
import penstock as ps, functools, math
from typing import Annotated

FACTOR = 3
TABLE = {"two": 2}

def logged(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x) + offset
    offset = TABLE["two"]
    return wrapper

@logged
def scaled(x):
    return helper(x) * FACTOR

def helper(x):
    return x if x < 2 else helper(x - 2) + int(math.sqrt(4))

class Base:
    def __init__(self, start=1):
        self.total = start

    @property
    def twice(self):
        return 2 * self.total

class Running(Base):
    def __init__(self, start=1):
        super().__init__(start)

    def process(self, x) -> Annotated[int, ps.Name("sum")]:
        self.total += x
        return self.twice

class Part(ps.Node):
    add: int = 1

    def init(self):
        self.ready = 100

    def process(self, x):
        return x + self.add + self.ready

async def later(x):
    return [x, Point(x)]

class Point:
    def __init__(self, x):
        self.x = x

def x_of(pair):
    return pair[0]

def numbers(limit=3):
    yield from range(limit)

INNER = {"noob_id": "inner", "input": {"x": {"type": "any", "scope": "process"}},
         "nodes": {"n": {"type": "__main__.helper", "depends": "input.x"}, "out": {"type": "return", "depends": [{"x": "n.value"}]}}}

TUBE = {"noob_id": "program", "nodes": {
    "n": {"type": "__main__.numbers"},
    "scaled": {"type": "__main__.scaled", "depends": "n.value"},
    "running": {"type": "__main__.Running", "params": {"start": 5}, "depends": "scaled.value"},
    "part": {"type": "__main__.Part", "depends": "running.sum"},
    "sub": {"type": "tube", "params": {"tube": INNER}, "depends": [{"x": "part.value"}]},
    "out": {"type": "return", "depends": "sub.x"},
}}
'''
RUN = "print(ps.run(TUBE, runner='processes', max_workers=2, history=False).results)\n"
WANTED = "[115, 125, 141]\n"


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(ps.__file__).parent.parent)}


def python(*words, text=None, cwd=None):
    done = subprocess.run(
        [sys.executable, *words], input=text, capture_output=True, text=True, env=environment(), cwd=cwd, timeout=120, check=False
    )
    return done.stdout, done.stderr


def by_statements(program):
    """A program as one types it: an empty line ends each block."""
    return program.replace("\n\n    ", "\n    ")


def test_the_program_by_itself(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + RUN.replace("processes", "sync").replace(", max_workers=2", ""))
    assert python(str(path)) == (WANTED, "")


def test_a_script_without_a_guard(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + RUN)
    assert python(str(path)) == (WANTED, "")


def test_python_c():
    assert python("-c", PROGRAM + RUN) == (WANTED, "")


def test_standard_input():
    assert python("-", text=PROGRAM + RUN) == (WANTED, "")


def test_a_prompt():
    out, err = python("-i", "-q", "-c", "import sys; sys.ps1 = sys.ps2 = ''", text=by_statements(PROGRAM) + "\n" + RUN)
    assert (out, err.strip()) == (WANTED, "")


def test_a_prompt_after_a_script(tmp_path):
    path = tmp_path / "program.py"
    path.write_text("import sys; sys.ps1 = sys.ps2 = ''\n" + PROGRAM)
    out, err = python("-i", "-q", str(path), text=RUN)
    assert (out, err.strip()) == (WANTED, "")


NOTEBOOK = """
import asyncio, sys
main = sys.modules["__main__"]
del main.__file__
cells = {cells!r}

async def kernel():
    # A kernel runs cells on its event loop, in __main__, without a file.
    for number, cell in enumerate(cells):
        exec(compile(cell, f"<ipython-input-{{number}}>", "exec"), main.__dict__)

asyncio.run(kernel())
"""


def test_a_notebook(tmp_path):
    path = tmp_path / "kernel.py"
    path.write_text(NOTEBOOK.format(cells=[PROGRAM, RUN, "FACTOR = 4\n", RUN]))
    assert python(str(path)) == (WANTED + "[115, 127, 147]\n", "")


LOCKED = """
import threading
import penstock as ps

lock = threading.Lock()

def node(x):
    with lock:
        return x + 1

TUBE = {"noob_id": "locked", "input": {"x": {"type": "int"}}, "nodes": {
    "node": {"type": "__main__.node", "depends": "input.x"}, "out": {"type": "return", "depends": "node.value"}}}
"""
RUN_LOCKED = "print(ps.run(TUBE, runner='processes', inputs={'x': 1}, max_workers=1, history=False).results)\n"
TELL = """
try:
    %s
except ps.Error as error:
    print(error.id, error)
"""


def test_what_cannot_be_sent_is_made_by_the_script_again(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(LOCKED + "if __name__ == '__main__':\n    " + RUN_LOCKED)
    assert python(str(path)) == ("[2]\n", "")


def test_what_cannot_be_sent_and_a_script_without_a_guard_is_one_error(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(LOCKED + RUN_LOCKED)
    out, err = python(str(path))
    assert out == ""
    assert "FailedPreconditionError: the script starts a run again when a worker process imports it" in err


def test_what_cannot_be_sent_without_a_script_is_one_error():
    out, err = python("-c", LOCKED + TELL % RUN_LOCKED.strip())
    assert out == "PS0432 node of the program cannot be sent to a worker process: cannot pickle '_thread.lock' object\n"
    assert err == ""


def test_a_function_that_is_not_there():
    out, _ = python("-c", PROGRAM.replace("__main__.helper", "__main__.gone") + TELL % RUN.strip())
    assert out.startswith("PS0206 ")
