"""Every code block of the README, the guides and the pages of errors is run, in order, one folder per page.

Blocks with `file=NAME` are written to that file. `python` blocks without it are executed. `console` blocks
run each `$` line and compare its output with the lines below (`exit=N`: the last command's exit code; every
expected line must be the beginning of a line, in order; on a page of docs/errors the output is this and
nothing else, where `...` stands for any text in a line). `text` blocks without `file=` are not run.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ERROR_PAGES = sorted((ROOT / "docs/errors").glob("PS*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md")), *ERROR_PAGES]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)


def blocks(page):
    for match in BLOCK.finditer(page.read_text()):
        line = page.read_text()[: match.start()].count("\n") + 1
        options = dict(option.split("=", 1) for option in match[2].split())
        yield line, match[1], options, match[3]


def environment(folder):
    path = os.fspath(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    mine = {"PATH": path, "PENSTOCK_HOME": os.fspath(folder / ".penstock"), "NO_COLOR": "1", "PENSTOCK_CACHE": "on"}
    return os.environ | mine


def is_whole(output, expected):
    """Whether each line is the expected one; `...` in an expected line stands for any text."""
    wanted = [re.escape(line).replace(r"\.\.\.", ".*") for line in expected.splitlines()]
    seen = output.splitlines()
    return len(seen) == len(wanted) and all(re.fullmatch(w, s) for w, s in zip(wanted, seen, strict=True))


def run_console(text, folder, exit_code, where, *, whole=False):
    commands = re.split(r"^\$ ", text, flags=re.M)[1:]
    for index, part in enumerate(commands):
        command, _, expected = part.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120
        )
        wanted = exit_code if index == len(commands) - 1 else 0
        assert done.returncode == wanted, f"{where}: {command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        if whole:
            output = done.stdout + done.stderr
            assert is_whole(output, expected), f"{where}: {command}: wanted\n{expected}\nseen\n{output}"
            continue
        seen = iter((done.stdout + done.stderr).splitlines())
        for line in expected.splitlines():
            assert any(out.startswith(line) for out in seen), (
                f"{where}: {command}: no line {line!r} in\n{done.stdout}{done.stderr}"
            )


def run_python(text, folder, where):
    script = folder / "_block.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", os.fspath(script)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{where}:\n{done.stdout}{done.stderr}"


def run_page(page, folder):
    """Runs the blocks of a page; returns how many were run or written."""
    count = 0
    for line, language, options, text in blocks(page):
        where = f"{page.name}:{line}"
        if "file" in options:
            (folder / options["file"]).write_text(text)
        elif language == "python":
            run_python(text, folder, where)
        elif language == "console":
            run_console(text, folder, int(options.get("exit", 0)), where, whole=page.parent.name == "errors")
        elif language == "text":
            continue
        else:
            pytest.fail(f"{where}: a {language} block that nothing runs")
        count += 1
    return count


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_the_page_runs(page, tmp_path):
    assert run_page(page, tmp_path) > 0


def test_a_wrong_block_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ penstock explain PS0101\nthis line is not printed\n```\n")
    with pytest.raises(AssertionError, match="no line"):
        run_page(page, tmp_path)
    page.write_text("```python\nassert 1 == 2\n```\n")
    with pytest.raises(AssertionError, match="AssertionError"):
        run_page(page, tmp_path)


def test_a_page_of_errors_shows_the_whole_output(tmp_path):
    (tmp_path / "errors").mkdir()
    page = tmp_path / "errors" / "page.md"
    page.write_text("```console\n$ echo one; echo two three\none\ntwo ...\n```\n")
    assert run_page(page, tmp_path) == 1
    for wrong in ("one", "one\ntwo", "two ...\none"):
        page.write_text(f"```console\n$ echo one; echo two three\n{wrong}\n```\n")
        with pytest.raises(AssertionError, match="two three"):
            run_page(page, tmp_path)


LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_links_between_pages_lead_somewhere():
    seen = 0
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in LINK.findall(page.read_text()):
            seen += 1
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: broken link {target}"
    assert seen > 10
