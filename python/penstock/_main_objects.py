"""Functions and classes of the program itself, as bytes: how they enter a worker process.

A worker cannot import ``__main__``: a notebook, a prompt and ``python -c`` have no file, and a script
would run again. So what a tube names in it is sent by value: code, defaults, closure, and those globals
that it uses, again by value where they belong to the program and by name where a module has them.
"""

from __future__ import annotations

import dis
import importlib
import io
import marshal
import pickle
import re
import sys
import types
from abc import ABCMeta
from typing import Any

_PROGRAM = ("__main__", "__mp_main__")
_NAME = re.compile(r"[A-Za-z_]\w*")


def dump(names: list[str]) -> bytes:
    """The objects of these names in ``__main__``, with all they need.

    Raises whatever pickle raises for one that cannot leave its process.
    """
    main = sys.modules["__main__"]
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump({name: getattr(main, name) for name in names})
    return out.getvalue()


def load(data: bytes) -> types.ModuleType:
    """A module that has the objects; it takes the place of ``__main__``."""
    module = types.ModuleType("__mp_main__")
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    module.__dict__.update(pickle.loads(data))  # noqa: S301 - from our own parent process
    return module


class _Pickler(pickle.Pickler):
    """Pickles what belongs to the program by value."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, types.FunctionType) and value.__module__ in _PROGRAM:
            return _reduce_function(value)
        if isinstance(value, type) and value.__module__ in _PROGRAM:
            return _reduce_class(value)
        if isinstance(value, types.ModuleType):
            return importlib.import_module, (value.__name__,)
        if isinstance(value, types.CodeType):
            return marshal.loads, (marshal.dumps(value),)
        if isinstance(value, property):
            return property, (value.fget, value.fset, value.fdel, value.__doc__)
        if isinstance(value, staticmethod | classmethod):
            return type(value), (value.__func__,)
        return NotImplemented


def _reduce_function(function: types.FunctionType) -> tuple:
    state = {
        "globals": _used_globals(function),
        "closure": [_contents(cell) for cell in function.__closure__ or ()],
        "attributes": {
            "__defaults__": function.__defaults__,
            "__kwdefaults__": function.__kwdefaults__,
            "__annotations__": function.__annotations__,
            "__doc__": function.__doc__,
            "__module__": "__main__",
            "__qualname__": function.__qualname__,
        },
        "dict": function.__dict__,
    }
    return _make_function, (function.__code__, function.__name__), state, None, None, _fill_function


def _contents(cell: Any) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not filled yet
        return ()


def _used_globals(function: types.FunctionType) -> dict[str, Any]:
    names = _names_in(function.__code__)
    for hint in function.__annotations__.values():
        if isinstance(hint, str):
            names.update(_NAME.findall(hint))
    space = function.__globals__
    return {name: space[name] for name in sorted(names) if name in space and not _is_own(name)}


def _is_own(name: str) -> bool:
    """Names every module has of its own; ``__file__`` may be asked for."""
    return name.startswith("__") and name.endswith("__") and name != "__file__"


def _names_in(code: types.CodeType) -> set[str]:
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names_in(constant)
    return names


def _make_function(code: types.CodeType, name: str) -> types.FunctionType:
    cells = tuple(types.CellType() for _ in code.co_freevars)
    return types.FunctionType(code, sys.modules["__mp_main__"].__dict__, name, None, cells)


def _fill_function(function: types.FunctionType, state: dict) -> None:
    for name, value in state["globals"].items():
        function.__globals__.setdefault(name, value)
    for cell, contents in zip(function.__closure__ or (), state["closure"], strict=True):
        if contents:
            cell.cell_contents = contents[0]
    for name, value in state["attributes"].items():
        setattr(function, name, value)
    function.__dict__.update(state["dict"])


def _reduce_class(cls: type) -> tuple:
    if type(cls) not in (type, ABCMeta):
        raise pickle.PicklingError(
            f"class '{cls.__name__}' has the metaclass '{type(cls).__name__}'"
        )
    slots = cls.__dict__.get("__slots__", ())
    of_slots = (slots,) if isinstance(slots, str) else slots
    left_out = {"__dict__", "__weakref__", "__slots__", "_abc_impl", *of_slots}
    state = {name: value for name, value in cls.__dict__.items() if name not in left_out}
    for hint in cls.__dict__.get("__annotations__", {}).values():
        if isinstance(hint, str):
            space = sys.modules["__main__"].__dict__
            names = {n for n in _NAME.findall(hint) if n in space and not _is_own(n)}
            state.setdefault("__penstock_globals__", {}).update({n: space[n] for n in names})
    body = {"__slots__": slots} if "__slots__" in cls.__dict__ else {}
    made = (type(cls), cls.__name__, cls.__bases__, body)
    return _make_class, made, state, None, None, _fill_class


def _make_class(meta: type, name: str, bases: tuple, body: dict) -> type:
    return meta(name, bases, {**body, "__module__": "__main__"})


def _fill_class(cls: type, state: dict) -> None:
    space = sys.modules["__mp_main__"].__dict__
    for name, value in state.pop("__penstock_globals__", {}).items():
        space.setdefault(name, value)
    for name, value in state.items():
        setattr(cls, name, value)
