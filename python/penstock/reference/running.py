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
    spec = {"nodes": {}} | _spec_of(tube)
    given = dict(inputs or {})
    if not isinstance(tube, (dict, str)):
        given = tube._inputs | given
    begun = time.perf_counter()
    active = _load(spec, given)
    of_process = [id for id, row in spec.get("input", {}).items() if row.get("scope") == "process"]
    if n is None and not has_source(active):
        n = 1
    limit = float("inf") if n is None else n
    try:
        records = active.run(limit, {id: given[id] for id in of_process if id in given})
    except BaseException as error:
        active.end(quiet=True)
        if isinstance(error, InputMissing):
            help = f"give it to process(), for example {error}=..."
            raise _missing(str(error), help) from None
        raise
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
    if spec is None:
        return "a tube that is not given as a dict"
    _check_shape(spec)
    return _lacks_tube(spec)


def _check_shape(spec: dict) -> None:
    """Nodes by name, each with a type: what everything below takes for granted."""
    wanted = {"type": str, "params": dict, "depends": (str, list)}
    nodes = spec.get("nodes", {})
    if not isinstance(nodes, dict) or not isinstance(spec.get("input", {}), dict):
        raise LoadError("nodes and input must be maps of names", [])
    for id, node in nodes.items():
        if not isinstance(node, dict) or "type" not in node:
            raise LoadError(f"node '{id}' has no 'type'", [])
        for key, kinds in wanted.items():
            if not isinstance(node.get(key, "" if key != "params" else {}), kinds):
                raise LoadError(f"{key} of node '{id}' is {type(node[key]).__name__}", [])
        depends = node.get("depends", [])
        for source in [depends] if isinstance(depends, str) else depends:
            named = source if isinstance(source, str) else next(iter(source.values()), None)
            if not isinstance(named, str) or named.count(".") != 1:
                raise LoadError(f"{named!r} in depends of node '{id}' is not 'node.signal'", [])


def _spec_of(tube: Any) -> dict | None:
    if isinstance(tube, dict):
        return tube
    text = (
        tube if isinstance(tube, str) else "" if getattr(tube, "_is_path", True) else tube._source
    )
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
            missing = (
                _lacks_tube(inner) if isinstance(inner, dict) else "a nested tube that is a file"
            )
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
        functions = [
            f for m in ("process", "init", "deinit", "__init__") if (f := vars(call).get(m))
        ]
    if (is_class and "process" not in vars(call)) or not all(
        isinstance(function, types.FunctionType) for function in functions
    ):
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
        active = _Active(spec, resolve, NoEvent, given)
        _check_slots(active)
    except WiringError as error:
        raise LoadError(str(error), []) from None
    except InputMissing as error:
        raise _missing(str(error), "give it when the tube is loaded") from None
    return active


def _check_slots(active: Interpreter) -> None:
    """What a function cannot do without is connected or given."""
    for node in active.nodes.values():
        if node.kind not in ("function", "object"):
            continue
        function = node.call if node.kind == "function" else node.call.process
        parameters = list(inspect.signature(function).parameters.values())[node.kind == "object" :]
        for i, p in enumerate(parameters):
            given = p.name in node.params or any(edge.slot in (i, p.name) for edge in node.edges)
            if (
                p.default is p.empty
                and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
                and not given
            ):
                raise WiringError(
                    "unknown-slot",
                    f"node '{node.id}' needs its input '{p.name}', which is not connected",
                )


def _missing(name: str, help: str) -> InputMissingError:
    return make_error(
        "invalid_argument", f"missing value for the required input '{name}'", "", "PS0301", help, ""
    )


def has_source(tube: Interpreter) -> bool:
    return any(node.kind == "generator" for node in tube.nodes.values()) or any(
        map(has_source, tube.inner.values())
    )


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

    def make(self, node: Any) -> Any:
        try:
            return super().make(node)
        except Exception as error:
            text = f"making '{node.id}' failed: {type(error).__name__}: {error}"
            raise LoadError(text, []) from error

    def begin(self, node: Any, method: str) -> None:
        begun = self.__dict__.setdefault(
            "begun", []
        )  # nodes to end, in the order of their beginning
        try:
            super().begin(node, method)
        except Exception as error:
            made = (
                error if getattr(error, "is_placed", False) else self.of_life(error, node, method)
            )
            if method == "init":
                self.end(quiet=True)
            raise made from error.__cause__ if made is error else error
        (begun.append if method == "init" else begun.remove)(node)

    def of_life(self, error: Exception, node: Any, method: str) -> Exception:
        text, trace, id, help, code = describe_exception(error)
        id = id or ("PS0411" if method == "init" else "PS0412")
        made = make_error(
            code, text, f"{method} of node '{self.full_id(node.id)}'", id, help, trace
        )
        made.is_placed = True
        return made

    def end(self, quiet: bool = False) -> None:
        """Call deinit of what was initialised, the last one first; raise the first failure."""
        failures = []
        for node in reversed(self.__dict__.get("begun", [])[:]):
            try:
                self.begin(node, "deinit")
            except Exception as error:
                self.begun.remove(node)
                failures.append(error)
        if failures and not quiet:
            raise failures[0]

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


class Refused(Exception):
    """(text, id, help) of an error that gets its place where it is caught."""
