"""The pure-Python twin and the native code do the same: every public operation, with random programs.

PENSTOCK_PARITY_COUNT (default 150) programs a case, from seed PENSTOCK_PARITY_SEED (default 0).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from parity import Case
from penstock.reference import operators

import penstock
from penstock import reference

EXECUTABLE = str(Path(sys.executable).parent / "penstock")
COUNT = int(os.environ.get("PENSTOCK_PARITY_COUNT", "150"))
SEED = int(os.environ.get("PENSTOCK_PARITY_SEED", "0"))
PARTS = sorted(path.stem for path in Path(__file__).with_name("parity").glob("*.py") if path.stem != "__init__")
CASES = [(part, case) for part in PARTS for case in importlib.import_module(f"parity.{part}").CASES]
NAMES = sorted(reference.__all__)


class Disagreement(AssertionError):
    pass


def check(case: Case, shrink: bool = True) -> None:
    """Run the case's programs on both backends; Disagreement at the first that comes out differently."""

    @settings(
        max_examples=max(int(COUNT * case.share), 5),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
    )
    @hypothesis.seed(SEED)
    @given(case.program)
    def both_backends_agree(program):
        native, twin = case.run("native", program), case.run("reference", program)
        if native != twin:
            raise Disagreement(f"{case.name}: {program!r}\nnative:    {native!r}\nreference: {twin!r}")

    both_backends_agree()


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[f"{part}: {case.name}" for part, case in CASES])
def test_both_backends_do_the_same(case):
    check(case)


BROKEN = [(f"{part}: {case.name}: {label}", case, breaker) for part, case in CASES for label, breaker in case.broken]


@pytest.mark.parametrize("case, breaker", [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_twin_broken_on_purpose_is_noticed(case, breaker):
    with breaker(), pytest.raises(Disagreement):
        check(case, shrink=False)


def test_every_case_shows_that_it_notices_something():
    assert not [case.name for _, case in CASES if not case.broken]


def home(name: str) -> str:
    return reference._HOMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_operation_has_a_case(name):
    assert [case for part, case in CASES if name in case.covers or part == home(name)], name


def test_every_method_is_called_by_a_case():
    """The twins are plain Python classes: their methods are counted while the cases of their part run."""
    assert not {name: uncalled for name in NAMES if (uncalled := methods_without_a_case(name))}


def methods_without_a_case(name: str) -> set[str]:
    cls = getattr(reference, name)
    if not inspect.isclass(cls):
        return set()
    methods = {m: f for m, f in vars(cls).items() if not m.startswith("_") and inspect.isfunction(f)}
    called = set()

    def counted(method, function):
        def call(*args, **keywords):
            called.add(method)
            return function(*args, **keywords)

        return call

    with ExitStack() as stack:
        for method, function in methods.items():
            stack.enter_context(mock.patch.object(cls, method, counted(method, function)))
        for part, case in CASES:
            if name in case.covers or part == home(name):
                check(case, shrink=False)
    return set(methods) - called


# ---- signatures: as the extension tells them, or its stub, which test_stub.py keeps as the extension is

STUB = ast.parse((Path(penstock.__file__).parent / "_core.pyi").read_text())


def of_stub(path: str) -> list[tuple] | None:
    """Parameters of a function or method in the stub; None when it has several."""
    body: list[ast.stmt] = STUB.body
    for name in path.split("."):
        found = [item for item in body if getattr(item, "name", None) == name]
        if len(found) != 1:
            return None
        body = getattr(found[0], "body", [])
    given = found[0].args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + [ast.unparse(d) for d in given.defaults]
    rows = []
    for i, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        kind = "positional-only" if i < len(given.posonlyargs) else "positional or keyword"
        rows.append((argument.arg, kind, default))
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        rows.append((argument.arg, "keyword-only", default and ast.unparse(default)))
    return rows


def parameters_of(function, path: str = "") -> list[tuple] | None:
    """(name, kind, default) of each parameter but self."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # nanobind's functions
        rows = of_stub(path)
    else:
        rows = [(p.name, p.kind.description, None if p.default is p.empty else repr(p.default)) for p in parameters]
    return rows and [row for row in rows if row[0] != "self"]


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def methods_of(cls: type) -> set[str]:
    return {name for name in public(cls) if callable(getattr(cls, name))}


@pytest.mark.parametrize("name", NAMES)
def test_the_twin_has_the_same_signature(name):
    twin = getattr(reference, name)
    native = getattr(penstock._core, name, None)
    if native is None:  # what the package itself chooses the backend of
        asked = [row for row in parameters_of(getattr(penstock, name)) if row[0] not in ("backend", "strict")]
        assert parameters_of(twin) == asked
    elif inspect.isfunction(twin):
        assert parameters_of(twin) == parameters_of(native, name)
    else:
        assert methods_of(twin) == methods_of(native)
        missing = public(native) - public(twin)
        assert not [name for name in missing if f"self.{name} = " not in inspect.getsource(twin.__init__)]
        assert parameters_of(twin) == parameters_of(native, f"{name}.__init__")
        for method in public(twin):
            if inspect.isfunction(getattr(twin, method)):
                wanted = parameters_of(getattr(native, method), f"{name}.{method}")
                assert parameters_of(getattr(twin, method)) == wanted, f"{name}.{method}"


def test_names_of_the_twin_are_those_of_the_package():
    assert [name for name in NAMES if not hasattr(penstock._core, name)] == ["run"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        reference.nothing  # noqa: B018
    assert set(NAMES) <= set(dir(reference))


def test_every_operator_has_a_twin_or_says_why_it_has_none():
    listed = subprocess.run([EXECUTABLE, "ops", "list", "--json"], capture_output=True, text=True, check=True).stdout
    twins = {spec["name"]: spec["twin"] for spec in json.loads(listed)}
    named = {name: twin.rpartition(".") for name, twin in twins.items() if not twin.startswith("none: ")}
    found = {name: getattr(importlib.import_module(module), function) for name, (module, _, function) in named.items()}
    assert found == operators.OPERATORS
    assert all(len(twin) > len("none: ") + 20 for name, twin in twins.items() if name not in named)
