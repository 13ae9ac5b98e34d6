"""docs/formats/value-encoding.md and message.md: every example is run, and shows what it says."""

import doctest
import pathlib
import re

import pytest

FORMATS = pathlib.Path(__file__).parents[2] / "docs" / "formats"


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", (FORMATS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run(text, output):
    test = doctest.DocTestParser().get_doctest(text, {"__name__": __name__}, "page", "page", 0)
    result = doctest.DocTestRunner(verbose=False).run(test, out=output.append)
    return result.attempted, result.failed


@pytest.fixture(autouse=True)
def fraction_codec_registered_once(monkeypatch):
    """The page registers a codec; it may be run more than once in one process."""
    import penstock

    def register(cls, name, to_payload, from_payload):
        try:
            original(cls, name, to_payload, from_payload)
        except ValueError as error:
            assert "registered already" in str(error)

    original = penstock.register_codec
    monkeypatch.setattr(penstock, "register_codec", register)


@pytest.mark.parametrize("page, count", [("value-encoding.md", 30), ("message.md", 15)])
def test_examples(page, count):
    output = []
    attempted, failed = run("\n".join(blocks(page)), output)
    assert failed == 0, "\n".join(output)
    assert attempted >= count


def test_a_wrong_example_is_noticed():
    output = []
    assert run(">>> import penstock as ps\n>>> ps.encode(1).hex()\n'02'\n", output) == (2, 1)
