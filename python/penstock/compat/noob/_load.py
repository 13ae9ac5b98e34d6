"""Loading by noob's rules: what is accepted, and the errors' class."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from penstock import _core, _errors, _kinds, _nodes
from penstock.compat.noob._reborn import Reborn
from penstock.compat.noob.exceptions import InputMissingError


class Face(NamedTuple):
    """What is known of a Python node from its object."""

    type: str
    target: Any  # the function, the generator or the object
    is_object: bool
    slots: tuple
    any_keyword: bool


def _without_types(described: tuple) -> tuple:
    """noob does not compare the types of both sides of an edge, so neither do its tubes here."""
    slots = tuple((*slot[:4], "any") for slot in described[3])
    return (*described[:3], slots, *described[4:8], (), *described[9:])


def _watch(faces: dict[str, Face]) -> Callable:
    def watch(node_id: str, type_name: str, params: dict, described: tuple) -> tuple:
        described = _without_types(described)
        target = _nodes.find(type_name)
        is_object = isinstance(target, type)
        is_plain_class = is_object and not _kinds.is_noob_node(target) and not issubclass(target, _kinds.Node)
        if is_plain_class or (not is_object and described[0] == "generator"):
            reborn = Reborn(target, params, described[1])
            described = (described[0], reborn, *described[2:11], reborn)
        found = described[11] if is_object else described[1]
        # Nodes of nested tubes come after those around them.
        faces.setdefault(node_id, Face(type_name, found, is_object, described[3], described[5]))
        return described

    return watch


@contextlib.contextmanager
def watching(faces: dict[str, Face]) -> Iterator[None]:
    """Tubes loaded, and worker processes described, inside are noob's; ``faces`` is filled."""
    token = _nodes.watch.set(_watch(faces))
    try:
        yield
    finally:
        _nodes.watch.reset(token)


def watch_for_ever() -> None:
    """Every tube this process loads is noob's. Called in worker processes."""
    _nodes.watch.set(_watch({}))


def read_spec(source: str | os.PathLike | dict) -> dict:
    """The tube as a dict, with what it extends; its names are not looked up yet."""
    with validation_errors():
        if isinstance(source, dict):
            return _core.read_spec(as_text(source), False, "<dict>")
        return _core.read_spec(os.fspath(source), True, "")


def as_text(data: dict) -> str:
    """A tube given as dict as YAML, of which JSON is a part."""
    try:
        return json.dumps(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise _errors.InvalidArgumentError(f"a tube given as dict holds what YAML cannot: {error}") from error


@contextlib.contextmanager
def validation_errors() -> Iterator[None]:
    """A LoadError that leaves is a pydantic.ValidationError too, if pydantic is installed."""
    try:
        yield
    except _errors.InputMissingError as error:
        if isinstance(error, InputMissingError):
            raise
        raise _copied(InputMissingError, error) from None
    except _errors.LoadError as error:
        raise as_validation_error(error) from None


def _copied(cls: type, error: _errors.Error) -> _errors.Error:
    made = cls(error.message, id=error.id, origin=error.origin, help=error.help, trace=error.trace)
    made.__dict__.update(error.__dict__)
    return made


def refuse(id: str, message: str, help: str) -> _errors.LoadError:
    """A LoadError of noob's own rules."""
    text = f"error[{id}]: {message}\n  help: {help}"
    found = {"id": id, "message": message, "file": "", "line": 0, "column": 0, "help": help, "text": text}
    return as_validation_error(_errors.LoadError(text, [found]))


_class: type | None = None


def as_validation_error(error: _errors.LoadError) -> _errors.LoadError:
    """An equal error that ``except pydantic.ValidationError`` catches, where there is pydantic."""
    global _class
    if _class is None:
        try:
            _class = _make_class()
        except ModuleNotFoundError:
            _class = type(error)
            return error
    if not hasattr(_class, "from_load_error"):
        return error
    return _class.from_load_error(error)


def _make_class() -> type:
    from pydantic_core import PydanticCustomError, ValidationError

    class TubeValidationError(_errors.LoadError, ValidationError):
        """A tube cannot be loaded; ``diagnostics`` lists every problem found, and so does ``errors()``."""

        # Made by pydantic's own from_exception_data(), which calls the class with what it needs itself.
        def __init__(self, *_: Any) -> None:
            pass

        __str__ = _errors.Error.__str__

        def __repr__(self) -> str:
            return f"{type(self).__name__}({self.message!r})"

        @classmethod
        def from_load_error(cls, error: _errors.LoadError) -> TubeValidationError:
            lines = [
                {
                    "type": PydanticCustomError(d["id"] or "tube", "{message}", {"message": d["message"]}),
                    "loc": (d["file"], d["line"], d["column"]),
                    "input": None,
                }
                for d in error.diagnostics
            ]
            made = cls.from_exception_data("TubeSpecification", lines)
            _errors.LoadError.__init__(made, error.message, error.diagnostics)
            return made

    return TubeValidationError
