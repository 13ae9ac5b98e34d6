"""run() in plain Python: the interpreter with the errors, the inputs and the ends of a real run."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import time
import types
from collections.abc import Iterable
from typing import Any

from penstock._errors import InputMissingError, LoadError, describe_exception, make_error
from penstock._events import NoEvent
from penstock.reference import operators
from penstock.reference.interpreter import ABSENT, InputMissing, Interpreter
from penstock.reference.wiring import LoadError as WiringError

_TUBE_KEYS = {"noob_id", "noob_model", "noob_version", "description", "nodes", "input", "assets"}
_NODE_KEYS = {"type", "depends", "params", "enabled", "stateful", "description"}
_INJECTED = ("Epoch", "RunnerContext", "EventMap")


def run(
    tube: Any,
    *,
    runner: str = "sync",
    n: int | None = None,
    inputs: dict[str, Any] | None = None,
    seed: int = 0,
    max_workers: int | None = None,
    task_timeout: float = 300,
    resources: dict[str, Any] | None = None,
    tags: Iterable[str] = ("local",),
    report: str | os.PathLike | None = None,
    history: bool = True,
    cache: bool = True,
) -> Any:
    """Run a tube on this thread and collect its results, as :func:`penstock.run` does.

    No run is recorded in the history and no result is kept, whatever `history` and `cache` say.
    UnimplementedError for what :func:`lacks` names. Cost: about 5 us a call of a node.
    """
    from penstock import _backend
    from penstock._run import Run, address

    missing = lacks(tube, runner=runner, resources=resources, tags=tags, report=report)
    if missing:
        raise _backend.no_twin(f"a run with {missing}")
    spec = _spec_of(tube)
    given = dict(inputs or {})
    if not isinstance(tube, (dict, str)):
        given = tube._inputs | given
    begun = time.perf_counter()
    active = _load(spec, given)
    of_process = [id for id, row in spec.get("input", {}).items() if row.get("scope") == "process"]
    if n is None and not has_source(active):
        n = 1
    try:
        records = active.run(float("inf") if n is None else n, {id: given[id] for id in of_process if id in given})
    except InputMissing as error:
        raise _missing(str(error), f"give it to process(), for example {error}=...") from None
    finally:
        active.end()
    results = [record.result for record in records if record.result is not ABSENT]
    metrics = {
        "backend": "reference",
        "status": "ok",
        "elapsed_s": time.perf_counter() - begun,
        "epochs": len(records),
        "results": len(results),
    }
    result = results[-1] if results else None
    return Run(results, result, address(result) if results else "", metrics)


def lacks(
    tube: Any,
    *,
    runner: str = "sync",
    resources: dict[str, Any] | None = None,
    tags: Iterable[str] = ("local",),
    report: str | os.PathLike | None = None,
    **others: Any,
) -> str:
    """The first thing about a run that has no twin, in words; "" when there is none."""
    if runner != "sync":
        return f"runner={runner!r}"
    for name, wanted in (("a report", report), ("resources", resources)):
        if wanted:
            return name
    if ([tags] if isinstance(tags, str) else list(tags)) != ["local"]:
        return "tags"
    spec = _spec_of(tube)
    return "a tube that is not given as a dict" if spec is None else _lacks_tube(spec)


def _spec_of(tube: Any) -> dict | None:
    if isinstance(tube, dict):
        return tube
    text = tube if isinstance(tube, str) else "" if getattr(tube, "_is_path", True) else tube._source
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)  # a dict that became text, as Tube.load does it
    except ValueError:
        return None


def _lacks_tube(spec: dict) -> str:
    for key in spec.keys() - _TUBE_KEYS:
        return f"the key {key!r} of a tube"
    for node in spec.get("nodes", {}).values():
        for key in node.keys() - _NODE_KEYS:
            return f"the key {key!r} of a node"
        if node["type"] == "tube":
            inner = node.get("params", {}).get("tube")
            missing = _lacks_tube(inner) if isinstance(inner, dict) else "a nested tube that is a file"
        else:
            special = node["type"] in ("map", "gather", "return")
            missing = "" if special else _lacks_call(resolve(node["type"]), node["type"])
        if missing:
            return missing
    return ""


def _lacks_call(call: Any, name: str) -> str:
    """Node kinds: functions, generators, and classes with a method process."""
    is_class = inspect.isclass(call)
    functions = [call]
    if is_class:
        functions = [f for m in ("process", "init", "deinit", "__init__") if (f := vars(call).get(m))]
    if (is_class and "process" not in vars(call)) or not all(isinstance(function, types.FunctionType) for function in functions):
        return f"a node of a kind such as {name!r}"
    for function in functions:
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            return f"the coroutine {name!r}"
        hints = " ".join(map(str, function.__annotations__.values()))
        for injected in _INJECTED:
            if injected in hints:
                return f"a node that asks for its {injected}, such as {name!r}"
    return ""


def resolve(name: str) -> Any:
    """What a node's type names: the twin of a native operator, or a Python object."""
    if name in operators.OPERATORS:
        return operators.OPERATORS[name]
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LoadError(f"cannot import {name!r}: {error}", []) from None


