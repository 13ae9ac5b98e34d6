"""docs/errors: each page is of an id that exists, says what the catalogue says, and is in the index."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ERROR_PAGES, ROOT, blocks

FOLDER = ROOT / "docs/errors"
COMMAND = Path(sys.executable).parent / "penstock"
IDS = [page.stem for page in ERROR_PAGES]
SECTIONS = ["Why it happens", "Cure", "See also"]


def explain(*words):
    return subprocess.run([COMMAND, "explain", *words], capture_output=True, text=True, check=True).stdout


def catalogue():
    """Titles by id, as `penstock explain` lists them."""
    return dict(line.split("  ", 1) for line in explain().splitlines())


def index_rows():
    """(id, title, page) of the rows of the index."""
    return re.findall(r"^\| \[(PS\d{4})\]\((\S+)\) \| (.*?) \|", (FOLDER / "README.md").read_text(), re.M)


def test_there_is_a_page_for_each_frequent_error():
    assert 25 <= len(IDS) <= 40
    assert {path.name for path in FOLDER.iterdir()} == {f"{id}.md" for id in IDS} | {"README.md"}


def test_the_index_lists_exactly_the_pages():
    titles = catalogue()
    assert index_rows() == [(id, f"{id}.md", titles[id]) for id in IDS]


@pytest.mark.parametrize("page", ERROR_PAGES, ids=IDS)
def test_the_page_goes_from_cause_to_cure(page):
    text = page.read_text()
    assert text.splitlines()[0] == f"# {page.stem}: {catalogue()[page.stem]}"
    heads = re.findall(r"^## (.*)$", text, re.M)
    if "Why it happens, and the cure" in heads:
        heads = [*SECTIONS[:2], *heads[1:]]
    assert [head for head in heads if head in SECTIONS] == SECTIONS
    assert 30 <= len(text.splitlines()) <= 95
    run = [block for block in blocks(page) if block[1] in ("console", "python") and "file" not in block[2]]
    shown = [(options, block) for _, _, options, block in run]
    assert page.stem in shown[0][1], "the first thing that is run fails with the error"
    assert any("exit" not in options for options, _ in shown[1:]), "and something is run that works"


def test_explain_names_the_page_where_there_is_one():
    for id in catalogue():
        assert (f"docs/errors/{id}.md" in explain(id)) == (id in IDS), id
