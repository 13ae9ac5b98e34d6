"""docs/formats/tube.md: every tube in it is accepted, or refused with the id it names, and every command prints what it says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "formats" / "tube.md"
COMMAND = os.environ.get("PENSTOCK_COMMAND") or str(Path(sys.executable).parent / "penstock")
BLOCK = re.compile(r"(?:<!-- (?:refused: (PS\d{4})|file: (\S+)) -->\n)?```(yaml|console)\n(.*?)```", re.S)


FILES = {}  # by name: tubes that later ones extend


def blocks():
    """(number, refused id or '', kind, text, the tube before it)."""
    tube, out = "", []
    for number, match in enumerate(BLOCK.finditer(PAGE.read_text(encoding="utf-8"))):
        refused, file, kind, text = match.groups()
        if file:
            FILES[file] = text
        out.append((number, refused or "", kind, text, tube))
        if kind == "yaml":
            tube = text
    return out


BLOCKS = blocks()


def penstock(words, folder):
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PENSTOCK_HOME": str(folder / "home"), "PENSTOCK_PYTHON": sys.executable, "NO_COLOR": "1"}
    return subprocess.run([COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_the_page_has_examples():
    assert sum(kind == "yaml" for _, _, kind, _, _ in BLOCKS) >= 15
    assert sum(bool(refused) for _, refused, _, _, _ in BLOCKS) >= 10
    assert PAGE.read_text(encoding="utf-8").count("```") == 2 * len(BLOCKS)


@pytest.mark.parametrize(("number", "refused", "text"), [(n, r, t) for n, r, kind, t, _ in BLOCKS if kind == "yaml"])
def test_tube_is_accepted_or_refused(number, refused, text, tmp_path):
    (tmp_path / "tube.yaml").write_text(text, encoding="utf-8")
    done = penstock(["check", "--types", "tube.yaml"], tmp_path)
    assert done.returncode == (3 if refused else 0), done.stdout + done.stderr
    if refused:
        assert f"error[{refused}]" in done.stdout
    elif "return" in text:
        assert penstock(["run", "tube.yaml", "--quiet"], tmp_path).returncode == 0


@pytest.mark.parametrize(("number", "text", "tube"), [(n, t, tube) for n, _, kind, t, tube in BLOCKS if kind == "console"])
def test_command_prints_what_the_page_says(number, text, tube, tmp_path):
    (tmp_path / "tube.yaml").write_text(tube, encoding="utf-8")
    command, *expected = text.splitlines()
    done = penstock(shlex.split(command)[2:], tmp_path)
    assert done.returncode == 0, done.stderr
    seen = done.stdout.splitlines()
    assert len(seen) == len(expected)
    for line, wanted in zip(seen, expected, strict=True):
        assert re.fullmatch(re.escape(wanted).replace(r"\.\.\.", ".*"), line), f"{line}\n{wanted}"


def test_every_load_check_is_listed_with_its_title():
    listed = subprocess.run([COMMAND, "explain"], capture_output=True, text=True, check=True).stdout.splitlines()
    rows = re.findall(r"^\| .*?\| (?:\[(PS\d{4})\]\(\S+\)|(PS\d{4})) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    seen = [(linked or bare) + "  " + title for linked, bare, title in rows]
    assert seen == [line for line in listed if line < "PS04"]
    assert [linked for linked, _, _ in rows if linked] == [path.stem for path in sorted(PAGE.parents[1].glob("errors/PS0[0-3]*.md"))]
