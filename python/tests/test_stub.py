"""The binding's surface is a reviewed file: `_core.pyi` is what the extension really offers."""

import subprocess
import sys
from pathlib import Path

STUB = Path(__file__).parents[1] / "penstock/_core.pyi"


def make_stub(folder):
    made = folder / "_core.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "penstock._core", "-o", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made.read_text()


def test_stub_is_up_to_date(tmp_path):
    fresh = make_stub(tmp_path)
    assert "class Runner" in fresh
    assert fresh == STUB.read_text(), (
        "the extension's surface changed; look at the difference, then write the new file with: "
        "python -m nanobind.stubgen -m penstock._core -o python/penstock/_core.pyi"
    )
