"""Kinds of Python nodes beyond plain functions: :class:`Node`, coroutines, injected parameters.

What is found out here once, when a tube is loaded, is used by the extension at every call.
"""

from __future__ import annotations

import contextvars
import copy
import inspect
import sys
import types
import typing
import weakref
from typing import Any

from penstock._errors import InvalidArgumentError
from penstock._events import Epoch, EventMap, RunnerContext


@typing.dataclass_transform(kw_only_default=True)
class Node:
    """Base of classes whose objects want to know when a run begins and ends.

    Annotated class attributes are the node's ``params``, with defaults, as in a dataclass; names that
    begin with ``_`` are not. `process` is called once per epoch; `init` before the first epoch of a
    runner, in the process where the node lives, and `deinit` after the last, also when the run
    failed. Any of the three may be ``async def``.

    >>> class Above(Node):
    ...     limit: float = 0
    ...     def process(self, value: float) -> float:
    ...         return value if value > self.limit else NoEvent
    """

    stateful: typing.ClassVar[bool] = True

    def __init__(self, **params: Any) -> None:
        fields = _fields(type(self))
        unknown = [name for name in params if name not in fields]
        if unknown:
            raise TypeError(
                f"unknown parameter '{unknown[0]}'; it takes: {', '.join(fields) or 'none'}"
            )
        for name, default in fields.items():
            if name in params:
                setattr(self, name, params[name])
            elif default is _REQUIRED:
                raise TypeError(f"missing parameter '{name}'")
            else:
                # One list for all objects would be shared state nobody asked for.
                setattr(self, name, copy.copy(default))

    def init(self) -> Any:
        """Called before the first epoch of a runner. May take one parameter annotated RunnerContext."""

    def deinit(self) -> Any:
        """Called after the last epoch of a runner, when `init` has succeeded."""

    def process(self, *args: Any, **kwargs: Any) -> Any:
        """Called once per epoch with the node's inputs."""
        raise NotImplementedError(f"class '{type(self).__name__}' has no method 'process'")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name, None)!r}" for name in _fields(type(self)))
        return f"{type(self).__name__}({values})"


_REQUIRED = object()


def _fields(cls: type) -> dict[str, Any]:
    """Parameters of a Node class, those of its bases first, with their defaults."""
    fields: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base is Node or not issubclass(base, Node):
            continue
        for name, hint in base.__dict__.get("__annotations__", {}).items():
            text = hint if isinstance(hint, str) else str(hint)
            if name.startswith("_") or "ClassVar" in text:
                continue
            fields[name] = base.__dict__.get(name, _REQUIRED)
    return fields


# What a RunnerContext has besides the usual: penstock.compat.noob puts its own runner in.
more_context: contextvars.ContextVar[dict] = contextvars.ContextVar("penstock_context", default={})  # noqa: B039 - never changed


def start_node(node: Any, context: dict) -> Any:
    """Call ``init``; its result, perhaps a coroutine. Called from the extension."""
    init = _life_method(node, "init")
    if init is None:
        return None
    for name, hint in _annotations(init).items():
        if _is_runner_context(hint):
            return init(**{name: context | more_context.get()})
    return init()


def stop_node(node: Any) -> Any:
    """Call ``deinit``. Called from the extension."""
    deinit = _life_method(node, "deinit")
    return deinit() if deinit is not None else None


def is_noob_node(cls: type) -> bool:
    """True for classes derived from noob's own Node, or from penstock.compat.noob's."""
    own = getattr(sys.modules.get("noob.node.base"), "Node", None)
    return (own is not None and issubclass(cls, own)) or getattr(cls, "is_noob_node", False) is True


def is_node(instance: Any) -> bool:
    """True when its class says that it is a node, and so has ``init`` and ``deinit``."""
    return isinstance(instance, Node) or is_noob_node(type(instance))


_LIFE_MARKS = {"init": "__is_init_method__", "deinit": "__is_deinit_method__"}  # set by noob's decorators


def _life_method(instance: Any, name: str) -> Any:
    """The method called at the beginning or the end; of a plain class the one marked so, if any."""
    if is_node(instance):
        return getattr(instance, name)
    for base in type(instance).__mro__:
        for attribute, member in vars(base).items():
            if isinstance(member, types.FunctionType) and hasattr(member, _LIFE_MARKS[name]):
                return getattr(instance, attribute)
    return None


def _has_life(instance: Any) -> bool:
    return is_node(instance) or any(_life_method(instance, name) is not None for name in _LIFE_MARKS)