def _load(spec: dict, given: dict[str, Any]) -> _Active:
    try:
        return _Active(spec, resolve, NoEvent, given)
    except WiringError as error:
        raise LoadError(str(error), []) from None
    except InputMissing as error:
        raise _missing(str(error), "give it when the tube is loaded") from None


def _missing(name: str, help: str) -> InputMissingError:
    return make_error("invalid_argument", f"missing value for the required input '{name}'", "", "PS0301", help, "")


def has_source(tube: Interpreter) -> bool:
    return any(node.kind == "generator" for node in tube.nodes.values()) or any(map(has_source, tube.inner.values()))


class _Active(Interpreter):
    """The interpreter of a run: values go by identity, and errors say in which node and epoch."""

    keep = staticmethod(lambda value: value)

    def visit(self, node: Any, path: tuple, record: Any) -> None:
        try:
            super().visit(node, path, record)
        except InputMissing:
            raise
        except Exception as error:
            if getattr(error, "is_placed", False):  # by a tube inside
                raise
            raise self.placed(error, node, path, record.root) from error

    def placed(self, error: Exception, node: Any, path: tuple, root: int) -> Exception:
        steps = "".join(f"/{map_id}[{index}]" for map_id, index in path)
        origin = f"node '{self.full_id(node.id)}', epoch {root}{steps}"
        if isinstance(error, Refused):
            text, id, help = error.args
            made = make_error("invalid_argument", text, origin, id, help, "")
        else:
            text, trace, id, help, code = describe_exception(error)
            made = make_error(code, text, origin, id or "PS0401", help, trace)
        made.is_placed = True
        return made

    def full_id(self, id: str) -> str:
        if self.around is None:
            return id
        outer, node = self.around
        return f"{outer.full_id(node.id)}.{id}"

    def run_map(self, node: Any, path: tuple, found: dict) -> None:
        (items,) = found.values()
        if isinstance(items, (str, bytes, dict)) or not hasattr(items, "__len__"):
            seen = type(items).__name__
            raise Refused(f"map needs a list or another sized sequence, seen {seen}", "PS0404", "")
        super().run_map(node, path, found)

    def check_arity(self, node: Any, members: list) -> None:
        if len(members) != len(node.signals):
            text = f"wrong number of outputs: seen {len(members)} values, wanted {len(node.signals)} ({', '.join(node.signals)})"
            raise Refused(text, "PS0402", "return one value per signal, as a tuple")

    def end(self) -> None:
        """Call deinit of what was initialised, the last one first."""
        for node in reversed(self.nodes.values()):
            if node.id not in self.disabled:
                self.begin(node, "deinit")


class Refused(Exception):
    """(text, id, help) of an error that gets its place where it is caught."""
