"""docs/formats/value-encoding.md: every example is run, and shows what it says."""

import doctest
import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "formats" / "value-encoding.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run(text, output):
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
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


def test_examples():
    output = []
    attempted, failed = run("\n".join(BLOCKS), output)
    assert failed == 0, "\n".join(output)
    assert attempted >= 30


def test_a_wrong_example_is_noticed():
    output = []
    assert run(">>> import penstock as ps\n>>> ps.encode(1).hex()\n'02'\n", output) == (2, 1)