def complete(described: tuple, instance: object, type_name: str) -> tuple:
    """What describe() has found so far, and (is_async, injections, node) besides.

    Slots that are injected are no slots any more: no edge is needed.
    """
    node = instance if instance is not None and _has_life(instance) else None
    kind, target, _, slots, *_ = described
    if kind != "function":
        return (*described, False, (), node)
    is_async_generator, is_coroutine, injections, names = _manner(target)
    if is_async_generator:
        raise InvalidArgumentError(
            f"'{type_name}' is an asynchronous generator, wanted a coroutine, a function, a generator "
            "or a class",
            id="PS0221",
            help="write a class with 'async def process' that awaits the next item of it",
        )
    if names:
        slots = tuple(slot for slot in slots if slot[0] not in names)
    return (*described[:3], slots, *described[4:], is_coroutine, injections, node)


# What is found out of a function is the same each time: keyed by the function itself, as long as it lives.
_manners: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _manner(target: Any) -> tuple:
    """(is an asynchronous generator, is a coroutine, injections, their names) of what a node calls."""
    function = getattr(target, "__func__", target)
    known = _manners.get(function) if isinstance(function, types.FunctionType) else None
    if known is None:
        injections = _injections(target)
        names = {name for name, *_ in injections}
        known = (inspect.isasyncgenfunction(target), _is_coroutine(target), injections, names)
        if isinstance(function, types.FunctionType):
            _manners[function] = known
    return known


def check_no_async_generator(function: Any, type_name: str) -> None:
    """Asynchronous generators are no nodes."""
    if _manner(function)[0]:
        complete(("function", function, None, ()), None, type_name)


def dynamic_face(cls: type, params: dict) -> tuple[list[str] | None, list[str] | None]:
    """Signals and slots of a Node class that computes them from its params; None where it does not.

    The class methods are called with an object whose ``params`` are the node's.
    """
    if not issubclass(cls, Node) and not is_noob_node(cls):
        return None, None
    spec = types.SimpleNamespace(params=params, depends=None)
    found = []
    for name in ("get_signals", "get_slots"):
        method = _own_method(cls, name)
        names = list(method(spec)) if method is not None else None
        if names is not None and not all(isinstance(n, str) and n.isidentifier() for n in names):
            raise InvalidArgumentError(
                f"'{cls.__name__}.{name}' gives {names!r}, wanted names", id="PS0206"
            )
        found.append(names)
    return found[0] or None, found[1]


def _own_method(cls: type, name: str) -> Any:
    """The class method, unless it is the one that noob's Node has: our own rules are those."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return None if base.__module__ == "noob.node.base" else getattr(cls, name)
    return None


def _is_coroutine(target: Any) -> bool:
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(
        getattr(target, "__call__", None)  # noqa: B004 - an object whose call is a coroutine
    )


def _annotations(function: Any) -> dict[str, Any]:
    """Annotations of the parameters; text is resolved where it can be, and stays text else."""
    function = getattr(function, "__func__", function)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    found = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        if name == "return":
            continue
        if isinstance(hint, str):
            try:
                hint = eval(hint, getattr(function, "__globals__", {}))  # noqa: S307 - the module's own text
            except Exception:  # noqa: BLE001 - a name that only a type checker knows
                pass
        found[name] = hint
    return found


def _injections(function: Any) -> tuple:
    found = []
    for name, hint in _annotations(function).items():
        if hint is EventMap or _last_name(hint) == "EventMap" or hint is _of_noob("EventMap"):
            found.append((name, "events", EventMap))
        elif _is_epoch(hint):
            found.append((name, "epoch", hint if isinstance(hint, type) else Epoch))
    return tuple(found)


def _is_epoch(hint: Any) -> bool:
    if isinstance(hint, type):
        return hint is Epoch or (hint.__name__ == "Epoch" and hasattr(hint, "root"))
    return _last_name(hint) == "Epoch"


def _is_runner_context(hint: Any) -> bool:
    return (
        hint is RunnerContext
        or getattr(hint, "__name__", "") == "RunnerContext"
        or _last_name(hint) == "RunnerContext"
    )


def _last_name(hint: Any) -> str:
    """The last part of an annotation that is text ("ps.Epoch" -> "Epoch"), else ''."""
    return hint.strip("'\" ").rpartition(".")[2] if isinstance(hint, str) else ""


def _of_noob(name: str) -> Any:
    """noob's own type, in a program that uses it; an object nothing is identical to otherwise."""
    return getattr(sys.modules.get("noob.types"), name, _REQUIRED)
