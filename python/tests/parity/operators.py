"""The native operators that have a twin: hello.*, which only the command's built-in tube can name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

from hypothesis import strategies as st
from penstock.reference import operators

from parity import Case
from penstock import reference

EXECUTABLE = str(Path(sys.executable).parent / "penstock")
HELLO = {
    "input": {"name": {"type": "text", "default": "world"}},
    "nodes": {
        "words": {"type": "hello.words", "params": {"name": "input.name"}},
        "each": {"type": "map", "depends": "words.value"},
        "big": {"type": "hello.capitalize", "depends": "each.value"},
        "all": {"type": "gather", "depends": [{"value": "big.value"}, {"n": "each.n"}]},
        "line": {"type": "hello.join", "depends": "all.value"},
        "out": {"type": "return", "depends": "line.value"},
    },
}


def run_hello(name, who):
    if name == "reference":
        found = reference.run(HELLO, inputs={"name": who})
        return found.result, found.cid
    command = [EXECUTABLE, "run", "hello", "--json", "--no-history", "--input", f"name={who}"]
    line = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0])
    return line["value"], line["cid"]


CASES = [
    Case(
        "hello",
        st.text("abyzABZ \u00e9\u00df09,!'\"\\", max_size=6),
        run_hello,
        [("all letters made capitals", lambda: mock.patch.dict(operators.OPERATORS, {"hello.capitalize": capital}))],
        share=0.3,
    )
]


def capital(text: str) -> str:
    return text.upper()
