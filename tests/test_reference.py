"""Every native operator: a complete spec, text of its own, an example that runs, a page."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PENSTOCK = Path(sysconfig.get_path("scripts")) / "penstock"
SPECS = json.loads(subprocess.run([PENSTOCK, "ops", "list", "--json"], check=True, capture_output=True, text=True).stdout)
NAMES = [spec["name"] for spec in SPECS]


def test_the_first_operators_are_there():
    assert {"table.read", "table.sql", "table.write"} <= set(NAMES)


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_spec_is_complete(spec):
    assert spec["summary"] and len(spec["summary"]) <= 100 and "\n" not in spec["summary"]
    assert spec["description"] and spec["cost"] and spec["example"] and spec["backend"] == "native"
    assert spec["twin"].startswith(("none: ", "penstock.reference."))
    assert spec["outputs"] or spec["inputs"]
    for part in spec["inputs"] + spec["outputs"] + spec["parameters"]:
        assert part["name"] and part["type"] and part["summary"], part
    assert f"type: {spec['name']}" in spec["example"]


@pytest.mark.parametrize("field", ["summary", "description"])
def test_text_is_not_shared_by_two_operators(field):
    texts = [spec[field] for spec in SPECS]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_example_runs(spec, tmp_path):
    tube = tmp_path / "example.yaml"
    tube.write_text(spec["example"].replace("${DIR}", str(tmp_path)), encoding="utf-8")
    done = subprocess.run([PENSTOCK, "run", tube, "--json"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"summary"' in done.stdout.splitlines()[-1]


def test_pages_are_those_of_the_specs():
    done = subprocess.run([sys.executable, ROOT / "tools" / "make_reference.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
